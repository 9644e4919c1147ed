// @ts-check
/** What an axis of the pad can move: a latent or a control; and which latents matter most. */

import { nameOf } from "./words.js";

const REACH = 3; // standard deviations of N(0, 1)
const STRENGTH = 0.9; // of the hold: below 1 the latent still moves a little by itself

/**
 * One thing that the pad can move.
 * @typedef {Object} Axis
 * @property {string} key
 * @property {string} label
 * @property {number} minimum
 * @property {number} maximum
 * @property {number} home  Value at which a marker is drawn.
 * @property {number|null} latent  Index of the latent; null for a control.
 * @property {() => number} value  Where it is set to.
 * @property {() => boolean} held  Whether it holds a value instead of the voice's own.
 */

/** Return the axis of a latent. @param {import("./steering.js").Steering} steering @param {number} index @returns {Axis} */
export function latentAxis(steering, index) {
  return {
    key: `latent/${index}`, label: `latent ${index}`, minimum: -REACH, maximum: REACH, home: 0, latent: index,
    value: () => steering.targets()[index],
    held: () => steering.strengths()[index] > 0,
  };
}

/** Return the axis of a control that is one number. @param {import("./knobs.js").Knobs} knobs @param {import("../player/player.js").Control} control @returns {Axis} */
export function controlAxis(knobs, control) {
  return {
    key: control.name, label: nameOf(control.name), minimum: control.minimum, maximum: control.maximum, home: control.default, latent: null,
    value: () => knobs.value(control.name)[0],
    held: () => !knobs.isDefault(control.name),
  };
}

/** Move two axes at once. @param {import("./steering.js").Steering} steering @param {[Axis, number][]} moves */
export function moveAxes(steering, moves) {
  const latents = moves.filter(([axis]) => axis.latent !== null);
  if (latents.length) steering.hold(new Map(latents.map(([axis, value]) => [Number(axis.latent), value])), STRENGTH);
  for (const [axis, value] of moves) if (axis.latent === null) steering.knobs.set(axis.key, value);
}

/** Let axes go. @param {import("./steering.js").Steering} steering @param {Axis[]} axes */
export function releaseAxes(steering, axes) {
  const latents = axes.filter((axis) => axis.latent !== null && axis.held()).map((axis) => Number(axis.latent));
  if (latents.length) steering.release(latents);
  for (const axis of axes) if (axis.latent === null) steering.knobs.restore(axis.key);
}

/** Averages the KL of each latent and names those with the highest. */
export class Importance {
  /** @param {number} count */
  constructor(count) {
    this.sums = new Float64Array(count);
    this.count = 0;
  }

  /** Add the KL of one frame, [Z]. @param {ArrayLike<number>} kl */
  add(kl) {
    this.count += 1;
    for (let i = 0; i < this.sums.length; i++) this.sums[i] += kl[i];
  }

  /** Return the two latents with the highest mean KL, or null while that is not known or no latent has any. */
  best() {
    const order = Array.from(this.sums.keys()).sort((a, b) => this.sums[b] - this.sums[a]);
    const known = this.count >= 10 && order.length > 1 && this.sums[order[1]] / this.count > 0.01;
    return known ? order.slice(0, 2) : null;
  }
}
