// @ts-check
/** Keeps the sound that is played, and makes a WAV file of it. */

const LONGEST = 600; // seconds

/** Keeps samples as 16-bit numbers while it is on. */
export class Recorder {
  /** @param {number} rate  Samples per second. */
  constructor(rate) {
    this.rate = rate;
    this.on = false;
    /** @type {Int16Array[]} */
    this.blocks = [];
    this.samples = 0;
  }

  start() {
    this.blocks = [];
    this.samples = 0;
    this.on = true;
  }

  stop() {
    this.on = false;
  }

  /** Seconds that are kept. */
  get seconds() {
    return this.samples / this.rate;
  }

  /** Add samples of full scale +-1. @param {Float32Array} data @returns {boolean} Whether there is room for more. */
  add(data) {
    if (this.on) {
      this.blocks.push(Int16Array.from(data, (sample) => Math.round(32767 * Math.min(1, Math.max(-1, sample)))));
      this.samples += data.length;
      if (this.seconds >= LONGEST) this.on = false;
    }
    return this.on;
  }

  /** Return the recording as a WAV file. */
  wav() {
    return new Blob([wavHeader(this.samples, this.rate), ...this.blocks.map((block) => block.slice().buffer)], { type: "audio/wav" });
  }
}

/**
 * Return the header of a WAV file of 16 bits and one channel.
 *
 * @param {number} samples
 * @param {number} rate
 * @returns {ArrayBuffer}
 */
export function wavHeader(samples, rate) {
  const header = new DataView(new ArrayBuffer(44));
  const words = (/** @type {number} */ at, /** @type {string} */ text) => [...text].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  words(0, "RIFF");
  header.setUint32(4, 36 + 2 * samples, true);
  words(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, rate, true);
  header.setUint32(28, 2 * rate, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  words(36, "data");
  header.setUint32(40, 2 * samples, true);
  return header.buffer;
}
