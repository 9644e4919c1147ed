// @ts-check
/** The two quiet lines below the buttons: what a frame costs, and what happens. */

import { element } from "./dom.js";
import { messageOf, sentence } from "./words.js";

const SECONDS = 20; // over which the cost is averaged
const LEAST = 4; // seconds before it is shown

/** Both lines. */
export class Status {
  /** @param {HTMLElement} cost @param {HTMLElement} notice */
  constructor(cost, notice) {
    this.cost = cost;
    this.notice = notice;
    this.timer = 0;
    this.sounds = false;
    this.remote = false;
    this.slow = false;
    /** Costs of the last seconds: a pen computes whole words, so that a single second says little. @type {number[]} */
    this.recent = [];
  }

  /**
   * Say something for some seconds; errors stay until something else is said.
   *
   * @param {string} message
   * @param {boolean} [bad]
   */
  say(message, bad = false) {
    clearTimeout(this.timer);
    this.notice.textContent = sentence(message);
    this.notice.classList.toggle("bad", bad);
    if (message && !bad) this.timer = Number(setTimeout(() => (this.notice.textContent = ""), 6000));
  }

  /** Do something, and say what went wrong. @param {() => Promise<any>} act */
  async attempt(act) {
    try {
      await act();
    } catch (error) {
      this.say(messageOf(error), true);
    }
  }

  /** Show where the voice is computed, before anything has been measured. @param {string} where @param {boolean} [sounds] @param {boolean} [remote] */
  place(where, sounds = false, remote = false) {
    this.remote = remote;
    this.sounds = sounds; // a pen has no gaps
    this.recent = [];
    this.cost.textContent = where;
  }

  /**
   * Show the cost.
   *
   * @param {{stepMs: number, frameMs: number, underruns: number, reconnects: number, limited: number}} stats
   */
  show({ stepMs, frameMs, underruns, reconnects, limited }) {
    this.recent = [...this.recent.slice(-SECONDS), stepMs];
    const mean = this.recent.reduce((sum, one) => sum + one, 0) / this.recent.length;
    if (!mean || this.recent.length < LEAST) return;
    const times = frameMs / mean;
    const parts = [`${mean.toFixed(mean < 1 ? 2 : 1)} ms a frame`, `${times < 10 ? times.toFixed(1) : Math.round(times)} \u00d7 real time`];
    if (reconnects) parts.push(reconnects === 1 ? "reconnected once" : `reconnected ${reconnects} times`);
    const gaps = element("span", { class: underruns ? "poor" : "" }, ` \u00b7 ${underruns === 1 ? "1 gap" : `${underruns} gaps`}`);
    const loud = limited ? ` \u00b7 ${limited.toLocaleString("en")} samples limited` : "";
    const slow = this.sounds && times < 1 && underruns > 2;
    if (slow && !this.slow) this.say(this.remote ? "The server is busy, so the sound has gaps. Try again later." : "This device is too slow for the voice. Close what else is running.");
    this.slow ||= slow; // said once
    this.cost.replaceChildren(parts.join(" \u00b7 "), ...(this.sounds ? [gaps, loud] : []));
  }
}
