// @ts-check
/** A square on which a finger moves two axes; it also shows where the two latents are and what the prior expects. */

import { clamp, element, fitCanvas, icon, onDoubleTap } from "./dom.js";
import { readColours } from "./colours.js";
import { show } from "./words.js";

const TRAIL = 28; // places that are remembered

/** Make the words "draw here" in handwriting, for a pad that was not touched yet. */
function makeMark() {
  const mark = icon("draw", "mark");
  mark.setAttribute("class", "draw-here");
  return mark;
}

/** The pad; `root` is its element. Events: "move" {x, y} with values of the axes, "release". */
export class Pad extends EventTarget {
  constructor() {
    super();
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.root = element("div", {
      class: "pad", role: "slider", tabIndex: 0, "aria-roledescription": "two-dimensional slider", "aria-label": "Pad",
      "aria-describedby": "pad-help",
    }, this.canvas, makeMark());
    /** @type {[import("./axes.js").Axis, import("./axes.js").Axis]|null} */
    this.axes = null;
    /** Places of the latents, newest last, as parts of the square. @type {[number, number][]} */
    this.trail = [];
    /** Ellipse of the prior, as parts of the square. @type {{x: number, y: number, across: number, down: number}|null} */
    this.prior = null;
    this.pressed = false;
    this.pointer = -1;
    this.due = 0;
    this.root.addEventListener("pointerdown", (event) => this.#press(event));
    this.root.addEventListener("pointermove", (event) => this.pressed && event.pointerId === this.pointer && this.#point(event));
    for (const name of ["pointerup", "pointercancel"]) this.root.addEventListener(name, (event) => event.pointerId === this.pointer && this.#lift());
    onDoubleTap(this.root, () => this.dispatchEvent(new Event("release")));
    this.root.addEventListener("keydown", (event) => this.#key(event));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.root);
  }

  /** Set what the pad moves. @param {import("./axes.js").Axis} x @param {import("./axes.js").Axis} y */
  setAxes(x, y) {
    this.axes = [x, y];
    this.trail = [];
    this.prior = null;
    this.refresh();
  }

  /** Show latents. @param {import("./reports.js").Report} report */
  showLatents({ latent, mean, std, hasPrior }) {
    const [x, y] = this.axes?.map((axis) => axis.latent) ?? [];
    if (!this.axes || typeof x !== "number" || typeof y !== "number") return;
    this.trail.push([this.#part(0, latent[x]), this.#part(1, latent[y])]);
    if (this.trail.length > TRAIL) this.trail.shift();
    this.draw();
    if (!hasPrior) return;
    const [wide, high] = this.axes.map((axis) => axis.maximum - axis.minimum);
    const prior = { x: this.#part(0, mean[x]), y: this.#part(1, mean[y]), across: std[x] / wide, down: std[y] / high };
    const old = this.prior ?? prior; // it moves softly
    this.prior = /** @type {any} */ (Object.fromEntries(Object.entries(prior).map(([key, value]) => [key, 0.6 * old[key] + 0.4 * value])));
  }

  /** Show the values of the axes. */
  refresh() {
    if (this.axes) {
      const [x, y] = this.axes;
      this.root.setAttribute("aria-label", `Pad: ${x.label} to the right, ${y.label} upwards`);
      this.root.setAttribute("aria-valuemin", String(x.minimum));
      this.root.setAttribute("aria-valuemax", String(x.maximum));
      this.root.setAttribute("aria-valuenow", x.value().toFixed(3));
      this.root.setAttribute("aria-valuetext", `${x.label} ${show(x.value())}, ${y.label} ${show(y.value())}${this.held ? "" : ", free"}`);
    }
    this.draw();
  }

  /** Whether one of the axes is held. */
  get held() {
    return Boolean(this.axes?.some((axis) => axis.held()));
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.due);
  }

  /** Draw before the next paint. */
  draw() {
    if (!this.due) {
      this.due = requestAnimationFrame(() => {
        this.due = 0;
        this.#paint();
      });
    }
  }

  /** Return a value as a part of an axis, 0 to 1. @param {number} which @param {number} value */
  #part(which, value) {
    const axis = /** @type {any} */ (this.axes)[which];
    return clamp((value - axis.minimum) / (axis.maximum - axis.minimum), 0, 1);
  }

  #press(event) {
    if (event.button !== 0 || this.pressed) return;
    this.pressed = true;
    this.pointer = event.pointerId;
    this.root.setPointerCapture(event.pointerId);
    this.root.focus({ preventScroll: true });
    this.#point(event);
    event.preventDefault();
  }

  #lift() {
    this.pressed = false;
    this.draw();
  }

  #point(event) {
    const box = this.root.getBoundingClientRect();
    this.#move((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
  }

  /** Move to a place of the square. */
  #move(right, up) {
    if (!this.axes) return;
    const [x, y] = [right, up].map((part, i) => {
      const axis = /** @type {any} */ (this.axes)[i];
      return axis.minimum + clamp(part, 0, 1) * (axis.maximum - axis.minimum);
    });
    this.root.classList.add("used");
    this.dispatchEvent(new CustomEvent("move", { detail: { x, y } }));
  }

  #key(event) {
    if (!this.axes || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 0.01 : 0.05;
    const moves = { ArrowRight: [step, 0], ArrowLeft: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) {
      const now = this.axes.map((axis, i) => this.#part(i, axis.held() || axis.latent === null ? axis.value() : axis.home));
      this.#move(now[0] + moves[event.key][0], now[1] + moves[event.key][1]);
    } else if (["Escape", "Delete", "Backspace", "Home"].includes(event.key)) this.dispatchEvent(new Event("release"));
    else return;
    event.preventDefault();
  }

  #paint() {
    const { width, height, context } = fitCanvas(this.canvas);
    const colours = readColours(["line", "ink", "soft", "accent", "dot", "paper"]);
    context.clearRect(0, 0, width, height);
    if (!this.axes) return;
    const at = (/** @type {number} */ x, /** @type {number} */ y) => /** @type {[number, number]} */ ([x * width, (1 - y) * height]);
    this.#paintGrid(context, width, height, colours);
    if (this.prior) {
      const { x, y, across, down } = this.prior;
      context.fillStyle = colours.accent;
      for (const [deviations, alpha] of [[2, 0.07], [1, 0.12]]) {
        context.globalAlpha = alpha;
        context.beginPath();
        context.ellipse(...at(x, y), across * width * deviations + 2, down * height * deviations + 2, 0, 0, 7);
        context.fill();
      }
    }
    this.#paintTrail(context, at, colours);
    this.#paintFinger(context, at, colours);
    context.globalAlpha = 1;
  }

  /** Dots as on the paper, and lines through the homes of the axes. */
  #paintGrid(context, width, height, colours) {
    context.globalAlpha = 1;
    context.fillStyle = colours.dot;
    const pace = width / 16;
    for (let x = (width / 2) % pace; x < width; x += pace) for (let y = (height / 2) % pace; y < height; y += pace) context.fillRect(x - 0.9, y - 0.9, 1.8, 1.8);
    const home = /** @type {any} */ (this.axes).map((axis, i) => this.#part(i, axis.home));
    context.fillStyle = colours.line;
    context.fillRect(Math.round(home[0] * width), 0, 1, height);
    context.fillRect(0, Math.round((1 - home[1]) * height), width, 1);
  }

  /** The last places as dots that fade; each is drawn anew by the model, so no line connects them. */
  #paintTrail(context, at, colours) {
    context.fillStyle = colours.ink;
    this.trail.forEach((place, i) => {
      const age = (i + 1) / this.trail.length;
      context.globalAlpha = age === 1 ? 1 : 0.06 + 0.4 * age ** 2;
      context.beginPath();
      context.arc(...at(...place), age === 1 ? 5 : 1.6 + 1.6 * age, 0, 7);
      context.fill();
    });
  }

  #paintFinger(context, at, colours) {
    const [x, y] = /** @type {any} */ (this.axes);
    const [placeX, placeY] = at(this.#part(0, x.value()), this.#part(1, y.value()));
    const free = !this.held;
    if (free && (x.latent !== null || y.latent !== null)) return;
    context.globalAlpha = 1;
    context.strokeStyle = free ? colours.soft : colours.accent;
    context.fillStyle = free ? colours.paper : colours.accent;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(placeX, placeY, this.pressed ? 15 : 11, 0, 7);
    context.globalAlpha = free ? 0.6 : 0.9;
    context.fill();
    context.globalAlpha = 1;
    context.stroke();
  }
}
