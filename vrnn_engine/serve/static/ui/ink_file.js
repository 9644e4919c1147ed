// @ts-check
/** Makes files of the ink: an SVG of single lines for plotters and programs, and a PNG as it looks. */

import { drawPieces } from "./ink.js";

const BORDER = 6; // units around the ink

/** Return the box of some strokes. @param {number[][]} strokes */
function box(strokes) {
  const [xs, ys] = [0, 1].map((which) => strokes.flatMap((stroke) => stroke.filter((_, i) => i % 2 === which)));
  const least = (/** @type {number[]} */ list) => list.reduce((a, b) => Math.min(a, b), Infinity);
  const most = (/** @type {number[]} */ list) => list.reduce((a, b) => Math.max(a, b), -Infinity);
  const [left, top] = [least(xs) - BORDER, least(ys) - BORDER];
  return { left, top, width: most(xs) + BORDER - left, height: most(ys) + BORDER - top };
}

/** Return text for an SVG. @param {string} text */
function escape(text) {
  return text.replace(/[&<>]/g, (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[character] ?? "");
}

/**
 * Return the ink as an SVG: one path for each stroke, in mm.
 *
 * @param {number[][]} strokes
 * @param {string} title
 * @param {string} unit
 */
export function inkSvg(strokes, title, unit) {
  const { left, top, width, height } = box(strokes);
  const length = unit === "mm" ? "mm" : "";
  const number = (/** @type {number} */ value) => value.toFixed(2);
  const paths = strokes.map((stroke) => {
    const points = [];
    for (let i = 0; i < stroke.length; i += 2) points.push(`${number(stroke[i] - left)} ${number(stroke[i + 1] - top)}`);
    if (points.length === 1) points.push(points[0]);
    return `<path d="M${points[0]}L${points.slice(1).join(" ")}"/>`;
  });
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${number(width)}${length}" height="${number(height)}${length}" `
    + `viewBox="0 0 ${number(width)} ${number(height)}" fill="none" stroke="#1b2440" stroke-width="0.4" stroke-linecap="round" stroke-linejoin="round">`;
  return `${head}\n<title>${escape(title)}</title>\n${paths.join("\n")}\n</svg>\n`;
}

/**
 * Return the ink as a PNG, with the widths of the page.
 *
 * @param {import("./ink.js").Ink} ink
 * @returns {Promise<Blob|null>}
 */
export function inkPng(ink) {
  const { left, top, width, height } = box(ink.strokes);
  const scale = Math.min(12, 4000 / width, 8000 / height);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: Math.ceil(width * scale), height: Math.ceil(height * scale) });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "#fffdf7";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.strokeStyle = "#1b2440";
  drawPieces(context, ink.pieces, 0, ink.pieces.length, { scale, left: left * scale, top: top * scale, height: canvas.height });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
