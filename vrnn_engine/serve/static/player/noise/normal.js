// @ts-check
/**
 * Normally distributed numbers, equal to those of numpy's `Generator.standard_normal(dtype=float32)`.
 *
 * Source: the ziggurat method of Marsaglia and Tsang 2000, with 256 layers of equal area under exp(-x*x/2). Layer i
 * lies between the heights f(x[i]) and f(x[i-1]) and is x[i] wide; layer 0 is the lowest and includes the tail.
 */

const LAYERS = 256;
/** Where the tail begins, and the area of each layer. */
const TAIL = 3.6541528853610088;
const AREA = 0.004928673233974658;
/** Number of different widths that 23 random bits can give. */
const STEPS = 2 ** 23;

const { width, inside, height } = makeTables();

/**
 * Fill an array with normally distributed numbers, mean 0 and standard deviation 1.
 *
 * @param {{nextUint32: () => number}} bits  Source of random bits.
 * @param {Float32Array} out
 */
export function fillNormal(bits, out) {
  for (let i = 0; i < out.length; i++) out[i] = nextNormal(bits);
}

/**
 * Return the next number. The order in which random bits are used is numpy's.
 *
 * @param {{nextUint32: () => number}} bits
 * @returns {number}
 */
function nextNormal(bits) {
  while (true) {
    const random = bits.nextUint32();
    const layer = random & 0xff;
    const steps = random >>> 9;
    const x = Math.fround((random & 0x100 ? -steps : steps) * width[layer]);
    if (steps < inside[layer]) return x;
    if (layer === 0) return nextOfTail(bits, (steps & 0x100) !== 0);
    const part = Math.fround(Math.fround(height[layer - 1] - height[layer]) * nextUniform(bits));
    if (Math.fround(part + height[layer]) < Math.exp(-0.5 * x * x)) return x;
  }
}

/**
 * Return a number of the tail (Marsaglia 1964). Its last bit may differ from numpy's, whose log1p rounds less exactly.
 *
 * @param {{nextUint32: () => number}} bits
 * @param {boolean} isNegative
 * @returns {number}
 */
function nextOfTail(bits, isNegative) {
  while (true) {
    const beyond = Math.fround(Math.fround(-1 / TAIL) * logOfRest(bits));
    const y = -logOfRest(bits);
    if (Math.fround(y + y) > Math.fround(beyond * beyond)) {
      const x = Math.fround(Math.fround(TAIL) + beyond);
      return isNegative ? -x : x;
    }
  }
}

/**
 * Return log(1 - u) of a uniformly distributed u, rounded to float32.
 *
 * @param {{nextUint32: () => number}} bits
 * @returns {number}
 */
function logOfRest(bits) {
  return Math.fround(Math.log1p(-nextUniform(bits)));
}

/**
 * Return a uniformly distributed number from 0 up to but not including 1.
 *
 * @param {{nextUint32: () => number}} bits
 * @returns {number}
 */
function nextUniform(bits) {
  return (bits.nextUint32() >>> 8) / 2 ** 24;
}

/**
 * Return the tables of the layers: the width of one step, the number of steps that are under the curve in the
 * whole layer, and the height of the curve at the layer's right edge.
 *
 * @returns {{width: Float32Array, inside: Uint32Array, height: Float32Array}}
 */
function makeTables() {
  const curve = (/** @type {number} */ x) => Math.exp(-0.5 * x * x);
  const width = new Float32Array(LAYERS);
  const inside = new Uint32Array(LAYERS);
  const height = new Float32Array(LAYERS);
  width[0] = AREA / curve(TAIL) / STEPS;
  inside[0] = Math.round(((TAIL * curve(TAIL)) / AREA) * STEPS);
  height[0] = 1;
  let edge = TAIL;
  for (let layer = LAYERS - 1; layer > 0; layer--) {
    width[layer] = edge / STEPS;
    height[layer] = curve(edge);
    const above = layer > 1 ? Math.sqrt(-2 * Math.log(AREA / edge + curve(edge))) : 0;
    inside[layer] = Math.round((above / edge) * STEPS);
    edge = above;
  }
  return { width, inside, height };
}
