// @ts-check
/** The field whose text the pen writes while it is typed. */

import { Alphabet } from "../player/writing/alphabet.js";
import { element, icon } from "./dom.js";

const PATIENCE = 1500; // ms without a key after which the last word counts as complete

/**
 * Return the place up to which a text is complete words.
 *
 * @param {string} text
 */
export function completeWords(text) {
  return Math.max(text.lastIndexOf(" "), text.lastIndexOf("\n")) + 1;
}

/** Return how many characters two texts have in common at their beginning. @param {string} one @param {string} other */
export function commonStart(one, other) {
  let count = 0;
  while (count < one.length && one[count] === other[count]) count += 1;
  return count;
}

/** The field. Events: "begin" (the first words are complete), "empty" (a new page is asked for), "note" {message}. */
export class Letter extends EventTarget {
  /**
   * @param {HTMLElement} root
   * @param {import("../player/player.js").Player} player
   * @param {AbortSignal} signal
   */
  constructor(root, player, signal) {
    super();
    this.player = player;
    this.root = root;
    this.alphabet = new Alphabet(/** @type {any} */ (player.manifest.text));
    this.sent = "";
    this.base = 0; // characters that the player had written before `sent`
    this.accepted = ""; // what the field had when nothing in it was refused
    this.begun = false;
    this.offered = ""; // text that the user has not typed
    this.replaces = false; // whether the whole text was selected when the user changed it
    this.timer = 0;
    this.area = element("textarea", {
      id: "text", rows: 1, "aria-label": "Text for the pen", "aria-describedby": "text-count", autocomplete: "off", autocapitalize: "sentences",
      spellcheck: false, placeholder: "Type here, and the pen writes it", enterKeyHint: "enter",
    });
    this.mirror = element("p", { class: "mirror", "aria-hidden": "true" });
    this.count = element("p", { class: "count", id: "text-count" });
    this.fresh = element("button", { type: "button", class: "plain", "aria-label": "New page", title: "New page" }, icon("page"));
    this.field = element("div", { class: "field" }, this.mirror, this.area);
    root.replaceChildren(this.field, this.fresh, this.count);
    root.classList.add("counted");
    root.hidden = false;
    this.area.addEventListener("beforeinput", (event) => this.#watch(event));
    this.area.addEventListener("input", (event) => !event.isComposing && this.#typed());
    this.area.addEventListener("compositionend", () => this.#typed());
    this.area.addEventListener("focus", () => !this.begun && this.text === this.offered && this.area.select());
    this.fresh.addEventListener("click", () => {
      this.fill("");
      this.area.focus();
      this.dispatchEvent(new Event("empty"));
    });
    player.addEventListener("text", () => this.show(), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.timer));
    this.show();
  }

  /** The whole text of the field. */
  get text() {
    return this.area.value;
  }

  /** Whether all of a page's text is on the paper. */
  get finished() {
    return this.begun && this.sent.length > 0 && this.sent === this.text && this.written === this.sent.length;
  }

  /** Number of characters of the field that are on the paper. */
  get written() {
    return this.begun ? Math.max(0, Math.min(this.sent.length, this.player.written - this.base)) : 0;
  }

  /**
   * Begin a page with the text of the field.
   *
   * @param {number} width  Width of a line.
   * @param {bigint} [seed]
   */
  async begin(width, seed) {
    this.sent = this.area.value;
    this.accepted = this.sent;
    this.base = 0;
    this.begun = true;
    await this.player.restart({ text: this.sent, width, ...(seed === undefined ? {} : { seed }) });
    this.show();
  }

  /**
   * Continue with a text that the player already has, after a saved state was restored.
   *
   * @param {string} text
   * @param {number} base  Characters that the player had written before it.
   */
  resume(text, base) {
    this.area.value = text;
    this.sent = text;
    this.accepted = text;
    this.begun = true;
    this.base = base;
    this.show();
  }

  /** Offer a text, of which nothing is written before `begin`. @param {string} text */
  fill(text) {
    clearTimeout(this.timer);
    this.begun = false;
    this.sent = "";
    this.area.value = this.offered = this.#clean(text);
    this.show();
  }

  /** Show which part is written. */
  show() {
    const text = this.area.value;
    const done = this.written;
    this.mirror.replaceChildren(element("span", { class: "written" }, text.slice(0, done)), element("span", {}, `${text.slice(done)}\u200b`));
    const waiting = text.length - done;
    const so = `${done} ${done === 1 ? "character" : "characters"} written`;
    this.count.textContent = !this.begun || !text ? "" : waiting ? `${so}, ${waiting} to come` : so;
  }

  /** Replace characters that the pen does not have, and say so. */
  #clean(text) {
    const refused = new Map();
    const cleaned = Array.from(text.replace(/\r\n?/g, "\n"), (character) => {
      if (this.alphabet.nearest(character) === character) return character;
      const nearest = this.alphabet.nearest(character) ?? "";
      refused.set(character, nearest);
      return nearest;
    }).join("");
    if (refused.size) {
      const [character, nearest] = /** @type {[string, string]} */ ([...refused][0]);
      const instead = nearest ? `it writes ${nearest === " " ? "a space" : nearest} instead` : "it leaves it out";
      this.dispatchEvent(new CustomEvent("note", { detail: { message: `The pen has no ${character}: ${instead}.` } }));
    }
    return cleaned;
  }

  /** Notice that a change replaces the whole text, which begins a new page. @param {InputEvent} event */
  #watch(event) {
    const { selectionStart, selectionEnd, value } = this.area;
    const all = value.length > 0 && selectionStart === 0 && selectionEnd === value.length;
    this.replaces ||= all && event.inputType !== "insertReplacementText"; // as keyboards of phones correct a word
  }

  #typed() {
    if (this.replaces) {
      this.begun = this.replaces = false;
      this.sent = "";
    }
    const { value, selectionStart } = this.area;
    const cleaned = this.#clean(value);
    if (cleaned !== value) {
      const caret = this.#clean(value.slice(0, selectionStart)).length;
      this.area.value = cleaned;
      this.area.setSelectionRange(caret, caret);
    }
    if (this.begun) this.#pass(completeWords(cleaned));
    clearTimeout(this.timer);
    this.timer = Number(setTimeout(() => this.#finish(), PATIENCE));
    if (!this.begun && completeWords(cleaned) > 0) this.#finish();
    this.show();
  }

  /** Treat the last word as complete; begin if nothing was begun. */
  #finish() {
    if (this.begun) this.#pass(this.area.value.length);
    else if (this.area.value) this.dispatchEvent(new Event("begin"));
    this.show();
  }

  /** Pass the text up to a place to the player; erase what has changed. @param {number} end */
  #pass(end) {
    const text = this.area.value;
    const same = commonStart(this.sent, text);
    const locked = this.#locked();
    if (same < locked) {
      this.area.value = this.accepted;
      this.dispatchEvent(new CustomEvent("note", { detail: { message: "That is on the paper already. The button beside the text begins a new page." } }));
      return;
    }
    this.accepted = text;
    if (same < this.sent.length) {
      this.player.erase(this.sent.length - same);
      this.sent = this.sent.slice(0, same);
    }
    if (end > this.sent.length) {
      this.player.write(text.slice(this.sent.length, end));
      this.sent = text.slice(0, end);
    }
  }

  /** Return the end of the word that is being written: what is before it cannot be changed. */
  #locked() {
    const rest = this.sent.slice(this.written);
    if (!rest || this.player.pending === 0) return this.sent.length;
    const word = /^\s*\S*/.exec(rest);
    return this.written + (word?.[0].length ?? 0);
  }
}
