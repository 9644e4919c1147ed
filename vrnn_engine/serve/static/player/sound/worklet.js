/** Plays sound in the audio thread of the browser. onnxruntime-web cannot run there, so this only copies. */

/* global AudioWorkletProcessor, registerProcessor, sampleRate */

import { Playback } from "./playback.js";

/** The node `voice`: its first message is a `Connection`, the second one ends it. */
class VoiceProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this._isOpen = true;
    /** @type {Playback|null} */
    this._playback = null;
    this.port.onmessage = ({ data }) => {
      if (this._playback) this._isOpen = false;
      else this._playback = new Playback(data, sampleRate);
    };
  }

  /**
   * @param {Float32Array[][]} _inputs
   * @param {Float32Array[][]} outputs
   * @returns {boolean}  Whether to call this again.
   */
  process(_inputs, [[out]]) {
    this._playback?.fill(out);
    return this._isOpen;
  }
}

registerProcessor("voice", VoiceProcessor);
