// @ts-check
/** Holds dimensions of the latent at values, through the controls `latent.hold` and `latent.target`. */

/** One object that the pad, the bars and the morph share. */
export class Steering {
  /** @param {import("./knobs.js").Knobs} knobs */
  constructor(knobs) {
    this.knobs = knobs;
    this.count = knobs.find("latent.hold")?.shape[0] ?? 0;
  }

  /** Whether the voice has these controls. */
  get available() {
    return this.count > 0 && Boolean(this.knobs.find("latent.target"));
  }

  /**
   * Pull some dimensions to values.
   *
   * @param {Map<number, number>} targets  Value of each dimension.
   * @param {number} [strength]  0 (not at all) to 1 (fully).
   */
  hold(targets, strength = 1) {
    const target = this.knobs.value("latent.target");
    const hold = this.knobs.value("latent.hold");
    let pulls = false;
    for (const [index, value] of targets) {
      target[index] = value;
      pulls ||= hold[index] !== Math.fround(strength);
      hold[index] = strength;
    }
    this.knobs.set("latent.target", target);
    if (pulls) this.knobs.set("latent.hold", hold);
  }

  /**
   * Pull the whole latent to a vector.
   *
   * @param {ArrayLike<number>} latent
   */
  holdAll(latent) {
    this.hold(new Map(Array.from(latent, (value, index) => [index, value])));
  }

  /** Let some dimensions go. @param {Iterable<number>} indices */
  release(indices) {
    const hold = this.knobs.value("latent.hold");
    for (const index of indices) hold[index] = 0;
    this.knobs.set("latent.hold", hold);
  }

  /** Let all dimensions go. */
  releaseAll() {
    this.knobs.set("latent.hold", 0);
  }

  /** Return how strongly each dimension is held, [Z]. */
  strengths() {
    return this.knobs.value("latent.hold");
  }

  /** Return where each dimension is pulled to, [Z]. */
  targets() {
    return this.knobs.value("latent.target");
  }
}
