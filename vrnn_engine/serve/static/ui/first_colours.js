/** Sets the stored colours before the first paint; everything else about them is in colours.js. */
try {
  const choice = localStorage.getItem("vrnn-engine.theme");
  if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
} catch {
  // Storage is not allowed: the page follows the system.
}
