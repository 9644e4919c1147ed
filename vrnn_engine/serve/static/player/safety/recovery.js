// @ts-check
/** Brings a stream back that yields no finite frame, or whose sound runs away, as runtime/live/safety/recovery.py does. */

import { NotFinite } from "../stream.js";
import { LevelWatch } from "./level_watch.js";

/** @typedef {import("../stream.js").Stream} Stream */

export class Recovery {
  /**
   * @param {import("../voice.js").Voice} voice
   * @param {import("../controls.js").Controls} controls
   * @param {import("../reports.js").Reports} reports
   */
  constructor(voice, controls, reports) {
    this._controls = controls;
    this._reports = reports;
    this._sounds = voice.manifest.modality === "audio";
    this._watch = new LevelWatch(voice.framesPerSecond);
    this.forget();
  }

  /** Forget the stream, because another one begins. */
  forget() {
    this._watch.clear();
    this._isNew = true;
    /** State at the beginning of the present window. @type {Object<string, any>|null} */
    this._begun = null;
    /** State at the beginning of the last window that was not loud, or of the stream. @type {Object<string, any>|null} */
    this._good = null;
  }

  /**
   * Return the next frame of a stream. If its sound has run away, bring it back first. If the frame is not finite, reset
   * the controls; if that fails too, return to a good state.
   *
   * @param {Stream} stream
   * @returns {Promise<import("../stream.js").Frame>}
   */
  async next(stream) {
    if (this._watch.alarm) this._calm(stream);
    if (this._sounds && this._watch.begins(stream.frame)) this._begun = stream.save();
    if (this._sounds && this._isNew) this._good = stream.save();
    this._isNew = false;
    const frame = await this._nextFinite(stream);
    if (this._sounds) this._hear(stream.frame - 1, frame.data);
    return frame;
  }

  /** @param {number} number @param {Float32Array} samples  The frame with this number. */
  _hear(number, samples) {
    this._watch.hear(number, samples);
    if (this._begun && this._watch.begins(number + 1) && this._watch.isGood) this._good = this._begun;
  }

  /**
   * Bring a stream back whose sound has run away.
   *
   * @param {Stream} stream
   */
  _calm(stream) {
    const where = this._goBack(stream, this._controls.areDefaults);
    this._controls.reset();
    this._reports.reset();
    this._reports.error(`the sound ran away: it continues from ${where}, with default controls`);
  }

  /**
   * Return to the last good state. Restart if the sound was not good since the last return, and if the `same` controls
   * follow: with the same noise and controls it would run away again.
   *
   * @param {Stream} stream
   * @param {boolean} same
   * @returns {string}  Where the stream continues.
   */
  _goBack(stream, same) {
    const state = same ? null : this._good;
    if (state) stream.restore(state);
    else stream.clearState();
    this._watch.clear();
    this._begun = state;
    this._good = null;
    return state ? "its last good state" : "its initial state";
  }

  /**
   * @param {Stream} stream
   * @returns {Promise<import("../stream.js").Frame>}
   */
  async _nextFinite(stream) {
    const same = this._controls.areDefaults;
    const remedies = [() => this._resetControls(), () => this._resetState(stream, same), () => stream.clearState()];
    while (true) {
      try {
        return await stream.next(this._controls);
      } catch (error) {
        const remedy = error instanceof NotFinite ? remedies.shift() : null;
        if (!remedy) throw error;
        remedy();
      }
    }
  }

  _resetControls() {
    this._controls.reset();
    this._reports.reset();
    this._reports.error("a frame is not finite: all controls were reset to their defaults");
  }

  /** @param {Stream} stream @param {boolean} same */
  _resetState(stream, same) {
    const where = this._goBack(stream, same);
    this._reports.error(`a frame is still not finite: the stream restarts from ${where}`);
  }
}
