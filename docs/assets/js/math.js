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
    Object.assign(script, { onload: () => resolve(window.katex), onerror: reject });
    document.head.append(style, script);
  });
  return loading;
}

async function render() {
  const found = document.querySelectorAll(".arithmatex:not([data-rendered])");
  if (found.length === 0) return;
  const katex = await load();
  let pause = performance.now() + 20;
  for (const element of found) {
    if (performance.now() > pause) { // a page with a hundred equations stays ready for its reader meanwhile
      await new Promise((resolve) => setTimeout(resolve));
      pause = performance.now() + 20;
    }
    if (element.dataset.rendered !== undefined) continue; // the reader left and came back during a pause
    const source = element.textContent.trim(); // \(…\) inline, \[…\] on lines of its own
    katex.render(source.slice(2, -2), element, { ...options, displayMode: source.startsWith("\\[") });
    element.dataset.rendered = "";
  }
}

window.document$ ? window.document$.subscribe(render) : render(); // Material's instant navigation, or a plain page
