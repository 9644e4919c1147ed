// @ts-check
/** Says when the points of a pen are due, at the pace of the pen that the voice was trained on. */

/** Longest time in seconds that is caught up. Browsers let the clocks of hidden pages tick once a second. */
const MOST_LATE = 1.2;

export class Clock {
  /** @param {number} framesPerSecond */
  constructor(framesPerSecond) {
    this._period = 1000 / framesPerSecond;
    this._next = 0; // when the next point is due
    this._timer = 0;
    this.underruns = 0;
    this.lead = 0;
    /** Called when a point may be due. */
    this.onask = () => {};
  }

  get playing() {
    return this._timer !== 0;
  }

  set playing(isPlaying) {
    if (isPlaying === this.playing) return;
    clearInterval(this._timer);
    this._timer = isPlaying ? setInterval(() => this.onask(), this._period / 2) : 0;
    this._next = performance.now();
  }

  /** Whether a point is due now. */
  get isDue() {
    return this.playing && performance.now() >= this._next;
  }

  /** Take the point that was due. */
  write() {
    this._next = Math.max(this._next + this._period, performance.now() - 1000 * MOST_LATE);
  }

  clear() {}
}
