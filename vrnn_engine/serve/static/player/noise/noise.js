// @ts-check
/** Counter-based noise: the values at a frame depend only on the seed and the frame, and are those of the desktop. */

import { fillNormal } from "./normal.js";
import { Philox } from "./philox.js";

/** Frames per counter value of the generator. Another number gives other noise for every seed. */
const BLOCK = 64;

/**
 * Generates the standard normal noise of one stream, for frames in any order.
 *
 * Frames come in blocks of 64, each with its own counter. Block `b` of seed `s` is, in numpy,
 * `Generator(Philox(key=s, counter=[0, 0, 0, b])).standard_normal((64, total), float32)`, whose columns belong to the
 * names of the noise in sorted order.
 */
export class NoiseSource {
  /**
   * @param {bigint} seed  0 to 2**64-1.
   * @param {Object<string, number>} widths  Number of values per frame, by the name of the noise.
   */
  constructor(seed, widths) {
    this.seed = seed;
    this._names = Object.keys(widths).sort();
    this._widths = widths;
    this._total = this._names.reduce((sum, name) => sum + widths[name], 0);
    this._next = -1; // the frame whose noise the generator gives next
    this._bits = new Philox(seed, 0);
  }

  /**
   * Return the noise of one frame. It is fastest for frames in order.
   *
   * @param {number} frame
   * @returns {Object<string, Float32Array>}  Standard normal values, [width], by the name of the noise.
   */
  at(frame) {
    if (frame !== this._next || frame % BLOCK === 0) {
      this._bits = new Philox(this.seed, Math.floor(frame / BLOCK));
      fillNormal(this._bits, new Float32Array((frame % BLOCK) * this._total)); // skips the block's earlier frames
    }
    this._next = frame + 1;
    /** @type {Object<string, Float32Array>} */
    const noise = {};
    for (const name of this._names) {
      noise[name] = new Float32Array(this._widths[name]);
      fillNormal(this._bits, noise[name]);
    }
    return noise;
  }
}
