// Render the equations that arithmatex leaves as \(…\) and \[…\].
// KaTeX is fetched from our own folder, and only by a page that has an equation.
const home = new URL("../katex/", import.meta.url); // right under any base path
// Letters that belong to a gate take its colour: see the .gate-… rules in site.css.
const macros = Object.fromEntries(
  Object.entries({
    forget: "forget", inp: "input", cand: "candidate", out: "output", cell: "cell", hidden: "hidden",
  }).map(([name, gate]) => [`\\${name}`, `\\htmlClass{gate-${gate}}{#1}`]),
);
const options = {
  macros,
  output: "htmlAndMathml", // MathML is what a screen reader speaks
  throwOnError: false, // a wrong equation shows its source, framed by site.css
  strict: (code) => (code === "htmlExtension" ? "ignore" : "warn"),
  trust: ({ command }) => command === "\\htmlClass",
};

let loading;
function load() {
  loading ??= new Promise((resolve, reject) => {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("katex.min.css", home) });
    const script = Object.assign(document.createElement("script"), { src: new URL("katex.min.js", home) });
    // Not at once: to run KaTeX's own code takes a phone long enough.
    Object.assign(script, { onload: () => setTimeout(resolve, 0, window.katex), onerror: reject });
    document.head.append(style, script);
  });
  return loading;
}

// A browser may break the line between an equation and the full stop after it. Hold a short one and its mark together.
function keepWithMark(element) {
  const after = element.nextSibling;
  const [mark] = /^[.,;:)]+/.exec(after?.data ?? "") ?? [];
  if (!mark) return;
  const kept = Object.assign(document.createElement("span"), { className: "kept" });
  element.before(kept);
  after.splitText(mark.length);
  kept.append(element, after);
}

async function render() {
  const found = document.querySelectorAll(".arithmatex:not([data-rendered])");
  if (found.length === 0) return;
  const katex = await load();
  // Drawn beside the page and put into it thirty or so at a time: each change makes the browser lay out the page again,
  // and a large one makes the reader wait.
  const drawn = [];
  const isNew = (element) => element.dataset.rendered === undefined; // not so if the reader left and came back meanwhile
  const show = () => drawn.splice(0).forEach(([element, parts, source]) => {
    if (!isNew(element)) return;
    element.replaceChildren(...parts);
    element.dataset.rendered = "";
    if (source.length < 30) keepWithMark(element);
  });
  let pause = performance.now() + 8;
  for (const element of found) {
    if (performance.now() > pause) { // a page with a hundred equations stays ready for its reader meanwhile
      if (drawn.length > 30) show();
      await new Promise((resolve) => setTimeout(resolve));
      pause = performance.now() + 8;
    }
    if (!isNew(element)) continue;
    const source = element.textContent.trim(); // \(…\) inline, \[…\] on lines of its own
    const beside = document.createElement("span");
    katex.render(source.slice(2, -2), beside, { ...options, displayMode: source.startsWith("\\[") });
    drawn.push([element, beside.childNodes, source]);
  }
  show();
}

window.document$ ? window.document$.subscribe(render) : render(); // Material's instant navigation, or a plain page
