// @ts-check
/**
 * What continues a session on any server with the same key: its tokens, and the events after them.
 *
 * A token holds the state of a session before one frame. To continue with the same bits, a client sends the newest token
 * whose frame it has reached, the events that took effect from that frame on, and the next frame that it needs.
 */

/** @typedef {{frame: number, text: string, key: string}} Applied  An event as JSON, and what identifies it. */
/** @typedef {{text: string, event: any, key?: string}} Sent  The message that sends an event, and the event. */

export class SessionLog {
  constructor() {
    /** @type {{frame: number, token: string}[]} */
    this._tokens = [];
    /** @type {Applied[]} */
    this._events = [];
    /** @type {Applied[]}  Events that the server was sent again, and may report again. */
    this._repeated = [];
    /** @type {Sent[]}  Events that were sent and have not taken effect. */
    this._sent = [];
  }

  /**
   * @param {number} frame  The frame before which the token was made.
   * @param {string} token
   */
  addToken(frame, token) {
    this._tokens = this._tokens.filter((one) => one.frame < frame);
    this._tokens.push({ frame, token });
  }

  /**
   * Remember an event until it takes effect.
   *
   * @param {Sent} sent
   */
  addSent({ text, event }) {
    this._sent.push({ text, event, key: keyOf(event) });
  }

  /**
   * Add an event that took effect.
   *
   * @param {number} frame
   * @param {any} event
   * @param {string} text  The event as the server wrote it: numbers of 64 bits lose digits when they are read.
   */
  addApplied(frame, event, text) {
    const applied = { frame, text, key: keyOf(event) };
    const again = this._repeated.findIndex((one) => one.text === text);
    if (again >= 0) {
      this._repeated.splice(again, 1);
      return;
    }
    this._events.push(applied);
    const place = this._sent.findIndex((one) => one.key === applied.key);
    if (place >= 0) this._sent.splice(0, place + 1); // those before it were refused
  }

  /**
   * Forget what is not needed to continue from a frame or a later one.
   *
   * @param {number} frame
   */
  forget(frame) {
    while (this._tokens.length > 1 && this._tokens[1].frame <= frame) this._tokens.shift();
    const oldest = this._tokens[0]?.frame ?? 0;
    this._events = this._events.filter((one) => one.frame >= oldest);
  }

  /**
   * Return the fields, as JSON, that continue the session at a frame; null if no token is that old.
   *
   * @param {number} frame  The first frame to receive.
   * @returns {string|null}
   */
  continueAt(frame) {
    const found = this._tokens.findLast((one) => one.frame <= frame);
    if (!found) return null;
    this._repeated = this._events.filter((one) => one.frame >= found.frame);
    const events = needed(this._repeated, frame).map((one) => one.text).join(",");
    return `"token":${JSON.stringify(found.token)},"frame":${frame},"events":[${events}]`;
  }

  /** Return the events that have not taken effect; they count as not sent. */
  takeSent() {
    return this._sent.splice(0);
  }
}

/**
 * Return the events on which the frames from `frame` on depend: a restored state replaces what was before it.
 *
 * @param {Applied[]} events
 * @param {number} frame
 */
function needed(events, frame) {
  let restored = Infinity;
  const found = events.toReversed().filter((event) => {
    const counts = restored > Math.max(frame, event.frame); // else no frame between the two is still to come
    if (event.key === "restore") restored = event.frame;
    return counts;
  });
  return found.reverse();
}

/**
 * Return what identifies an event, whenever it takes effect.
 *
 * @param {any} event
 * @returns {string}
 */
function keyOf(event) {
  if (event.do === "restore") return "restore";
  const fields = Object.entries(event).filter(([name]) => name !== "frame");
  return JSON.stringify(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}
