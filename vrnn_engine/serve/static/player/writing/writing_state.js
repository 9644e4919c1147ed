// @ts-check
/** What a stream has written of its text and has still to write, as a value that never changes. */

import { Line } from "./line.js";
import { END, FREE, behindSpaces, ending, nextPart } from "./part.js";

/** @typedef {import("./part.js").Part} Part */

/** Number of written characters that may be kept. Dropping them copies the text that is to come. */
const KEPT = 4096;

const BEGINNING = {
  /** The characters that the window may still show, and those to come. */
  text: "",
  /** Place in `text` of the window's first character. */
  offset: 0,
  /** Place in `text` of the first character whose ink is not generated. */
  done: 0,
  /** Number of characters whose ink has been generated since the stream was opened. */
  generated: 0,
  /** Number of those whose ink is among `ready`. */
  unread: 0,
  /** Frames that are generated and not read. */
  ready: /** @type {import("../stream.js").Frame[]} */ ([]),
  /** Steps taken since the zero state; the position in the noise. */
  steps: 0,
  /** Whether the stream ever got a text. Without one it writes freely. */
  hasText: false,
  /** Whether the recurrent state is in the middle of a line. */
  begun: false,
  /** Whether the next word does not fit on the line, and begins a new one. */
  broken: false,
  /** Number of spaces before the next ink that are already written. */
  spaces: 0,
  /** Number of successive points with the pen up at the end of a line that is written freely. */
  still: 0,
  line: new Line(),
  /** Width of a line in the unit of the voice; null if lines break only where the text says so. */
  width: /** @type {number|null} */ (null),
};

/** @typedef {typeof BEGINNING} Values */

export class WritingState {
  /** @param {Partial<Values>} [values] */
  constructor(values = {}) {
    /** @type {Values} */
    this.values = Object.freeze({ ...BEGINNING, ...values });
  }

  /** Number of characters whose ink has been read. Those of a word count once its last frame has been read. */
  get written() {
    return this.values.generated - this.values.unread;
  }

  /** Number of characters whose ink has not been read. */
  get pending() {
    const { text, done, unread } = this.values;
    return text.length - done + unread;
  }

  /**
   * Return the state with other values.
   *
   * @param {Partial<Values>} changes
   * @returns {WritingState}
   */
  with(changes) {
    return new WritingState({ ...this.values, ...changes });
  }

  /**
   * Return the state with more text to come. The first text of a stream begins on an empty line.
   *
   * @param {string} text
   * @param {number} height  Height of a line.
   * @returns {WritingState}
   */
  withText(text, height) {
    const state = this.values.hasText ? this : this.onNewLine(height).with({ hasText: true });
    return state.with({ text: state.values.text + text });
  }

  /**
   * Return the state without the last `count` characters to come; without all of them if there are fewer.
   *
   * @param {number} count
   * @returns {WritingState}
   */
  withoutLast(count) {
    const { text, done } = this.values;
    return this.with({ text: text.slice(0, Math.max(done, text.length - count)) });
  }

  /**
   * Return the state in which the next ink begins a new line, unless this one is empty, with a new recurrent state.
   *
   * @param {number} height
   * @returns {WritingState}
   */
  onNewLine(height) {
    const { line, done } = this.values;
    const below = line.points ? line.next(height) : line;
    return this.with({ line: below, begun: false, broken: false, spaces: 0, still: 0, offset: done });
  }

  /**
   * Return the state after a frame of `ready` is read; the word is read with its last frame.
   *
   * @returns {WritingState}
   */
  taken() {
    const ready = this.values.ready.slice(1);
    return this.with({ ready, unread: ready.length ? this.values.unread : 0 });
  }

  /**
   * Return the next part to generate, null if all is written, and the state after the empty lines and spaces before it.
   *
   * @param {number} height  Height of a line.
   * @returns {[Part|null, WritingState]}
   */
  next(height) {
    if (!this.values.hasText) return [FREE, this];
    /** @type {WritingState} */
    let state = this;
    while (true) {
      if (state.values.broken) {
        state = state._writtenTo(behindSpaces(state.values.text, state.values.done));
        if (state.values.begun) return [ending(this.values.done, state.values.done, true), this];
        state = state.onNewLine(height);
      }
      const { text, done, begun, spaces, line } = state.values;
      const part = nextPart(text, done);
      if (part) return [part, state];
      const place = behindSpaces(text, done);
      const ends = text[place] === END;
      if (begun) return [ending(done, place + (ends ? 1 : 0), ends), state];
      if (!ends) {
        return [null, state._writtenTo(place).with({ spaces: spaces + place - done, offset: place })._trimmed()];
      }
      state = state._writtenTo(place + 1).with({ spaces: 0, line: line.next(height), offset: place + 1 });
    }
  }

  /**
   * Return the state after a part was generated.
   *
   * If its window moved behind the part, the characters that follow cannot be read any more, and begin anew.
   *
   * @param {import("./part_run.js").PartRun} run  The part, complete.
   * @param {import("./line.js").Ink} ink  Its frames.
   * @param {Line} line  The line after these frames.
   * @param {number} height  Height of a line.
   * @returns {WritingState}
   */
  after(run, ink, line, height) {
    const { part } = run;
    const isFree = part.kind === "free";
    const ends = isFree ? run.rests : part.kind !== "word" || run.offset > part.end;
    const count = part.end - this.values.done;
    return this.with({
      offset: ends ? part.end : run.offset,
      done: part.end,
      generated: this.values.generated + count,
      unread: ink.length ? count : 0,
      ready: ink,
      begun: !ends,
      broken: false,
      spaces: 0,
      still: isFree && !ends ? run.still : 0,
      line: ends && part.newLine ? line.next(height) : line,
    })._trimmed();
  }

  /**
   * Return the state after characters were written that have no ink of their own.
   *
   * @param {number} end
   * @returns {WritingState}
   */
  _writtenTo(end) {
    return this.with({ done: end, generated: this.values.generated + end - this.values.done });
  }

  /** Return the state without the written characters that no window shows, if there are many. */
  _trimmed() {
    const { text, offset, done } = this.values;
    const count = Math.min(offset, done);
    if (count <= KEPT) return this;
    return this.with({ text: text.slice(count), offset: offset - count, done: done - count });
  }
}
