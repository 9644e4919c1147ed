// @ts-check
/** Counts the bytes of a voice while they are loaded. */

/** Bytes that are expected at least, while the sizes of some files are not known. */
const LEAST = 7e6;
/** Milliseconds between two reports. */
const EVERY = 100;

export class Progress {
  /** @param {(part: number) => void} report  Gets a part from 0 to 0.99, which never falls. */
  constructor(report) {
    this._report = report;
    this._expected = 0;
    this._loaded = 0;
    this._part = 0;
    this._at = 0;
  }

  /**
   * Read the body of an answer.
   *
   * @param {Response} answer
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async read(answer) {
    this._expected += Number(answer.headers.get("content-length") ?? 0);
    const reader = answer.body?.getReader();
    if (!reader) return new Uint8Array(await answer.arrayBuffer());
    const chunks = [];
    let size = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      chunks.push(next.value);
      size += next.value.length;
      this._count(next.value.length);
    }
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }

  /** @param {number} count  Bytes. */
  _count(count) {
    this._loaded += count;
    this._part = Math.max(this._part, Math.min(0.99, this._loaded / Math.max(LEAST, this._expected)));
    if (performance.now() - this._at < EVERY) return;
    this._at = performance.now();
    this._report(this._part);
  }
}
