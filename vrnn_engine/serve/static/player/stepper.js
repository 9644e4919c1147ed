// @ts-check
/** Takes steps of a voice: computes a frame and the next state from the state, noise and controls. */

/** @typedef {Object<string, Float32Array>} Arrays  Arrays by name, without the prefix that the graph gives them. */

/**
 * What one step computes. `latents` is null for a voice without latents, and `attention` for one that reads no text.
 * @typedef {Object} Step
 * @property {Arrays} state  The state after the step.
 * @property {Float32Array} frame  Audio: samples. Pen: dx, dy, pen-up.
 * @property {Latents|null} latents
 * @property {number} position  Reading position, in characters from the first one of the window.
 * @property {Float32Array|null} attention  Weight of each character in the window, [W].
 */

/**
 * The latent of a frame, and mean and standard deviation of the prior that it is drawn from, [Z] each.
 * @typedef {{latent: Float32Array, mean: Float32Array, std: Float32Array}} Latents
 */

export class Stepper {
  /**
   * @param {any} ort  The module of onnxruntime-web.
   * @param {any} session  Its session of the step graph.
   * @param {import("./player.js").Manifest["graphs"][0]} graph  The graph's entry in the manifest.
   */
  constructor(ort, session, graph) {
    this._ort = ort;
    this._session = session;
    this._inputs = Object.entries(graph.inputs).map(([name, shape]) => ({ name, shape: [1, ...shape] }));
    this._states = under("state.", graph.inputs);
    /** Number of values per frame, by the name of the noise. */
    this.noiseWidths = under("noise.", graph.inputs);
  }

  /**
   * Load the step graph of a voice.
   *
   * @param {import("./voice.js").Voice} voice
   * @param {Promise<any>} loading  The module of onnxruntime-web, which loads at the same time.
   * @returns {Promise<Stepper>}
   */
  static async load(voice, loading) {
    const [ort, { graph, weights }] = await Promise.all([loading, voice.loadStepGraph()]);
    const options = { externalData: weights, executionProviders: ["wasm"], logSeverityLevel: 4 };
    return new Stepper(ort, await ort.InferenceSession.create(graph, options), voice.stepGraph);
  }

  /**
   * Return the state that every stream starts from.
   *
   * @returns {Arrays}
   */
  zeroState() {
    return Object.fromEntries(Object.entries(this._states).map(([name, size]) => [name, new Float32Array(size)]));
  }

  /**
   * Take one step. No array is written to.
   *
   * @param {Arrays} state
   * @param {Arrays} noise
   * @param {Arrays} controls
   * @param {Float32Array|null} characters  Indices of the characters in the window, [W], for a voice that reads a text.
   * @returns {Promise<Step>}
   */
  async step(state, noise, controls, characters = null) {
    /** @type {Object<string, Arrays>} */
    const given = { state, noise, control: controls, text: characters ? { characters } : {} };
    /** @type {Object<string, any>} */
    const feeds = {};
    for (const { name, shape } of this._inputs) {
      const dot = name.indexOf(".");
      feeds[name] = new this._ort.Tensor("float32", given[name.slice(0, dot)][name.slice(dot + 1)], shape);
    }
    const found = await this._session.run(feeds);
    /** @type {Arrays} */
    const next = {};
    for (const name of Object.keys(this._states)) next[name] = found[`next.${name}`].data;
    return {
      state: next,
      frame: found.frame.data,
      latents: latentsOf(found),
      position: found["text.position"]?.data[0] ?? 0,
      attention: found["text.attention"]?.data ?? null,
    };
  }
}

/**
 * @param {Object<string, any>} found  Outputs of the step graph.
 * @returns {Latents|null}
 */
function latentsOf(found) {
  if (!found.latent || !found["prior.mean"]) return null;
  return { latent: found.latent.data, mean: found["prior.mean"].data, std: found["prior.std"].data };
}

/**
 * Return the sizes of the arrays whose names begin with a prefix, by name without it.
 *
 * @param {string} prefix
 * @param {Object<string, number[]>} shapes
 * @returns {Object<string, number>}
 */
function under(prefix, shapes) {
  const found = Object.entries(shapes).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(found.map(([name, shape]) => [name.slice(prefix.length), shape.reduce((a, b) => a * b, 1)]));
}

/**
 * Return the Kullback-Leibler divergence of N(mean, std) from N(0, 1), in nats, for each dimension.
 *
 * @param {Float32Array} mean  [Z]
 * @param {Float32Array} std  [Z]
 * @returns {Float32Array}  [Z]
 */
export function divergence(mean, std) {
  return mean.map((value, i) => 0.5 * (std[i] ** 2 + value ** 2 - 1) - Math.log(std[i]));
}
