// @ts-check
/**
 * The side of the sound that plays: asks for samples early enough, copies them, and counts the gaps.
 *
 * This runs in the audio thread, as the node `voice`, or in the page. It is one file, because not all browsers let an
 * audio thread import others.
 *
 * Positions count all samples since the beginning. They are integers of 32 bits that wrap around; the difference of two
 * positions is therefore `(a - b) | 0`.
 */

/** Seconds of sound that wait to be played: at first, and at most. Each gap makes them half as many more. */
const [LEAD, MOST_LEAD] = [0.12, 0.6];
/** Seconds of sound by which the wish for more grows before it is sent again. */
const STEP = 0.02;
/** At an interruption, the old sound fades out by this factor per sample, and the new one fades in by this much. */
const [FALL, RISE] = [0.95, 1 / 64];
/** Largest magnitude of a sample that is passed on, so that the sums of the resampler stay finite. */
const LARGEST = 1e6;

/** Number of samples that a shared ring holds, a power of 2: a second or more at every usual rate. */
const CAPACITY = 2 ** 16;
const [WRITTEN, CLEARED, HEADER] = [0, 1, 8];

/**
 * What the two sides of the sound share. `memory` is null where threads share no memory; samples are then messages.
 * @typedef {{port: MessagePort, memory: SharedArrayBuffer|null, rate: number}} Connection
 */

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

export class Playback {
  /**
   * @param {Connection} connection  Its rate is that of the samples, per second.
   * @param {number} outputRate  Samples per second of the output. If it is another one, the sound is resampled.
   */
  constructor({ port, memory, rate }, outputRate) {
    this._port = port;
    this._rate = rate;
    this._step = rate / outputRate;
    this._source = memory ? new SharedRing(memory) : new BlockQueue();
    this._lead = LEAD;
    this._upTo = 0;
    this._underruns = 0;
    this._isGap = true;
    this._hasBegun = false; // a gap before the first sound, or after a jump, is no underrun
    this._value = 0; // the last one of the output
    this._held = 0; // what is left of the sound before an interruption
    this._gain = 0; // of the sound after it
    this._place = 1; // of the output between the samples 1 and 2 of `_around`
    this._around = new Float32Array(4);
    port.onmessage = ({ data }) => {
      const queue = /** @type {BlockQueue} */ (this._source);
      if (data === "clear") queue.clear();
      else queue.write(data);
    };
  }

  /**
   * Write the next samples of the output.
   *
   * @param {Float32Array} out
   */
  fill(out) {
    const needed = Math.ceil(out.length * this._step) + 1;
    const lead = Math.max(Math.round(this._lead * this._rate), 2 * needed);
    if (this._source.takeClear()) {
      this._interrupt();
      this._hasBegun = false;
    }
    const isGap = this._source.available < (this._isGap ? lead / 2 : needed);
    if (isGap && !this._isGap) this._interrupt();
    if (isGap && this._hasBegun) this._countUnderrun();
    this._isGap = isGap;
    if (!isGap) this._hasBegun = true;
    for (let i = 0; i < out.length; i++) out[i] = this._nextValue(isGap);
    this._ask(this._source.position + lead);
  }

  /**
   * @param {boolean} isGap
   * @returns {number}
   */
  _nextValue(isGap) {
    this._held = Math.abs(this._held) < 1e-5 ? 0 : this._held * FALL;
    this._value = this._held;
    if (!isGap) {
      this._gain = Math.min(1, this._gain + RISE);
      this._value += this._gain * (this._step === 1 ? this._shift() : this._resampled());
    }
    return this._value;
  }

  /** Return the next sample of the source, or 0 if it is not finite: one NaN would make all later sound NaN. */
  _shift() {
    const sample = this._source.shift();
    return Number.isFinite(sample) ? Math.max(-LARGEST, Math.min(LARGEST, sample)) : 0;
  }

  /** Return the sound between two samples, by a cubic curve through four (Catmull and Rom 1974). */
  _resampled() {
    const around = this._around;
    for (; this._place >= 1; this._place--) {
      around.copyWithin(0, 1);
      around[3] = this._shift();
    }
    const [a, b, c, d] = around;
    const t = this._place;
    this._place += this._step;
    return b + (t / 2) * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  }

  _interrupt() {
    this._held = this._value;
    this._gain = 0;
  }

  _countUnderrun() {
    this._hasBegun = false; // the gap is counted once
    this._underruns += 1;
    this._lead = Math.min(this._lead * 1.5, MOST_LEAD);
    this._upTo = this._source.position; // say so at once
  }

  /**
   * Ask for the samples up to a position.
   *
   * @param {number} upTo
   */
  _ask(upTo) {
    if (((upTo - this._upTo) | 0) < STEP * this._rate) return;
    this._upTo = upTo | 0;
    this._port.postMessage({
      upTo: this._upTo,
      underruns: this._underruns,
      lead: this._source.available / this._rate,
    });
  }
}

const scope = /** @type {any} */ (globalThis);

if (scope.AudioWorkletProcessor) {
  // The first message of the node is a `Connection`; the second one ends it.
  const Processor = class extends scope.AudioWorkletProcessor {
    constructor() {
      super();
      this.isOpen = true;
      this.port.onmessage = (/** @type {MessageEvent} */ { data }) => {
        if (this.playback) this.isOpen = false;
        else this.playback = new Playback(data, scope.sampleRate);
      };
    }

    process(/** @type {Float32Array[][]} */ _, /** @type {Float32Array[][]} */ [[out]]) {
      this.playback?.fill(out);
      return this.isOpen;
    }
  };
  scope.registerProcessor("voice", Processor);
}
