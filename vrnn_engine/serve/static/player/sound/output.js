// @ts-check
/** Opens the sound of the browser. */

import { Playback, SharedRing } from "./playback.js";

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
 * @property {() => Promise<void>} close
 */

/**
 * Open the sound. A `SoundFeed` gives samples to it.
 *
 * @param {number} rate  Samples per second.
 * @returns {Promise<Sound>}
 */
export async function openSound(rate) {
  const context = openContext(rate);
  context.suspend(); // a browser that allows sound without a click would play at once
  const { port1, port2 } = new MessageChannel();
  const memory = globalThis.crossOriginIsolated ? new SharedRing().memory : null;
  /** @type {import("./playback.js").Connection} */
  const connection = { port: port2, memory, rate };
  const node = await openWorklet(context, connection).catch(() => openScript(context, connection));
  node.connect(context.destination);
  const close = async () => {
    node.disconnect();
    if ("port" in node) /** @type {AudioWorkletNode} */ (node).port.postMessage("close");
    await context.close();
  };
  return { context, node, port: port1, memory, close };
}

/**
 * Open an audio context with this rate if the browser allows it, which then resamples to the rate of the device.
 *
 * @param {number} rate  Samples per second.
 * @returns {AudioContext}
 */
function openContext(rate) {
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
