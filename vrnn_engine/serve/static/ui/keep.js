// @ts-check
/** The buttons that keep what was played: a recording of sound, or files of the ink. */

import { download, element, icon } from "./dom.js";
import { inkPng, inkSvg } from "./ink_file.js";
import { Recorder } from "./recorder.js";
import { clock } from "./words.js";

/** Return the name of a file. @param {import("../player/player.js").Player} player @param {string} ending */
const fileName = (player, ending) => `${player.manifest.name}-${player.seed}.${ending}`;

/**
 * Show the button that records sound.
 *
 * @param {HTMLElement} container
 * @param {import("../player/player.js").Player} player
 * @param {(message: string) => void} notify
 * @param {AbortSignal} signal
 */
export function showRecorder(container, player, notify, signal) {
  const recorder = new Recorder(player.manifest.rate);
  const label = element("span", {}, "Record");
  const button = element("button", { type: "button", class: "small", id: "record", "aria-pressed": "false", "aria-keyshortcuts": "r" }, icon("record"), label);
  const show = () => {
    button.classList.toggle("recording", recorder.on);
    button.setAttribute("aria-pressed", String(recorder.on));
    button.querySelector("use")?.setAttribute("href", recorder.on ? "#icon-stop" : "#icon-record");
    label.textContent = recorder.on ? clock(recorder.seconds) : "Record";
  };
  const finish = () => {
    recorder.stop();
    show();
    if (recorder.samples) download(recorder.wav(), fileName(player, "wav"));
    notify(recorder.samples ? `Recorded ${clock(recorder.seconds)} as a WAV file.` : "Nothing was played, so nothing was recorded.");
  };
  button.addEventListener("click", () => {
    if (recorder.on) return finish();
    recorder.start();
    show();
    if (!player.playing) notify("Recording begins when you press play.");
  });
  player.addEventListener("frames", (event) => {
    if (!recorder.on) return;
    const more = recorder.add(/** @type {CustomEvent} */ (event).detail.data);
    if (more) label.textContent = clock(recorder.seconds);
    else finish();
  }, { signal });
  signal.addEventListener("abort", () => recorder.on && finish()); // another voice is opened
  container.replaceChildren(button);
}

/**
 * Show the buttons that save the ink.
 *
 * @param {HTMLElement} container
 * @param {import("../player/player.js").Player} player
 * @param {import("./paper.js").Paper} paper
 * @param {() => string} title
 * @param {(message: string) => void} notify
 */
export function showInkFiles(container, player, paper, title, notify) {
  const nothing = () => notify("There is no ink yet. Press play first.");
  const vector = element("button", { type: "button", class: "small", id: "save-svg", "aria-label": "Save the ink as SVG" }, icon("save"), "SVG");
  vector.addEventListener("click", () => {
    const { strokes } = paper.ink;
    if (!strokes.length) return nothing();
    const text = inkSvg(strokes, title() || player.manifest.name, player.manifest.unit);
    download(new Blob([text], { type: "image/svg+xml" }), fileName(player, "svg"));
  });
  const picture = element("button", { type: "button", class: "small", "aria-label": "Save the ink as PNG" }, "PNG");
  picture.addEventListener("click", async () => {
    if (!paper.ink.strokes.length) return nothing();
    const blob = await inkPng(paper.ink);
    if (blob) download(blob, fileName(player, "png"));
  });
  container.replaceChildren(vector, picture);
}
