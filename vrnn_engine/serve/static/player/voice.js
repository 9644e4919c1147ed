// @ts-check
/** A voice as a folder on a web server: its manifest and its files. */

/** What to do about a file that is missing or damaged. */
export const ADVICE = "reload the page, or copy its whole folder to the server again";

/** Precisions in the order of preference. Graphs in int8 are not used: in a browser they are about ten times slower. */
const PRECISIONS = ["fp32", "fp16"];

/** Most values of the inputs of a graph, or of its outputs, and of all controls: the limits of docs/voice-format.md. */
const [MOST_VALUES, MOST_CONTROL_VALUES] = [2 ** 24, 2 ** 20];

export class Voice {
  /**
   * @param {URL} folder  Address of the folder; ends with a slash.
   * @param {import("./player.js").Manifest} manifest
   * @param {import("./progress.js").Progress} [progress]
   */
  constructor(folder, manifest, progress) {
    this.folder = folder;
    this.progress = progress;
    this.manifest = manifest;
  }

  /**
   * Load the manifest of a voice.
   *
   * @param {string|URL} folder  Address of the voice's folder.
   * @param {import("./progress.js").Progress} [progress]  Counts the bytes of its files.
   * @returns {Promise<Voice>}
   */
  static async load(folder, progress) {
    const address = new URL(folder);
    if (!address.pathname.endsWith("/")) address.pathname += "/";
    const file = new URL("voice.json", address);
    // An old manifest that the browser keeps would not fit the files of a new voice at this address.
    const text = new TextDecoder().decode(await fetchBytes(file, undefined, "no-cache"));
    try {
      return new Voice(address, checkedManifest(JSON.parse(text)), progress);
    } catch (error) {
      if (error instanceof RangeError) throw error;
      throw new Error(`${file.pathname} is not the manifest of a voice; ${ADVICE}`); // but perhaps a page that says so
    }
  }

  get framesPerSecond() {
    const { modality, rate, frame_size: size } = this.manifest;
    return modality === "audio" ? rate / size : rate;
  }

  /** The entry of the step graph in the manifest. */
  get stepGraph() {
    const { graphs, name } = this.manifest;
    for (const precision of PRECISIONS) {
      const found = graphs.find((graph) => graph.role === "step" && graph.precision === precision);
      if (found) return found;
    }
    throw new Error(`voice ${name} has no step graph in ${PRECISIONS.join(" or ")}; export it in one of them`);
  }

  /**
   * Load the step graph, and the files that its weights are in.
   *
   * @returns {Promise<{graph: Uint8Array, weights: {path: string, data: Uint8Array}[]}>}
   */
  async loadStepGraph() {
    const { file } = this.stepGraph;
    const graph = await this.loadFile(file);
    const content = new TextDecoder("latin1").decode(graph);
    // An ONNX file names the files of its weights, which the manifest does not tell apart from other files.
    const names = Object.keys(this.manifest.files).filter((name) => name !== file && content.includes(name));
    const weights = names.map(async (name) => ({ path: name, data: await this.loadFile(name) }));
    return { graph, weights: await Promise.all(weights) };
  }

  /**
   * Load a file of the voice, and check that it is complete. A file that the browser keeps from an earlier voice at this
   * address is loaded again.
   *
   * @param {string} name  Its name in the manifest.
   * @returns {Promise<Uint8Array>}
   */
  async loadFile(name) {
    const address = new URL(name, this.folder);
    for (const cache of /** @type {RequestCache[]} */ (["default", "reload"])) {
      const bytes = await fetchBytes(address, this.progress, cache);
      if (await hasDigest(bytes, this.manifest.files[name])) return bytes;
    }
    throw new Error(`${name} of voice ${this.manifest.name} is damaged: its SHA-256 is not that of the manifest; ${ADVICE}`);
  }

  /**
   * Checksums of the step graph and of all weights. A saved state fits only a voice with the same checksums.
   *
   * @returns {string}
   */
  get fingerprint() {
    const { files, graphs } = this.manifest;
    const others = graphs.map((graph) => graph.file);
    const names = Object.keys(files).filter((name) => !others.includes(name) && !/\.(json|md|npz)$/.test(name));
    return [this.stepGraph.file, ...names.sort()].map((name) => files[name]).join(" ");
  }
}

/**
 * Return a manifest; throw a RangeError if its arrays would fill the memory: a site, or a server, may send any manifest.
 *
 * @param {import("./player.js").Manifest} manifest
 */
export function checkedManifest(manifest) {
  const { name, graphs, controls, frame_size: size, text } = manifest;
  const sets = graphs.flatMap((graph) => [graph.inputs, graph.outputs ?? {}]).map((shapes) => Object.values(shapes));
  check(name, controls.map((control) => control.shape), MOST_CONTROL_VALUES);
  for (const shapes of [...sets, [[size]], [[text?.window ?? 1]]]) check(name, shapes, MOST_VALUES);
  return manifest;
}

/**
 * Throw a RangeError unless all shapes together have at most `most` values.
 *
 * @param {string} name  Name of the voice.
 * @param {number[][]} shapes
 * @param {number} most
 */
function check(name, shapes, most) {
  const sizes = shapes.map((shape) => shape.reduce((all, one) => all * (Number.isInteger(one) && one > 0 ? one : Infinity), 1));
  if (sizes.reduce((a, b) => a + b, 0) > most) throw new RangeError(`voice ${name} has sizes that are not possible; export it again`);
}

/**
 * Return whether a file has a SHA-256; true where the browser computes none, on a page that is neither from https nor from
 * this machine.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} expected
 */
async function hasDigest(bytes, expected) {
  if (!globalThis.crypto?.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") === expected;
}

/**
 * Load a file.
 *
 * @param {URL} address
 * @param {import("./progress.js").Progress} [progress]
 * @param {RequestCache} [cache]
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function fetchBytes(address, progress, cache) {
  const what = `cannot load ${address.pathname}`;
  const answer = await fetch(address, { cache }).catch(() => {
    throw new Error(`${what}: no answer from the server; is this device online?`);
  });
  if (!answer.ok) throw new Error(`${what}: the server answers ${answer.status}; ${ADVICE}`);
  try {
    return await (progress ? progress.read(answer) : answer.arrayBuffer().then((bytes) => new Uint8Array(bytes)));
  } catch {
    throw new Error(`${what}: the connection was lost; reload the page`);
  }
}
