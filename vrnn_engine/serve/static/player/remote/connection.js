// @ts-check
/**
 * Keeps a session with a server: sends and receives, gives credit, and connects again when the connection is lost.
 * docs/serving.md explains the messages.
 */

import { FrameQueue } from "./frame_queue.js";
import { SessionLog } from "./log.js";
import { Silence } from "./silence.js";

/** Seconds by which the server may be ahead of the reader; it computes ink in longer ticks than sound. */
const WINDOW = { audio: 0.6, pen: 0.8 };
/** Milliseconds between two messages at least, so that the server's limit is never reached. */
const SPACING = 25;
/** Milliseconds before the second try to connect, and the longest time between two tries. */
const [FIRST_WAIT, LONGEST_WAIT] = [100, 3000];
/** If a session has never been open, the number of refused tries in a row after which it is given up. */
const MOST_REFUSED = 3;
/** Close codes after which another try would end in the same way; and those for a client that stood still. */
const [FINAL, PAUSED] = [new Set([1000, 1008, 1009, 4002, 4003]), new Set([4001, 4004])];

/** @typedef {{voice: string, frames_per_second: number, frame_size: number, format: string, manifest: any}} Opened */

export class Connection {
  /**
   * @param {string} address  Address of the WebSocket.
   * @param {string} opening  Fields of the first message, as JSON.
   * @param {(name: string, message: any) => void} report  Takes what the server says, and `connected`, `silent`, `lost`
   *   and `end`.
   */
  constructor(address, opening, report) {
    this._address = address;
    this._opening = opening;
    this._report = report;
    this._log = new SessionLog();
    /** @type {Map<any, import("./log.js").Sent>}  What is to be sent; of messages with one key, the last one. */
    this._queue = new Map();
    /** @type {{resolve: (token: any) => void, reject: (error: Error) => void}[]}  Those who wait for a token. */
    this._saving = [];
    /** @type {(() => void)[]}  Those who wait until old frames are dropped. */
    this._clearing = [];
    this._granted = 0;
    this._tries = 0;
    this._refused = 0;
    this._isClosed = false;
    this._isOpen = false; // over the present socket
    this._sentAt = 0;
    this._timer = 0;
    /** Connects again if the server has ended a session that stood still. */
    this._retry = () => {};
    /** @type {FrameQueue|null} */
    this.frames = null;
    this.reconnects = 0;
    /** Whether frames are read; without that, the server gets no credit. */
    this.reads = false;
    /** @type {Promise<Opened>} */
    this.opened = new Promise((resolve, reject) => {
      this._resolve = resolve;
      this._reject = reject;
    });
    this._connect();
  }

  /**
   * Send an event; of several with one key that wait to be sent, only the last one is.
   *
   * @param {any} event
   * @param {any} [key]
   */
  send(event, key = Symbol("event")) {
    const text = JSON.stringify(event, (_, value) => (typeof value === "bigint" ? `#${value}#` : value));
    this._put(key, `{"type":"event","event":${text.replace(/"#(\d+)#"/g, "$1")}}`, event);
  }

  /** @param {string} token */
  restore(token) {
    this._put(Symbol("restore"), JSON.stringify({ type: "restore", token }), { do: "restore" });
  }

  /** Drop the frames that have not been read, here and on the server. @returns {Promise<void>} */
  clear() {
    return new Promise((resolve) => {
      this._clearing.push(resolve);
      this._put("clear", '{"type":"clear"}');
      this._retry();
    });
  }

  /** @returns {Promise<{frame: number, token: string, latent: number[]}>} */
  save() {
    return new Promise((resolve, reject) => {
      this._saving.push({ resolve, reject });
      this._put("save", '{"type":"save"}');
      this._retry();
    });
  }

  /** Give the server credit for what is going to be read, and connect again if it has ended a session that stood still. */
  wake() {
    const { frames } = this;
    if (!frames || !this.reads) return;
    this._log.forget(frames.read);
    this._retry();
    this._flush();
    const wanted = frames.read + this._window - this._granted;
    if (!this._isOpen || 2 * wanted < this._window) return;
    if (this._queue.has("credit")) return;
    this._granted += wanted;
    this._put("credit", `{"type":"credit","frames":${wanted}}`);
  }

  /**
   * Close for good.
   *
   * @param {string} reason  One line.
   */
  giveUp(reason) {
    this.close();
    this._reject(new Error(reason));
    this._report("end", { reason });
  }

  close() {
    this._isClosed = true;
    clearTimeout(this._timer);
    this._silence?.end();
    if (this._isOpen) this._socket?.send('{"type":"close"}');
    this._isOpen = false; // nothing is sent after it
    this._socket?.close();
    for (const { reject } of this._saving.splice(0)) reject(new Error("the connection was closed before the state was saved"));
  }

  _connect() {
    if (this._isClosed) return;
    const socket = new WebSocket(this._address);
    socket.binaryType = "arraybuffer";
    this._socket = socket;
    this._end = "";
    // An open session gets a message each second, whether it plays or not.
    const silence = new Silence(() => this._abandon(socket));
    this._silence = silence;
    socket.onopen = () => socket.send(`{"type":"open","format":"f32le","reports":["latents"],${this._fields()}}`);
    socket.onmessage = ({ data }) => {
      silence.broken();
      try {
        this._take(data);
      } catch (error) {
        this.giveUp(error instanceof Error ? error.message : String(error));
      }
    };
    socket.onclose = ({ code, reason }) => {
      silence.end();
      this._lose(code, this._end || reason);
    };
  }

  /**
   * Give up a connection over which nothing comes. Its end would be known only after the browser's own time limit.
   *
   * @param {WebSocket} socket
   */
  _abandon(socket) {
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this._report("silent", null);
    this._lose(0, "");
  }

  /** Return the fields of the message that opens or continues the session, as JSON. */
  _fields() {
    if (!this.frames) return this._opening;
    this._granted = this.frames.received;
    const again = this._log.continueAt(this.frames.received);
    if (again === null && this.frames.received > 0) throw new Error("the connection was lost before a token had come");
    return again ?? this._opening;
  }

  /** @param {string|ArrayBuffer} data */
  _take(data) {
    if (data instanceof ArrayBuffer) {
      if (!this.frames) throw new Error("frames came before the session was opened");
      this.frames.add(Number(new DataView(data).getBigUint64(0, true)), new Float32Array(data, 8));
      this._tries = 0;
      this._report("frames", null);
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "opened") this._open(message);
    else if (message.type === "token") this._takeToken(message);
    else if (message.type === "applied") {
      this._log.addApplied(message.frame, message.event, data.slice(data.indexOf('"event":') + 8, -1));
    } else if (message.type === "cleared") {
      this._granted += message.frame - (this.frames?.received ?? 0);
      this.frames?.skipTo(message.frame);
      this._endClearing();
      this.wake();
    } else if (message.type === "end") this._end = message.reason;
    else this._report(message.type, message);
  }

  /** @param {any} message */
  _open(message) {
    this._isOpen = true;
    if (this.frames) this.reconnects += 1;
    else this.frames = new FrameQueue(message.frame_size);
    this._window = Math.max(2 * message.frames, Math.round(WINDOW[message.manifest.modality] * message.frames_per_second));
    const later = [...this._queue].filter(([key]) => key !== "credit");
    this._queue = new Map(this._log.takeSent().map((sent) => [Symbol("again"), sent]));
    for (const [key, value] of later) this._queue.set(key, value);
    if (this._saving.length) this._put("save", '{"type":"save"}');
    this._resolve(message);
    this._report("connected", message);
    this.wake();
    this._flush();
  }

  /** Whether somebody waits for an answer of the server. */
  get _isAsked() {
    return this._saving.length + this._clearing.length > 0;
  }

  _endClearing() {
    for (const resolve of this._clearing.splice(0)) resolve();
  }

  /** @param {any} message */
  _takeToken(message) {
    this._log.addToken(message.frame, message.token);
    if (message.reason !== "save") return;
    for (const { resolve } of this._saving.splice(0)) resolve(message);
  }

  /**
   * @param {any} key
   * @param {string} text
   * @param {any} [event]  The event, if it is one.
   */
  _put(key, text, event) {
    this._queue.set(key, { text, event });
    this._flush();
  }

  /** Send the first message of the queue if it is time for it, and the others later. */
  _flush() {
    if (!this._isOpen) return; // the timer is that of the next try
    clearTimeout(this._timer);
    if (!this._queue.size) return;
    // The server lets few events wait while it stands still; it gets them before it goes on.
    if (!this.reads && !this._isAsked) return;
    const wait = this._sentAt + SPACING - performance.now();
    if (wait > 0) {
      this._timer = setTimeout(() => this._flush(), wait);
      return;
    }
    const [[key, message]] = this._queue;
    this._queue.delete(key);
    if (message.event) this._log.addSent(message);
    this._socket?.send(message.text);
    this._sentAt = performance.now();
    this._flush();
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  _lose(code, reason) {
    const wasOpen = this._isOpen;
    this._isOpen = false;
    if (!this._queue.has("clear")) this._endClearing(); // it will not be answered
    if (this._isClosed) return;
    this._refused = code ? this._refused + 1 : 0; // a server that is silent may answer again
    if (FINAL.has(code) || (!this.frames && this._refused >= MOST_REFUSED)) {
      this.giveUp(reason || "The server cannot be reached, or refuses this page; try again later.");
      return;
    }
    if (wasOpen) this._report("lost", null);
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this._tries) * (0.7 + 0.3 * Math.random());
    this._tries += 1;
    this._retry = () => {
      this._retry = () => {};
      this._timer = setTimeout(() => this._connect(), wait);
    };
    if (!PAUSED.has(code) || this.reads || this._isAsked) this._retry();
  }
}
