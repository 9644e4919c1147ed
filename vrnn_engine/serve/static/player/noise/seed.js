// @ts-check
/** Seeds: numbers of 64 bits that determine all noise of a stream. */

const LARGEST = 2n ** 64n - 1n;

/**
 * Return a seed as a bigint.
 *
 * @param {bigint|number|string} seed  An integer from 0 to 2**64-1; a string has decimal digits.
 * @returns {bigint}
 */
export function checkSeed(seed) {
  const isWhole =
    typeof seed === "bigint" || Number.isSafeInteger(seed) || (typeof seed === "string" && /^\s*\d+\s*$/.test(seed));
  const value = isWhole ? BigInt(seed) : -1n;
  if (value < 0n || value > LARGEST) throw new RangeError(`seed ${seed} is not an integer from 0 to 2**64-1`);
  return value;
}

/**
 * Return a random seed of 32 bits, which is short enough to write down.
 *
 * @returns {bigint}
 */
export function randomSeed() {
  return BigInt(crypto.getRandomValues(new Uint32Array(1))[0]);
}
