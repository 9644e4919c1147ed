// @ts-check
/** Notices that a server says nothing any more, although its connection is open. */

/** Milliseconds between two checks, and the number of checks in a row without a message. */
const [EVERY, MOST] = [1000, 6];

/** A browser stops the timers of a page that sleeps, so checks are counted: the time of sleep is no silence. */
export class Silence {
  /** @param {() => void} act  Called once, after about six seconds without a message. */
  constructor(act) {
    this._quiet = 0;
    this._timer = setInterval(() => {
      this._quiet += 1;
      if (this._quiet < MOST) return;
      this.end();
      act();
    }, EVERY);
  }

  /** Note that a message has come. */
  broken() {
    this._quiet = 0;
  }

  /** Watch no longer. */
  end() {
    clearInterval(this._timer);
  }
}
