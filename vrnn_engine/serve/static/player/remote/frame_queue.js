// @ts-check
/** Frames that have arrived and have not been read, in order and each once. */

export class FrameQueue {
  /** @param {number} size  Numbers per frame. */
  constructor(size) {
    this._size = size;
    /** @type {Float32Array[]} */
    this._blocks = [];
    /** Number of the next frame to read. */
    this.read = 0;
    /** Number of the next frame to receive. */
    this.received = 0;
  }

  /** Number of frames that can be read. */
  get waiting() {
    return this.received - this.read;
  }

  /**
   * Add frames, without those that have arrived before.
   *
   * @param {number} frame  Number of the first one.
   * @param {Float32Array} data
   */
  add(frame, data) {
    if (frame > this.received) throw new Error(`the server left out the frames from ${this.received} to ${frame - 1}`);
    const block = data.subarray((this.received - frame) * this._size);
    if (!block.length) return;
    this._blocks.push(block);
    this.received += block.length / this._size;
  }

  /**
   * Return the next frames; null if there are none.
   *
   * @param {number} most
   * @returns {Float32Array|null}
   */
  take(most) {
    const block = this._blocks.shift();
    if (!block) return null;
    const taken = block.subarray(0, most * this._size);
    if (taken.length < block.length) this._blocks.unshift(block.subarray(taken.length));
    this.read += taken.length / this._size;
    return taken;
  }

  /**
   * Return the sum of the first numbers of the frames that have not been read, before a frame.
   *
   * @param {number} frame
   */
  sumBefore(frame) {
    const waiting = this._blocks.flatMap((block) => Array.from(block)).slice(0, (frame - this.read) * this._size);
    return waiting.reduce((sum, number, i) => sum + (i % this._size ? 0 : number), 0);
  }

  /**
   * Drop all frames, and continue with a later one.
   *
   * @param {number} frame
   */
  skipTo(frame) {
    this._blocks = [];
    this.read = this.received = frame;
  }
}
