// @ts-check
/** A voice as a folder on a web server: its manifest and its files. */

/** Precisions in the order of preference. Graphs in int8 are not used: in a browser they are about ten times slower. */
const PRECISIONS = ["fp32", "fp16"];

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
    const bytes = await fetchBytes(new URL("voice.json", address));
    return new Voice(address, JSON.parse(new TextDecoder().decode(bytes)), progress);
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
   * Load a file of the voice, and check that it is complete.
   *
   * @param {string} name  Its name in the manifest.
   * @returns {Promise<Uint8Array>}
   */
  async loadFile(name) {
    const bytes = await fetchBytes(new URL(name, this.folder), this.progress);
    if (globalThis.crypto?.subtle) {
      // Browsers compute checksums only on pages from https or from this machine.
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      const found = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      if (found !== this.manifest.files[name]) {
        throw new Error(`${name} of voice ${this.manifest.name} is damaged: its SHA-256 is not that of the manifest`);
      }
    }
    return bytes;
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
 * @param {URL} address
 * @param {import("./progress.js").Progress} [progress]
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function fetchBytes(address, progress) {
  let answer;
  try {
    answer = await fetch(address);
  } catch {
    throw new Error(`cannot load ${address}: no answer from the server`);
  }
  if (!answer.ok) throw new Error(`cannot load ${address}: the server answers ${answer.status}`);
  return progress ? progress.read(answer) : new Uint8Array(await answer.arrayBuffer());
}
