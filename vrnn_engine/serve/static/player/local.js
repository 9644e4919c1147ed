// @ts-check
/** A player that computes the voice in this browser: a worker steps the graph, and the sound or the page takes the frames. */

import { BasePlayer } from "./base_player.js";
import { checkSeed, randomSeed } from "./noise/seed.js";
import { openSound } from "./sound/output.js";

/**
 * @typedef {import("./player.js").Config} Config
 * @typedef {import("./player.js").PlayerOptions} PlayerOptions
 * @typedef {import("./player.js").Seed} Seed
 * @typedef {import("./player.js").Saved} Saved
 */

/**
 * Open a player; see `openPlayer`.
 *
 * @param {Config} config
 * @param {PlayerOptions} options
 * @returns {Promise<LocalPlayer>}
 */
export async function openLocalPlayer(config, { voice, seed, text, width, progress }) {
  const address = new URL(voice ?? config.voice ?? config.voices?.[0] ?? "voice/", document.baseURI).href;
  const beginning = { seed: seed === undefined ? randomSeed() : checkSeed(seed), text, width };
  const worker = new Requests(new Worker(new URL("worker.js", import.meta.url), { type: "module", name: "voice" }));
  worker.onevent = (name, { part }) => name === "progress" && progress?.(part);
  try {
    const manifest = await worker.ask("open", { address, ...beginning });
    const sound = manifest.modality === "audio" ? await openSound(manifest.rate) : null;
    const player = new LocalPlayer(worker, manifest, sound, beginning);
    await worker.ask("connect", sound && { port: sound.port, memory: sound.memory }, sound ? [sound.port] : []);
    return player;
  } catch (error) {
    worker.end();
    throw error;
  }
}

/** A `Player` of `player.js`. */
class LocalPlayer extends BasePlayer {
  /**
   * @param {Requests} worker
   * @param {import("./player.js").Manifest} manifest
   * @param {import("./sound/output.js").Sound|null} sound
   * @param {{seed: bigint, text?: string, width?: number}} beginning
   */
  constructor(worker, manifest, sound, beginning) {
    super(beginning);
    this._worker = worker;
    this._adopt(manifest, sound);
    worker.onevent = (name, detail) => this._take(name, detail);
  }

  /** @param {{seed?: Seed, text?: string, width?: number}} [options] */
  async restart({ seed = this.seed, text = this._beginning.text, width = this._beginning.width } = {}) {
    const beginning = { seed: checkSeed(seed), text, width };
    await this._worker.ask("restart", beginning);
    this._beginning = beginning;
    if (this._alphabet) Object.assign(this, { written: 0, pending: text?.length ?? 0 });
  }

  async play() {
    await this._sound?.resume();
    this._worker.ask("play", true);
    this._setPlaying(true);
  }

  pause() {
    this._sound?.suspend();
    this._worker.ask("play", false);
    this._setPlaying(false);
  }

  /**
   * @param {string} name
   * @param {number|ArrayLike<number>} value
   * @param {{index?: number|null, ramp?: number}} [options]
   */
  set(name, value, { index = null, ramp = 0 } = {}) {
    this._controls.set(name, value, { index });
    this._tell("set", { name, value, index, ramp });
  }

  reset() {
    this._controls.reset();
    this._tell("reset", null);
  }

  /** @param {string} text */
  write(text) {
    this._tell("write", this._clean(text));
  }

  /** @param {number} count */
  erase(count) {
    this._tell("erase", count);
  }

  /** @returns {Promise<Saved>} */
  save() {
    return this._worker.ask("save", null);
  }

  /** @param {Saved} saved */
  async restore({ data }) {
    await this._worker.ask("restore", data);
    const { controls, stream } = /** @type {any} */ (data);
    this._controls.restore(controls);
    this._beginning = { ...this._beginning, seed: stream.seed };
  }

  /** @param {Seed} seed */
  reseed(seed) {
    this._beginning = { ...this._beginning, seed: checkSeed(seed) };
    this._tell("reseed", this.seed);
  }

  close() {
    this._worker.end();
    this._sound?.close();
    this._setPlaying(false);
  }

  /**
   * Ask for something without waiting for it.
   *
   * @param {string} name
   * @param {any} argument
   */
  _tell(name, argument) {
    this._worker.ask(name, argument).catch((error) => this._dispatch("error", { message: error.message }));
  }

  /**
   * Take an event of the worker.
   *
   * @param {string} name
   * @param {any} detail
   */
  _take(name, detail) {
    if (name === "text") Object.assign(this, detail);
    if (name === "reset") this._controls.reset();
    if (name === "end") this.close();
    if (name === "stats") this._dispatchStats(detail);
    else this._dispatch(name, detail);
  }
}

/** Requests to a worker and their answers. */
class Requests {
  /** @param {Worker} worker */
  constructor(worker) {
    this._worker = worker;
    this._count = 0;
    /** @type {Map<number, {resolve: (result: any) => void, reject: (error: Error) => void}>} */
    this._open = new Map();
    /** @type {(name: string, detail: any) => void} */
    this.onevent = () => {};
    worker.onmessage = ({ data }) => this._take(data);
    worker.onerror = ({ message }) => this._fail(message || "The player cannot be loaded. It needs Safari 16.4, Firefox 114, Chrome 97 or newer");
  }

  /**
   * @param {string} name
   * @param {any} argument
   * @param {Transferable[]} transferred  Objects in the argument that move to the worker.
   * @returns {Promise<any>}
   */
  ask(name, argument, transferred = []) {
    return new Promise((resolve, reject) => {
      this._count += 1;
      this._open.set(this._count, { resolve, reject });
      this._worker.postMessage({ id: this._count, name, argument }, transferred);
    });
  }

  end() {
    this._worker.terminate();
    this._open.clear();
  }

  /** @param {{id?: number, result?: any, error?: string, event: string, detail: any}} message */
  _take({ id, result, error, event, detail }) {
    if (id === undefined) {
      this.onevent(event, detail);
      return;
    }
    const request = this._open.get(id);
    this._open.delete(id);
    if (error === undefined) request?.resolve(result);
    else request?.reject(new Error(error));
  }

  /** @param {string} reason */
  _fail(reason) {
    for (const { reject } of this._open.values()) reject(new Error(reason));
    this._open.clear();
    this.onevent("end", { reason });
  }
}
