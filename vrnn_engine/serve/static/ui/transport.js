// @ts-check
/** The play button, the seed and the keys of the page. */

import { randomSeed } from "../player/noise/seed.js";
import { byId } from "./dom.js";

/** Whether an element uses the keys that are typed. @param {EventTarget|null} target */
function takesKeys(target) {
  return target instanceof HTMLElement && Boolean(target.closest("input:not([type=range]), textarea, select, [contenteditable]"));
}

/** Whether an element is pressed by the space bar. @param {EventTarget|null} target */
function takesSpace(target) {
  return target instanceof HTMLElement && Boolean(target.closest("button, summary, a"));
}

/** Events: "toggle", "seed" {seed: bigint}. */
export class Transport extends EventTarget {
  constructor() {
    super();
    this.play = byId("play");
    this.seed = byId("seed");
    this.play.addEventListener("click", () => this.dispatchEvent(new Event("toggle")));
    byId("dice").addEventListener("click", () => this.#ask(randomSeed()));
    this.seed.addEventListener("change", () => this.#typed());
    this.seed.addEventListener("focus", () => this.seed.select());
    this.seed.addEventListener("keydown", (event) => event.key === "Enter" && this.seed.blur());
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show a seed. @param {bigint} seed */
  showSeed(seed) {
    this.shown = String(seed);
    this.seed.value = this.shown;
  }

  /** Show whether something plays. @param {boolean} playing */
  showPlaying(playing) {
    this.play.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.play.querySelector("use").setAttribute("href", playing ? "#icon-pause" : "#icon-play");
  }

  #ask(seed) {
    this.dispatchEvent(new CustomEvent("seed", { detail: { seed } }));
  }

  #typed() {
    const text = this.seed.value.trim();
    if (/^\d{1,20}$/.test(text) && BigInt(text) < 2n ** 64n) this.#ask(BigInt(text));
    else this.seed.value = this.shown ?? "";
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || takesKeys(event.target)) return;
    if (event.key === " " && !takesSpace(event.target) && !this.play.disabled) {
      event.preventDefault();
      if (!event.repeat) this.dispatchEvent(new Event("toggle"));
    } else if (event.key === "n" && !event.repeat) byId("dice").click();
    else if (event.key === "r" && !event.repeat) document.getElementById("record")?.click();
  }
}
