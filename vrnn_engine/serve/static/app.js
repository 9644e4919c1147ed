// @ts-check
/** The page: reads its configuration, opens a voice, and connects what all voices share. */

import { openPlayer } from "./player/player.js";
import { connectColours } from "./ui/colours.js";
import { byId, element } from "./ui/dom.js";
import { Instrument } from "./ui/instrument.js";
import { readLink, shareLink } from "./ui/link.js";
import { Status } from "./ui/status.js";
import { Transport } from "./ui/transport.js";

const FIRST_SEED = "18";
document.documentElement.dataset.runs = ""; // for first_words.js

const status = new Status(byId("cost"), byId("notice"));
const transport = new Transport();
/** What plays now. @type {Instrument|null} */
let instrument = null;
/** Number of voices that were opened: a voice that is loaded too late is closed. */
let turns = 0;
/** Milliseconds after which the page says that it waits for its configuration. */
const PATIENCE = 6000;

/** Return the configuration of the page. @returns {Promise<import("./player/player.js").Config>} */
async function readConfig() {
  const timer = setTimeout(() => status.say("The server does not answer yet.", true), PATIENCE);
  const reply = await fetch("config.json", { cache: "no-cache" }).catch(() => null);
  const config = reply?.ok ? await reply.json().catch(() => null) : null;
  clearTimeout(timer);
  status.say("");
  if (!config) throw new Error("The page does not find its config.json. Serve the whole folder with a web server.");
  return config;
}

/** Open a voice. @param {any} config @param {import("./ui/link.js").Link} link */
async function openVoice(config, link) {
  const turn = ++turns;
  instrument?.close();
  instrument = null;
  byId("hint").classList.add("gone");
  status.place("");
  const loading = byId("loading");
  loading.textContent = "loading";
  const remote = config.mode === "remote";
  const voice = voicesOf(config).find((entry) => nameOfVoice(entry) === link.voice);
  byId("voice").value = voice ?? voicesOf(config)[0];
  try {
    if (!remote && typeof WebAssembly !== "object") throw new Error("This browser has no WebAssembly. Use a newer browser.");
    if (!remote && typeof DecompressionStream !== "function") throw new Error("This browser is too old: use Safari 16.4, Firefox 114, Chrome 97 or newer.");
    const progress = (/** @type {number} */ part) => turn === turns && (loading.textContent = `loading, ${Math.floor(100 * part)} %`);
    let wasSilent = false;
    const silent = () => {
      if (turn === turns) status.say("The server does not answer: trying again.", true);
      wasSilent = true;
      return turn === turns;
    };
    const player = await openPlayer(config, { seed: BigInt(link.seed ?? FIRST_SEED), ...(voice ? { voice } : {}), progress, silent });
    if (turn === turns && wasSilent) status.say("The server is back.");
    if (turn === turns) instrument = new Instrument(player, remote, link, status, transport);
    else player.close();
  } catch (error) {
    if (turn === turns) throw error;
  } finally {
    if (turn === turns) loading.textContent = "";
  }
}

/** Return the voices to choose from: names on a server, else folders. @param {any} config @returns {string[]} */
function voicesOf(config) {
  return config.voices ?? [config.voice];
}

/** Return the name of a voice in the choice. @param {string} entry  A name, or a folder such as "voices/blizzard/". */
function nameOfVoice(entry) {
  return entry.replace(/\/$/, "").split("/").at(-1) ?? entry;
}

/** Show the choice of voices if there are several. @param {any} config */
function showVoices(config) {
  const voices = voicesOf(config);
  const choice = byId("voice");
  byId("voices").hidden = voices.length < 2;
  choice.replaceChildren(...voices.map((entry) => element("option", { value: entry }, nameOfVoice(entry))));
  choice.onchange = () => status.attempt(() => openVoice(config, { voice: nameOfVoice(choice.value), seed: null, text: null, controls: [] }));
}

/** Close the session with a server as soon as the page is left; open another one if the browser brings the page back. */
function endWithPage() {
  addEventListener("pagehide", () => instrument?.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

connectColours(byId("theme"), () => instrument?.recolour());
transport.addEventListener("toggle", () => status.attempt(async () => instrument?.toggle()));
transport.addEventListener("seed", (event) => status.attempt(async () => instrument?.reseed(/** @type {CustomEvent} */ (event).detail.seed)));
byId("share").onclick = () => status.attempt(async () => instrument && status.say(await shareLink(instrument.hash)));

status.attempt(async () => {
  const config = await readConfig();
  showVoices(config);
  if (config.mode === "remote") endWithPage();
  await openVoice(config, readLink(location.hash));
  addEventListener("hashchange", () => status.attempt(async () => {
    const link = readLink(location.hash);
    const other = link.voice !== nameOfVoice(byId("voice").value) && voicesOf(config).some((entry) => nameOfVoice(entry) === link.voice);
    if (other || !instrument) await openVoice(config, link);
    else await instrument.follow(link);
  }));
});
