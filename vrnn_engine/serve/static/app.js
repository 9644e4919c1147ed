// @ts-check
/** The page: opens a voice and puts the parts of ui/ around it. */

import { openPlayer } from "./player/player.js";
import { showAbout } from "./ui/about.js";
import { connectColours } from "./ui/colours.js";
import { byId, element } from "./ui/dom.js";
import { showInkFiles, showRecorder } from "./ui/keep.js";
import { Knobs } from "./ui/knobs.js";
import { showLatents } from "./ui/latents.js";
import { Letter } from "./ui/letter.js";
import { applyControls, readLink, shareLink, writeLink } from "./ui/link.js";
import { showPad } from "./ui/pad_section.js";
import { Paper } from "./ui/paper.js";
import { SavedStates } from "./ui/saved.js";
import { showSliders } from "./ui/sliders.js";
import { SoundView } from "./ui/sound_view.js";
import { Status } from "./ui/status.js";
import { Steering } from "./ui/steering.js";
import { Transport } from "./ui/transport.js";
import { showVectors } from "./ui/vectors.js";
import { lead, messageOf } from "./ui/words.js";

const FIRST_SEED = "18";
const GREETING = "Hello. Tell me what to write, and I will write it.";
const SECTIONS = ["pad", "controls", "latents", "saved", "about"];

const status = new Status(byId("cost"), byId("notice"));
const transport = new Transport();
/** What plays now. @type {Instrument|null} */
let instrument = null;

/** One voice on the page, from its opening to its closing. */
class Instrument {
  /** @param {import("./player/player.js").Player} player @param {boolean} remote @param {import("./ui/link.js").Link} link */
  constructor(player, remote, link) {
    this.player = player;
    this.remote = remote;
    this.ending = new AbortController();
    this.knobs = new Knobs(player);
    this.steering = new Steering(this.knobs);
    this.begun = false;
    const sheet = byId("sheet");
    this.paper = player.kind === "pen" ? new Paper(sheet, player) : null;
    this.sound = player.kind === "audio" ? new SoundView(sheet, player) : null;
    this.letter = player.manifest.text ? new Letter(byId("letter"), player, link.text ?? GREETING, this.signal) : null;
    this.#showPanel();
    this.#listen();
    applyControls(link, this.knobs);
    byId("lead").textContent = lead(player.manifest);
    document.title = `${player.manifest.name}: ${lead(player.manifest)}`;
    transport.showSeed(player.seed);
    transport.showPlaying(false);
    transport.play.disabled = false;
    byId("hint").classList.remove("gone");
    status.place(remote ? "from the server" : "in this browser", player.kind === "audio");
  }

  get signal() {
    return this.ending.signal;
  }

  /** Play or pause. */
  async toggle() {
    if (this.player.playing) return this.player.pause();
    byId("hint").classList.add("gone");
    if (this.paper && !this.begun) await this.newPage();
    else await this.player.play();
  }

  /** Begin again with an empty page, and write. @param {bigint} [seed] */
  async newPage(seed) {
    this.begun = true;
    byId("hint").classList.add("gone");
    const width = this.paper?.fittingWidth() ?? 0;
    this.paper?.clear(width);
    if (this.letter) await this.letter.begin(width, seed);
    else await this.player.restart({ ...(seed === undefined ? {} : { seed }), width });
    await this.player.play();
  }

  /** Begin again with another seed, and go on playing if something played. @param {bigint} seed */
  async reseed(seed) {
    if (this.paper && this.begun) await this.newPage(seed);
    else await this.player.restart({ seed });
    transport.showSeed(this.player.seed);
  }

  /** Continue from a saved state. @param {import("./ui/store.js").SavedState} state */
  async restore(state) {
    await this.player.restore(state.saved);
    this.begun = true;
    byId("hint").classList.add("gone");
    this.paper?.newLine();
    if (state.letter) this.letter?.resume(state.letter.text, state.letter.base);
    this.knobs.refresh();
    transport.showSeed(this.player.seed);
    await this.player.play();
  }

  /** Apply a link to the voice that is open. @param {import("./ui/link.js").Link} link */
  async follow(link) {
    this.knobs.reset();
    applyControls(link, this.knobs);
    if (link.text !== null) this.letter?.fill(link.text);
    if (link.seed !== null) await this.player.restart({ seed: BigInt(link.seed) });
    transport.showSeed(this.player.seed);
    this.begun = false;
  }

  get hash() {
    return writeLink(this.player, this.knobs, this.letter?.text ?? null);
  }

  /** Use the colours of the style sheet. */
  recolour() {
    this.paper?.redraw();
    this.sound?.recolour();
    this.pad?.draw();
  }

  close() {
    this.ending.abort();
    this.player.close();
    this.knobs.close();
    this.paper?.close();
    this.sound?.close();
    for (const name of SECTIONS) byId(name).replaceChildren();
    for (const name of SECTIONS) byId(`${name}-section`).hidden = true;
    byId("keep").replaceChildren();
    byId("letter").hidden = true;
    transport.showPlaying(false);
    transport.play.disabled = true;
  }

  #showPanel() {
    const { player, knobs, steering, signal } = this;
    const open = (/** @type {string} */ name) => {
      byId(`${name}-section`).hidden = false;
      return byId(name);
    };
    const notify = (/** @type {string} */ message, bad = false) => status.say(message, bad);
    const latents = steering.available && steering.count > 1;
    if (latents || knobs.controls.length > 1) this.pad = showPad(open("pad"), player, knobs, steering, signal);
    const controls = open("controls");
    showSliders(controls, knobs, signal);
    showVectors(controls, knobs, signal);
    byId("reset").onclick = () => knobs.reset();
    if (latents) showLatents(open("latents"), byId("release"), player, steering, signal);
    new SavedStates(open("saved"), player, steering, {
      letter: () => this.letter && { text: this.letter.sent, base: this.letter.base },
      restore: (state) => this.restore(state),
      notify,
    });
    showAbout(open("about"), player.manifest, this.remote);
    if (this.paper) showInkFiles(byId("keep"), player, this.paper, () => this.letter?.text ?? "", notify);
    else showRecorder(byId("keep"), player, notify, signal);
  }

  #listen() {
    const { player, signal } = this;
    const on = (/** @type {string} */ name, /** @type {(detail: any) => void} */ act) =>
      player.addEventListener(name, (event) => act(/** @type {CustomEvent} */ (event).detail), { signal });
    on("frames", ({ data }) => this.paper?.add(data));
    on("stats", (stats) => status.show(stats));
    on("error", ({ message }) => status.say(message, true));
    on("end", ({ reason }) => this.#ended(reason));
    on("state", ({ playing, connected }) => {
      transport.showPlaying(playing);
      if (playing) this.sound?.start();
      else this.sound?.stop();
      if (connected === false) status.say("The server is away: trying again.", true);
      else if (this.away) status.say("The server is back.");
      this.away = connected === false;
    });
    this.letter?.addEventListener("begin", () => attempt(() => this.newPage()));
    this.letter?.addEventListener("note", (event) => status.say(/** @type {CustomEvent} */ (event).detail.message));
  }

  #ended(reason) {
    transport.showPlaying(false);
    this.sound?.stop();
    transport.play.disabled = true;
    status.say(`${reason}. Reload the page to begin again.`, true);
  }
}

/** Do something, and say in the quiet line what went wrong. @param {() => Promise<void>} act */
async function attempt(act) {
  try {
    await act();
  } catch (error) {
    status.say(messageOf(error), true);
  }
}

/** Return the configuration of the page. @returns {Promise<import("./player/player.js").Config>} */
async function readConfig() {
  const reply = await fetch("config.json").catch(() => null);
  if (!reply?.ok) throw new Error("The page does not find its config.json. Serve the whole folder with a web server.");
  return reply.json();
}

/** Open a voice. @param {any} config @param {import("./ui/link.js").Link} link */
async function openVoice(config, link) {
  instrument?.close();
  instrument = null;
  status.place("loading the voice");
  const remote = config.mode === "remote";
  if (!remote && typeof WebAssembly !== "object") throw new Error("This browser has no WebAssembly. Use a newer browser.");
  const voice = voicesOf(config).find((entry) => nameOfVoice(entry) === link.voice);
  const player = await openPlayer(config, { seed: BigInt(link.seed ?? FIRST_SEED), ...(voice ? { voice } : {}) });
  instrument = new Instrument(player, remote, link);
  byId("voice").value = voice ?? voicesOf(config)[0];
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
  choice.onchange = () => attempt(() => openVoice(config, { voice: nameOfVoice(choice.value), seed: null, text: null, controls: [] }));
}

connectColours(byId("theme"), () => instrument?.recolour());
transport.addEventListener("toggle", () => instrument && attempt(() => /** @type {any} */ (instrument).toggle()));
transport.addEventListener("seed", (event) => instrument && attempt(() => /** @type {any} */ (instrument).reseed(/** @type {CustomEvent} */ (event).detail.seed)));
byId("share").onclick = () => instrument && attempt(async () => status.say(await shareLink(/** @type {any} */ (instrument).hash)));

attempt(async () => {
  const config = await readConfig();
  showVoices(config);
  await openVoice(config, readLink(location.hash));
  addEventListener("hashchange", () => attempt(async () => {
    const link = readLink(location.hash);
    const other = link.voice !== nameOfVoice(byId("voice").value) && voicesOf(config).some((entry) => nameOfVoice(entry) === link.voice);
    if (other || !instrument) await openVoice(config, link);
    else await instrument.follow(link);
  }));
});
