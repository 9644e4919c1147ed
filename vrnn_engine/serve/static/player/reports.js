// @ts-check
/** Tells the page what is played: frames, latents, the progress of a text, and times. */

import { divergence } from "./stepper.js";

/** Milliseconds between two reports of the latents, and of the times. */
const [LATENTS_EVERY, STATS_EVERY] = [100, 1000];
/** Milliseconds between two reports of a pen that rests. */
const REST_EVERY = 1000;

export class Reports {
  /**
   * @param {(event: string, detail: any) => void} send
   * @param {number} frameMs  Milliseconds that a frame lasts.
   */
  constructor(send, frameMs) {
    this._send = send;
    this._frameMs = frameMs;
    this._mostHeld = REST_EVERY / frameMs;
    this._first = 0; // number of the first frame of `_frames`
    /** @type {Float32Array[]} */
    this._frames = [];
    this._computing = 0;
    this._computed = 0;
    this._latentsAt = 0;
    this._statsAt = 0;
    this._progress = "";
  }

  /**
   * Take a frame.
   *
   * @param {import("./stream.js").Frame} frame
   * @param {number} number  Its number.
   * @param {number} ms  Milliseconds that its computation took.
   */
  add({ data, latents }, number, ms) {
    if (number !== this._first + this._frames.length) this.sendFrames(); // the stream has jumped
    if (!this._frames.length) this._first = number;
    this._frames.push(data);
    this._computing += ms;
    this._computed += 1;
    const now = performance.now();
    if (latents && now - this._latentsAt >= LATENTS_EVERY) {
      this._latentsAt = now;
      this._send("latents", { frame: number, ...latents, kl: divergence(latents.mean, latents.std) });
    }
  }

  /**
   * Send what has been taken, and what has changed.
   *
   * @param {import("./stream.js").Stream & {written?: number, pending?: number}} stream
   * @param {import("./session.js").Outlet} outlet
   */
  flush(stream, outlet) {
    if (!this._isResting() || this._frames.length >= this._mostHeld) this.sendFrames();
    const { written, pending } = stream;
    const progress = `${written} ${pending}`;
    if (written !== undefined && progress !== this._progress) this._send("text", { written, pending });
    this._progress = progress;
    const now = performance.now();
    if (!this._computed || now - this._statsAt < STATS_EVERY) return;
    this._statsAt = now;
    this._send("stats", {
      stepMs: this._computing / this._computed,
      frameMs: this._frameMs,
      underruns: outlet.underruns,
      leadMs: 1000 * outlet.lead,
      reconnects: 0,
    });
    this._computing = this._computed = 0;
  }

  /** Say that the controls were reset. */
  reset() {
    this._send("reset", {});
  }

  /** @param {string} message  One line. */
  error(message) {
    this._send("error", { message });
  }

  /** Send the frames that have been taken. */
  sendFrames() {
    if (!this._frames.length) return;
    const size = this._frames[0].length;
    const data = new Float32Array(size * this._frames.length);
    this._frames.forEach((frame, i) => data.set(frame, i * size));
    this._send("frames", { frame: this._first, data });
    this._first += this._frames.length;
    this._frames = [];
  }
  /** Whether all frames that wait are those of a pen that rests. */
  _isResting() {
    return this._frames.every((data) => data.length === 3 && data[0] === 0 && data[1] === 0 && data[2] === 1);
  }
}
