// @ts-check
/** The part of a text that is generated next, as a whole: a word, the end of a line, or a stroke without a text. */

/** The end of a line in a text. */
export const END = "\n";
/** Largest number of characters of a part. A longer word has several parts. */
const LONGEST = 64;

/**
 * A part of a text. Places count the characters of the text that it is a part of.
 *
 * Its kind says what ends it:
 * - `word`: the pen is up, and most of the attention is behind the word's last character;
 * - `last`: the pen rests at the end of the line, behind the line's last word;
 * - `ending`: as `last`, but the part has no characters: it gives the strokes that the pen adds to the words before;
 * - `free`: the pen is up; there is no text.
 *
 * @typedef {Object} Part
 * @property {"word"|"last"|"ending"|"free"} kind
 * @property {number} start  Place of its first character without spaces before it.
 * @property {number} stop  Place of the first character behind its last one.
 * @property {number} end  Place of the first character that is not written with it; spaces around a word are.
 * @property {number|null} lineEnd  Place where the line ends, if the part ends it.
 * @property {boolean} newLine  Whether the next part begins on a new line.
 */

/** @type {Part}  A stroke where there is no text. */
export const FREE = { kind: "free", start: 0, stop: 0, end: 0, lineEnd: null, newLine: true };

/**
 * Return the part that ends a line at a place, and with which the text up to `end` is written.
 *
 * @param {number} place
 * @param {number} end
 * @param {boolean} newLine
 * @returns {Part}
 */
export function ending(place, end, newLine) {
  return { kind: "ending", start: place, stop: place, end, lineEnd: place, newLine };
}

/**
 * Return the next word of a text; null if a line ends, or all is written, before a word begins.
 *
 * The last word of the text, and of a line, ends its line, also if spaces follow it.
 *
 * @param {string} text
 * @param {number} done  Place of the first character that is not written.
 * @returns {Part|null}
 */
export function nextPart(text, done) {
  const start = behindSpaces(text, done);
  if (start === text.length || text[start] === END) return null;
  let stop = start;
  while (stop < text.length && text[stop] !== " " && text[stop] !== END && stop - start < LONGEST) stop++;
  const following = behindSpaces(text, stop);
  if (following === text.length) return { kind: "last", start, stop, end: following, lineEnd: stop, newLine: false };
  if (text[following] === END) return { kind: "last", start, stop, end: following + 1, lineEnd: stop, newLine: true };
  return { kind: "word", start, stop, end: stop, lineEnd: null, newLine: false };
}

/**
 * Return the place of the first character from `place` on that is not a space; the length of the text if none is.
 *
 * @param {string} text
 * @param {number} place
 * @returns {number}
 */
export function behindSpaces(text, place) {
  while (text[place] === " ") place++;
  return place;
}
