// @ts-check
/** One voice on the page: connects its player with the parts that show and steer it. */

import { showAbout } from "./about.js";
import { byId } from "./dom.js";
import { showInkFiles, showRecorder } from "./keep.js";
import { Knobs } from "./knobs.js";
import { showLatents } from "./latents.js";
import { Letter } from "./letter.js";
import { applyControls, writeLink } from "./link.js";
import { showPad } from "./pad_section.js";
import { Paper } from "./paper.js";
import { SavedStates } from "./saved.js";
import { showSliders } from "./sliders.js";
import { SoundView } from "./sound_view.js";
import { Steering } from "./steering.js";
import { showVectors } from "./vectors.js";
import { lead, sentence } from "./words.js";

const GREETING = "Hello. Tell me what to write, and I will write it.";
const SECTIONS = ["pad", "controls", "latents", "saved", "about"];

/** One voice on the page, from its opening to its closing. */
export class Instrument {
  /**
   * @param {import("../player/player.js").Player} player
   * @param {boolean} remote  Whether a server computes the voice.
   * @param {import("./link.js").Link} link
   * @param {import("./status.js").Status} status
   * @param {import("./transport.js").Transport} transport
   */
  constructor(player, remote, link, status, transport) {
    this.player = player;
    this.status = status;
    this.transport = transport;
    this.remote = remote;
    this.ending = new AbortController();
    this.knobs = new Knobs(player);
    this.steering = new Steering(this.knobs);
    this.begun = false;
    const sheet = byId("sheet");
    this.paper = player.kind === "pen" ? new Paper(sheet, player) : null;
    this.sound = player.kind === "audio" ? new SoundView(sheet, player) : null;
    this.letter = player.manifest.text ? new Letter(byId("letter"), player, this.signal) : null;
    this.#showPanel();
    this.#listen();
    this.letter?.fill(link.text ?? GREETING);
    applyControls(link, this.knobs);
    byId("lead").textContent = lead(player.manifest);
    document.title = `${player.manifest.name}: ${lead(player.manifest)}`;
    this.transport.showSeed(player.seed);
    this.transport.showPlaying(false);
    this.transport.play.disabled = false;
    this.#hint(true);
    this.status.place(remote ? "from the server" : "in this browser", player.kind === "audio", remote);
  }

  get signal() {
    return this.ending.signal;
  }

  /** Play or pause; a finished letter is written once more. */
  async toggle() {
    if (this.letter?.finished) return this.newPage();
    if (this.player.playing) return this.player.pause();
    this.#hint(false);
    if (this.paper && !this.begun) await this.newPage();
    else await this.player.play();
  }

  /** Begin again with an empty page, and write. @param {bigint} [seed] */
  async newPage(seed) {
    this.begun = true;
    this.#hint(false);
    const width = this.paper?.fittingWidth() ?? 0;
    this.paper?.clear(width);
    if (this.letter) await this.letter.begin(width, seed);
    else await this.player.restart({ ...(seed === undefined ? {} : { seed }), width });
    this.paper?.clear(width); // of what the old page still sent
    await this.player.play();
  }

  /** Stop, and wait for play on an empty page. @param {bigint} [seed] */
  async rest(seed) {
    this.player.pause();
    this.begun = false;
    this.#hint(true);
    await this.player.restart({ ...(seed === undefined ? {} : { seed }), ...(this.letter ? { text: "" } : {}) });
    this.paper?.clear(this.paper.fittingWidth());
  }

  /** Begin again with another seed, and go on playing if something played. @param {bigint} seed */
  async reseed(seed) {
    if (!this.paper) await this.player.restart({ seed });
    else if (this.player.playing && this.begun) await this.newPage(seed);
    else {
      this.letter?.fill(this.letter.text);
      await this.rest(seed);
    }
    this.transport.showSeed(this.player.seed);
  }

  /** Continue from a saved state. @param {import("./store.js").SavedState} state */
  async restore(state) {
    await this.player.restore(state.saved);
    this.begun = true;
    this.#hint(false);
    this.paper?.newLine(state.place);
    if (state.letter) this.letter?.resume(state.letter.text, state.letter.base);
    this.knobs.refresh();
    this.transport.showSeed(this.player.seed);
    await this.player.play();
  }

  /** Apply a link to the voice that is open. @param {import("./link.js").Link} link */
  async follow(link) {
    this.knobs.reset();
    applyControls(link, this.knobs);
    this.letter?.fill(link.text ?? this.letter.text);
    await this.rest(link.seed === null ? undefined : BigInt(link.seed));
    this.transport.showSeed(this.player.seed);
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
    this.transport.showPlaying(false);
    this.transport.play.disabled = true;
  }

  #showPanel() {
    const { player, knobs, steering, signal } = this;
    const open = (/** @type {string} */ name) => {
      byId(`${name}-section`).hidden = false;
      return byId(name);
    };
    const notify = (/** @type {string} */ message, bad = false) => this.status.say(message, bad);
    const latents = steering.available && steering.count > 1;
    if (latents || knobs.controls.length > 1) this.pad = showPad(open("pad"), player, knobs, steering, signal);
    const controls = open("controls");
    showSliders(controls, knobs, signal);
    showVectors(controls, knobs, signal);
    byId("reset").onclick = () => knobs.reset();
    if (latents) showLatents(open("latents"), byId("release"), player, steering, signal);
    new SavedStates(open("saved"), player, steering, {
      page: (saved) => this.#page(saved),
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
    // A pen that rests costs nothing; what is shown is what writing costs.
    on("stats", (stats) => (!this.letter || player.pending > 0) && this.status.show(stats));
    on("error", ({ message }) => this.status.say(message, true));
    on("end", ({ reason }) => this.#ended(reason));
    on("reset", () => this.knobs.refresh());
    on("text", () => this.#showPlaying());
    on("state", ({ playing, connected }) => {
      this.#showPlaying();
      if (playing) this.sound?.start();
      else this.sound?.stop();
      if (connected === false) this.status.say("The server is away: trying again.", true);
      else if (this.away) this.status.say("The server is back.");
      this.away = connected === false;
    });
    this.letter?.addEventListener("begin", () => this.status.attempt(() => this.newPage()));
    this.letter?.addEventListener("empty", () => this.status.attempt(() => this.rest()));
    this.letter?.addEventListener("note", (event) => this.status.say(/** @type {CustomEvent} */ (event).detail.message));
  }

  /** Show whether the button pauses or plays. A finished letter is played again, although the pen waits for more text. */
  #showPlaying() {
    this.transport.showPlaying(this.player.playing && !this.letter?.finished);
  }

  /** Show or hide the words "press play". @param {boolean} shown */
  #hint(shown) {
    byId("hint").classList.toggle("gone", !shown);
  }

  /** Return what belongs to a saved state of a pen. @param {import("../player/player.js").Saved} saved */
  #page({ ahead = 0 }) {
    const { letter, paper } = this;
    const place = paper?.place();
    return {
      letter: letter && { text: letter.sent, base: letter.base },
      ...(place && { place: { ...place, x: place.x + ahead } }),
    };
  }

  #ended(reason) {
    this.transport.showPlaying(false);
    this.sound?.stop();
    this.transport.play.disabled = true;
    this.status.say(`${sentence(reason)} Reload the page to begin again.`, true);
  }
}
