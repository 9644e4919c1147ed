// @ts-check
/** Words and numbers as the page shows them. */

/** Return the name of a control as the page shows it. @param {string} name  Such as "latent.temperature". */
export function nameOf(name) {
  return name.replaceAll(".", " ").replaceAll("_", " ");
}

const HELP = new Map(Object.entries({
  "style.slant": "How far the letters lean: to the right, or to the left below zero.",
  "style.size": "How large the letters are.",
  "style.temperature": "How unusual the handwriting is that a page begins with.",
  "latent.temperature": "How much the voice surprises itself. At 0 it does what it expects.",
  "output.temperature": "How rough each moment is. Low is smooth, and a sound is then quieter; high is noisy.",
  "output.voicing": "From a whisper at the left to a clear tone at the right.",
  "mixture.temperature": "How freely the pen chooses between ways to go on.",
  "latent.shift": "Moves each latent away from what the voice draws.",
  "latent.hold": "How firmly each latent is held: 0 not at all, 1 fully. The square and the bars above set it.",
  "latent.target": "Where each latent is held.",
}));

/** Return what a control does, in plain words. @param {import("../player/player.js").Control} control */
export function helpOf({ name, description }) {
  return HELP.get(name) ?? description;
}

/** Return controls in the order of the page: style, then temperatures, then others. @param {import("../player/player.js").Control[]} controls */
export function inOrder(controls) {
  const rank = (/** @type {string} */ name) => (name.startsWith("style.") ? 0 : 2) + Number(name.endsWith(".temperature") === name.startsWith("style."));
  return [...controls].sort((one, other) => rank(one.name) - rank(other.name));
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

/** Return a message as a sentence; a name of a file at its beginning keeps its letters. @param {string} message */
export function sentence(message) {
  const begun = message.replace(/^[a-z]+(?= )/, (word) => word[0].toUpperCase() + word.slice(1));
  return /[.!?]$/.test(begun) || !begun ? begun : `${begun}.`;
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
