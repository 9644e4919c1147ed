// @ts-check
/** Where the pen is on the line that it writes, and the moves to the beginning of the next line. */

/** Width of a space, in line heights, between ink that the model did not generate as one sequence. */
const SPACE = 0.4;

/** @typedef {import("../stream.js").Frame[]} Ink  Points: dx, dy, pen-up. */

/**
 * The line that is written, as a value that never changes. Lengths are in the unit of the voice, from the line's
 * beginning; y grows downwards.
 */
export class Line {
  /** @param {{x?: number, y?: number, points?: number, total?: number, right?: number}} [values] */
  constructor({ x = 0, y = 0, points = 0, total = 0, right = 0 } = {}) {
    /** Position of the pen. */
    this.x = x;
    this.y = y;
    /** Number of points of the line. */
    this.points = points;
    /** Sum of the y of these points. */
    this.total = total;
    /** Largest x of these points, at least 0. */
    this.right = right;
    Object.freeze(this);
  }

  /** Mean y of the line's points; 0 before the first one. */
  get mean() {
    return this.points ? this.total / this.points : 0;
  }

  /**
   * Return the line after more points.
   *
   * @param {Ink} ink
   * @returns {Line}
   */
  drawn(ink) {
    let { x, y, total, right } = this;
    for (const { data } of ink) {
      x += data[0];
      y += data[1];
      total += y;
      right = Math.max(right, x);
    }
    return new Line({ x, y, points: this.points + ink.length, total, right });
  }

  /**
   * Return strokes that are added to the line, such as the dot of an i; none if they go beyond its right edge.
   *
   * @param {Ink} ink  Strokes that the pen writes at the end of the line.
   * @returns {Ink}
   */
  added(ink) {
    return this.drawn(ink).right <= this.right ? ink : [];
  }

  /**
   * Return the move (dx, dy) of the pen before ink that begins anew.
   *
   * On an empty line, the pen moves to the line's beginning. Otherwise it moves such that the ink begins a space behind
   * the ink before it, and has the same mean y.
   *
   * @param {Ink} ink  One point or more, each with its move from the point before it.
   * @param {number} spaces  Number of spaces before the ink.
   * @param {number} height  Height of a line.
   * @returns {[number, number]}
   */
  move(ink, spaces, height) {
    const space = SPACE * height;
    if (!this.points) return [spaces * space - this.x, -this.y];
    let [x, left] = [0, Infinity];
    for (const { data } of ink) {
      x += data[0];
      left = Math.min(left, x);
    }
    const mean = new Line().drawn(ink).mean;
    return [this.right + Math.max(spaces, 1) * space - left - this.x, this.mean - mean - this.y];
  }

  /**
   * Return the empty line below, whose beginning is `height` below the mean y of this line.
   *
   * @param {number} height
   * @returns {Line}
   */
  next(height) {
    return new Line({ x: this.x, y: this.y - this.mean - height });
  }
}
