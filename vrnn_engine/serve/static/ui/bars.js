// @ts-check
/** A row of bars, one for each dimension of a vector; a finger, the mouse or the arrow keys change them. */

import { clamp, element, onDoubleTap } from "./dom.js";
import { show } from "./words.js";

/**
 * What a row of bars needs to know.
 * @typedef {Object} BarsOptions
 * @property {string} label  Accessible name of the row.
 * @property {string} unit  Name of one bar, before its number, such as "latent".
 * @property {number} count
 * @property {number} minimum
 * @property {number} maximum
 * @property {(values: Map<number, number>) => void} change  Called with the new values of the bars that were moved.
 * @property {(index: number) => void} restore  Called for a double click, Delete or Escape on a bar.
 * @property {string} hint  What stands below the row until a bar is touched.
 */

/** The row; `root` is its element. */
export class Bars {
  /** @param {BarsOptions} options */
  constructor(options) {
    this.options = options;
    this.values = new Float32Array(options.count);
    this.notes = new Array(options.count).fill("");
    this.floor = options.minimum >= 0;
    this.readOut = element("p", { class: "read-out" }, options.hint);
    this.bars = Array.from({ length: options.count }, (_, index) => this.#makeBar(index));
    this.row = element("div", { class: this.floor ? "bars floor" : "bars", role: "group", "aria-label": options.label }, ...this.bars);
    this.root = element("div", {}, this.row, this.readOut);
    this.dragging = -1;
    this.pointer = -1;
    this.row.addEventListener("pointerdown", (event) => this.#press(event));
    this.row.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) this.row.addEventListener(name, (event) => this.#lift(event));
    onDoubleTap(this.row, (event) => options.restore(this.#at(event).index));
    this.row.addEventListener("keydown", (event) => this.#key(event));
    this.row.addEventListener("focusin", (event) => this.#focused(this.bars.indexOf(/** @type {any} */ (event.target))));
  }

  /**
   * Show values.
   *
   * @param {ArrayLike<number>} values
   * @param {{glow?: ArrayLike<number>, held?: ArrayLike<number>, notes?: (index: number) => string}} [look]
   *   Brightness of each bar, 0 to 1; whether it is held, 0 or more; more words about it.
   */
  update(values, look = {}) {
    const { minimum, maximum } = this.options;
    this.values.set(Array.from(values));
    const full = this.floor ? maximum : Math.max(maximum, -minimum);
    this.bars.forEach((bar, index) => {
      bar.style.setProperty("--value", clamp(values[index] / full, -1, 1).toFixed(3));
      bar.style.setProperty("--glow", clamp(look.glow?.[index] ?? 1, 0, 1).toFixed(2));
      bar.classList.toggle("held", (look.held?.[index] ?? 0) > 0);
      this.notes[index] = look.notes?.(index) ?? "";
    });
    const focused = this.bars.indexOf(/** @type {any} */ (document.activeElement));
    if (focused >= 0) this.#show(focused); // a screen reader is told only what its user does
  }

  /** Replace what stands below the row until a bar is touched. @param {string} hint */
  setHint(hint) {
    if (this.readOut.textContent === this.options.hint) this.readOut.textContent = hint;
  }

  #makeBar(index) {
    const { unit, minimum, maximum } = this.options;
    return element("div", {
      class: "bar", role: "slider", tabIndex: index === 0 ? 0 : -1, "aria-label": `${unit} ${index}`, "aria-orientation": "vertical",
      "aria-valuemin": minimum, "aria-valuemax": maximum, "aria-valuenow": 0,
    });
  }

  /** Say the value of one bar to those who see and to those who listen. */
  #describe(index) {
    this.bars[index].setAttribute("aria-valuenow", this.values[index].toFixed(3));
    this.bars[index].setAttribute("aria-valuetext", this.#show(index));
  }

  /** Show the value of one bar below the row; return it as text. */
  #show(index) {
    const text = [show(this.values[index]), this.notes[index]].filter(Boolean).join(", ");
    this.readOut.textContent = `${this.options.unit} ${index}: ${text}`;
    return text;
  }

  #focused(index) {
    if (index < 0) return;
    for (const bar of this.bars) bar.tabIndex = -1;
    this.bars[index].tabIndex = 0;
    this.#describe(index);
  }

  /** Return the bar and the value at a place. @param {MouseEvent} event */
  #at(event) {
    const { minimum, maximum, count } = this.options;
    const box = this.row.getBoundingClientRect();
    const index = clamp(Math.floor(((event.clientX - box.left) / box.width) * count), 0, count - 1);
    const part = clamp(1 - (event.clientY - box.top) / box.height, 0, 1);
    return { index, value: minimum + part * (maximum - minimum) };
  }

  #press(event) {
    if (event.button !== 0 || this.dragging >= 0) return;
    this.pointer = event.pointerId;
    const { index, value } = this.#at(event);
    this.row.setPointerCapture(event.pointerId);
    this.dragging = index;
    this.bars[index].focus({ preventScroll: true });
    this.options.change(new Map([[index, value]]));
    event.preventDefault();
  }

  /** Move all bars between the last place and this one. */
  #move(event) {
    if (this.dragging < 0 || event.pointerId !== this.pointer) return;
    const { index, value } = this.#at(event);
    const [first, last] = [Math.min(index, this.dragging), Math.max(index, this.dragging)];
    this.dragging = index;
    this.options.change(new Map(Array.from({ length: last - first + 1 }, (_, i) => [first + i, value])));
    this.#describe(index);
  }

  #lift(event) {
    if (event.pointerId === this.pointer) this.dragging = -1;
  }

  #key(event) {
    const index = this.bars.indexOf(/** @type {any} */ (event.target));
    if (index < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const { minimum, maximum, count } = this.options;
    const step = ((maximum - minimum) / 40) * (event.shiftKey ? 0.2 : 1);
    const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: count - 1 }[event.key];
    const by = { ArrowUp: step, ArrowDown: -step, PageUp: 5 * step, PageDown: -5 * step }[event.key];
    if (to !== undefined) this.bars[clamp(to, 0, count - 1)].focus();
    else if (by !== undefined) this.options.change(new Map([[index, clamp(this.values[index] + by, minimum, maximum)]]));
    else if (["Delete", "Backspace", "Escape"].includes(event.key)) this.options.restore(index);
    else return;
    event.preventDefault();
    this.#describe(this.bars.indexOf(/** @type {any} */ (document.activeElement)));
  }
}
