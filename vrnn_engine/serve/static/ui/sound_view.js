// @ts-check
/** A spectrogram that passes slowly, above the outline of the wave; both show what is heard now at the right edge. */

import { readColours } from "./colours.js";
import { clamp, element, fitCanvas } from "./dom.js";

const ROWS = 112;
const WAVE = 97; // rows of the outline of the wave
const PER_SECOND = 50; // columns
const PAINT = 32; // ms between two paints, which keeps weak machines free for the voice
const COLUMN = 1.25; // CSS pixels
const LOWEST = 70; // Hz
const QUIET = -92; // dB
const LOUD = -38; // dB

/** Return a frequency on the mel scale (O'Shaughnessy 1987). @param {number} hertz */
const mel = (hertz) => 1127 * Math.log1p(hertz / 700);
/** Return the frequency of a number on the mel scale. @param {number} mels */
const hertz = (mels) => 700 * Math.expm1(mels / 1127);

/** Make 256 colours between the five of the style sheet. @returns {Uint32Array} */
function makePalette() {
  const names = [0, 1, 2, 3, 4].map((i) => `spectrum-${i}`);
  const colours = Object.values(readColours(names)).map((text) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * 4;
    const low = Math.min(3, Math.floor(place));
    const [r, g, b] = colours[low].map((part, k) => Math.round(part + (colours[low + 1][k] - part) * (place - low)));
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
}

/** The view of a sound voice. */
export class SoundView {
  /**
   * @param {HTMLElement} sheet
   * @param {import("../player/player.js").Player} player
   */
  constructor(sheet, player) {
    this.player = player;
    this.canvas = element("canvas", { role: "img", "aria-label": "Spectrogram and wave of the sound" });
    const top = Math.min(8000, player.manifest.rate / 2);
    this.labels = [
      element("p", { class: "scale high", "aria-hidden": "true" }, `${top / 1000} kHz`),
      element("p", { class: "scale low", "aria-hidden": "true" }, `${LOWEST} Hz`),
    ];
    for (const label of this.labels) label.hidden = true; // until something plays
    sheet.append(this.canvas, ...this.labels);
    this.top = top;
    this.levels = new Uint8Array(0); // of each column, ROWS each, in a ring
    this.peaks = new Float32Array(0);
    this.next = 0;
    this.due = 0;
    this.before = 0;
    this.part = 0;
    this.image = document.createElement("canvas"); // the spectrogram, ROWS high
    this.outline = document.createElement("canvas"); // the wave, WAVE high
    this.recolour();
    this.observer = new ResizeObserver(() => this.#fit());
    this.observer.observe(sheet);
    this.#fit();
  }

  /** Connect to the sound once it exists. */
  #listen() {
    const node = this.player.audioNode;
    if (this.analyser || !node) return;
    this.analyser = node.context.createAnalyser();
    this.analyser.fftSize = node.context.sampleRate > 24000 ? 2048 : 1024;
    this.analyser.smoothingTimeConstant = 0.2;
    node.connect(this.analyser);
    const width = node.context.sampleRate / this.analyser.fftSize;
    const low = mel(LOWEST);
    const step = (mel(this.top) - low) / ROWS;
    /** First and last bin of each row, from the highest frequency down. */
    this.bins = Array.from({ length: ROWS }, (_, row) => {
      const from = hertz(low + (ROWS - 1 - row) * step) / width;
      return [from, Math.max(from, hertz(low + (ROWS - row) * step) / width - 1)];
    });
    this.decibels = new Float32Array(this.analyser.frequencyBinCount);
    this.wave = new Float32Array(this.analyser.fftSize);
  }

  /** Show what is played, until `stop`. */
  start() {
    this.#listen();
    for (const label of this.labels) label.hidden = false;
    if (this.due) return;
    this.before = performance.now();
    this.due = requestAnimationFrame((now) => this.#tick(now));
  }

  stop() {
    cancelAnimationFrame(this.due);
    this.due = 0;
  }

  close() {
    this.stop();
    this.observer.disconnect();
    this.analyser?.disconnect();
    for (const one of [this.canvas, ...this.labels]) one.remove();
  }

  /** Use the colours of the style sheet, also for what was heard before. */
  recolour() {
    this.palette = makePalette();
    for (let column = 0; column < this.image.width && this.peaks.length; column++) this.#putColumn(column);
    this.#paint();
  }

  #fit() {
    const columns = Math.max(32, Math.ceil(this.canvas.clientWidth / COLUMN));
    if (columns !== this.peaks.length) {
      this.levels = new Uint8Array(columns * ROWS);
      this.peaks = new Float32Array(columns);
      this.next = 0;
      Object.assign(this.image, { width: columns, height: ROWS });
      Object.assign(this.outline, { width: columns, height: WAVE });
      this.recolour();
    } else this.#paint();
  }

  #tick(now) {
    this.due = requestAnimationFrame((later) => this.#tick(later));
    if (now - this.before < PAINT - 8) return;
    this.#listen();
    this.part += (Math.min(now - this.before, 200) / 1000) * PER_SECOND;
    this.before = now;
    const count = Math.floor(this.part);
    this.part -= count;
    if (count && this.analyser) this.#hear(count);
    this.#paint();
  }

  /** Add columns of what is heard now. */
  #hear(count) {
    const { analyser, decibels, wave, bins } = /** @type {any} */ (this);
    analyser.getFloatFrequencyData(decibels);
    analyser.getFloatTimeDomainData(wave);
    const recent = wave.subarray(wave.length - Math.floor(analyser.context.sampleRate / PER_SECOND));
    const peak = recent.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const column = bins.map(([from, to]) => {
      const low = Math.floor(from);
      let level = decibels[low] + (decibels[Math.min(low + 1, decibels.length - 1)] - decibels[low]) * (from - low);
      for (let bin = low + 1; bin <= to; bin++) level = Math.max(level, decibels[bin]);
      return Number.isFinite(level) ? 255 * clamp((level - QUIET) / (LOUD - QUIET), 0, 1) : 0;
    });
    for (let i = 0; i < count; i++) {
      this.levels.set(column, this.next * ROWS);
      this.peaks[this.next] = peak;
      this.#putColumn(this.next);
      this.next = (this.next + 1) % this.peaks.length;
    }
  }

  #putColumn(column) {
    const context = this.image.getContext("2d");
    if (!context || !this.palette) return;
    const pixels = context.createImageData(1, ROWS);
    const words = new Uint32Array(pixels.data.buffer);
    for (let row = 0; row < ROWS; row++) words[row] = this.palette[this.levels[column * ROWS + row]];
    context.putImageData(pixels, column, 0);
    const wave = /** @type {CanvasRenderingContext2D} */ (this.outline.getContext("2d"));
    const tall = Math.max(1, Math.min(1, this.peaks[column] / 0.4) ** 0.8 * WAVE);
    wave.clearRect(column, 0, 1, WAVE);
    wave.fillStyle = readColours(["ink"]).ink;
    wave.fillRect(column, (WAVE - tall) / 2, 1, tall);
  }

  #paint() {
    const { width, height, context } = fitCanvas(this.canvas);
    const columns = this.peaks.length;
    if (!columns || !width) return;
    const tall = Math.round(height * 0.74);
    const shift = this.part * COLUMN;
    const left = width - columns * COLUMN - shift;
    context.clearRect(0, 0, width, height);
    this.#paintRing(context, this.image, left, 0, tall);
    this.#paintRing(context, this.outline, left, tall + (height - tall) * 0.1, (height - tall) * 0.8);
  }

  /** Paint a ring of columns, oldest first. */
  #paintRing(context, image, left, top, tall) {
    const older = image.width - this.next;
    context.drawImage(image, this.next, 0, older, image.height, left, top, older * COLUMN, tall);
    if (this.next) context.drawImage(image, 0, 0, this.next, image.height, left + older * COLUMN, top, this.next * COLUMN, tall);
  }
}
