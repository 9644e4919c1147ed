// @ts-check
/** A sheet on which the pen writes at its own pace; it scrolls as it fills, and can be scrolled back. */

import { lessMotion, readColours } from "./colours.js";
import { element, fitCanvas } from "./dom.js";
import { Ink, drawPieces } from "./ink.js";

const MARGIN = 7; // units at the left and right

/** The paper of a pen voice. */
export class Paper {
  /**
   * @param {HTMLElement} sheet
   * @param {import("../player/player.js").Player} player
   */
  constructor(sheet, player) {
    this.player = player;
    this.lineHeight = player.manifest.text?.line_height ?? 11;
    this.canvas = element("canvas", { role: "img", "aria-label": "Paper on which the pen writes" });
    this.nib = element("canvas", { class: "nib", "aria-hidden": "true" });
    this.length = element("div", { class: "length" });
    this.scroller = element("div", { class: "scroller", tabIndex: 0, role: "region", "aria-label": "Paper" }, this.canvas, this.length);
    sheet.append(this.scroller, this.nib);
    /** Points that wait to be drawn: dx, dy, pen-up. @type {number[]} */
    this.queue = [];
    this.lifted = true; // behind the last point of the queue
    this.due = 0;
    this.before = 0;
    this.part = 0;
    this.follows = true;
    this.clear(this.fittingWidth());
    this.scroller.addEventListener("scroll", () => this.#scrolled());
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(sheet);
  }

  /** Width of a line that fits the sheet at a good size, in units of the voice. */
  fittingWidth() {
    const pixels = Math.max(280, this.scroller.clientWidth);
    const scale = Math.min(5.2, Math.max(3.3, pixels / 160)) * (11 / this.lineHeight);
    return pixels / scale - 2 * MARGIN;
  }

  /** Begin an empty page. @param {number} width  Width of a line. */
  clear(width) {
    this.width = width;
    this.ink = new Ink({ x: MARGIN, y: this.lineHeight * 1.25 }, this.lineHeight / 11);
    this.queue = [];
    this.lifted = true;
    this.drawn = 0;
    this.follows = true;
    this.scroller.scrollTop = 0;
    this.redraw();
  }

  /** Add points of the voice, without those of a pen that rests. @param {Float32Array} data  dx, dy, pen-up of each. */
  add(data) {
    for (let i = 0; i < data.length; i += 3) {
      const [dx, dy, lifts] = data.subarray(i, i + 3);
      if (this.lifted && lifts > 0.5 && dx === 0 && dy === 0) continue;
      this.lifted = lifts > 0.5;
      this.queue.push(dx, dy, lifts);
    }
    if (this.queue.length) this.#wake();
  }

  /** Width of the lines, and where the pen is on its line when all points are drawn. @returns {{x: number, width: number}} */
  place() {
    const x = this.queue.reduce((sum, number, i) => sum + (i % 3 ? 0 : number), this.ink.x);
    return { x, width: this.width };
  }

  /** Let the next ink begin on a new line. @param {{x: number, width: number}} place  Where the pen then is on it. */
  newLine({ x, width } = { x: MARGIN, width: this.width }) {
    this.#take(this.queue.length / 3);
    this.lifted = true;
    this.width = width;
    this.ink.jump(x, this.ink.strokes.length ? this.ink.bottom + this.lineHeight : this.ink.y);
    this.redraw();
  }

  close() {
    cancelAnimationFrame(this.due);
    this.observer.disconnect();
    this.scroller.remove();
    this.nib.remove();
  }

  /** Pixels per unit of the voice. */
  get scale() {
    return this.scroller.clientWidth / (this.width + 2 * MARGIN);
  }

  /** Draw everything anew, for example in other colours. */
  redraw() {
    const { width, height, context } = fitCanvas(this.canvas);
    const colours = readColours(["pen", "dot"]);
    const top = this.scroller.scrollTop;
    const scale = this.scale;
    context.clearRect(0, 0, width, height);
    context.fillStyle = colours.dot;
    const pace = (scale * this.lineHeight) / 2;
    for (let y = pace - (top % pace); y < height; y += pace) for (let x = ((width - pace) / 2) % pace; x < width; x += pace) context.fillRect(x - 0.9, y - 0.9, 1.8, 1.8);
    context.strokeStyle = colours.pen;
    drawPieces(context, this.ink.pieces, 0, this.ink.pieces.length, { scale, left: 0, top, height });
    this.drawn = this.ink.pieces.length;
    this.#measure();
    this.#drawNib();
  }

  /** Give the scroller the length of the ink. */
  #measure() {
    const needed = (this.ink.bottom + 2.2 * this.lineHeight) * this.scale - this.scroller.clientHeight;
    this.length.style.height = `${Math.max(0, Math.ceil(needed))}px`;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    if (!this.moving) this.follows = scrollTop + clientHeight > scrollHeight - this.lineHeight * this.scale;
    this.moving = false;
    this.redraw();
  }

  #wake() {
    if (this.due) return;
    this.before = performance.now();
    this.due = requestAnimationFrame((now) => this.#tick(now));
  }

  /** Write what is due, scroll, and go on while there is something to do. */
  #tick(now) {
    const waiting = this.queue.length / 3;
    const rate = this.player.framesPerSecond;
    const hurry = Math.max(1, waiting / (0.4 * rate)); // whatever waits is written within a moment
    this.part = Math.min(waiting, this.part + (Math.min(now - this.before, 250) / 1000) * rate * hurry);
    this.before = now;
    const whole = Math.floor(this.part);
    this.part -= whole;
    this.#take(whole);
    const { context, height } = fitCanvas(this.canvas);
    context.strokeStyle = readColours(["pen"]).pen;
    const view = { scale: this.scale, left: 0, top: this.scroller.scrollTop, height };
    drawPieces(context, this.ink.pieces, this.drawn, this.ink.pieces.length, view);
    this.drawn = this.ink.pieces.length;
    this.#measure();
    const moves = this.#follow();
    this.#drawNib();
    this.due = this.queue.length || moves ? requestAnimationFrame((later) => this.#tick(later)) : 0;
  }

  /** Move points from the queue to the ink. @param {number} count */
  #take(count) {
    for (let i = 0; i < count; i++) {
      const [dx, dy, lifts] = this.queue.slice(3 * i, 3 * i + 3);
      const beyond = this.ink.up && this.ink.x + dx > this.width * 1.2 + MARGIN; // a voice without lines
      if (beyond) this.ink.jump(MARGIN - dx, this.ink.y + this.lineHeight);
      this.ink.add(dx, dy, lifts > 0.5);
    }
    this.queue.splice(0, 3 * count);
  }

  /** Scroll towards the line of the pen. @returns {boolean} Whether there is more to scroll. */
  #follow() {
    if (!this.follows) return false;
    const most = this.scroller.scrollHeight - this.scroller.clientHeight;
    const left = most - this.scroller.scrollTop;
    if (left < 1) return false;
    this.moving = true;
    this.scroller.scrollTop += lessMotion() ? left : Math.max(1, left * 0.09);
    return true;
  }

  /** Draw the tip of the pen, filled while it writes. */
  #drawNib() {
    const { width, height, context } = fitCanvas(this.nib);
    context.clearRect(0, 0, width, height);
    if (!this.ink.strokes.length) return;
    const colours = readColours(["accent", "paper"]);
    const [x, y] = [this.ink.x * this.scale, this.ink.y * this.scale - this.scroller.scrollTop];
    context.strokeStyle = colours.accent;
    context.fillStyle = this.ink.up ? colours.paper : colours.accent;
    context.lineWidth = 1.6;
    context.beginPath();
    context.arc(x, y, this.ink.up ? 4 : 3.4, 0, 7);
    context.fill();
    context.stroke();
  }
}
