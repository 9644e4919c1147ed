// @ts-check
/** The side of the sound that computes samples, in a worker or in the page: says whether more are wanted, and takes them. */

import { SharedRing } from "./playback.js";

export class SoundFeed {
  /**
   * @param {MessagePort} port  The port of `openSound`.
   * @param {SharedArrayBuffer|null} memory  The memory of `openSound`.
   */
  constructor(port, memory) {
    this._port = port;
    this._ring = memory && new SharedRing(memory);
    this._written = 0;
    this._upTo = 0;
    /** Number of gaps in the sound. */
    this.underruns = 0;
    /** Seconds of sound that wait to be played. */
    this.lead = 0;
    /** Whether somebody listens. Nothing follows from it: a paused sound asks for no samples. */
    this.playing = false;
    /** Called when more samples may be wanted. */
    this.onask = () => {};
    port.onmessage = ({ data }) => {
      this._upTo = data.upTo;
      this.underruns = data.underruns;
      this.lead = data.lead;
      this.onask();
    };
  }

  /** Whether more samples are wanted now. */
  get isDue() {
    return ((this._upTo - this._written) | 0) > 0;
  }

  /**
   * Give samples to be played. They are copied.
   *
   * @param {Float32Array} samples  Full scale is -1 to 1.
   */
  write(samples) {
    this._written = (this._written + samples.length) | 0;
    if (this._ring) this._ring.write(samples);
    else this._port.postMessage(samples);
  }

  /** Drop the samples that have not been played. */
  clear() {
    if (this._ring) this._ring.clear();
    else this._port.postMessage("clear");
    this._upTo = this._written; // until the other side asks again
  }

  close() {
    this._port.close();
  }
}
