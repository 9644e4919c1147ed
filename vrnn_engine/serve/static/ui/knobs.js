// @ts-check
/** Sets controls of a player, a few times a second at most, and tells everyone who shows them. */

const PAUSE = 80; // ms between two changes of one control: a server accepts 50 messages a second

/** An EventTarget with the event "change", whose detail is {name}; name is null if any control may have changed. */
export class Knobs extends EventTarget {
  /** @param {import("../player/player.js").Player} player */
  constructor(player) {
    super();
    this.player = player;
    this.controls = player.manifest.controls;
    /** Values that wait to be sent. @type {Map<string, {value: Float32Array, timer: number, waits: boolean}>} */
    this.waiting = new Map();
  }

  /** Return the description of a control, or undefined. @param {string} name */
  find(name) {
    return this.controls.find((control) => control.name === name);
  }

  /** Return the value of a control as last set, a copy. @param {string} name @returns {Float32Array} */
  value(name) {
    const waits = this.waiting.get(name);
    return waits?.waits ? waits.value.slice() : this.player.value(name);
  }

  /**
   * Set a whole control, or one dimension of it; values are limited to its range.
   *
   * @param {string} name
   * @param {number|ArrayLike<number>} value
   * @param {number|null} [index]
   */
  set(name, value, index = null) {
    const control = this.find(name);
    if (!control) return;
    const next = this.value(name);
    if (index !== null) next[index] = Number(value);
    else if (typeof value === "number") next.fill(value);
    else next.set(Array.from(value));
    for (let i = 0; i < next.length; i++) next[i] = Math.min(control.maximum, Math.max(control.minimum, next[i]));
    this.#send(name, next);
    this.dispatchEvent(new CustomEvent("change", { detail: { name } }));
  }

  /** Return whether each number of a control has its default. @param {string} name */
  isDefault(name) {
    const home = Math.fround(this.find(name)?.default ?? 0);
    return this.value(name).every((number) => number === home);
  }

  /** Set one control to its default. @param {string} name */
  restore(name) {
    const control = this.find(name);
    if (control) this.set(name, control.default);
  }

  /** Set every control to its default. */
  reset() {
    this.#forget();
    this.player.reset();
    this.refresh();
  }

  /** Tell everyone that the controls may have changed, for example after a saved state was restored. */
  refresh() {
    this.dispatchEvent(new CustomEvent("change", { detail: { name: null } }));
  }

  /**
   * Call a function whenever a control has changed.
   *
   * @param {string} name
   * @param {() => void} call
   * @param {AbortSignal} signal  Ends the listening.
   */
  follow(name, call, signal) {
    const take = (event) => {
      const { name: changed } = /** @type {CustomEvent} */ (event).detail;
      if (changed === null || changed === name) call();
    };
    this.addEventListener("change", take, { signal });
  }

  /** Stop the timers. */
  close() {
    this.#forget();
  }

  /** Send a value at once, or after the pause if one was sent just now. */
  #send(name, value) {
    const entry = this.waiting.get(name);
    if (entry) {
      entry.value = value;
      entry.waits = true;
      return;
    }
    this.player.set(name, value.length === 1 ? value[0] : value, { ramp: this.player.kind === "audio" ? 0.04 : 0 });
    const timer = setTimeout(() => {
      const due = this.waiting.get(name);
      this.waiting.delete(name);
      if (due?.waits) this.#send(name, due.value);
    }, PAUSE);
    this.waiting.set(name, { value, timer: Number(timer), waits: false });
  }

  /** Drop what waits. */
  #forget() {
    for (const { timer } of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
  }
}
