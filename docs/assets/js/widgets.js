// Load the code of an interactive part, and only on a page that has it: <lstm-cell> or <lstm-train>.
// Once its code is here, the browser upgrades an element by itself, also after instant navigation.
const parts = { "lstm-cell": "./cell.js", "lstm-train": "./train.js" };

function load() {
  for (const [tag, file] of Object.entries(parts)) {
    if (document.querySelector(tag)) import(file);
  }
}

window.document$ ? window.document$.subscribe(load) : load(); // Material's instant navigation, or a plain page
