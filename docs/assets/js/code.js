// The browser lays out a code block when it comes near the window; see content-visibility in site.css. Until then the
// height of the block follows from its number of lines, so that no jump inside the page misses its aim.
function count() {
  for (const code of document.querySelectorAll(".md-typeset .highlight code")) {
    code.closest(".highlight").style.setProperty("--lines", code.textContent.trimEnd().split("\n").length);
  }
}

window.document$ ? window.document$.subscribe(count) : count(); // Material's instant navigation, or a plain page
