// @ts-check
/** Opens the sound of the browser. */

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
 * @property {AudioNode} node  Plays the samples; connected to the destination of the context.
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
  const node = await openWorklet(context, connection).catch(() => openScript(context, connection));
  const switched = switchSound(context, node);
  const close = async () => {
    node.disconnect();
    if ("port" in node) /** @type {AudioWorkletNode} */ (node).port.postMessage("close");
    await context.close();
  };
  return { context, node, port: port1, memory, ...switched, close };
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

/**
 * Play in the audio thread; rejected where there is none. Browsers have none for pages that come neither from https nor
 * from this machine, such as those of a computer in the same room.
 *
 * @param {AudioContext} context
 * @param {import("./playback.js").Connection} connection
 * @returns {Promise<AudioNode>}
 */
async function openWorklet(context, connection) {
  await context.audioWorklet.addModule(new URL("playback.js", import.meta.url));
  const node = new AudioWorkletNode(context, "voice", { numberOfInputs: 0, outputChannelCount: [1] });
  node.port.postMessage(connection, [connection.port]);
  return node;
}

/**
 * Play in the page's own thread.
 *
 * @param {AudioContext} context
 * @param {import("./playback.js").Connection} connection
 * @returns {AudioNode}
 */
function openScript(context, connection) {
  const playback = new Playback(connection, context.sampleRate);
  const node = context.createScriptProcessor(BLOCK, 0, 1);
  node.onaudioprocess = ({ outputBuffer }) => playback.fill(outputBuffer.getChannelData(0));
  return node;
}
