// @ts-check
/**
 * Opens a player of a voice: one that computes the voice in this browser, or one that listens to a server.
 *
 * Both kinds have the interface `Player` below, so that the page does not need to know which one it has.
 */

/**
 * A control of a voice, as in its `voice.json`.
 * @typedef {{name: string, shape: number[], default: number, minimum: number, maximum: number, description: string}} Control
 */

/**
 * What a voice is: its `voice.json`.
 * @typedef {Object} Manifest
 * @property {string} name
 * @property {"audio"|"pen"} modality
 * @property {number} rate  Audio: samples per second. Pen: points per second.
 * @property {number} frame_size  Audio: samples per frame. Pen: 3 (dx, dy, pen-up).
 * @property {string} unit  Unit of the samples, or of dx and dy.
 * @property {Control[]} controls
 * @property {{role: string, precision: string, file: string, inputs: Object<string, number[]>, outputs: Object<string, number[]>}[]} graphs
 * @property {{alphabet: string[], window: number, position: string, first_position: number, restart: string[], line_height: number}} [text]
 *   How the voice reads a text; absent if it reads none.
 * @property {Object<string, string>} files  SHA-256 of each file of the voice, by its name.
 */

/**
 * Everything that the next frames depend on, as plain data that IndexedDB can keep.
 * @typedef {Object} Saved
 * @property {string} voice  Name of the voice.
 * @property {Float32Array} latent  Latent of the last frame, [Z]; for a morph between two saved states.
 * @property {Object<string, any>|string|ArrayBuffer} data  The rest; its form is the player's own.
 * @property {number} [ahead]  Of a pen: sum of dx of the points before the state that have not been given out.
 */

/**
 * Plays one stream of a voice. An EventTarget with these events, whose values are in `event.detail`:
 *
 *     frames   {frame: number, data: Float32Array}     frames that are played about now, and the number of the first one:
 *                                                      samples, or dx, dy, pen-up of each point
 *     latents  {frame, latent, mean, std, kl}          about ten times a second: of the frame, [Z] each; mean and std are
 *                                                      of the prior, kl is that of N(mean, std) from N(0, 1), in nats
 *     text     {written: number, pending: number}      when one of them has changed
 *     stats    {stepMs, frameMs, underruns, leadMs, reconnects, limited}
 *                                                      once a second: time to compute a frame, time that a frame lasts,
 *                                                      gaps in the sound since `play`, time that is computed ahead,
 *                                                      samples that were too loud and were limited
 *     state    {playing: boolean, connected: boolean}  when one of them has changed
 *     reset    {}                                      the controls were reset: a frame was not finite, or the sound ran away
 *     error    {message: string}                       one line; the player goes on
 *     end      {reason: string}                        one line; the player is closed
 *
 * @typedef {Object} PlayerMembers
 * @property {Manifest} manifest
 * @property {"audio"|"pen"} kind
 * @property {number} framesPerSecond
 * @property {bigint} seed  0 to 2**64-1; determines all noise of the stream.
 * @property {boolean} playing
 * @property {number} written  Number of characters whose ink has been given out; 0 for a voice without text.
 * @property {number} pending  Number of characters to come; 0 for a voice without text.
 * @property {AudioNode|null} audioNode  Node that plays the sound, connected to the destination; null for a pen.
 * @property {(options?: {seed?: Seed, text?: string, width?: number}) => Promise<void>} restart
 *   Begin again from the zero state; the controls keep their values. Seed, text and width are by default those given last.
 * @property {() => Promise<void>} play  Call it from a click or a key, because browsers allow sound only then.
 * @property {() => void} pause
 * @property {(name: string, value: number|ArrayLike<number>, options?: {index?: number|null, ramp?: number}) => void} set
 *   Set a control, or its dimension `index`, at once or along a line of `ramp` seconds. Throws a RangeError that says
 *   what is wrong if there is no such control or dimension, or the value is out of range.
 * @property {(name: string) => Float32Array} value  Value of a control as last set; a copy.
 * @property {() => void} reset  Set every control to its default.
 * @property {(text: string) => void} write  Add text behind what is to be written; "\n" begins a new line. Throws a
 *   RangeError that names the first character that the voice cannot write.
 * @property {(count: number) => void} erase  Remove the last characters that are to come.
 * @property {() => Promise<Saved>} save
 * @property {(saved: Saved) => Promise<void>} restore  Rejects if the saved state is of another voice.
 * @property {(seed: Seed) => void} reseed  Use the noise of another seed from the next frame or word on.
 * @property {() => void} close
 */

/** @typedef {EventTarget & PlayerMembers} Player */

/**
 * A number of 64 bits; a string has decimal digits.
 * @typedef {bigint|number|string} Seed
 */

/**
 * What a page is told by its `config.json`.
 * @typedef {{mode: "local"|"remote", voice?: string, voices?: string[], token?: boolean}} Config
 */

/**
 * Options of a player.
 * @typedef {Object} PlayerOptions
 * @property {string} [voice]  Local: address of the voice's folder. Remote: name of the voice. By default what the
 *   configuration says first.
 * @property {Seed} [seed]  By default a random seed of 32 bits.
 * @property {string} [text]  For a voice that writes: what it writes first.
 * @property {number} [width]  For a voice that writes: width of a line, in the unit of the voice.
 * @property {(part: number) => void} [progress]  Gets the part of the voice that is loaded, 0 to 0.99.
 * @property {() => boolean} [silent]  Remote: called each time that the server has not answered for six seconds; returns
 *   whether to try again. By default, the player tries again.
 */

/**
 * Open a player. It does not play yet.
 *
 * @param {Config} config  Content of `config.json`.
 * @param {PlayerOptions} [options]
 * @returns {Promise<Player>}  Rejected with an Error of one line if the voice cannot be loaded.
 */
export async function openPlayer(config, options = {}) {
  if (config.mode === "remote") {
    const { openRemotePlayer } = await import("./remote.js");
    return openRemotePlayer(config, options);
  }
  const { openLocalPlayer } = await import("./local.js");
  return openLocalPlayer(config, options);
}
