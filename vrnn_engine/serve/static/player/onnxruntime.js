// @ts-check
/** Loads onnxruntime-web, which computes the graphs of a voice, in one thread. */

import { ADVICE, fetchBytes } from "./voice.js";

const FOLDER = new URL("../vendor/onnxruntime-web/", import.meta.url);

/**
 * Load onnxruntime-web from the folder beside this one. Its program is compressed there, so that the server need not
 * compress it, and need not know the type of such a file. Its modules are named .js, since many servers do not know .mjs.
 *
 * @param {import("./progress.js").Progress} [progress]  Counts the bytes of the program.
 * @returns {Promise<any>}  The module of onnxruntime-web.
 */
export async function loadOnnxruntime(progress) {
  const [ort, program] = await Promise.all([
    import(new URL("ort.wasm.min.js", FOLDER).href),
    fetchBytes(new URL("ort-wasm-simd-threaded.wasm.gz", FOLDER), progress).then(decompressed),
  ]);
  ort.env.wasm.wasmPaths = { mjs: new URL("ort-wasm-simd-threaded.js", FOLDER).href };
  ort.env.wasm.wasmBinary = program;
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  return ort;
}

/**
 * Decompress gzip. Some servers declare such files as compressed for the transfer, and browsers then decompress them.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<Uint8Array>}
 */
async function decompressed(bytes) {
  const isCompressed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!isCompressed && bytes[0] !== 0) throw new Error(`the program of onnxruntime-web is damaged; ${ADVICE}`);
  if (!isCompressed) return bytes; // a program in WebAssembly begins with zero
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
