// A table or an equation that is wider than its box scrolls there: let the keyboard reach it.
const boxes = ".md-typeset__scrollwrap, div.arithmatex";
function mark(found) {
  const wide = found.map((box) => box.scrollWidth > box.clientWidth); // all are measured before the first is changed
  found.forEach((box, k) => (wide[k] ? (box.tabIndex = 0) : box.removeAttribute("tabindex")));
}
const all = () => [...document.querySelectorAll(boxes)];
const targets = (entries) => mark(entries.map(({ target }) => target));
const sizes = new ResizeObserver(targets);
const contents = new MutationObserver(targets); // an equation is drawn later, into a box that may keep its size
document.fonts.addEventListener("loadingdone", () => mark(all()));
const watch = () => all().forEach((box) => {
  sizes.observe(box);
  contents.observe(box, { childList: true });
});
window.document$ ? window.document$.subscribe(watch) : watch();
