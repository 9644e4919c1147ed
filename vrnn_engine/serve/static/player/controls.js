// @ts-check
/** The values of a voice's controls: checked, and moved along ramps one frame after the other. */

/** @typedef {import("./player.js").Control} Control */
/** @typedef {{start: number, end: number, frames: number, done: number}} Ramp  A straight line from `start` to `end`. */

export class Controls {
  /**
   * @param {Control[]} specs  The controls in the voice's manifest.
   * @param {number} framesPerSecond
   */
  constructor(specs, framesPerSecond = 1) {
    this._specs = new Map(specs.map((spec) => [spec.name, spec]));
    this._framesPerSecond = framesPerSecond;
    /** @type {Map<string, Map<number, Ramp>>}  Ramps by control and dimension. */
    this._ramps = new Map();
    /** @type {Object<string, Float64Array>} */
    this._values = {};
    this.reset();
  }

  /** The values as the graph takes them, by name. */
  get table() {
    return Object.fromEntries(Object.entries(this._values).map(([name, value]) => [name, Float32Array.from(value)]));
  }

  /**
   * Return a copy of the value of a control.
   *
   * @param {string} name
   * @returns {Float32Array}
   */
  value(name) {
    return Float32Array.from(this._values[this._spec(name).name]);
  }

  /**
   * Set a control, or one dimension of it, at once or along a line of `ramp` seconds.
   *
   * @param {string} name
   * @param {number|ArrayLike<number>} value  A number, or for a whole control also one number per dimension.
   * @param {{index?: number|null, ramp?: number}} [options]  `index` is a dimension, counted from 0; by default all.
   */
  set(name, value, { index = null, ramp = 0 } = {}) {
    const ends = this._check(name, value, index);
    if (!(ramp >= 0 && ramp < Infinity)) throw new RangeError(`ramp ${ramp} is not a number of seconds, 0 or more`);
    const frames = ramp ? Math.max(1, Math.round(ramp * this._framesPerSecond)) : 0;
    const now = this._values[name].slice();
    const ramps = new Map(this._ramps.get(name));
    for (const [dimension, end] of ends) {
      if (frames) ramps.set(dimension, { start: now[dimension], end, frames, done: 0 });
      else ramps.delete(dimension);
      if (!frames) now[dimension] = end;
    }
    this._ramps.set(name, ramps);
    this._values[name] = now;
  }

  /** Move each control that is on a ramp by one frame. */
  advance() {
    for (const [name, ramps] of this._ramps) {
      if (!ramps.size) continue;
      const now = this._values[name].slice();
      for (const [dimension, ramp] of ramps) {
        ramp.done += 1;
        now[dimension] = ramp.start + (ramp.end - ramp.start) * (ramp.done / ramp.frames);
        if (ramp.done >= ramp.frames) {
          now[dimension] = ramp.end;
          ramps.delete(dimension);
        }
      }
      this._values[name] = now;
    }
  }

  /** Whether each control has its default. */
  get areDefaults() {
    return [...this._specs.values()].every(({ name, default: value }) => this._values[name].every((one) => one === value));
  }

  /** Set every control to its default, and end all ramps. */
  reset() {
    this._ramps.clear();
    for (const { name, shape, default: value } of this._specs.values()) {
      this._values[name] = new Float64Array(shape[0]).fill(value);
    }
  }

  /**
   * Return copies of all values, by name; see `restore`.
   *
   * @returns {Object<string, Float64Array>}
   */
  snapshot() {
    return Object.fromEntries(Object.entries(this._values).map(([name, value]) => [name, value.slice()]));
  }

  /**
   * Set the controls in `values` to these, and the others to their defaults. Nothing changes if one cannot be set.
   *
   * @param {Object<string, ArrayLike<number>>} values
   */
  restore(values) {
    for (const [name, value] of Object.entries(values)) this._check(name, value, null);
    this.reset();
    for (const [name, value] of Object.entries(values)) this.set(name, value);
  }

  /**
   * Return the dimensions that a value sets, and the number for each.
   *
   * @param {string} name
   * @param {number|ArrayLike<number>} value
   * @param {number|null} index
   * @returns {[number, number][]}
   */
  _check(name, value, index) {
    const { shape, minimum, maximum } = this._spec(name);
    const size = shape[0];
    if (index !== null && !(Number.isInteger(index) && index >= 0 && index < size)) {
      throw new RangeError(`control ${name} has no dimension ${index}, only 0 to ${size - 1}`);
    }
    const isNumber = typeof value === "number";
    if (!isNumber && (index !== null || value?.length !== size)) {
      throw new RangeError(`control ${name} takes one number${index === null ? ` or ${size} numbers` : ""}`);
    }
    const numbers = isNumber ? new Array(index === null ? size : 1).fill(value) : Array.from(value);
    for (const one of numbers) {
      if (typeof one !== "number" || !Number.isFinite(one)) throw new RangeError(`control ${name} takes numbers, not ${one}`);
      if (one < minimum || one > maximum) {
        throw new RangeError(`control ${name} = ${one} is out of range [${minimum}, ${maximum}]`);
      }
    }
    return numbers.map((one, i) => [index ?? i, one]);
  }

  /**
   * @param {string} name
   * @returns {Control}
   */
  _spec(name) {
    const spec = this._specs.get(name);
    if (!spec) throw new RangeError(`unknown control ${name}; this voice has ${[...this._specs.keys()].join(", ")}`);
    return spec;
  }
}
