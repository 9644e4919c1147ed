// @ts-check
/**
 * Computes a voice beside the page. A message is a request {id, name, argument}, answered by {id, result} or
 * {id, error}; events are {event, detail}.
 */

import { Clock } from "./clock.js";
import { loadOnnxruntime } from "./onnxruntime.js";
import { Progress } from "./progress.js";
import { Session } from "./session.js";
import { SoundFeed } from "./sound/feed.js";
import { Stepper } from "./stepper.js";
import { Voice } from "./voice.js";
import { warmUp } from "./warm_up.js";

/** @type {Voice} */
let voice;
/** @type {Session} */
let session;
/** @type {import("./session.js").Outlet} */
let outlet;

/** @type {Object<string, (argument: any) => any>} */
const requests = {
  /** Load a voice and begin a stream; answer the manifest. */
  async open({ address, ...beginning }) {
    const progress = new Progress((part) => postMessage({ event: "progress", detail: { part } }));
    const ort = loadOnnxruntime(progress);
    voice = await Voice.load(address, progress);
    const stepper = await Stepper.load(voice, ort);
    await warmUp(stepper, voice);
    session = new Session(stepper, voice, beginning, (event, detail) => postMessage({ event, detail }));
    return voice.manifest;
  },

  /** Begin to compute frames when they are due: when the sound asks for them, or by the clock of a pen. */
  connect(/** @type {{port: MessagePort, memory: SharedArrayBuffer|null}|null} */ sound) {
    outlet = sound ? new SoundFeed(sound.port, sound.memory) : new Clock(voice.framesPerSecond);
    session.run(outlet).catch((error) => postMessage({ event: "end", detail: { reason: error.message } }));
  },

  /** Let frames be due, or not. */
  play(/** @type {boolean} */ isPlaying) {
    outlet.playing = isPlaying;
  },
};

for (const name of /** @type {const} */ (["set", "reset", "write", "erase", "reseed", "restart", "save", "restore"])) {
  requests[name] = (argument) => session.request(name, argument);
}

addEventListener("message", async ({ data: { id, name, argument } }) => {
  try {
    postMessage({ id, result: await requests[name](argument) });
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
