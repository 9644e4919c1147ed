// @ts-check
/** Collects the frames of a part while they are generated, and says when the part is complete. */

import { sum } from "./faults.js";
import { shift } from "./window.js";

/** Number of successive points with the pen up, close together, after which the pen rests at the end of a line. */
const RESTING = 3;
/** Largest distance of such points, in line heights. A point with the pen up that is further away is a dot. */
const CLOSE = 0.1;
/** Largest number of points per character of a part; the end of a line counts as two characters. */
const POINTS_PER_CHARACTER = 40;
/** Largest number of points of a part of a stroke that is written without a text. */
const STROKE_POINTS = 64;

/** The frames of one part. */
export class PartRun {
  /**
   * @param {import("./part.js").Part} part
   * @param {number} offset  Place in the text of the window's first character.
   * @param {{window: number, line_height: number}} text  The entry of the manifest.
   * @param {number} still  Number of successive points with the pen up, close together, before the first frame.
   */
  constructor(part, offset, text, still) {
    this.part = part;
    this.offset = offset;
    this.still = still;
    /** Whether the pen rests, so that the line has ended. */
    this.rests = false;
    /** Whether the part has ended as its kind says. Otherwise it is cut at the limit of its length. */
    this.isComplete = false;
    /** @type {import("../stream.js").Frame[]}  Frame of each step. */
    this.frames = [];
    /** @type {Float32Array[]}  Attention of each step, [W]. */
    this.attention = [];
    /** @type {number[]}  Place in the text of the window's first character, at each step. */
    this.offsets = [];
    this._window = text.window;
    this._close = CLOSE * text.line_height;
    this._isFree = part.kind === "free";
    this._limit = this._isFree ? STROKE_POINTS : POINTS_PER_CHARACTER * (part.stop - part.start + 2);
    this._behind = part.lineEnd ?? part.stop;
  }

  /**
   * Add a step, and return whether it is the last one of the part.
   *
   * @param {import("../stepper.js").Step} step
   * @returns {boolean}
   */
  add({ frame, latents, attention }) {
    const weights = attention ?? new Float32Array(this._window);
    this.frames.push({ data: frame, latents });
    this.attention.push(weights);
    this.offsets.push(this.offset);
    if (frame[2] > 0.5) {
      const isClose = Math.abs(frame[0]) <= this._close && Math.abs(frame[1]) <= this._close;
      this.still = isClose ? this.still + 1 : 1;
      if (this._isFree) {
        this.rests = this.still === RESTING;
        this.isComplete = this.rests || this.still === 1;
      } else if (this.part.kind === "word") {
        this.isComplete = this._isBehind(weights);
      } else {
        this.rests = this.isComplete = this.still >= RESTING && this._isBehind(weights);
      }
    } else {
      this.still = 0;
    }
    return this.isComplete || this.frames.length >= this._limit;
  }

  /**
   * Move the window on, if the position asks for it, and return by how many characters.
   *
   * @param {number} position  The reading position, in characters from the window's first one.
   * @returns {number}
   */
  moveOn(position) {
    const count = this._isFree ? 0 : shift(position, this._window);
    this.offset += count;
    return count;
  }

  /**
   * Return the frames that are given out: without resting points, and with the pen up at the end.
   *
   * An ending that does not come to rest has no frames, because a pen that moves on behind the text draws no character.
   *
   * @returns {import("../stream.js").Frame[]}
   */
  ink() {
    let count = this.frames.length;
    if (this.rests) count = Math.max(count - this.still + 1, 0);
    else if (this.part.kind === "ending") count = 0;
    const ink = this.frames.slice(0, count).map(({ data, latents }) => ({ data: data.slice(), latents }));
    if (count && !this._isFree) ink[count - 1].data[2] = 1;
    return ink;
  }

  /**
   * Return whether most of the attention is behind the last character of the part.
   *
   * @param {Float32Array} attention
   * @returns {boolean}
   */
  _isBehind(attention) {
    const place = Math.max(this._behind - this.offset, 0);
    return 2 * sum(attention.subarray(place)) > sum(attention);
  }
}
