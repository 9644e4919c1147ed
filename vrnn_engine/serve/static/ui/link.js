// @ts-check
/** Reads and writes the part of the address behind #: voice, seed, text and changed controls. */

const RESERVED = ["voice", "seed", "text", "token"];

/**
 * What a link says.
 * @typedef {Object} Link
 * @property {string|null} voice
 * @property {string|null} seed
 * @property {string|null} text
 * @property {{name: string, index: number|null, value: number}[]} controls
 */

/**
 * Read a hash such as `#seed=7&latent.temperature=0.8&latent.shift/3=1.5&text=Dear+Anna`.
 *
 * @param {string} hash
 * @returns {Link}
 */
export function readLink(hash) {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const seed = fields.get("seed");
  const controls = [...fields].filter(([key]) => !RESERVED.includes(key)).map(([key, value]) => {
    const [name, index] = key.split("/");
    return { name, index: index === undefined ? null : Number(index), value: Number(value) };
  });
  return {
    voice: fields.get("voice"),
    seed: seed !== null && /^\d{1,20}$/.test(seed) && BigInt(seed) < 2n ** 64n ? seed : null,
    text: fields.get("text"),
    controls: controls.filter(({ index, value }) => Number.isFinite(value) && (index === null || Number.isInteger(index))),
  };
}

/**
 * Return the hash for what is set now.
 *
 * @param {import("../player/player.js").Player} player
 * @param {import("./knobs.js").Knobs} knobs
 * @param {string|null} text
 */
export function writeLink(player, knobs, text) {
  const fields = new URLSearchParams({ voice: player.manifest.name, seed: String(player.seed) });
  for (const { name, default: home } of knobs.controls) {
    knobs.value(name).forEach((value, index, all) => {
      if (value !== Math.fround(home)) fields.append(all.length === 1 ? name : `${name}/${index}`, String(Number(value.toPrecision(4))));
    });
  }
  if (text) fields.append("text", text);
  return `#${fields}`.replaceAll("%2F", "/");
}

/**
 * Set the controls that a link names; unknown ones are left out.
 *
 * @param {Link} link
 * @param {import("./knobs.js").Knobs} knobs
 */
export function applyControls(link, knobs) {
  for (const { name, index, value } of link.controls) {
    const size = knobs.find(name)?.shape[0] ?? 0;
    if (size && (index === null || (index >= 0 && index < size))) knobs.set(name, value, index);
  }
}

/**
 * Hand a link on: by the share sheet of a phone, else by the clipboard, else in the address bar.
 *
 * @param {string} hash
 * @returns {Promise<string>}  What happened, as a sentence; empty if the user has seen it.
 */
export async function shareLink(hash) {
  const url = new URL(hash, location.href).href;
  if (typeof navigator.share === "function" && matchMedia("(pointer: coarse)").matches) {
    try {
      await navigator.share({ title: document.title, url });
      return "";
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return "";
    }
  }
  try {
    await navigator.clipboard.writeText(url);
    return "The link is copied. It brings back the seed, the controls and the text.";
  } catch {
    history.replaceState(null, "", url);
    return "The link is in the address bar. It brings back the seed, the controls and the text.";
  }
}
