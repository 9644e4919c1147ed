/** Says why the page does nothing if its modules do not run, which app.js would mark. It is no module, so that it runs. */
addEventListener("load", () => {
  if ("runs" in document.documentElement.dataset) return;
  const notice = document.getElementById("notice");
  notice.classList.add("bad");
  notice.textContent = location.protocol === "file:"
    ? "Browsers do not run this page from a file. Serve its folder: python -m http.server"
    : "A part of this page is missing, or this browser is too old. Reload the page, or use a newer browser.";
});
