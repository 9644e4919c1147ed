// @ts-check
/** Finds the faults of a word from the attention alone: characters that are skipped, written twice, or not left. */

/** A character is skipped if the sum of the attention to it, over all points, is less. */
const LEAST = 1.0;
/** The attention stalls if its sum over all points of one character is more. */
const MOST = 45.0;
/** A character is written again if the mean of the attention goes back from its furthest place by more characters ... */
const BACK = 2.5;
/** ... for at least this number of successive points. */
const BACK_POINTS = 8;

/**
 * Return the number of faults of a word.
 *
 * @param {import("./part.js").Part} part  The word.
 * @param {Float32Array[]} attention  Weight of each character in the window, [W], at each point.
 * @param {number[]} offsets  Place in the text of the window's first character, at each point.
 * @param {boolean} isComplete  Whether the word has ended by itself. Otherwise it has too many points, also a fault.
 * @returns {number}
 */
export function countFaults(part, attention, offsets, isComplete) {
  if (!attention.length) return 1;
  const sums = new Float64Array(part.stop - part.start);
  let [furthest, backPoints, longestRun] = [-Infinity, 0, 0];
  attention.forEach((weights, point) => {
    const whole = Math.max(sum(weights), 1e-12);
    let mean = 0;
    weights.forEach((weight, i) => {
      const place = offsets[point] + i;
      mean += (weight / whole) * place;
      if (place >= part.start && place < part.stop) sums[place - part.start] += weight / whole;
    });
    furthest = Math.max(furthest, mean);
    backPoints = furthest - mean > BACK ? backPoints + 1 : 0;
    longestRun = Math.max(longestRun, backPoints);
  });
  const skipped = sums.filter((value) => value < LEAST).length;
  const stalled = sums.filter((value) => value > MOST).length;
  return skipped + stalled + Math.floor(longestRun / BACK_POINTS) + (isComplete ? 0 : 1);
}

/**
 * Return the sum of numbers.
 *
 * @param {Float32Array} values
 * @returns {number}
 */
export function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
