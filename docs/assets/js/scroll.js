// A table or an equation that is wider than its box scrolls there: let the keyboard reach it.
const boxes = ".md-typeset__scrollwrap, div.arithmatex";
const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
const watch = () => document.querySelectorAll(boxes).forEach((box) => observer.observe(box));
window.document$ ? window.document$.subscribe(watch) : watch();
