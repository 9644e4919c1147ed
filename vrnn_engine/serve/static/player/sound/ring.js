// @ts-check
/**
 * Samples on their way from the one who computes them to the one who plays them.
 *
 * Positions count all samples since the beginning. They are integers of 32 bits that wrap around; the difference of two
 * positions is therefore `(a - b) | 0`.
 */

/** Number of samples that a shared ring holds, a power of 2: a second or more at every usual rate. */
const CAPACITY = 2 ** 16;
const [WRITTEN, CLEARED, HEADER] = [0, 1, 8];

/**
 * A ring in memory that two threads share, for pages that may share memory (`crossOriginIsolated`).
 * One thread writes, another one reads.
 */
export class SharedRing {
  /** @param {SharedArrayBuffer} [memory]  Memory of an existing ring; by default a new one. */
  constructor(memory = new SharedArrayBuffer(4 * (HEADER + CAPACITY))) {
    this.memory = memory;
    this._header = new Int32Array(memory, 0, HEADER);
    this._samples = new Float32Array(memory, 4 * HEADER, CAPACITY);
    /** Position of the next sample to read. */
    this.position = 0;
  }

  /** Position behind the last sample that was written. */
  get written() {
    return Atomics.load(this._header, WRITTEN);
  }

  /**
   * Drop the samples that the writer cleared; return whether it cleared any since the last call. The reader calls this.
   *
   * @returns {boolean}
   */
  takeClear() {
    const cleared = Atomics.load(this._header, CLEARED);
    if (((cleared - this.position) | 0) <= 0) return false;
    this.position = cleared;
    return true;
  }

  /** Number of samples that can be read. */
  get available() {
    return (this.written - this.position) | 0;
  }

  /**
   * Write samples. The writer does not write more than the reader asks for, which is less than the ring holds.
   *
   * @param {Float32Array} samples
   */
  write(samples) {
    const at = this.written;
    for (let i = 0; i < samples.length; i++) this._samples[(at + i) & (CAPACITY - 1)] = samples[i];
    Atomics.store(this._header, WRITTEN, (at + samples.length) | 0);
  }

  /** Let the reader drop all samples that it has not read. The writer calls this. */
  clear() {
    Atomics.store(this._header, CLEARED, this.written);
  }

  /** Return the next sample; there must be one. */
  shift() {
    const sample = this._samples[this.position & (CAPACITY - 1)];
    this.position = (this.position + 1) | 0;
    return sample;
  }
}

/** The reader's side where threads share no memory: blocks that arrive as messages. */
export class BlockQueue {
  constructor() {
    /** @type {Float32Array[]} */
    this._blocks = [];
    this._next = 0; // in the first block
    this._isCleared = false;
    this.written = 0;
    this.position = 0;
  }

  /** Number of samples that can be read. */
  get available() {
    return (this.written - this.position) | 0;
  }

  /** @param {Float32Array} samples */
  write(samples) {
    this._blocks.push(samples);
    this.written = (this.written + samples.length) | 0;
  }

  /** Drop all samples that were not read. */
  clear() {
    this._blocks = [];
    this._next = 0;
    this.position = this.written;
    this._isCleared = true;
  }

  /** Return whether samples were dropped since the last call. */
  takeClear() {
    const isCleared = this._isCleared;
    this._isCleared = false;
    return isCleared;
  }

  /** Return the next sample; there must be one. */
  shift() {
    const block = this._blocks[0];
    const sample = block[this._next++];
    this.position = (this.position + 1) | 0;
    if (this._next === block.length) {
      this._blocks.shift();
      this._next = 0;
    }
    return sample;
  }
}
