// @ts-check
/** The pad with the choice of its two axes. */

import { Importance, controlAxis, latentAxis, moveAxes, releaseAxes } from "./axes.js";
import { element } from "./dom.js";
import { Pad } from "./pad.js";
import { readReport } from "./reports.js";

const PREFERRED = ["style.slant", "style.size"]; // for voices whose latents do not change from frame to frame

/**
 * Fill a container with the pad and its choices.
 *
 * @param {HTMLElement} container
 * @param {import("../player/player.js").Player} player
 * @param {import("./knobs.js").Knobs} knobs
 * @param {import("./steering.js").Steering} steering
 * @param {AbortSignal} signal
 * @returns {Pad}
 */
export function showPad(container, player, knobs, steering, signal) {
  const pad = new Pad();
  const controls = knobs.controls.filter((control) => control.shape[0] === 1).map((control) => controlAxis(knobs, control));
  const latents = Array.from({ length: steering.count }, (_, index) => latentAxis(steering, index));
  const axes = new Map([...latents, ...controls].map((axis) => [axis.key, axis]));
  const importance = new Importance(steering.count);
  let chosen = false;
  const choices = ["x", "y"].map((which) => {
    const groups = [["Latents", latents], ["Controls", controls]].filter(([, list]) => list.length);
    return element("select", { id: `axis-${which}`, class: "choice" }, ...groups.map(([label, list]) =>
      element("optgroup", { label }, .../** @type {any[]} */ (list).map((axis) => element("option", { value: axis.key }, axis.label)))));
  });
  const pair = () => /** @type {[any, any]} */ (choices.map((choice) => axes.get(choice.value)));
  const choose = (/** @type {string[]} */ keys) => {
    choices.forEach((choice, i) => (choice.value = keys[i]));
    pad.setAxes(...pair());
  };
  const free = element("button", { type: "button", class: "small" }, "Release");
  container.append(
    element("p", { class: "help", id: "pad-help" }, "Draw on the square; arrow keys work too. A double tap releases."),
    pad.root,
    element("div", { class: "axes" },
      element("label", { htmlFor: "axis-x" }, "to the right", choices[0]), element("label", { htmlFor: "axis-y" }, "upwards", choices[1]), free),
  );
  for (const choice of choices) {
    choice.addEventListener("change", () => {
      chosen = true;
      pad.setAxes(...pair());
    });
  }
  const release = () => releaseAxes(steering, pair());
  free.addEventListener("click", release);
  pad.addEventListener("release", release);
  pad.addEventListener("move", (event) => {
    chosen = true;
    const { x, y } = /** @type {CustomEvent} */ (event).detail;
    const [right, up] = pair();
    moveAxes(steering, [[right, x], [up, y]]);
  });
  knobs.addEventListener("change", () => {
    free.disabled = !pad.held;
    pad.refresh();
  }, { signal });
  player.addEventListener("latents", (event) => {
    const report = readReport(/** @type {CustomEvent} */ (event).detail, steering.count);
    if (!report) return;
    if (player.playing && report.hasPrior) importance.add(report.kl);
    const best = chosen ? null : importance.best();
    if (best) {
      chosen = true;
      choose(best.map((index) => latents[index].key));
    }
    pad.showLatents(report);
  }, { signal });
  signal.addEventListener("abort", () => pad.close());
  const preferred = PREFERRED.every((key) => axes.has(key)) ? PREFERRED : [...axes.keys()].slice(0, 2);
  choose(preferred);
  free.disabled = !pad.held;
  return pad;
}
