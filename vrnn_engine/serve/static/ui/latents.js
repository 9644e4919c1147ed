// @ts-check
/** The latents as bars: height is the value, strength of colour is the KL; a bar that is moved is held there. */

import { Bars } from "./bars.js";
import { element } from "./dom.js";
import { readReport } from "./reports.js";
import { show } from "./words.js";

const REACH = 3; // standard deviations of N(0, 1)

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
      glow: Array.from(latest.kl, (kl) => Math.sqrt(kl / brightest)),
      held,
      notes: (index) => `${held[index] > 0 ? "held, " : ""}KL ${show(latest.kl[index])} nats`,
    });
    release.disabled = !held.some((strength) => strength > 0);
  };
  player.addEventListener("latents", (event) => {
    const report = readReport(/** @type {CustomEvent} */ (event).detail, steering.count);
    if (!report) return;
    latest = report;
    brightest = Math.max(0.5, brightest * 0.995, ...Array.from(latest.kl));
    refresh();
  }, { signal });
  steering.knobs.addEventListener("change", refresh, { signal });
  release.addEventListener("click", () => steering.releaseAll(), { signal });
  const [what, when] = player.manifest.text
    ? ["What the voice drew for this hand.", " Changes take effect in the next word."]
    : ["What the voice draws before each frame.", ""];
  const help = element("p", { class: "help" },
    `${what} Height is the value. Stronger colour: this latent departs more from its usual value now (KL of the prior). `
      + `Drag a bar to hold it; a double tap releases it.${when}`);
  container.append(help, bars.root);
  refresh();
}
