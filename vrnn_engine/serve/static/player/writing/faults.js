// @ts-check
/** Finds the faults of a word: characters that are skipped, written twice or not left, and a pen that stays up. */

/** A character is skipped if the sum of the attention to it, over all points, is less. */
const LEAST = 1.0;
/** The attention stalls if its sum over all points of one character is more. */
const MOST = 45.0;
/** A character is written again if the mean of the attention goes back from its furthest place by more characters ... */
const BACK = 2.5;
/** ... for at least this number of successive points. */
const BACK_POINTS = 8;
/** The pen writes nothing if it is up at more successive points; between two strokes it is up at one to four. */
const UP_POINTS = 8;

/**
 * Return the number of faults of a word. One that was cut because it has too many points has one fault more.
 *
 * @param {import("./part_run.js").PartRun} run  The frames and the attention of the word's points.
 * @returns {number}
 */
export function countFaults({ part, frames, attention, offsets, isComplete }) {
  if (!attention.length) return 1;
  const sums = new Float64Array(part.stop - part.start);
  let [furthest, backPoints, longestRun, upPoints, longestUp] = [-Infinity, 0, 0, 0, 0];
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
    upPoints = frames[point].data[2] > 0.5 ? upPoints + 1 : 0;
    longestUp = Math.max(longestUp, upPoints);
  });
  const skipped = sums.filter((value) => value < LEAST).length;
  const stalled = sums.filter((value) => value > MOST).length;
  const lifted = longestUp > UP_POINTS ? 1 : 0;
  return skipped + stalled + Math.floor(longestRun / BACK_POINTS) + lifted + (isComplete ? 0 : 1);
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
