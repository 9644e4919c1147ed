// @ts-check
/** Opens the sound of the browser. */

import { Limiter } from "./limiter.js";
import { Playback, SharedRing } from "./playback.js";

/** Seconds in which the sound becomes loud or quiet, so that it does not click. */
const FADE = 0.02;
/** Milliseconds after which the browser is taken not to start the sound. */
const PATIENCE = 2000;
/** Number of samples that a page without an audio thread plays at once. */
const BLOCK = 1024;

/**
 * An open sound, which is silent until its context is resumed.
 *
 * @typedef {Object} Sound
 * @property {AudioContext} context
 * @property {AudioNode} node  Plays the samples, limited to a ceiling; connected to the destination of the context.
 * @property {() => number} limited  Number of samples that were above the ceiling of the limiter.
 * @property {MessagePort} port  For a `SoundFeed`, here or in a worker.
 * @property {SharedArrayBuffer|null} memory  For the same; null where the page cannot share memory.
 * @property {() => Promise<void>} resume  Rejected if the browser does not start the sound, for example without a click.
 * @property {() => void} suspend
 * @property {() => Promise<void>} close
 */

/**
 * Open the sound. A `SoundFeed` gives samples to it.
 *
 * @param {number} rate  Samples per second.
 * @returns {Promise<Sound>}
 */
export async function openSound(rate) {
  const session = /** @type {any} */ (navigator).audioSession;
  if (session) session.type = "playback"; // an iPhone then plays although its switch is set to silent
  const context = openContext(rate);
  context.suspend(); // a browser that allows sound without a click would play at once
  const { port1, port2 } = new MessageChannel();
  const memory = globalThis.crossOriginIsolated ? new SharedRing().memory : null;
  /** @type {import("./playback.js").Connection} */
  const connection = { port: port2, memory, rate };
  const { node, limited, end } = await openWorklets(context, connection).catch(() => openScript(context, connection));
  const switched = switchSound(context, node);
  const close = async () => {
    node.disconnect();
    end();
    await context.close();
  };
  return { context, node, limited, port: port1, memory, ...switched, close };
}

/**
 * Connect a node to the output; return what starts and stops it with short fades.
 *
 * @param {AudioContext} context
 * @param {AudioNode} node
 * @returns {{resume: () => Promise<void>, suspend: () => void}}
 */
function switchSound(context, node) {
  const volume = context.createGain();
  node.connect(volume).connect(context.destination);
  let timer = 0;
  const fade = (/** @type {number} */ from, /** @type {number} */ to) => {
    clearTimeout(timer);
    volume.gain.cancelScheduledValues(0);
    volume.gain.setValueAtTime(from, context.currentTime);
    volume.gain.linearRampToValueAtTime(to, context.currentTime + FADE);
  };
  return {
    async resume() {
      fade(0, 1);
      const late = new Promise((resolve) => setTimeout(() => resolve("late"), PATIENCE));
      if ((await Promise.race([context.resume(), late])) !== "late") return;
      throw new Error("The browser has not started the sound: press play again.");
    },
    suspend() {
      fade(1, 0);
      timer = setTimeout(() => context.suspend(), 2000 * FADE);
    },
  };
}

/**
 * Open an audio context with this rate if the browser allows it, which then resamples to the rate of the device.
 *
 * @param {number} rate  Samples per second.
 * @returns {AudioContext}
 */
function openContext(rate) {
  if (typeof AudioContext !== "function") throw new Error("This browser cannot play sound. Use a newer browser.");
  try {
    return new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
  } catch {
    return new AudioContext({ latencyHint: "interactive" });
  }
}

/** @typedef {{node: AudioNode, limited: () => number, end: () => void}} Source  What plays, and what ends its thread's work. */

/**
 * Play in the audio thread; rejected where there is none. Browsers have none for pages that come neither from https nor
 * from this machine, such as those of a computer in the same room.
 *
 * @param {AudioContext} context
 * @param {import("./playback.js").Connection} connection
 * @returns {Promise<Source>}
 */
async function openWorklets(context, connection) {
  const files = ["playback.js", "limiter.js"].map((name) => new URL(name, import.meta.url));
  await Promise.all(files.map((file) => context.audioWorklet.addModule(file)));
  const voice = new AudioWorkletNode(context, "voice", { numberOfInputs: 0, outputChannelCount: [1] });
  const node = new AudioWorkletNode(context, "limiter", { channelCount: 1, channelCountMode: "explicit", outputChannelCount: [1] });
  let limited = 0;
  node.port.onmessage = ({ data }) => (limited = data);
  voice.port.postMessage(connection, [connection.port]);
  voice.connect(node);
  return { node, limited: () => limited, end: () => voice.port.postMessage("close") };
}

/**
 * Play in the page's own thread.
 *
 * @param {AudioContext} context
 * @param {import("./playback.js").Connection} connection
 * @returns {Source}
 */
function openScript(context, connection) {
  const playback = new Playback(connection, context.sampleRate);
  const limiter = new Limiter(context.sampleRate);
  const node = context.createScriptProcessor(BLOCK, 0, 1);
  node.onaudioprocess = ({ outputBuffer }) => {
    const out = outputBuffer.getChannelData(0);
    playback.fill(out);
    limiter.push(out);
  };
  return { node, limited: () => limiter.limited, end: () => {} };
}
