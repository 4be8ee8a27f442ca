// The pictures of <lstm-cell>: the cell with the numbers of one step, and three charts over all steps.
// A table beside them says the same, so they are hidden from screen readers.
import { format } from "./unroll.js";

/** What each quantity is called in the palette; the order is that of the table. */
export const HUES = { f: "forget", i: "input", o: "output", g: "candidate", c: "cell", h: "hidden" };

/** How a quantity is written. */
export const sign = (name) => (name === "g" ? "c̃" : name);

// ---- The cell -----------------------------------------------------------------------------------------------------

// Where each number stands in cell.svg, how its text is anchored there, and its colour.
const PLACES = {
  before: [8, 130, "start", "cell"], // the old cell state
  past: [8, 372, "start", "hidden"], // the old hidden state
  kept: [246, 82, "middle", "cell"], // f · the old cell state
  added: [344, 146, "start", "cell"], // i · c̃
  f: [148, 196, "end", "forget"],
  i: [299, 174, "end", "input"],
  g: [362, 174, "start", "candidate"],
  o: [500, 208, "start", "output"],
  c: [712, 130, "end", "cell"],
  h: [712, 378, "end", "hidden"],
  x: [176, 409, "start", "ink"],
};

/** cell.svg as part of the page, where it takes the page's colours, with room for the numbers. */
export function readDrawing(text) {
  const drawing = document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
  drawing.querySelector("title").remove(); // it would pop up under the pointer
  for (const name of ["role", "aria-labelledby"]) drawing.removeAttribute(name);
  for (const [name, [x, y, anchor, hue]] of Object.entries(PLACES)) {
    const group = drawing.appendChild(document.createElementNS(drawing.namespaceURI, "g"));
    group.classList.add(hue);
    group.innerHTML = `<text class="number" data-number="${name}" x="${x}" y="${y}" text-anchor="${anchor}"/>`;
  }
  return drawing;
}

/** Write one unit's numbers on the arrows of a step. A part is as strong as its number is large. */
export function light(drawing, step, unit, held) {
  const [f, i, o, g, c, h] = Object.keys(HUES).map((name) => step[name][unit]);
  const before = step.before.c[unit], past = step.before.h[unit];
  const numbers = { before, past, kept: f * before, added: i * g, f, i, g, o, c, h };
  for (const [name, value] of Object.entries(numbers)) {
    const place = drawing.querySelector(`[data-number=${name}]`);
    place.textContent = format(value);
    place.classList.toggle("held", name in held);
  }
  drawing.querySelector("[data-number=x]").textContent = step.x.map((value) => format(value)).join(", ");
  const parts = { carry: c, forget: f, input: i, candidate: g, add: i * g, shown: Math.tanh(c), output: o, hidden: h, past };
  for (const [part, value] of Object.entries(parts)) {
    const strength = Math.round(30 + 70 * Math.min(1, Math.abs(value)));
    const group = drawing.querySelector(`#lstm-${part}`);
    group.style.setProperty("--strength", `${strength}%`);
    group.classList.toggle("faint", strength < 55); // the sign in its box then takes the ink's colour
  }
}

// ---- The charts ---------------------------------------------------------------------------------------------------

/** Gates; candidate and states; values and prediction. `unit` is the one shown, `at` the current step. */
export function charts(steps, at, unit) {
  const line = (name, dash = "") => ({ name, hue: HUES[name], dash, values: steps.map((step) => step[name][unit]) });
  const states = [line("g", "6 3"), line("c"), line("h", "2 3")];
  const prediction = { name: "", hue: "ink", dash: "", values: steps.map((step) => step.prediction) };
  // What the lesson's task means by its inputs: a value, and a flag that says “remember this one”.
  const dots = steps.map(({ x: [value, flag] }) => ({ value, flagged: flag > 0.5 }));
  return [
    chart("Gates", [0, 1], [line("f"), line("i", "6 3"), line("o", "2 3")], at),
    chart("Candidate and states", around(states.flatMap(({ values }) => values)), states, at),
    chart("○ value ● flagged — prediction", around([...prediction.values, ...dots.map((dot) => dot.value)]), [prediction], at, dots),
  ].join("");
}

/** A range, the same on both sides of zero, that holds all values. */
function around(values) {
  const largest = Math.max(1, ...values.map(Math.abs));
  return [-largest, largest];
}

function chart(title, [low, high], lines, at, dots = []) {
  const width = 240, height = 140, left = 30, right = 18, top = 8, bottom = 22, gap = 14;
  const count = lines[0].values.length;
  const slot = (width - left - right) / count;
  const x = (t) => (left + (t + 0.5) * slot).toFixed(1);
  const y = (value) => Number((top + ((high - value) / (high - low)) * (height - top - bottom)).toFixed(1));
  const column = (t, kind) => `<rect ${kind} x="${(left + t * slot).toFixed(1)}" y="0" width="${slot}" height="${height}"/>`;
  const grid = [low, (low + high) / 2, high].map(
    (value) => `<path class="grid" d="M${left} ${y(value)}H${width - right}"/>
      <text x="${left - 5}" y="${y(value) + 4}" text-anchor="end">${format(value, Number.isInteger(value) || high > 10 ? 0 : 1)}</text>`,
  );
  const paths = lines.map(({ hue, dash, values }) => {
    const points = values.map((value, t) => `${x(t)} ${y(value)}`);
    return `<path class="line gate-${hue}" stroke-dasharray="${dash}" d="M${points.join("L")}"/>`;
  });
  const circles = dots.map(({ value, flagged }, t) => `<circle class="${flagged ? "full" : ""}" cx="${x(t)}" cy="${y(value)}" r="4"/>`);
  // The names stand at the ends of the lines, pushed apart where they would meet.
  const ends = lines.map(({ name, hue, values }) => ({ name, hue, y: y(values[count - 1]) + 5 })).sort((a, b) => a.y - b.y);
  for (let k = 1; k < ends.length; k++) ends[k].y = Math.max(ends[k].y, ends[k - 1].y + gap);
  for (let k = ends.length - 1, room = height - bottom + 4; k >= 0; k--, room -= gap) ends[k].y = room = Math.min(ends[k].y, room);
  const names = ends.map((end) => `<text class="gate-${end.hue}" x="${width - right + 3}" y="${end.y}">${sign(end.name)}</text>`);
  const ticks = lines[0].values.map((_, t) => `<text x="${x(t)}" y="${height - 6}" text-anchor="middle">${t + 1}</text>`);
  const places = lines[0].values.map((_, t) => column(t, `class="pick" data-step="${t}"`)); // a click goes to a step
  const svg = [column(at, 'class="now"'), ...grid, ...paths, ...circles, ...names, ...ticks, ...places].join("");
  return `<figure><figcaption>${title}</figcaption><svg viewBox="0 0 ${width} ${height}">${svg}</svg></figure>`;
}
