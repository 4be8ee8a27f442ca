// Load the code of an interactive part when the reader comes near it, or walks through the page with the Tab key.
// Once its code is here, the browser upgrades an element by itself, also after instant navigation.
const parts = { "lstm-cell": "./cell.js", "lstm-train": "./train.js" };

const find = () => document.querySelectorAll(Object.keys(parts));
const load = ({ localName }) => import(parts[localName]);
const near = new IntersectionObserver(
  (entries) => entries.forEach(({ isIntersecting, target }) => isIntersecting && load(target)),
  { rootMargin: "1500px" },
);
const watch = () => find().forEach((part) => near.observe(part));
document.addEventListener("keydown", ({ key }) => key === "Tab" && find().forEach(load));

window.document$ ? window.document$.subscribe(watch) : watch(); // Material's instant navigation, or a plain page
