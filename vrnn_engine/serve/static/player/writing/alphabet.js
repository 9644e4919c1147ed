// @ts-check
/** The characters that a voice can write, and the errors about all others. */

import { END } from "./part.js";

/** Characters that resemble another one, besides those whose Unicode decomposition begins with it. */
const LOOK_ALIKES = new Map(
  Object.entries({
    "'": "‘’‚′`´", '"': "“”„«»″", "-": "–—‐‑−~_", ".": "…·", "*": "•", x: "×", "/": "÷|\\", " ": "\t", "?": "¿",
    "!": "¡", s: "ß", a: "æ", A: "Æ", o: "œø", O: "ŒØ", l: "ł", L: "Ł£", d: "đ", D: "Đ", i: "ı", E: "€",
  }).flatMap(([nearest, alike]) => Array.from(alike, (character) => [character, nearest])),
);

export class Alphabet {
  /** @param {{alphabet: string[]}} text  The entry of the manifest; each of its characters is one UTF-16 unit. */
  constructor({ alphabet }) {
    this._index = new Map(alphabet.map((character, index) => [character, index]));
    this._index.delete("");
  }

  /**
   * Return a text whose lines end with "\n" alone.
   *
   * @param {string} text  A text whose lines end with "\n", "\r\n" or "\r".
   * @returns {string}
   */
  clean(text) {
    if (typeof text !== "string" || !text) throw new RangeError("the text is empty; give at least one character");
    const cleaned = text.replaceAll("\r\n", END).replaceAll("\r", END);
    let [line, column] = [1, 1];
    for (const character of cleaned) {
      if (!this._index.has(character)) throw this._refusal(character, line, column);
      [line, column] = character === END ? [line + 1, 1] : [line, column + 1];
    }
    return cleaned;
  }

  /**
   * Return the indices of characters as a graph takes them, [count]; 0 behind the last one.
   *
   * @param {string} characters  At most `count` characters of the alphabet.
   * @param {number} count
   * @returns {Float32Array}
   */
  indices(characters, count) {
    const found = new Float32Array(count);
    found.set(Array.from(characters, (character) => this._index.get(character) ?? 0));
    return found;
  }

  /**
   * Return the character of the alphabet that resembles another character most; null if none does.
   *
   * @param {string} character
   * @returns {string|null}
   */
  nearest(character) {
    const base = character.normalize("NFKD")[0];
    const alike = LOOK_ALIKES.get(character) ?? LOOK_ALIKES.get(base) ?? base;
    const choices = [alike, alike.toLowerCase(), alike.toUpperCase(), /\s/.test(character) ? " " : alike];
    return choices.find((one) => this._index.has(one)) ?? null;
  }

  /**
   * Return the error about a character that is not in the alphabet.
   *
   * @param {string} character
   * @param {number} line  Its place in the text, from 1.
   * @param {number} column
   * @returns {RangeError}
   */
  _refusal(character, line, column) {
    const code = character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
    const shown = /^[\p{L}\p{N}\p{P}\p{S} ]$/u.test(character) ? `"${character}"` : `U+${code}`;
    const nearest = this.nearest(character);
    const advice = nearest ? `the nearest that it can is "${nearest}"` : "leave it out";
    return new RangeError(`the voice cannot write ${shown} (line ${line}, character ${column}); ${advice}`);
  }
}
