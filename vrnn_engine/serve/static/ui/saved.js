// @ts-check
/** Saved states with names, and a slider that moves the latent from one of them to another. */

import { element, icon } from "./dom.js";
import { addState, deleteState, loadStates } from "./store.js";
import { messageOf } from "./words.js";

const MOST = 8;

/**
 * What the list asks of the page.
 * @typedef {Object} SavedOptions
 * @property {(saved: import("../player/player.js").Saved) => Pick<import("./store.js").SavedState, "letter"|"place">} page  What was given to the pen, and where it is.
 * @property {(state: import("./store.js").SavedState) => Promise<void>} restore
 * @property {(message: string, bad?: boolean) => void} notify
 */

/** The list. */
export class SavedStates {
  /**
   * @param {HTMLElement} root
   * @param {import("../player/player.js").Player} player
   * @param {import("./steering.js").Steering} steering
   * @param {SavedOptions} options
   */
  constructor(root, player, steering, options) {
    Object.assign(this, { player, steering, options });
    this.player = player;
    this.steering = steering;
    this.options = options;
    /** @type {import("./store.js").SavedState[]} */
    this.states = [];
    this.name = element("input", { "aria-label": "Name of the state", placeholder: "a name", maxLength: 24, autocomplete: "off" });
    this.button = element("button", { type: "button", class: "small" }, "Save this moment");
    this.list = element("ul", { class: "states" });
    this.ends = ["A", "B"].map((which) => element("select", { class: "choice", id: `morph-${which}`, "aria-label": `Morph: state ${which}` }));
    this.slider = element("input", { type: "range", min: 0, max: 100, step: 1, value: 0, "aria-label": "Morph between the two states", disabled: true });
    const slide = element("div", { class: "slide" }, this.slider);
    this.morph = element("div", { class: "morph", role: "group", "aria-label": "Morph" },
      element("label", { htmlFor: "morph-A" }, "from", this.ends[0]), element("label", { htmlFor: "morph-B" }, "to", this.ends[1]), slide);
    this.help = element("p", { class: "help" });
    root.append(this.help, element("div", { class: "save-row" }, this.name, this.button), this.list, this.morph);
    this.button.addEventListener("click", () => this.#save());
    this.name.addEventListener("keydown", (event) => event.key === "Enter" && this.#save());
    this.slider.addEventListener("input", () => this.#move());
    for (const end of this.ends) end.addEventListener("change", () => this.#offer());
    this.#show();
    this.#load();
  }

  async #load() {
    try {
      this.states = await loadStates(this.player.manifest.name);
    } catch {
      this.options.notify("This browser does not keep saved states here; they last as long as the page.");
    }
    this.#show();
  }

  async #save() {
    if (this.states.length >= MOST) return this.options.notify(`${MOST} states are saved; remove one first.`, true);
    try {
      const saved = await this.player.save();
      if (!saved.latent.length) return this.options.notify("There is nothing to save yet. Press play first.");
      const name = this.name.value.trim() || `state ${this.states.length + 1}`;
      const state = { voice: this.player.manifest.name, name, saved, ...this.options.page(saved) };
      const id = await addState(state).catch(() => undefined);
      this.states.push({ ...state, id });
      this.name.value = "";
      this.#show();
      this.options.notify(`Saved as ${name}.`);
    } catch (error) {
      this.options.notify(messageOf(error), true);
    }
  }

  async #restore(state) {
    try {
      await this.options.restore(state);
      this.options.notify(`Goes on from ${state.name}.`);
    } catch (error) {
      this.options.notify(messageOf(error), true);
    }
  }

  async #remove(state) {
    this.states = this.states.filter((other) => other !== state);
    if (state.id !== undefined) await deleteState(state.id).catch(() => undefined);
    this.#show();
    this.button.focus();
  }

  #show() {
    this.list.replaceChildren(...this.states.map((state) => {
      const go = element("button", { type: "button", class: "name", title: "Continue from here" }, state.name);
      const remove = element("button", { type: "button", class: "plain", "aria-label": `Remove ${state.name}` }, icon("remove"));
      go.addEventListener("click", () => this.#restore(state));
      remove.addEventListener("click", () => this.#remove(state));
      return element("li", {}, go, remove);
    }));
    const [from, to] = this.ends.map((end) => Number(end.value || 0));
    const last = this.states.length - 1;
    this.ends.forEach((end, which) => {
      end.replaceChildren(...this.states.map((state, index) => element("option", { value: String(index) }, state.name)));
      end.value = String(Math.min(last, which ? to || 1 : from));
    });
    this.help.textContent = this.states.length
      ? "Press a name to continue from there; the slider moves the latent from one state to the other."
      : "Save a moment that you like, and come back to it. Two of them can be morphed.";
    this.morph.hidden = this.states.length < 2;
    this.#offer();
  }

  /** Allow the morph if two states are chosen. */
  #offer() {
    this.slider.disabled = this.states.length < 2 || !this.steering.available;
    this.slider.style.setProperty("--part", String(this.slider.valueAsNumber / 100));
  }

  /** Hold the latent between the two states. */
  #move() {
    const part = this.slider.valueAsNumber / 100;
    this.slider.style.setProperty("--part", String(part));
    const [from, to] = this.ends.map((end) => this.states[Number(end.value)]?.saved.latent);
    if (!from || !to) return;
    this.slider.setAttribute("aria-valuetext", `${Math.round(100 * part)} % of the way`);
    this.steering.holdAll(from.map((/** @type {number} */ value, /** @type {number} */ i) => (1 - part) * value + part * to[i]));
  }
}
