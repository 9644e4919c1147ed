// @ts-check
/** The ink on a paper: strokes in the unit of the voice, and the short pieces, with widths, that are drawn. */

const PIECES = 4; // of the curve between two points
const FAST = 1.7; // move from one point to the next, in mm, at which the line is thinnest
const THICK = 0.62; // mm
const THIN = 0.3; // mm

/**
 * Ink as it grows. A piece is five numbers: x and y of its two ends, and its width.
 */
export class Ink {
  /** @param {{x: number, y: number}} start  Where the pen begins. @param {number} scale  Of the widths; 1 for a voice in mm. */
  constructor(start, scale = 1) {
    this.scale = scale;
    /** @type {number[][]}  Strokes: x, y, x, y, and so on. */
    this.strokes = [];
    /** @type {number[]} */
    this.pieces = [];
    this.x = start.x;
    this.y = start.y;
    this.bottom = start.y;
    this.up = true;
    this.width = THICK;
    /** Last point and middle, where the next curve begins. */
    this.last = [start.x, start.y];
    this.middle = [start.x, start.y];
  }

  /**
   * Add a point, as the voice gives it.
   *
   * @param {number} dx
   * @param {number} dy
   * @param {boolean} lifts  Whether the pen is lifted after the point.
   */
  add(dx, dy, lifts) {
    this.x += dx;
    this.y += dy;
    if (this.up && lifts && dx === 0 && dy === 0) return; // the pen rests
    this.bottom = Math.max(this.bottom, this.y);
    if (this.up) this.#begin();
    else this.#continue(Math.hypot(dx, dy));
    if (lifts) this.#end();
    this.up = lifts;
  }

  /** Move the lifted pen to a place. @param {number} x @param {number} y */
  jump(x, y) {
    if (!this.up) this.#end();
    this.up = true;
    this.x = x;
    this.y = y;
  }

  #begin() {
    this.strokes.push([this.x, this.y]);
    this.last = [this.x, this.y];
    this.middle = [this.x, this.y];
    this.width = 0.8 * THICK;
  }

  /** Add the curve from the last middle to the middle of the last point and this one. */
  #continue(length) {
    const stroke = /** @type {number[]} */ (this.strokes.at(-1));
    stroke.push(this.x, this.y);
    const goal = THICK - (THICK - THIN) * Math.min(1, length / (FAST * this.scale));
    const [middle, last] = [this.middle, this.last];
    const next = [(last[0] + this.x) / 2, (last[1] + this.y) / 2];
    this.#curve(middle, last, next, 0.55 * this.width + 0.45 * goal);
    this.middle = next;
    this.last = [this.x, this.y];
  }

  /** Add the way from the last middle to the last point, or a dot. */
  #end() {
    const stroke = this.strokes.at(-1);
    if (!stroke) return;
    if (stroke.length === 2) this.pieces.push(this.x, this.y, this.x + 0.01, this.y, THICK * this.scale);
    else this.#curve(this.middle, this.last, this.last, Math.max(THIN, this.width * 0.7));
  }

  /** Add pieces of a quadratic curve; the width changes from the last one to `width`. */
  #curve(from, control, to, width) {
    let [x, y] = from;
    for (let i = 1; i <= PIECES; i++) {
      const t = i / PIECES;
      const nextX = (1 - t) ** 2 * from[0] + 2 * t * (1 - t) * control[0] + t * t * to[0];
      const nextY = (1 - t) ** 2 * from[1] + 2 * t * (1 - t) * control[1] + t * t * to[1];
      this.pieces.push(x, y, nextX, nextY, (this.width + (width - this.width) * t) * this.scale);
      [x, y] = [nextX, nextY];
    }
    this.width = width;
  }
}

/**
 * Draw pieces in a few levels of width, which needs few calls.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} pieces
 * @param {number} from  Index of the first number.
 * @param {number} to  Index behind the last number.
 * @param {{scale: number, left: number, top: number, height: number}} view  Pixels per unit, and the place of the view in pixels.
 */
export function drawPieces(context, pieces, from, to, { scale, left, top, height }) {
  /** @type {Map<number, Path2D>} */
  const levels = new Map();
  for (let i = from; i < to; i += 5) {
    const y = pieces[i + 1] * scale - top;
    if (y < -20 || y > height + 20) continue;
    const level = Math.max(2, Math.round(pieces[i + 4] * scale * 5));
    let path = levels.get(level);
    if (!path) levels.set(level, (path = new Path2D()));
    path.moveTo(pieces[i] * scale - left, y);
    path.lineTo(pieces[i + 2] * scale - left, pieces[i + 3] * scale - top);
  }
  context.lineCap = "round";
  for (const [level, path] of levels) {
    context.lineWidth = level / 5;
    context.stroke(path);
  }
}
