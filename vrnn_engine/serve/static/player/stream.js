// @ts-check
/** One stream of a voice: its seed, its position and its state. */

import { NoiseSource } from "./noise/noise.js";

/** @typedef {{data: Float32Array, latents: import("./stepper.js").Latents|null}} Frame */

/** A stream of a voice that reads no text. */
export class Stream {
  /**
   * @param {import("./stepper.js").Stepper} stepper
   * @param {bigint} seed
   */
  constructor(stepper, seed) {
    this.stepper = stepper;
    this.noise = new NoiseSource(seed, stepper.noiseWidths);
    this.state = stepper.zeroState();
    /** Number of frames since the zero state. */
    this.frame = 0;
    /** @type {Float32Array}  Latent of the last frame. */
    this.latent = new Float32Array(0);
  }

  /** The number that determines all noise of the stream. */
  get seed() {
    return this.noise.seed;
  }

  /**
   * Return the next frame.
   *
   * @param {import("./controls.js").Controls} controls
   * @returns {Promise<Frame>}  Rejected with a NotFinite if a number is not finite; the stream has then not moved.
   */
  async next(controls) {
    const step = await this.stepper.step(this.state, this.noise.at(this.frame), controls.table);
    requireFinite(step.frame);
    this.state = step.state;
    this.frame += 1;
    this.latent = step.latents?.latent ?? this.latent;
    return { data: step.frame, latents: step.latents };
  }

  /**
   * Use the noise of another seed, without changing state or position.
   *
   * @param {bigint} seed
   */
  reseed(seed) {
    this.noise = new NoiseSource(seed, this.stepper.noiseWidths);
  }

  /** Go back to the zero state, without changing position or seed. */
  clearState() {
    this.state = this.stepper.zeroState();
  }

  /**
   * Return everything that the next frames depend on, besides the controls, as plain data; see `restore`.
   *
   * @returns {Object<string, any>}
   */
  save() {
    return { seed: this.seed, frame: this.frame, state: { ...this.state }, latent: this.latent };
  }

  /**
   * Continue from a saved state.
   *
   * @param {Object<string, any>} saved
   */
  restore({ seed, frame, state, latent }) {
    this.reseed(seed);
    this.frame = frame;
    this.state = { ...state };
    this.latent = latent;
  }
}

/** A frame has a number that is not finite. */
export class NotFinite extends Error {}

/**
 * Throw a NotFinite if one of the numbers is not finite.
 *
 * @param {Float32Array} values
 */
export function requireFinite(values) {
  if (!values.every(Number.isFinite)) throw new NotFinite("a frame is not finite");
}
