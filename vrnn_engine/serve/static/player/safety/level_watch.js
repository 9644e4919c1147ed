// @ts-check
/**
 * Notices sound that runs away, as runtime/live/safety/level_watch.py does: a recurrent model may feed its own noise back
 * until the level grows without limit.
 */

/** Seconds of a window, whose level is compared with LOUDEST; and number of windows in succession that are too loud. */
const [WINDOW, WINDOWS] = [0.25, 2];
/** Largest root mean square of a window; that of a full-scale square wave, the loudest sound of a file, is 1. */
const LOUDEST = 2;
/** Largest root mean square of a window whose first state counts as good. */
const GOOD = 0.5;

export class LevelWatch {
  /** @param {number} framesPerSecond */
  constructor(framesPerSecond) {
    this._window = Math.max(1, Math.round(WINDOW * framesPerSecond)); // in frames
    this.clear();
  }

  /** Forget what was heard. */
  clear() {
    this._power = 0; // sum of the squares in the present window
    this._loud = 0; // windows in succession that were too loud
    /** Whether the last window that has ended was not loud. */
    this.isGood = false;
  }

  /** Whether too many windows in succession were too loud. */
  get alarm() {
    return this._loud >= WINDOWS;
  }

  /** Whether a window begins with a frame. @param {number} frame  Its number. */
  begins(frame) {
    return frame % this._window === 0;
  }

  /**
   * Measure a frame.
   *
   * @param {number} frame  Its number.
   * @param {Float32Array} samples
   */
  hear(frame, samples) {
    for (const sample of samples) this._power += sample * sample;
    if (!this.begins(frame + 1)) return;
    const level = Math.sqrt(this._power / (this._window * samples.length));
    this._power = 0;
    this._loud = level > LOUDEST ? this._loud + 1 : 0;
    this.isGood = level <= GOOD;
  }
}
