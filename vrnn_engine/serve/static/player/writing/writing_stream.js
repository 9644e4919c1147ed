// @ts-check
/** A stream that writes a text: begins its parts, collects their frames, checks them, and places their ink. */

import { Stream, requireFinite } from "../stream.js";
import { Alphabet } from "./alphabet.js";
import { countFaults } from "./faults.js";
import { Line } from "./line.js";
import { PartRun } from "./part_run.js";
import { visible } from "./window.js";
import { WritingState } from "./writing_state.js";

/** Number of times that a word is generated before the best of them is used although it is faulty. */
const MOST_TRIES = 4;

/** @typedef {import("../stepper.js").Arrays} Arrays */

/**
 * A part that was generated: its ink on the line, the state after it, and how faulty it is.
 *
 * @typedef {Object} Try
 * @property {PartRun} run
 * @property {import("./line.js").Ink} ink
 * @property {Line} line
 * @property {Arrays} state
 * @property {Float32Array} latent
 * @property {number} faults
 * @property {boolean} isTooWide
 * @property {boolean} fitsNoLine  Whether it is too wide although it is the first word of its line.
 */

export class WritingStream extends Stream {
  /**
   * @param {import("../stepper.js").Stepper} stepper
   * @param {bigint} seed
   * @param {import("../player.js").Manifest} manifest  Of a voice that reads a text.
   */
  constructor(stepper, seed, { text, unit }) {
    super(stepper, seed);
    if (!text) throw new Error("the voice reads no text");
    this._text = text;
    this._unit = unit;
    this._alphabet = new Alphabet(text);
    this._writing = new WritingState();
  }

  /** Number of characters whose ink has been given out. */
  get written() {
    return this._writing.written;
  }

  /** Number of characters to come, including those of the word that is being written. */
  get pending() {
    return this._writing.pending;
  }

  /** @param {number|null} width  Width of the lines in the unit of the voice; null for no limit. */
  set width(width) {
    if (width !== null && !(width > 0 && width < Infinity)) {
      throw new RangeError(`width ${width} is not a positive number; give the width of a line in ${this._unit}`);
    }
    this._writing = this._writing.with({ width });
  }

  /**
   * Add text behind what is to be written. Throws a RangeError if the voice cannot write a character.
   *
   * @param {string} text
   */
  write(text) {
    this._writing = this._writing.withText(this._alphabet.clean(text), this._text.line_height);
  }

  /**
   * Remove the last characters that are to come. Those of the word that is being written stay.
   *
   * @param {number} count
   */
  erase(count) {
    this._writing = this._writing.withoutLast(count);
  }

  /**
   * Return the next point. If the next word is not generated yet, generate all of it. The controls of a word are those
   * at its beginning.
   *
   * @param {import("../controls.js").Controls} controls
   * @returns {Promise<import("../stream.js").Frame>}  Rejected with a NotFinite if a number is not finite, or with a
   *   TooWide if a word is wider than the line; the stream has then not moved.
   */
  async next(controls) {
    while (!this._writing.values.ready.length) {
      const [part, writing] = this._writing.next(this._text.line_height);
      if (!part) {
        this._writing = writing;
        this.frame += 1;
        return { data: Float32Array.of(0, 0, 1), latents: null };
      }
      await this._generate(part, writing, controls.table);
    }
    const point = this._writing.values.ready[0];
    this._writing = this._writing.taken();
    this.frame += 1;
    return point;
  }

  clearState() {
    super.clearState();
    this._writing = this._writing.onNewLine(this._text.line_height);
  }

  save() {
    const { line, ready, ...others } = this._writing.values;
    const points = ready.map(({ data }) => ({ data, latents: null }));
    return { ...super.save(), writing: { ...others, line: { ...line }, ready: points } };
  }

  /** @param {Object<string, any>} saved */
  restore(saved) {
    super.restore(saved);
    this._writing = new WritingState({ ...saved.writing, line: new Line(saved.writing.line) });
  }

  /**
   * Generate a part. A faulty word is generated again, and the best of the tries is taken. A word that does not fit on
   * the line is dropped, and begins the next line.
   *
   * @param {import("./part.js").Part} part
   * @param {WritingState} writing  State before the part.
   * @param {Arrays} table  Values of the controls.
   */
  async _generate(part, writing, table) {
    const start = writing.values.begun ? this.state : this._restarted(this.state);
    /** @type {Try[]} */
    const tries = [];
    let [best, state, steps] = [/** @type {Try|null} */ (null), start, writing.values.steps];
    do {
      const made = await this._try(part, writing, state, steps, table);
      tries.push(made);
      steps += made.run.frames.length;
      state = this._inHand(start, made.state);
      best = tries.reduce((one, other) => (isBetter(other, one) ? other : one));
    } while ((best.faults || best.fitsNoLine) && tries.length < MOST_TRIES);
    if (best.fitsNoLine) {
      const word = writing.values.text.slice(part.start, part.stop);
      throw new TooWide(`the word ${word} is ${best.line.right.toFixed()} ${this._unit} wide, but a line has only
        ${writing.values.width}; make the lines wider, the ink smaller, or divide the word`.replace(/\s+/g, " "));
    }
    if (best.isTooWide) {
      this._writing = writing.with({ steps, broken: true });
      this.state = start;
      return;
    }
    this._writing = writing.with({ steps }).after(best.run, best.ink, best.line, this._text.line_height);
    this.state = best.state;
    this.latent = best.latent;
  }

  /**
   * Generate a part once.
   *
   * @param {import("./part.js").Part} part
   * @param {WritingState} writing
   * @param {Arrays} state  Recurrent state to begin with.
   * @param {number} steps  Position in the noise.
   * @param {Arrays} table  Values of the controls.
   * @returns {Promise<Try>}
   */
  async _try(part, writing, state, steps, table) {
    const { begun, offset, still } = writing.values;
    const isStill = part.kind === "free" ? still : Number(part.kind === "ending");
    const run = new PartRun(part, begun ? offset : part.start, this._text, isStill);
    let { latent } = this;
    for (let isLast = false; !isLast; ) {
      const noise = this.noise.at(steps + run.frames.length);
      const step = await this.stepper.step(state, noise, table, this._characters(run, writing));
      requireFinite(step.frame);
      if (step.attention) requireFinite(step.attention);
      isLast = run.add(step);
      state = this._movedOn(step.state, run.moveOn(step.position));
      latent = step.latents?.latent ?? latent;
    }
    return this._placed(run, writing, state, latent);
  }

  /**
   * Return a part that has ended, placed on the line and checked.
   *
   * @param {PartRun} run
   * @param {WritingState} writing
   * @param {Arrays} state
   * @param {Float32Array} latent
   * @returns {Try}
   */
  _placed(run, writing, state, latent) {
    const { part } = run;
    const { line: before, begun, spaces, done, width } = writing.values;
    const ink = part.kind === "ending" ? before.added(run.ink()) : run.ink();
    if (ink.length && !begun) {
      const [dx, dy] = before.move(ink, spaces + part.start - done, this._text.line_height);
      ink[0].data[0] += dx;
      ink[0].data[1] += dy;
    }
    const line = before.drawn(ink);
    const isWord = part.kind === "word" || part.kind === "last";
    const faults = isWord ? countFaults(run) : 0;
    const isTooWide = isWord && width !== null && line.right > width;
    return { run, ink, line, state, latent, faults, isTooWide, fitsNoLine: isTooWide && !before.points };
  }

  /**
   * Return the indices of the characters in the window.
   *
   * @param {PartRun} run
   * @param {WritingState} writing
   * @returns {Float32Array}
   */
  _characters({ part, offset }, writing) {
    const { window } = this._text;
    if (part.kind === "free") return new Float32Array(window);
    return this._alphabet.indices(visible(writing.values.text, part.start, offset, part.lineEnd, window), window);
  }

  /**
   * Return a recurrent state whose window has moved on by `count` characters.
   *
   * @param {Arrays} state
   * @param {number} count
   * @returns {Arrays}
   */
  _movedOn(state, count) {
    const { position } = this._text;
    return count ? { ...state, [position]: state[position].map((value) => value - count) } : state;
  }

  /**
   * Return the recurrent state for the beginning of a line in the same hand.
   *
   * @param {Arrays} state
   * @returns {Arrays}
   */
  _restarted(state) {
    return this._inHand(this.stepper.zeroState(), state);
  }

  /**
   * Return a recurrent state with the hand of another one.
   *
   * @param {Arrays} state
   * @param {Arrays} hand
   * @returns {Arrays}
   */
  _inHand(state, hand) {
    const { restart } = this._text;
    return Object.fromEntries(Object.keys(hand).map((name) => [name, (restart.includes(name) ? state : hand)[name]]));
  }
}

/** A word is wider than a line. */
export class TooWide extends Error {}

/**
 * Return whether a try is better than an earlier one.
 *
 * @param {Try} one
 * @param {Try} earlier
 * @returns {boolean}
 */
function isBetter(one, earlier) {
  return one.fitsNoLine === earlier.fitsNoLine ? one.faults < earlier.faults : earlier.fitsNoLine;
}
