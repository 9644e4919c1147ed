// @ts-check
/** A player that listens to a server: the frames come over a WebSocket, and the sound or the page takes them. */

import { BasePlayer } from "./base_player.js";
import { Clock } from "./clock.js";
import { checkSeed, randomSeed } from "./noise/seed.js";
import { Connection } from "./remote/connection.js";
import { SoundFeed } from "./sound/feed.js";
import { openSound } from "./sound/output.js";
import { checkedManifest } from "./voice.js";

/**
 * @typedef {import("./player.js").Config} Config
 * @typedef {import("./player.js").PlayerOptions} PlayerOptions
 * @typedef {import("./player.js").Seed} Seed
 * @typedef {import("./player.js").Saved} Saved
 */

/** Secret of the server, in the address of the page as #token=SECRET; read now, before the page changes its address. */
const TOKEN = new URLSearchParams(location.hash.slice(1)).get("token");

/**
 * Open a player; see `openPlayer`.
 *
 * @param {Config} config
 * @param {PlayerOptions} options
 * @returns {Promise<RemotePlayer>}
 */
export async function openRemotePlayer(config, options) {
  const { voice = config.voices?.[0] ?? config.voice ?? "", seed, text, width, silent } = options;
  if (config.token && !TOKEN) throw new Error("this server asks for its token: add #token=TOKEN to the address of the page");
  const address = new URL(encodeURIComponent(voice), document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  if (TOKEN) address.searchParams.set("token", TOKEN);
  const beginning = { seed: seed === undefined ? randomSeed() : checkSeed(seed), text, width };
  const player = new RemotePlayer(address.href, beginning, silent);
  try {
    await player.open();
  } catch (error) {
    player.close();
    throw error;
  }
  return player;
}

/** A `Player` of `player.js`. */
class RemotePlayer extends BasePlayer {
  /**
   * @param {string} address
   * @param {{seed: bigint, text?: string, width?: number}} beginning
   * @param {() => boolean} [silent]  Called if the server does not answer before it has opened the session; returns
   *   whether to try again.
   */
  constructor(address, beginning, silent) {
    super(beginning);
    this._address = address;
    this._silent = silent;
    this._reconnects = 0;
    /** @type {{frame: number, name: string, detail: any}[]}  What is told when its frame is played. */
    this._later = [];
    this.pending = beginning.text?.length ?? 0;
    this._connection = this._connect();
  }

  /** Wait until the server has opened the session, and open the sound. */
  async open() {
    const { manifest } = await this._connection.opened;
    this._adopt(checkedManifest(manifest), manifest.modality === "audio" ? await openSound(manifest.rate) : null);
    /** @type {import("./session.js").Outlet} */
    this._outlet = this._sound ? new SoundFeed(this._sound.port, this._sound.memory) : new Clock(this.framesPerSecond);
    this._outlet.onask = () => this._pump();
  }

  /** @param {{seed?: Seed, text?: string, width?: number}} [options] */
  async restart({ seed = this.seed, text = this._beginning.text, width = this._beginning.width } = {}) {
    this._beginning = { seed: checkSeed(seed), text, width: this._alphabet ? width : undefined }; // else there are no lines
    this._reconnects += this._connection.reconnects;
    this._connection.close();
    this._later = [];
    this.written = 0;
    this.pending = text?.length ?? 0;
    this._connection = this._connect();
    this._outlet.clear();
    await this._connection.opened;
    this._setReading();
  }

  async play() {
    await this._sound?.resume();
    this._outlet.playing = true;
    this._setPlaying(true);
    this._setReading();
  }

  pause() {
    this._sound?.suspend();
    this._outlet.playing = false;
    this._setPlaying(false);
    this._setReading();
  }

  /**
   * @param {string} name
   * @param {number|ArrayLike<number>} value
   * @param {{index?: number|null, ramp?: number}} [options]
   */
  set(name, value, { index = null, ramp = 0 } = {}) {
    this._controls.set(name, value, { index });
    const event = { do: "set", control: name, value: typeof value === "number" ? value : Array.from(value) };
    const where = index === null ? {} : { index };
    this._connection.send({ ...event, ...where, ...(ramp ? { ramp } : {}) }, `set ${name} ${index}`);
  }

  reset() {
    this._controls.reset();
    this._connection.send({ do: "reset" });
  }

  /** @param {string} text */
  write(text) {
    const cleaned = this._clean(text);
    this.pending += cleaned.length; // until the server says more
    this._connection.send({ do: "write", text: cleaned });
  }

  /** @param {number} count */
  erase(count) {
    this._connection.send({ do: "erase", count: Math.min(count, Number.MAX_SAFE_INTEGER) });
  }

  /** @returns {Promise<Saved>} */
  async save() {
    const controls = this._controls.snapshot();
    const { frame, token, latent } = await this._connection.save();
    const ahead = this.kind === "pen" ? this._connection.frames?.sumBefore(frame) : 0;
    return { voice: this.manifest.name, latent: Float32Array.from(latent), data: { token, controls, seed: this.seed }, ahead };
  }

  /** @param {Saved} saved */
  async restore({ voice, data }) {
    const { token, controls, seed } = /** @type {any} */ (data);
    if (voice !== this.manifest.name || !token) throw new Error("the saved state is of another voice, or was not saved here");
    this._connection.restore(token);
    await this._connection.clear();
    this._outlet.clear();
    this._controls.restore(controls);
    this._beginning = { ...this._beginning, seed };
  }

  /** @param {Seed} seed */
  reseed(seed) {
    this._beginning = { ...this._beginning, seed: checkSeed(seed) };
    this._connection.send({ do: "seed", seed: this.seed });
  }

  close() {
    this._connection.close();
    this._sound?.close();
    if (this._outlet) this._outlet.playing = false;
    this._setPlaying(false);
  }

  /** Begin a session with the present controls. */
  _connect() {
    const { seed, text, width } = this._beginning;
    const controls = this._controls?.snapshot() ?? {};
    const values = Object.fromEntries(Object.entries(controls).map(([name, value]) => [name, Array.from(value)]));
    const fields = JSON.stringify({ seed: String(seed), controls: values, text: text || undefined, width });
    /** @type {Connection} */
    const connection = new Connection(this._address, fields.slice(1, -1), (name, message) => {
      if (connection === this._connection || !this._connection) this._take(name, message);
    });
    return connection;
  }

  /**
   * Take what the connection reports.
   *
   * @param {string} name
   * @param {any} message
   */
  _take(name, message) {
    const { frames } = this._connection ?? {};
    if (name === "frames") this._pump();
    else if (name === "silent" && !this.manifest) this._wait();
    else if (name === "connected" || name === "lost" || name === "silent") {
      this._connected = name === "connected";
      this._tellState();
    } else if (name === "latents") {
      const { frame, latent, mean, std, kl } = message;
      const arrays = { latent: Float32Array.from(latent), mean: Float32Array.from(mean ?? []), std: Float32Array.from(std ?? []) };
      this._later.push({ frame, name, detail: { frame, ...arrays, kl: Float32Array.from(kl ?? []) } });
    } else if (name === "text") {
      const { written, pending } = message;
      this._later.push({ frame: frames?.received ?? 0, name, detail: { written, pending } });
    } else if (name === "stats") this._tellStats(message.step_ms);
    else if (name === "error") this._tellError(message);
    else if (name === "end") {
      this.close();
      this._dispatch("end", message);
    }
  }

  /** Say that the server does not answer, and try no longer if nobody waits for it. */
  _wait() {
    if (this._silent?.() === false) this._connection.giveUp("nobody waits for the server any longer");
  }

  /** Give out the frames that are due and have arrived. */
  _pump() {
    const { frames } = this._connection;
    if (!frames || !this._outlet) return;
    while (this._outlet.isDue) {
      const frame = frames.read;
      const data = frames.take(this.kind === "audio" ? Infinity : 1);
      if (!data) break;
      this._outlet.write(data);
      this._dispatch("frames", { frame, data: data.slice() });
    }
    this._tellDue(frames.read);
    this._connection.wake();
  }

  /**
   * Tell what belongs to frames that are played.
   *
   * @param {number} frame
   */
  _tellDue(frame) {
    while (this._later.length && this._later[0].frame <= frame) {
      const { name, detail } = /** @type {any} */ (this._later.shift());
      if (name === "text") Object.assign(this, detail);
      this._dispatch(name, detail);
    }
  }

  /** @param {number} stepMs */
  _tellStats(stepMs) {
    if (!this._outlet || !this.playing) return;
    const frameMs = 1000 / this.framesPerSecond;
    const leadMs = 1000 * this._outlet.lead + frameMs * (this._connection.frames?.waiting ?? 0);
    const reconnects = this._reconnects + this._connection.reconnects;
    this._dispatchStats({ stepMs, frameMs, underruns: this._outlet.underruns, leadMs, reconnects });
  }

  /** @param {{code: string, message: string}} error */
  _tellError({ code, message }) {
    if (code === "not-finite") {
      this._controls.reset();
      this._dispatch("reset", {});
    }
    this._dispatch("error", { message });
  }

  /** Let the server send while the player plays. */
  _setReading() {
    this._connection.reads = this.playing;
    this._connection.wake();
  }
}
