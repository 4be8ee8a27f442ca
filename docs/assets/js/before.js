// What runs before the theme's script: named under extra.polyfills in mkdocs.yml.

// Material fetches the index of its search, the largest file of the site, behind the first page of each visit.
// Hold that request back until the reader turns to the search; the theme says "Initializing search" meanwhile.
{
  const wanted = new Promise((resolve) => {
    document.addEventListener("focusin", ({ target }) => target.closest(".md-search") && resolve());
  });
  const { open, send } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (method, url, ...options) {
    this.waitsFor = /\/search_index\.json$/.test(url) ? wanted : null;
    open.call(this, method, url, ...options);
  };
  XMLHttpRequest.prototype.send = function (body) {
    if (this.waitsFor) this.waitsFor.then(() => send.call(this, body));
    else send.call(this, body);
  };
  // The theme gives the search the role of a dialog, but no name.
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search");
  });
}

// Material gives a code block its button when the block is seen (content.lazy in mkdocs.yml): on a long page that spares
// a phone a quarter of a second. Here every block that is laid out counts as seen, and site.css lays out all of them for
// a reader who walks through the page with the Tab key.
{
  const { IntersectionObserver } = window;
  window.IntersectionObserver = class extends IntersectionObserver {
    constructor(callback, options) {
      super(callback, { rootMargin: "99999px", ...options });
    }
  };
  document.addEventListener("keydown", ({ key }) => key === "Tab" && document.documentElement.classList.add("walks"));
}
