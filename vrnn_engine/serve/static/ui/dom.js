// @ts-check
/** Short ways to make and find elements. */

/**
 * Make an element.
 *
 * @param {string} tag
 * @param {Object<string, any>} [attributes]  A name that is a property of the element is set as such, others as attributes;
 *   null and undefined are left out.
 * @param {...(Node|string)} children
 * @returns {any}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (name === "class") made.className = value;
    else if (name in made && name !== "list" && name !== "form") made[name] = value;
    else made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/**
 * Make an icon of a symbol in the page.
 *
 * @param {string} name  Such as "play" for `#icon-play`.
 * @param {string} [group]
 * @returns {SVGElement}
 */
export function icon(name, group = "icon") {
  const space = "http://www.w3.org/2000/svg";
  const made = document.createElementNS(space, "svg");
  made.setAttribute("class", "icon");
  made.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#${group}-${name}`);
  made.append(use);
  return made;
}

/**
 * Return the element with an id.
 *
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found;
}

/**
 * Call a function for two quick taps or clicks at one place; browsers of phones do not all send "dblclick".
 *
 * @param {HTMLElement} target
 * @param {(event: PointerEvent) => void} act
 */
export function onDoubleTap(target, act) {
  let last = { time: -1000, x: 0, y: 0 };
  target.addEventListener("pointerup", (event) => {
    const { timeStamp: time, clientX: x, clientY: y } = event;
    const twice = time - last.time < 350 && Math.hypot(x - last.x, y - last.y) < 24;
    last = twice ? { time: -1000, x, y } : { time, x, y };
    if (twice) act(event);
  });
}

/** Return a number within limits. @param {number} value @param {number} low @param {number} high */
export function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

/**
 * Fit the pixels of a canvas to its size on the screen.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {{width: number, height: number, context: CanvasRenderingContext2D}}  Size in CSS pixels; the context draws in them.
 */
export function fitCanvas(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 2.5);
  const { clientWidth: width, clientHeight: height } = canvas;
  const [across, down] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { width, height, context };
}

/**
 * Offer a file for download.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
