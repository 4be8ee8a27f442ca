// <lstm-train src="training.json">: train an LSTM in the browser, from TensorFlow's start weights, and watch it.
// What stands between the tags is for readers without JavaScript; it is replaced when the numbers are here.
import { TASKS, sineValues } from "./training.js";

const NUMBERS = ["units", "timesteps", "forgetBias", "learningRate"];
const MEAN = 20; // batches of the recall task whose loss and right answers are averaged, so that a line can be seen
const SPOKEN = 1500; // milliseconds between two sentences while it trains
const FUTURE = Array.from(sineValues(0, 100)); // of the sine: what a forecast should be
const still = matchMedia("(prefers-reduced-motion: reduce)"); // then draw at the end of an epoch only

// What the two charts of a task show; `ticks` run from the lower to the upper end of an axis.
const steps = (task) => ({ ticks: [0, 1, 2, 3, 4].map((k) => (k * TASKS[task].steps) / 4), label: "training step" });
const VIEWS = {
  sine: {
    charts: [
      {
        title: "Loss of each batch",
        x: steps("sine"),
        y: { ticks: [-6, -4, -2, 0], name: (power) => (power ? `10${raised(power)}` : 1) },
      },
      {
        title: "Forecast, fed with its own outputs",
        x: { ticks: [1, 25, 50, 75, 100], label: "steps ahead" },
        y: { ticks: [-2, -1, 0, 1, 2] },
      },
    ],
    key: { yours: "your browser", theirs: "TensorFlow", truth: "the sine", earlier: "your last run (loss)" },
  },
  recall: {
    charts: [
      { title: "Loss, mean of 20 batches", x: steps("recall"), y: { ticks: [0, 0.5, 1, 1.5, 2] }, level: Math.log(4) },
      {
        title: "Right answers, mean of 20 batches",
        x: steps("recall"),
        y: { ticks: [0, 0.25, 0.5, 0.75, 1] },
        level: 0.25,
      },
    ],
    key: { yours: "your browser", earlier: "your last run", level: "guessing" },
  },
};

class LstmTrain extends HTMLElement {
  async connectedCallback() {
    if (this.reference) return this.reset(); // moved: its worker has ended
    this.leaving = new AbortController();
    const source = new URL(this.getAttribute("src"), document.baseURI);
    try {
      const answer = await fetch(source, { signal: this.leaving.signal });
      if (!answer.ok) throw new Error(answer.status);
      this.reference = await answer.json(); // TensorFlow's {start, losses, forecasts}
    } catch (error) {
      if (!this.leaving.signal.aborted) this.append(`The training could not be loaded (${error.message}).`);
      return;
    }
    this.innerHTML = template;
    this.form = this.querySelector("form");
    this.controls = this.form.elements;
    this.form.addEventListener("submit", (event) => this.toggle(event));
    this.form.addEventListener("change", ({ target }) => this.change(target));
    this.controls.reset.addEventListener("click", () => this.reset());
    this.controls.defaults.addEventListener("click", () => this.chooseTask());
    this.chooseTask();
  }

  /** The reader left the page, perhaps in the middle of a training. */
  disconnectedCallback() {
    this.leaving.abort();
    this.running = false;
    cancelAnimationFrame(this.frame);
    this.worker?.terminate();
    this.worker = null;
  }

  // ---- What the reader does -----------------------------------------------------------------------------------------

  chooseTask() {
    this.task = TASKS[this.controls.task.value];
    for (const name of NUMBERS) {
      const [value, min, max] = this.task[name];
      Object.assign(this.controls[name], { value, min, max });
    }
    this.earlier = null;
    this.reset();
  }

  change(control) {
    if (control.name === "task") this.chooseTask();
    else if (NUMBERS.includes(control.name)) {
      // No number: the default comes back. Out of range: the limit.
      const [value, min, max] = this.task[control.name];
      const typed = control.valueAsNumber, whole = control.step === "1";
      const read = Number.isNaN(typed) ? value : typed;
      control.value = Math.min(max, Math.max(min, whole ? Math.round(read) : read));
      this.reset();
      if (Number(control.value) === typed) return;
      const name = control.labels[0].textContent.trim(), kind = whole ? "whole number" : "number";
      this.say(`${name}: a ${kind} from ${minus(min)} to ${max}, please. ${this.sentence()}`);
    }
  }

  /** Back to the start weights, with the settings as they are. The run so far stays as a dashed line. */
  reset() {
    if (this.losses?.length > MEAN && this.task === TASKS[this.settings.task]) {
      this.earlier = { losses: this.losses, right: this.right };
    }
    const numbers = NUMBERS.map((name) => [name, Number(this.controls[name].value)]);
    this.settings = { task: this.controls.task.value, ...Object.fromEntries(numbers) };
    this.asTensorFlow = this.task === TASKS.sine && numbers.every(([name, value]) => value === this.task[name][0]);
    Object.assign(this, { run: (this.run ?? 0) + 1, running: false, begun: false });
    Object.assign(this, { losses: [], right: [], forecast: [], epochTook: 0, took: null });
    cancelAnimationFrame(this.frame);
    this.drawCharts();
    this.show();
  }

  toggle(event) {
    event.preventDefault(); // a form is sent elsewhere otherwise
    if (this.losses.length === this.task.steps) this.reset();
    this.running = !this.running;
    this.spoken = -SPOKEN; // say at once that it begins
    if (this.running) this.ask();
    this.show();
  }

  // ---- The training -------------------------------------------------------------------------------------------------

  /** Ask the worker for some steps: one picture's worth, and never past the end of an epoch. */
  ask() {
    if (this.waiting === this.run) return; // stopped and started again before the answer came
    const { epoch, steps: total } = this.task;
    const left = epoch - (this.losses.length % epoch);
    const whole = still.matches;
    const steps = whole || this.controls.fast.checked ? left : Math.min(left, total / 320);
    const begin = this.begun ? {} : { settings: this.settings, start: this.reference.start };
    this.begun = true;
    this.waiting = this.run;
    this.worker ??= this.hire();
    this.worker.postMessage({ run: this.run, ...begin, steps, milliseconds: whole ? Infinity : 60 });
  }

  hire() {
    const worker = new Worker(new URL("./train-worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => this.receive(data));
    worker.addEventListener("error", () => {
      this.reset();
      this.say("The training could not be started in this browser.");
    });
    return worker;
  }

  receive({ run, results, took, forecast }) {
    if (run !== this.run) return; // of a training that was reset meanwhile
    this.waiting = null;
    for (const { loss, right } of results) {
      this.losses.push(loss);
      this.right.push(right);
    }
    this.forecast = forecast;
    this.epochTook += took;
    if (this.losses.length % this.task.epoch === 0) Object.assign(this, { took: this.epochTook, epochTook: 0 });
    if (this.losses.length >= this.task.steps) this.running = false;
    // A page in the background gets no frames: it does not train on.
    if (this.running) this.frame = requestAnimationFrame(() => this.running && this.ask());
    this.show();
  }

  // ---- What the reader sees -----------------------------------------------------------------------------------------

  show() {
    const done = this.losses.length === this.task.steps;
    const start = done ? "Train again" : this.losses.length > 0 ? "Go on" : "Start";
    this.controls.start.textContent = this.running ? "Stop" : start;
    this.drawLines();
    const now = performance.now();
    if (this.running && now - (this.spoken ?? 0) < SPOKEN) return;
    this.spoken = now;
    this.say(this.sentence());
    this.describeCharts();
  }

  say(sentence) {
    const status = this.querySelector("[role=status]");
    if (status.textContent !== sentence) status.textContent = sentence; // what is the same is not spoken again
  }

  sentence() {
    const { losses, right, reference, task, took, asTensorFlow } = this;
    const sine = this.settings.task === "sine";
    if (losses.length === 0) {
      if (this.running) return "The training begins.";
      if (!sine) return "Ready. Each batch holds 32 new sequences.";
      if (asTensorFlow) return "Ready. The settings are those of TensorFlow.";
      return "Ready. TensorFlow trained with other settings; its lines stay for comparison.";
    }
    let text = `Step ${losses.length} of ${task.steps}: loss ${brief(losses.at(-1))}`;
    if (!sine) text += `, ${Math.round(100 * averages(right).at(-1))} of 100 answers right (by guessing, 25)`;
    else if (!asTensorFlow) text += `, TensorFlow’s ${brief(reference.losses[losses.length - 1])}`;
    else {
      const apart = Math.max(...losses.map((loss, k) => Math.abs(loss - reference.losses[k])));
      text += `. All losses so far lie within ${brief(apart)} of TensorFlow’s`;
    }
    const epoch = sine ? `One epoch, ${task.epoch} steps, takes` : `${task.epoch} steps take`;
    return `${text}.${took === null ? "" : ` ${epoch} ${Math.round(took)} ms.`}`;
  }

  /** The axes of the task, and a key. */
  drawCharts() {
    const view = VIEWS[this.settings.task];
    this.charts = view.charts.map((axes, k) => new Chart(this.querySelectorAll("figure")[k], axes));
    const shown = Object.entries(view.key).filter(([kind]) => kind !== "earlier" || this.earlier);
    const sample = (kind) =>
      `<svg viewBox="0 0 28 10" aria-hidden="true"><path class="line ${kind}" d="M0 5H28"/></svg>`;
    const entries = shown.map(([kind, name]) => `<span>${sample(kind)} ${name}</span>`);
    this.querySelector(".train-key").innerHTML = entries.join(" ");
  }

  drawLines() {
    const { losses, right, earlier, forecast, reference, task } = this;
    let lines; // of the two charts
    if (this.settings.task === "sine") {
      const log = (values) => values?.map((value) => Math.log10(value));
      const epoch = Math.floor(losses.length / task.epoch);
      lines = [
        { theirs: log(reference.losses), earlier: log(earlier?.losses), yours: log(losses) },
        { theirs: reference.forecasts[epoch], truth: FUTURE, yours: forecast },
      ];
    } else {
      lines = [
        { earlier: averages(earlier?.losses), yours: averages(losses) },
        { earlier: averages(earlier?.right), yours: averages(right) },
      ];
    }
    this.charts.forEach((chart, k) => chart.draw(lines[k]));
  }

  /** What the charts show, for those who do not see them. */
  describeCharts() {
    const { losses, right, forecast, charts } = this;
    const course = (values) => (values.length ? `: ${brief(values[0])} at first, now ${brief(values.at(-1))}` : "");
    if (this.settings.task === "recall") {
      charts[0].describe(course(averages(losses)));
      charts[1].describe(course(averages(right)));
    } else {
      const error = forecast.reduce((sum, value, k) => sum + (value - FUTURE[k]) ** 2 / FUTURE.length, 0);
      charts[0].describe(course(losses));
      charts[1].describe(forecast.length ? `: its mean squared error is ${brief(error)}` : "");
    }
  }
}

/** A chart of lines: the first value of a line stands at 1 on the axis, the next at 2. */
class Chart {
  static size = { width: 340, height: 220, left: 52, right: 18, top: 8, bottom: 40 };

  constructor(figure, { title, x, y, level }) {
    const { width, height, left, right, top, bottom } = Chart.size;
    const place = ({ ticks }, from, to) => {
      const low = ticks[0], high = ticks.at(-1); // what lies outside is drawn at the edge
      return (value) => from + ((to - from) * (Math.min(high, Math.max(low, value)) - low)) / (high - low);
    };
    Object.assign(this, { title: `${title} (across: ${x.label})`, svg: figure.querySelector("svg") });
    this.x = place(x, left, width - right);
    this.y = place(y, height - bottom, top);
    const name = y.name ?? minus;
    const text = (x, y, anchor, words) => `<text x="${x}" y="${y}" text-anchor="${anchor}">${words}</text>`;
    const across = (value, kind) => `<path class="${kind}" d="M${left} ${this.y(value)}H${width - right}"/>`;
    figure.querySelector("figcaption").textContent = title;
    this.describe("");
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.innerHTML = [
      ...y.ticks.map((tick) => across(tick, "grid") + text(left - 6, this.y(tick) + 4, "end", name(tick))),
      ...x.ticks.map((tick) => text(this.x(tick), height - bottom + 16, "middle", tick)),
      text((left + width - right) / 2, height - 6, "middle", x.label),
      level === undefined ? "" : across(level, "line level"),
      ...["theirs", "earlier", "truth", "yours"].map((kind) => `<path class="line ${kind}"/>`),
    ].join("");
  }

  describe(words) {
    this.svg.setAttribute("aria-label", this.title + words);
  }

  draw(lines) {
    for (const [kind, values = []] of Object.entries(lines)) {
      const points = values.map((value, k) => `${this.x(k + 1).toFixed(1)} ${this.y(value).toFixed(1)}`);
      this.svg.querySelector(`.${kind}`).setAttribute("d", points.length ? `M${points.join("L")}` : "");
    }
  }
}

/** The mean of each number and the 19 before it. */
function averages(values = []) {
  let sum = 0;
  return values.map((value, k) => {
    sum += value - (values[k - MEAN] ?? 0);
    return sum / Math.min(k + 1, MEAN);
  });
}

/** A number for a reader: with a true minus sign. */
const minus = (value) => String(value).replace("-", "−");

/** A negative whole number as an exponent. */
const raised = (power) => `⁻${[...String(-power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;

/** Two digits: 0.0021, and 2.6e-7 as 2.6 · 10⁻⁷. */
function brief(value) {
  if (value >= 0.001 || value === 0) return String(Number(value.toPrecision(2)));
  const [digits, power] = value.toExponential(1).split("e");
  return `${digits} · 10${raised(power)}`;
}

const number = (name, label, step) => `<label>${label} <input type="number" name="${name}" step="${step}"></label>`;
const template = `
  <form novalidate>
    <fieldset class="train-settings"><legend>Settings</legend>
      <label>Task <select name="task">
        <option value="sine">forecast a sine</option>
        <option value="recall">remember the first symbol</option>
      </select></label>
      ${number("units", "Units", 1)}
      ${number("timesteps", "Sequence length", 1)}
      ${number("forgetBias", "Forget-gate bias", "any")}
      ${number("learningRate", "Learning rate", "any")}
      <button type="button" name="defaults">Default settings</button>
    </fieldset>
    <div class="train-buttons">
      <button name="start">Start</button>
      <button type="button" name="reset">Reset</button>
      <label><input type="checkbox" name="fast"> Full speed</label>
    </div>
  </form>
  <div role="status"></div>
  <div class="train-charts">
    <figure><figcaption></figcaption><svg role="img"></svg></figure>
    <figure><figcaption></figcaption><svg role="img"></svg></figure>
  </div>
  <p class="train-key"></p>`;

customElements.define("lstm-train", LstmTrain);
