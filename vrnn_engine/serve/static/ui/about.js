// @ts-check
/** What the voice learned from, where it is computed, and the keys. */

import { element } from "./dom.js";

/**
 * Fill a container with facts about a voice.
 *
 * @param {HTMLElement} container
 * @param {any} manifest
 * @param {boolean} remote  Whether a server computes the voice.
 */
export function showAbout(container, manifest, remote) {
  const { provenance = {} } = manifest;
  const source = /^https?:\/\//.test(provenance.source ?? "")
    ? element("a", { href: provenance.source, rel: "noopener noreferrer", target: "_blank" }, provenance.data ?? provenance.source)
    : (provenance.data ?? "not said");
  const keys = [["space", "play or pause"], ["n", "another seed"], ...(manifest.modality === "audio" ? [["r", "record"]] : [])];
  const where = remote
    ? `On ${location.host}: the server sends ${manifest.modality === "audio" ? "sound" : "the moves of the pen"}, and gets the controls and the text.`
    : "In this browser. Nothing that you type or move leaves it.";
  const facts = [
    ["It learned from", [source, provenance.licence ? ` (${provenance.licence})` : ""]],
    ["It is", [`a recurrent neural network${manifest.family ? ` (${manifest.family})` : ""}. Each frame depends on random numbers; the same seed gives the same ones again.`]],
    ["It runs", [where]],
    ["Keys", keys.flatMap(([key, what], i) => [i ? ", " : "", element("kbd", {}, key), ` ${what}`])],
  ];
  container.append(element("dl", { class: "facts" }, ...facts.flatMap(([name, parts]) => [element("dt", {}, name), element("dd", {}, .../** @type {any[]} */ (parts))])));
}
