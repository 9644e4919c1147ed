// @ts-check
/** Words and numbers as the page shows them. */

/** Return the name of a control as the page shows it. @param {string} name  Such as "latent.temperature". */
export function nameOf(name) {
  return name.replaceAll(".", " ").replaceAll("_", " ");
}

/** Return a number as text, with as many digits as help. @param {number} value */
export function show(value) {
  const digits = Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
  return value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "\u2212");
}

/** Return a time as minutes and seconds. @param {number} seconds */
export function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

/** Return the message of whatever was thrown, as one line. @param {unknown} error */
export function messageOf(error) {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n")[0] || "something went wrong; reload the page";
}

/**
 * Say in one sentence what a voice is.
 *
 * @param {import("../player/player.js").Manifest} manifest
 */
export function lead(manifest) {
  if (manifest.modality === "audio") return "A voice without words, to play by hand.";
  if (manifest.text) return "A pen that writes what you type, in its own hand.";
  return "A pen that writes freely, to guide by hand.";
}
