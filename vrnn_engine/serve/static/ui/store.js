// @ts-check
/** Saved states in this browser's IndexedDB, by voice. */

const DATABASE = "vrnn-engine";
const STORE = "states";

/**
 * A saved state.
 * @typedef {Object} SavedState
 * @property {number} [id]
 * @property {string} voice
 * @property {string} name
 * @property {import("../player/player.js").Saved} saved
 * @property {{text: string, base: number}|null} letter  What had been given to the pen, of a voice that writes.
 * @property {{x: number, width: number}} [place]  Where the pen was on its line, and the width of the lines.
 */

/** Return what a request gives. @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Open the object store. @param {"readonly"|"readwrite"} mode */
async function open(mode) {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true }).createIndex("voice", "voice");
  const database = await result(request);
  const transaction = database.transaction(STORE, mode);
  transaction.oncomplete = () => database.close();
  return transaction.objectStore(STORE);
}

/** Return the saved states of a voice, oldest first. @param {string} voice @returns {Promise<SavedState[]>} */
export async function loadStates(voice) {
  return result((await open("readonly")).index("voice").getAll(voice));
}

/** Add a state; return its number. @param {SavedState} state */
export async function addState(state) {
  return result((await open("readwrite")).add(state));
}

/** Delete a state. @param {number} id */
export async function deleteState(id) {
  await result((await open("readwrite")).delete(id));
}
