// @ts-check
/** The part of a player that is the same wherever the voice is computed. */

import { Controls } from "./controls.js";
import { Alphabet } from "./writing/alphabet.js";

export class BasePlayer extends EventTarget {
  /** @param {{seed: bigint, text?: string, width?: number}} beginning */
  constructor(beginning) {
    super();
    this._beginning = beginning;
    this._connected = true;
    this.playing = false;
    this.written = 0;
    this.pending = 0;
  }

  get seed() {
    return this._beginning.seed;
  }

  /** @param {string} name */
  value(name) {
    return this._controls.value(name);
  }

  /**
   * Take the voice, and the sound that it plays through; null for a pen.
   *
   * @param {import("./player.js").Manifest} manifest
   * @param {import("./sound/output.js").Sound|null} sound
   */
  _adopt(manifest, sound) {
    this.manifest = manifest;
    this.kind = manifest.modality;
    this.framesPerSecond = manifest.modality === "audio" ? manifest.rate / manifest.frame_size : manifest.rate;
    this.audioNode = sound?.node ?? null;
    this._controls = new Controls(manifest.controls);
    this._alphabet = manifest.text ? new Alphabet(manifest.text) : null;
    this._sound = sound;
    if (sound) sound.context.onstatechange = () => this._follow(sound.context);
  }

  /** Return a text in characters of the voice; throw a RangeError if it cannot write them. @param {string} text */
  _clean(text) {
    if (!this._alphabet) throw new RangeError(`voice ${this.manifest.name} writes no text`);
    return this._alphabet.clean(text);
  }

  /**
   * Notice that the browser stops the sound by itself, for example during a call.
   *
   * @param {AudioContext} context
   */
  _follow(context) {
    if (this.playing && context.state !== "running") this._setPlaying(false);
  }

  /**
   * Tell the times of the last second, with what the sound counts.
   *
   * @param {{stepMs: number, frameMs: number, underruns: number, leadMs: number, reconnects: number}} times
   */
  _dispatchStats(times) {
    this._dispatch("stats", { ...times, limited: this._sound?.limited() ?? 0 });
  }

  /** @param {boolean} playing */
  _setPlaying(playing) {
    if (playing === this.playing) return;
    this.playing = playing;
    this._tellState();
  }

  _tellState() {
    this._dispatch("state", { playing: this.playing, connected: this._connected });
  }

  /**
   * @param {string} name
   * @param {any} detail
   */
  _dispatch(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
