// @ts-check
/**
 * The random bits of numpy's `Philox`: Philox4x64-10, a counter-based generator.
 *
 * Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". A number of 64 bits is kept as two halves
 * of 32 bits, because JavaScript multiplies such numbers several times faster than bigints.
 */

const ROUNDS = 10;
const WEYL = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];
const WORD = (1n << 64n) - 1n;
const [M0_HIGH, M0_LOW, M1_HIGH, M1_LOW] = [0xd2e7470e, 0xe14c6c93, 0xca5a8263, 0x95121157];

/** Generates the random numbers of `numpy.random.Philox(key=key, counter=[0, 0, 0, block])`. */
export class Philox {
  /**
   * @param {bigint} key  0 to 2**64-1.
   * @param {number} block  The highest word of the counter: 0 to 2**53-1.
   */
  constructor(key, block) {
    this._keys = roundKeys(key);
    this._block = [block >>> 0, Math.floor(block / 2 ** 32)];
    this._count = 0; // the lowest word of the counter
    this._product = new Uint32Array(4);
    this._made = new Uint32Array(8); // four words of 64 bits, the low half of each first
    this._next = this._made.length;
  }

  /**
   * Return the next 32 bits. As in numpy, each word of 64 bits gives its low half first.
   *
   * @returns {number}  An integer from 0 to 2**32-1.
   */
  nextUint32() {
    if (this._next === this._made.length) {
      this._generate();
      this._next = 0;
    }
    return this._made[this._next++];
  }

  /** Generate the next four words. numpy counts before it generates, so that the first count is 1. */
  _generate() {
    this._count += 1;
    const keys = this._keys;
    const product = this._product;
    let [a0, a1, b0, b1] = [this._count >>> 0, Math.floor(this._count / 2 ** 32), 0, 0];
    let [c0, c1, d0, d1] = [0, 0, this._block[0], this._block[1]];
    for (let at = 0; at < 4 * ROUNDS; at += 4) {
      multiply(M1_HIGH, M1_LOW, c1, c0, product);
      const [low0, low1, high0, high1] = [product[0], product[1], product[2], product[3]];
      multiply(M0_HIGH, M0_LOW, a1, a0, product);
      a0 = high0 ^ b0 ^ keys[at];
      a1 = high1 ^ b1 ^ keys[at + 1];
      b0 = low0;
      b1 = low1;
      c0 = product[2] ^ d0 ^ keys[at + 2];
      c1 = product[3] ^ d1 ^ keys[at + 3];
      d0 = product[0];
      d1 = product[1];
    }
    this._made.set([a0, a1, b0, b1, c0, c1, d0, d1]);
  }
}

/**
 * Return the keys of all rounds: for each, the low and high half of two words.
 *
 * @param {bigint} key
 * @returns {Uint32Array}
 */
function roundKeys(key) {
  const keys = [];
  for (let round = 0n; round < ROUNDS; round++) {
    for (const word of [(key + round * WEYL[0]) & WORD, (round * WEYL[1]) & WORD]) {
      keys.push(Number(word & 0xffffffffn), Number(word >> 32n));
    }
  }
  return Uint32Array.from(keys);
}

/**
 * Multiply two numbers of 64 bits, each given as its high and low half.
 *
 * @param {number} aHigh
 * @param {number} aLow
 * @param {number} bHigh
 * @param {number} bLow
 * @param {Uint32Array} product  Gets the four words of 32 bits, the lowest first.
 */
function multiply(aHigh, aLow, bHigh, bLow, product) {
  const [p, q, r, s] = [Math.imul(aLow, bLow), Math.imul(aLow, bHigh), Math.imul(aHigh, bLow), Math.imul(aHigh, bHigh)];
  const second = highHalf(aLow, bLow) + (q >>> 0) + (r >>> 0);
  const third = highHalf(aLow, bHigh) + highHalf(aHigh, bLow) + (s >>> 0) + Math.floor(second / 2 ** 32);
  product[0] = p;
  product[1] = second; // a Uint32Array keeps the lowest 32 bits
  product[2] = third;
  product[3] = highHalf(aHigh, bHigh) + Math.floor(third / 2 ** 32);
}

/**
 * Return the high 32 bits of the product of two numbers of 32 bits.
 *
 * @param {number} a
 * @param {number} b
 * @returns {number}
 */
function highHalf(a, b) {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  return a1 * b1 + (middle >>> 16) + ((a0 * b1 + (middle & 0xffff)) >>> 16);
}
