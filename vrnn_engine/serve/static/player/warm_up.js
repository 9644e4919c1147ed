// @ts-check
/** Makes the first frames as fast as later ones. */

import { Controls } from "./controls.js";

/** Most milliseconds that a warm-up takes, and number of fast steps in a row that end it. */
const [LONGEST_WARM_UP, FAST_STEPS] = [1000, 3];

/**
 * Take steps that nobody hears until they are faster than frames are played, so that the sound does not begin with gaps:
 * browsers compile WebAssembly better while it runs. No stream changes, since a step writes to no array.
 *
 * @param {import("./stepper.js").Stepper} stepper
 * @param {import("./voice.js").Voice} voice
 */
export async function warmUp(stepper, { manifest, framesPerSecond }) {
  const state = stepper.zeroState();
  const noise = Object.fromEntries(Object.entries(stepper.noiseWidths).map(([name, width]) => [name, new Float32Array(width)]));
  const controls = new Controls(manifest.controls).table;
  const characters = manifest.text ? new Float32Array(manifest.text.window) : null;
  const end = performance.now() + LONGEST_WARM_UP;
  for (let fast = 0; fast < FAST_STEPS && performance.now() < end; ) {
    const began = performance.now();
    await stepper.step(state, noise, controls, characters);
    fast = performance.now() - began < 1000 / framesPerSecond ? fast + 1 : 0;
  }
}
