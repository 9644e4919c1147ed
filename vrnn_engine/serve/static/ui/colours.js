// @ts-check
/** The switch between light and dark colours; by default the page follows the system. */

const KEY = "vrnn-engine.theme";
const CHOICES = ["auto", "light", "dark"];
const ICONS = { auto: "auto", light: "sun", dark: "moon" };
const WORDS = { auto: "as the system", light: "light", dark: "dark" };

/** Colours that were read, until they change: reading them takes time. @type {Map<string, string>} */
const known = new Map();

/** Apply a choice to the document. @param {string} choice */
function apply(choice) {
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

/** Return the choice that was stored; "auto" if there is none or storage is not allowed. */
function stored() {
  try {
    const choice = localStorage.getItem(KEY) ?? "auto";
    return CHOICES.includes(choice) ? choice : "auto";
  } catch {
    return "auto";
  }
}

/**
 * Connect the button that goes from one choice to the next.
 *
 * @param {HTMLElement} button
 * @param {() => void} changed  Called when the colours have changed, also when the system changes them.
 */
export function connectColours(button, changed) {
  let choice = stored();
  const forget = () => {
    known.clear();
    changed();
  };
  const show = () => {
    apply(choice);
    button.setAttribute("aria-label", `Colours: ${WORDS[choice]}`);
    button.title = `Colours: ${WORDS[choice]}`;
    button.querySelector("use")?.setAttribute("href", `#icon-${ICONS[choice]}`);
    forget();
  };
  button.addEventListener("click", () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", forget);
  show();
}

/**
 * Return colours of the style sheet by the names of their variables.
 *
 * @param {string[]} names  Such as "ink" for `--ink`.
 * @returns {Object<string, string>}
 */
export function readColours(names) {
  const style = getComputedStyle(document.documentElement);
  for (const name of names) if (!known.has(name)) known.set(name, style.getPropertyValue(`--${name}`).trim());
  return Object.fromEntries(names.map((name) => [name, known.get(name) ?? ""]));
}

/** Whether the system asks for less motion. */
export function lessMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
