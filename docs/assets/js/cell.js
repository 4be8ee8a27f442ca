// <lstm-cell src="explorer.json" unit="2">: look inside a small trained LSTM and change what goes in.
// What stands between the tags is for readers without JavaScript; it is replaced when the numbers are here.
import { HUES, charts, light, readDrawing, sign } from "./pictures.js";
import { LIMIT, copy, format, formatSum, largestDifference, readModel, readNumber, summands, unroll } from "./unroll.js";

const DRAWING = new URL("../cell.svg", import.meta.url);
const colour = (name, text = sign(name)) => `<span class="gate-${HUES[name]}">${text}</span>`;

class LstmCell extends HTMLElement {
  // Every listener sits on the element itself, so nothing remains when the reader leaves the page.
  async connectedCallback() {
    if (this.model) return; // moved, not new
    const { signal } = (this.leaving = new AbortController());
    const load = async (address) => {
      const answer = await fetch(address, { signal });
      if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
      return answer.text();
    };
    try {
      const source = new URL(this.getAttribute("src"), document.baseURI);
      const [json, drawing] = await Promise.all([load(source), load(DRAWING)]);
      this.start(readModel(JSON.parse(json)), drawing);
    } catch (error) {
      if (!signal.aborted) this.append(`The explorer could not be loaded: ${error.message}`);
    }
  }

  disconnectedCallback() {
    this.leaving.abort();
  }

  /** Build the parts once; `show` fills them. */
  start(model, drawing) {
    const { features, weights, series } = model;
    Object.assign(this, { model, reference: series[0], x: copy(series[0].x), at: 0, held: {} });
    this.unit = (this.getAttribute("unit") ?? 1) - 1;
    this.largest = Math.max(...series.map((each) => largestDifference(unroll(model, each.x), each)));
    this.innerHTML = template(features, weights.units, this.x.length);
    this.find("[name=unit]").value = this.unit;
    this.find(".explorer-drawing").append(readDrawing(drawing));
    this.addEventListener("input", ({ target }) => this.change(target));
    this.addEventListener("change", () => this.show()); // a refused number gives way to the last good one
    this.addEventListener("click", ({ target }) => this.click(target));
    this.show();
  }

  find(selector) {
    return this.querySelector(selector);
  }

  note(text) {
    this.find(".explorer-note").textContent = text;
  }

  /** The reader moved a slider, typed a number or chose from a list. */
  change(control) {
    const { feature, hold } = control.dataset;
    this.note("");
    if (feature) {
      const value = readNumber(control.value), input = this.x[this.at];
      if (value === null) {
        const { name } = this.model.features[feature];
        this.note(`A number from −${LIMIT} to ${LIMIT}, please. Until then, ${name} stays at ${format(input[feature])}.`);
        return;
      }
      input[feature] = value;
    } else if (hold) {
      delete this.held[hold];
      if (control.value) this.held[hold] = Number(control.value);
    } else if (control.name === "step") {
      this.at = Number(control.value) - 1;
    } else {
      this.unit = Number(control.value);
    }
    this.show(control);
  }

  /** A button, a row of the table or a place in a chart. */
  click(target) {
    const place = target.closest("[data-step]"), button = target.closest("button");
    if (place) this.go(Number(place.dataset.step));
    else if (button?.dataset.go) this.go(this.at + Number(button.dataset.go));
    else if (button) this.reset();
  }

  go(step) {
    this.at = Math.min(Math.max(step, 0), this.x.length - 1);
    this.note("");
    this.show();
  }

  reset() {
    Object.assign(this, { x: copy(this.reference.x), held: {} });
    this.note("The series that TensorFlow saw is back, and no gate is held.");
    this.show();
  }

  /** Compute everything and show it. A number that is being typed is left alone. */
  show(busy) {
    const { model, x, held, at, unit } = this;
    const steps = unroll(model, x, held);
    this.showControls(busy);
    light(this.find(".explorer-drawing svg"), steps[at], unit, held);
    this.find(".explorer-gates").innerHTML = gateEquations(model.weights, steps[at], at, unit, held);
    const worked = stateEquations(model, steps[at], at, unit);
    if (worked !== this.worked) this.find(".explorer-worked").innerHTML = this.worked = worked; // spoken: only if new
    this.find(".explorer-charts").innerHTML = charts(steps, at, unit);
    this.showTable(steps);
    this.showDifference(steps);
  }

  showControls(busy) {
    const { x, at, unit, held } = this;
    this.find("[name=step]").value = at + 1;
    for (const place of this.querySelectorAll(".explorer-at")) place.textContent = at + 1;
    for (const place of this.querySelectorAll(".explorer-unit")) place.textContent = unit + 1;
    // Not `disabled`: at the last step the button would lose the keyboard's focus.
    const [back, next] = this.querySelectorAll("[data-go]");
    back.setAttribute("aria-disabled", at === 0);
    next.setAttribute("aria-disabled", at === x.length - 1);
    for (const control of this.querySelectorAll("[data-feature]")) {
      if (control !== busy) control.value = x[at][control.dataset.feature];
    }
    for (const control of this.querySelectorAll("[data-hold]")) control.value = held[control.dataset.hold] ?? "";
  }

  showTable(steps) {
    for (const [t, row] of this.querySelectorAll("tbody tr").entries()) {
      const { x, prediction } = steps[t];
      const inputs = x.map((value) => format(value, Number.isInteger(value) ? 0 : 2));
      const numbers = [...Object.keys(HUES).map((name) => steps[t][name][this.unit]), prediction];
      [...inputs, ...numbers.map((value) => format(value))].forEach((text, k) => (row.cells[k + 1].textContent = text));
      if (t === this.at) row.setAttribute("aria-current", "step");
      else row.removeAttribute("aria-current");
    }
  }

  /** Against TensorFlow's numbers: those of the series shown, if it is as TensorFlow saw it, and those of all series. */
  showDifference(steps) {
    const seen = Object.keys(this.held).length === 0 && String(this.x) === String(this.reference.x);
    const here = seen ? `${largestDifference(steps, this.reference).toExponential(0)} in the series shown, ` : "";
    this.find(".explorer-difference").textContent =
      `Largest difference from TensorFlow’s states and predictions: ${here}` +
      `${this.largest.toExponential(0)} in all ${this.model.series.length} series of the file.` +
      (seen ? "" : " What is shown is yours now; TensorFlow has not seen it.");
  }
}

/** The parts of the explorer, still empty. */
function template(features, units, steps) {
  const options = (pairs) => pairs.map(([value, text]) => `<option value="${value}">${text}</option>`).join("");
  const input = ({ name, low, high }, k) => `
    <div><span aria-hidden="true">${name}</span>
      <input type="range" min="${low}" max="${high}" step="0.01" data-feature="${k}" aria-label="${name}, slider">
      <input type="number" min="${-LIMIT}" max="${LIMIT}" step="0.01" data-feature="${k}" aria-label="${name}, number"></div>`;
  const holds = options([["", "as trained"], [0, "at 0"], [0.5, "at 0.5"], [1, "at 1"]]);
  const hold = (gate) => `<label>${colour(gate, `${HUES[gate]} ${gate}`)}<select data-hold="${gate}">${holds}</select></label>`;
  const columns = ["step", ...features.map(({ name }) => name), ...Object.keys(HUES).map((name) => colour(name)), "predic\u00adtion"];
  const row = (_, t) => `<tr data-step="${t}"><th scope="row">${t + 1}</th>${"<td></td>".repeat(columns.length - 1)}</tr>`;
  const at = '<span class="explorer-at"></span>';
  return `
    <div class="explorer-controls">
      <div class="explorer-time">
        <label>Step ${at} of ${steps}<input type="range" name="step" min="1" max="${steps}"></label>
        <button type="button" data-go="-1">Back</button>
        <button type="button" data-go="1">Next</button>
        <label>Unit <select name="unit">${options(Array.from({ length: units }, (_, k) => [k, k + 1]))}</select></label>
      </div>
      <fieldset class="explorer-inputs"><legend>Input at step ${at}</legend>${features.map(input).join("")}</fieldset>
      <fieldset class="explorer-hold"><legend>Hold a gate, in all units</legend>${["f", "i", "o"].map(hold).join("")}</fieldset>
      <button type="button">Reset inputs and gates</button>
      <p class="explorer-note" role="status"></p>
    </div>
    <div class="explorer-now">
      <div class="explorer-drawing" aria-hidden="true"></div>
      <div class="explorer-gates"></div>
    </div>
    <div class="explorer-worked" role="status"></div>
    <div class="explorer-charts" aria-hidden="true"></div>
    <div class="explorer-table" role="group" aria-label="Table of every step" tabindex="0">
      <table class="explorer-steps"><caption>Every step of unit <span class="explorer-unit"></span></caption>
        <thead><tr>${columns.map((text) => `<th scope="col">${text}</th>`).join("")}</tr></thead>
        <tbody>${Array.from({ length: steps }, row).join("")}</tbody>
      </table>
    </div>
    <p class="explorer-difference"></p>`;
}

const bracket = (value) => (value < 0 ? `(${format(value, 3)})` : format(value, 3)); // after a point of multiplication

/** The gates and the candidate: what stands inside σ or tanh is the sum of three parts. */
function gateEquations(weights, step, at, unit, held) {
  const line = (gate) => {
    const inside = formatSum(summands(weights, step, gate, unit), 3);
    const right = gate in held ? "held at" : `${gate === "g" ? "tanh" : "σ"}(${inside}) =`;
    return `<p>${colour(gate)}<sub>${at + 1}</sub> ${gate in held ? "" : "="} ${right} <b>${format(step[gate][unit], 3)}</b></p>`;
  };
  return `<p class="explorer-key">Unit ${unit + 1}. Inside the brackets: input part, part of all hidden states, bias</p>${["f", "i", "g", "o"].map(line).join("")}`;
}

/** Cell state and hidden state of the unit, and the prediction, which all units make together. */
function stateEquations({ dense, offset }, step, at, unit) {
  const [f, i, o, g, c, h] = Object.keys(HUES).map((name) => step[name][unit]);
  const now = `<sub>${at + 1}</sub>`;
  const products = formatSum([...step.h, offset], 3, (k) => (k < dense.length ? ` · ${bracket(dense[k])}` : ""));
  return `
    <p>${colour("c")}${now} = ${colour("f")} · ${colour("c")}<sub>${at}</sub> + ${colour("i")} · ${colour("g")}
      = ${format(f, 3)} · ${bracket(step.before.c[unit])} + ${format(i, 3)} · ${bracket(g)} = <b>${format(c, 3)}</b></p>
    <p>${colour("h")}${now} = ${colour("o")} · tanh(${colour("c")}${now}) = ${format(o, 3)} · tanh(${format(c, 3)}) = <b>${format(h, 3)}</b></p>
    <p>Prediction from the ${colour("h")} of all units: ${products} = <b>${format(step.prediction, 3)}</b></p>`;
}

customElements.define("lstm-cell", LstmCell);
