// @ts-check
/**
 * Plays one stream in the worker: computes frames when they are due, and does what the page asks for in between.
 *
 * Everything happens in one loop, so that the state of the stream never changes while a frame is computed.
 */

import { Controls } from "./controls.js";
import { Reports } from "./reports.js";
import { Recovery } from "./safety/recovery.js";
import { Stream } from "./stream.js";
import { TooWide, WritingStream } from "./writing/writing_stream.js";

/** Milliseconds of computation after which messages from the page are let in. */
const PATIENCE = 15;

/**
 * What says when frames are due: the sound, or a clock.
 *
 * @typedef {Object} Outlet
 * @property {boolean} playing
 * @property {boolean} isDue  Whether a frame is due now.
 * @property {(frame: Float32Array) => void} write  Take the frame that was due.
 * @property {() => void} clear  Drop the frames that are not played.
 * @property {number} underruns  Number of gaps.
 * @property {number} lead  Seconds of frames that were taken and are not played.
 * @property {() => void} onask  Called when a frame may be due.
 */

/** @typedef {{seed: bigint, text?: string, width?: number}} Beginning */

export class Session {
  /**
   * @param {import("./stepper.js").Stepper} stepper
   * @param {import("./voice.js").Voice} voice
   * @param {Beginning} beginning
   * @param {(event: string, detail: any) => void} report  Sends an event to the page.
   */
  constructor(stepper, voice, beginning, report) {
    this._stepper = stepper;
    this._voice = voice;
    this._controls = new Controls(voice.manifest.controls, voice.framesPerSecond);
    this._stream = this._newStream(beginning);
    this._reports = new Reports(report, 1000 / voice.framesPerSecond);
    this._recovery = new Recovery(voice, this._controls, this._reports);
    /** @type {(() => void)[]} */
    this._requests = [];
    /** @type {Outlet|null} */
    this._outlet = null;
    this._wake = () => {};
  }

  /**
   * Do something between two frames.
   *
   * @param {"set"|"reset"|"write"|"erase"|"reseed"|"restart"|"save"|"restore"} name
   * @param {any} argument
   * @returns {Promise<any>}
   */
  request(name, argument) {
    return new Promise((resolve, reject) => {
      this._requests.push(() => {
        try {
          resolve(/** @type {any} */ (this)[name](argument));
        } catch (error) {
          reject(error);
        }
      });
      this._wake();
    });
  }

  /**
   * Compute frames whenever they are due. This does not end.
   *
   * @param {Outlet} outlet
   */
  async run(outlet) {
    this._outlet = outlet;
    outlet.onask = () => this._wake();
    let since = performance.now();
    while (true) {
      for (const request of this._requests.splice(0)) request();
      const isDue = outlet.isDue;
      if (isDue) await this._playFrame(outlet);
      if (isDue && performance.now() - since < PATIENCE) continue;
      this._reports.flush(this._stream, outlet);
      await (isDue ? nextTask() : new Promise((resolve) => (this._wake = () => resolve(undefined))));
      since = performance.now();
    }
  }

  /** @param {{name: string, value: number|ArrayLike<number>, index?: number|null, ramp?: number}} change */
  set({ name, value, index, ramp }) {
    this._controls.set(name, value, { index, ramp });
  }

  reset() {
    this._controls.reset();
  }

  /** @param {string} text */
  write(text) {
    this._writing.write(text);
  }

  /** @param {number} count */
  erase(count) {
    this._writing.erase(count);
  }

  /** @param {bigint} seed */
  reseed(seed) {
    this._stream.reseed(seed);
  }

  /** @param {Beginning} beginning */
  restart(beginning) {
    this._reports.sendFrames();
    this._stream = this._newStream(beginning);
    this._recovery.forget();
    this._outlet?.clear();
  }

  /** @returns {import("./player.js").Saved} */
  save() {
    this._reports.sendFrames();
    const { manifest, fingerprint } = this._voice;
    const data = { fingerprint, controls: this._controls.snapshot(), stream: this._stream.save() };
    return { voice: manifest.name, latent: this._stream.latent, data };
  }

  /** @param {any} data  As `save` returned it. */
  restore(data) {
    if (data?.fingerprint !== this._voice.fingerprint) throw new Error("the saved state is of another voice");
    this._reports.sendFrames();
    this._controls.restore(data.controls);
    this._stream.restore(data.stream);
    this._recovery.forget();
    this._outlet?.clear();
  }

  /** The stream of a voice that writes. */
  get _writing() {
    if (this._stream instanceof WritingStream) return this._stream;
    throw new Error(`voice ${this._voice.manifest.name} writes no text`);
  }

  /**
   * @param {Beginning} beginning
   * @returns {Stream}
   */
  _newStream({ seed, text, width }) {
    const { manifest } = this._voice;
    if (!manifest.text) return new Stream(this._stepper, seed);
    const stream = new WritingStream(this._stepper, seed, manifest);
    if (width) stream.width = width;
    if (text) stream.write(text);
    return stream;
  }

  /** @param {Outlet} outlet */
  async _playFrame(outlet) {
    const began = performance.now();
    this._controls.advance();
    const frame = await this._nextFrame();
    if (!frame) return;
    outlet.write(frame.data);
    this._reports.add(frame, this._stream.frame - 1, performance.now() - began);
  }

  /**
   * Return the next frame. If a word is wider than the line, drop the text and return null.
   *
   * @returns {Promise<import("./stream.js").Frame|null>}
   */
  async _nextFrame() {
    try {
      return await this._recovery.next(this._stream);
    } catch (error) {
      if (!(error instanceof TooWide)) throw error;
      this._reports.error(error.message);
      this._writing.erase(Infinity);
      return null;
    }
  }
}

/** Let the events that wait be handled. */
function nextTask() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve(undefined);
    };
    port2.postMessage(null);
  });
}
