// @ts-check
/** A slider for each control that is one number. */

import { element, icon, onDoubleTap } from "./dom.js";
import { helpOf, inOrder, nameOf, show } from "./words.js";

/** Return the step of a slider: about a thousandth of the range, of 1, 2 or 5 times a power of ten. @param {number} range */
export function stepOf(range) {
  const power = 10 ** Math.floor(Math.log10(range / 400));
  const digit = range / 400 / power;
  return power * (digit < 2 ? 1 : digit < 5 ? 2 : 5);
}

/**
 * Make the slider of one control: name, value, default mark, description; a double click sets the default.
 *
 * @param {import("../player/player.js").Control} control
 * @param {import("./knobs.js").Knobs} knobs
 * @param {AbortSignal} signal  Ends the listening.
 * @returns {HTMLElement}
 */
function makeSlider(control, knobs, signal) {
  const id = `control-${control.name.replaceAll(".", "-")}`;
  const range = control.maximum - control.minimum;
  const label = nameOf(control.name);
  const slider = element("input", {
    type: "range", id, min: control.minimum, max: control.maximum, step: stepOf(range), "aria-describedby": `${id}-help`,
  });
  const value = element("output", { class: "control-value", htmlFor: id });
  const undo = element("button", { type: "button", class: "plain undo", "aria-label": `Set ${label} to its default` }, icon("reset"));
  undo.title = `Default: ${show(control.default)}`;
  const slide = element("div", { class: "slide" }, slider);
  slide.style.setProperty("--home", String((control.default - control.minimum) / range));
  const box = element("div", { class: "control" },
    element("div", { class: "control-top" }, element("label", { class: "control-name", htmlFor: id }, label), undo, value),
    slide,
    element("p", { class: "help", id: `${id}-help`, title: control.description }, helpOf(control)),
  );
  const refresh = () => {
    const [now] = knobs.value(control.name);
    slider.value = String(now);
    slider.setAttribute("aria-valuetext", show(now));
    slider.style.setProperty("--part", String((now - control.minimum) / range));
    value.value = show(now);
    box.classList.toggle("changed", !knobs.isDefault(control.name));
  };
  slider.addEventListener("input", () => knobs.set(control.name, slider.valueAsNumber));
  onDoubleTap(slider, () => knobs.restore(control.name));
  undo.addEventListener("click", () => {
    knobs.restore(control.name);
    slider.focus();
  });
  knobs.follow(control.name, refresh, signal);
  refresh();
  return box;
}

/**
 * Fill a container with the sliders of a voice.
 *
 * @param {HTMLElement} container
 * @param {import("./knobs.js").Knobs} knobs
 * @param {AbortSignal} signal
 */
export function showSliders(container, knobs, signal) {
  const scalars = knobs.controls.filter((control) => control.shape.length === 1 && control.shape[0] === 1);
  container.append(...inOrder(scalars).map((control) => makeSlider(control, knobs, signal)));
}
