// @ts-check
/** The window of characters that a step reads, and how it follows the reading position. */

import { END } from "./part.js";

/**
 * Return the number of characters by which the window moves on; 0 if the position is near its beginning.
 *
 * Afterwards, the position is less than the reach of the attention away from the window's first character, and a step
 * may advance the position by two characters before it reads anything behind the window.
 *
 * @param {number} position  The reading position, in characters from the window's first one.
 * @param {number} window  Number of characters in the window.
 * @returns {number}
 */
export function shift(position, window) {
  const reach = Math.floor((window - 2) / 2);
  return position >= reach ? Math.floor(position) - reach + 1 : 0;
}

/**
 * Return the characters that the window shows, up to the end of the line; a text without one is shown with one.
 *
 * Spaces before the end are not shown: no line that voices are trained on has them, and the pen would scribble there.
 *
 * @param {string} text  The line that is written, and those below it.
 * @param {number} start  Place of a character of the line: the first end of a line behind that place is the line's.
 * @param {number} offset  Place of the window's first character.
 * @param {number|null} end  Place where the line ends, whatever the text has there. Null if only the text says so.
 * @param {number} window  Largest number of characters that are shown.
 * @returns {string}
 */
export function visible(text, start, offset, end, window) {
  const limit = end ?? text.length;
  const found = text.slice(0, Math.min(offset + window, limit)).indexOf(END, start);
  let stop = found < 0 ? limit : found;
  while (stop > start && text[stop - 1] === " ") stop--;
  return offset <= stop ? (text.slice(offset, Math.min(offset + window, stop)) + END).slice(0, window) : "";
}
