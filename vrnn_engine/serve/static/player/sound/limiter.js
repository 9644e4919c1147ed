// @ts-check
/**
 * Keeps what the speakers play below a ceiling: the last step before the output, as in runtime/audio/limiter.py.
 *
 * A limiter without look-ahead: the gain falls at once with a sample that is too loud, and recovers exponentially. It
 * adds no latency, and while no sample exceeds the ceiling it changes nothing, to the bit.
 *
 * This runs in the audio thread, as the node `limiter`, or in the page. It is one file, as playback.js is.
 */

/** The ceiling, in dB below full scale. */
export const CEILING = -1;
/** Seconds in which the gain reduction falls by a factor of e. */
const RELEASE = 0.06;
/** Seconds between two reports of the number of limited samples. */
const REPORT_EVERY = 0.25;

export class Limiter {
  /** @param {number} rate  Samples per second. */
  constructor(rate) {
    this._ceiling = Math.fround(10 ** (CEILING / 20));
    this._fall = Math.exp(-1 / (RELEASE * rate)); // of the envelope, per sample
    this._envelope = 0;
    /** Number of samples that exceeded the ceiling. */
    this.limited = 0;
  }

  /**
   * Limit samples in place.
   *
   * @param {Float32Array} samples  Full scale is -1 to 1. Those that are not finite become 0.
   */
  push(samples) {
    const ceiling = this._ceiling;
    for (let i = 0; i < samples.length; i++) {
      const sample = Number.isFinite(samples[i]) ? samples[i] : 0;
      const size = Math.abs(sample);
      if (size > ceiling) this.limited += 1;
      this._envelope = Math.max(size, this._envelope * this._fall);
      const isLoud = this._envelope > ceiling;
      samples[i] = isLoud ? Math.max(-ceiling, Math.min(ceiling, (sample * ceiling) / this._envelope)) : sample;
    }
  }
}

const scope = /** @type {any} */ (globalThis);

if (scope.AudioWorkletProcessor) {
  // Its messages are the number of samples that were limited.
  const Processor = class extends scope.AudioWorkletProcessor {
    constructor() {
      super();
      this.limiter = new Limiter(scope.sampleRate);
      this.reported = 0;
      this.reportedAt = 0;
    }

    process(/** @type {Float32Array[][]} */ [[given]], /** @type {Float32Array[][]} */ [[out]]) {
      if (!given) return true; // nothing is connected
      out.set(given);
      this.limiter.push(out);
      const { limited } = this.limiter;
      if (limited !== this.reported && scope.currentTime - this.reportedAt >= REPORT_EVERY) {
        this.port.postMessage(limited);
        this.reported = limited;
        this.reportedAt = scope.currentTime;
      }
      return true;
    }
  };
  scope.registerProcessor("limiter", Processor);
}
