// The numbers of the cell explorer, without a browser: against those that TensorFlow wrote.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { sigmoid } from "../../docs/assets/js/lstm.js";
import { charts } from "../../docs/assets/js/pictures.js";
import { LIMIT, copy, format, formatSum, largestDifference, readModel, readNumber, summands, unroll } from "../../docs/assets/js/unroll.js";

const stored = new URL("../../docs/runs/recurrent/lstm/explorer.json", import.meta.url);
const model = readModel(JSON.parse(readFileSync(stored)));
const { weights, series } = model;
const every = series.flatMap(({ x }) => unroll(model, x));

test("all states and predictions are TensorFlow's, also where gates saturate", () => {
  assert.equal(series.length, 12);
  for (const reference of series) assert.ok(largestDifference(unroll(model, reference.x), reference) < 1e-12);
  for (const gate of "ifo") {
    const values = every.flatMap((step) => [...step[gate]]);
    assert.ok(Math.max(...values) > 0.999999 && Math.min(...values) < 0.000001, `gate ${gate} saturates`);
  }
});

test("a difference is found, wherever it is, and NaN is one", () => {
  for (const name of ["h", "c"]) {
    const steps = unroll(model, series[0].x);
    steps[7][name][3] += 0.5;
    assert.ok(Math.abs(largestDifference(steps, series[0]) - 0.5) < 1e-12);
    steps[2][name][0] = NaN;
    assert.ok(Number.isNaN(largestDifference(steps, series[0])));
  }
  const steps = unroll(model, series[0].x);
  steps[9].prediction -= 2;
  assert.ok(Math.abs(largestDifference(steps, series[0]) - 2) < 1e-12);
});

test("the summands that an equation shows are what the gate squashes", () => {
  const squash = { i: sigmoid, f: sigmoid, o: sigmoid, g: Math.tanh };
  for (const step of every) {
    for (const [gate, of] of Object.entries(squash)) {
      for (let unit = 0; unit < weights.units; unit++) {
        const [input, hidden, bias] = summands(weights, step, gate, unit);
        assert.ok(Math.abs(of(input + hidden + bias) - step[gate][unit]) < 1e-12);
      }
    }
  }
});

test("a held gate is held in every unit and at every step", () => {
  for (const step of unroll(model, series[0].x, { f: 1, o: 0.5 })) {
    for (let unit = 0; unit < weights.units; unit++) {
      assert.equal(step.c[unit], step.before.c[unit] + step.i[unit] * step.g[unit]);
      assert.equal(step.h[unit], 0.5 * Math.tanh(step.c[unit]));
    }
  }
});

test("a series that the reader changes is the reader's own", () => {
  const mine = copy(series[0].x), before = JSON.stringify(series[0].x);
  mine[0][0] = 99;
  unroll(model, mine, { f: 1 });
  assert.equal(JSON.stringify(series[0].x), before);
});

test("only numbers that fit are read", () => {
  for (const [text, value] of Object.entries({ 0.5: 0.5, " -1 ": -1, "1e2": 100, "-0": -0, ".25": 0.25 })) {
    assert.equal(readNumber(text), value);
  }
  for (const junk of ["", " ", "NaN", "Infinity", "1e999", "100.01", "-1e5", "abc", "0,5", "1 2", "1e", "--1", "0.5\n0.7", "½"]) {
    assert.equal(readNumber(junk), null, junk);
  }
});

test("numbers are written for readers", () => {
  assert.deepEqual([-0.004, 0, -0, -1.239, 12.5].map((value) => format(value)), ["0.00", "0.00", "0.00", "−1.24", "12.50"]);
  assert.equal(formatSum([-1, -0.25, 2], 2), "−1.00 − 0.25 + 2.00");
  assert.equal(formatSum([1, -2], 0, (k) => ` · ${"ab"[k]}`), "1 · a − 2 · b");
});

test("charts stay whole with the largest inputs", () => {
  for (const size of [0, 1, LIMIT]) {
    const x = Array.from({ length: 10 }, (_, t) => [t % 2 ? size : -size, size]);
    for (const held of [{}, { f: 1 }, { f: 0, i: 0, o: 0 }]) {
      const drawn = charts(unroll(model, x, held), 9, 3);
      assert.equal(drawn.match(/<svg/g).length, 3);
      assert.doesNotMatch(drawn, /NaN|Infinity|undefined/);
      for (const [, y] of drawn.matchAll(/ c?y="([^"]*)"/g)) assert.ok(y >= 0 && y <= 140, y);
    }
  }
});
