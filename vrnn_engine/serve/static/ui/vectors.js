// @ts-check
/** Below "More", a folded row of bars for each control that is a vector. */

import { Bars } from "./bars.js";
import { element } from "./dom.js";
import { helpOf, nameOf } from "./words.js";

/**
 * Make the bars of one control.
 *
 * @param {import("../player/player.js").Control} control
 * @param {import("./knobs.js").Knobs} knobs
 * @param {AbortSignal} signal
 */
function makeVector(control, knobs, signal) {
  const label = nameOf(control.name);
  const reach = Math.min(1, 4 / Math.max(control.maximum, -control.minimum)); // values beyond 4 are of little use
  const bars = new Bars({
    label, unit: label, hint: "Drag to change.", count: control.shape[0], minimum: control.minimum * reach, maximum: control.maximum * reach,
    change: (values) => {
      const next = knobs.value(control.name);
      for (const [index, value] of values) next[index] = value;
      knobs.set(control.name, next);
    },
    restore: (index) => knobs.set(control.name, control.default, index),
  });
  const reset = element("button", { type: "button", class: "small", "aria-label": `Reset ${label}` }, "Reset");
  reset.addEventListener("click", () => knobs.restore(control.name));
  const help = element("p", { class: "help", title: control.description }, helpOf(control));
  const state = element("span", { class: "count-of" });
  const box = element("details", {}, element("summary", {}, `${label} `, state), element("div", { class: "title-row" }, help, reset), bars.root);
  const refresh = () => {
    const values = knobs.value(control.name);
    const changed = values.filter((value) => value !== Math.fround(control.default)).length;
    state.textContent = changed ? `\u00b7 ${changed} of ${values.length} changed` : `\u00b7 ${values.length} numbers`;
    if (box.open) bars.update(values);
  };
  box.addEventListener("toggle", refresh);
  knobs.follow(control.name, refresh, signal);
  refresh();
  return box;
}

/**
 * Add the rows of a voice to a container.
 *
 * @param {HTMLElement} container
 * @param {import("./knobs.js").Knobs} knobs
 * @param {AbortSignal} signal
 */
export function showVectors(container, knobs, signal) {
  const vectors = knobs.controls.filter((control) => control.shape.length === 1 && control.shape[0] > 1);
  if (!vectors.length) return;
  const rows = vectors.map((control) => makeVector(control, knobs, signal));
  container.append(element("details", { class: "more" }, element("summary", {}, "More"), ...rows));
}
