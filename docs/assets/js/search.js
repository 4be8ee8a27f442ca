// Material fetches the index of its search, the largest file of the site, behind the first page of each visit.
// Hold that request back until the reader turns to the search; the theme says "Initializing search" meanwhile.
// This script is named under extra.polyfills in mkdocs.yml, so that it runs before the theme's.
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
