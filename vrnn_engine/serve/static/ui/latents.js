// @ts-check
/** The latents as bars: height is the value, strength of colour is the KL; a bar that is moved is held there. */

import { Bars } from "./bars.js";
import { element } from "./dom.js";
import { readReport } from "./reports.js";
import { show } from "./words.js";

const REACH = 3; // standard deviations of N(0, 1)
const LEAST_KL = 1e-3; // nats; less is N(0, 1) itself
const PLAIN = 0.6; // strength of the colour where no KL is shown

/**
 * Fill a container with the bars of the latents.
 *
 * @param {HTMLElement} container
 * @param {HTMLButtonElement} release  Button that lets all of them go.
 * @param {import("../player/player.js").Player} player
 * @param {import("./steering.js").Steering} steering
 * @param {AbortSignal} signal
 */
export function showLatents(container, release, player, steering, signal) {
  /** @type {{latent: ArrayLike<number>, kl: ArrayLike<number>}} */
  let latest = { latent: new Float32Array(steering.count), kl: new Float32Array(steering.count) };
  let brightest = 1; // nats; the scale of the brightness follows slowly
  let isDrawnOnce = Boolean(player.manifest.text); // from N(0, 1), so that its KL is always 0
  const bars = new Bars({
    label: "Latents", hint: "It appears when the voice plays.", unit: "latent", count: steering.count, minimum: -REACH, maximum: REACH,
    change: (values) => steering.hold(values),
    restore: (index) => steering.release([index]),
  });
  const refresh = () => {
    const held = steering.strengths();
    const targets = steering.targets();
    const shown = Array.from(latest.latent, (value, index) => (held[index] > 0.5 ? targets[index] : value));
    bars.update(shown, {
      glow: Array.from(latest.kl, (kl) => (isDrawnOnce ? PLAIN : Math.sqrt(kl / brightest))),
      held,
      notes: (index) => [held[index] > 0 ? "held" : "", isDrawnOnce ? "" : `KL ${show(latest.kl[index])} nats`].filter(Boolean).join(", "),
    });
    release.disabled = !held.some((strength) => strength > 0);
  };
  player.addEventListener("latents", (event) => {
    const report = readReport(/** @type {CustomEvent} */ (event).detail, steering.count);
    if (!report) return;
    latest = report;
    bars.setHint("Drag a bar to see its value here.");
    if (isDrawnOnce && Math.max(...Array.from(report.kl)) > LEAST_KL) {
      isDrawnOnce = false;
      help.textContent = helpOf(player, isDrawnOnce);
    }
    brightest = Math.max(0.5, brightest * 0.995, ...Array.from(latest.kl));
    refresh();
  }, { signal });
  steering.knobs.addEventListener("change", refresh, { signal });
  release.addEventListener("click", () => steering.releaseAll(), { signal });
  const help = element("p", { class: "help" }, helpOf(player, isDrawnOnce));
  container.append(help, bars.root);
  refresh();
}

/**
 * Return what the bars show, and what can be done with them.
 *
 * @param {import("../player/player.js").Player} player
 * @param {boolean} isDrawnOnce
 */
function helpOf(player, isDrawnOnce) {
  const what = isDrawnOnce
    ? "Random values, chosen from N(0,\u00a01) once for this hand. Height is the value. "
    : "Random values that the voice chooses before each frame. Height is the value. "
      + "Stronger colour: this latent departs more from its usual value now (KL of the prior). ";
  return `${what}Drag a bar to hold it; a double tap releases it.${player.manifest.text ? " Changes take effect in the next word." : ""}`;
}
