// The training in the browser, without a browser: the same code against TensorFlow's numbers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import * as lstm from "../../docs/assets/js/lstm.js";
import { TASKS, fresh, fromKeras, generator, training } from "../../docs/assets/js/training.js";

const stored = new URL("../../docs/runs/recurrent/scratch/training.json", import.meta.url);
const { start, losses, forecasts } = JSON.parse(readFileSync(stored));
/** The settings of a task: where they start (0), their lower (1) or their upper limits (2). */
const settings = (task, which = 0) => {
  const { units, timesteps, forgetBias, learningRate } = TASKS[task];
  const chosen = { units, timesteps, forgetBias, learningRate };
  return { task, ...Object.fromEntries(Object.entries(chosen).map(([name, values]) => [name, values[which]])) };
};
const apart = (ours, theirs) => Math.max(...theirs.map((value, k) => Math.abs(ours[k] - value)));

test("the network of the start weights forecasts what TensorFlow's does", () => {
  assert.ok(apart(training(settings("sine"), start).look().forecast, forecasts[0]) < 1e-6);
});

test("every batch loss of the training is TensorFlow's, and so is the forecast after each epoch", () => {
  const run = training(settings("sine"), start);
  const ours = losses.map((_, k) => {
    if (k % 32 === 0) assert.ok(apart(run.look().forecast, forecasts[k / 32]) < 1e-3, `forecast after step ${k}`);
    return run.step().loss;
  });
  assert.equal(losses.length, 320);
  assert.ok(apart(ours.slice(0, 96), losses.slice(0, 96)) < 2e-6); // a fifth of what is promised
  assert.ok(apart(ours, losses) < 1e-5);
});

test("a held gate is held, for every unit, and the state follows the equations", () => {
  const network = fromKeras(start);
  const h = Array(16).fill(0.1), c = Array(16).fill(-2);
  const free = lstm.step(network, [0.5], h, c);
  const held = lstm.step(network, [0.5], h, c, { f: 1, o: 0 });
  for (let k = 0; k < 16; k++) {
    assert.equal(free.c[k], free.f[k] * c[k] + free.i[k] * free.g[k]);
    assert.equal(held.c[k], c[k] + free.i[k] * free.g[k]);
    assert.equal(Math.abs(held.h[k]), 0);
  }
});

/** Gradients by trying: each weight a little up, then a little down. */
function byTrying(network, batch, lossOf, name, step = 1e-5) {
  const loss = () => lstm.lossAndGradients(network, batch, lossOf).loss;
  return network[name].map((kept, k) => {
    network[name][k] = kept + step;
    const up = loss();
    network[name][k] = kept - step;
    const down = loss();
    network[name][k] = kept;
    return (up - down) / (2 * step);
  });
}

for (const [lossOf, target] of [
  [lstm.meanSquaredError, (random) => [random(), random()]],
  [lstm.crossEntropy, (random) => Math.floor(2 * random())],
]) {
  test(`gradients of the ${lossOf.name} are those of finite differences`, () => {
    const random = generator(7);
    const network = fresh({ features: 3, outputs: 2 }, 4, random);
    for (const name of lstm.ARRAYS) network[name].forEach((_, k) => (network[name][k] += 0.6 * random() - 0.3));
    const batch = Array.from({ length: 5 }, () => ({
      x: Array.from({ length: 6 }, () => Array.from({ length: 3 }, () => 2 * random() - 1)),
      y: target(random),
    }));
    const { gradients } = lstm.lossAndGradients(network, batch, lossOf);
    for (const name of lstm.ARRAYS) {
      const tried = byTrying(network, batch, lossOf, name);
      const relative = apart(gradients[name], Array.from(tried)) / Math.max(...tried.map(Math.abs));
      assert.ok(relative < 1e-6, `${name}: ${relative}`);
    }
  });
}

test("fresh weights are drawn as Keras draws them", () => {
  const { kernel, recurrentKernel, bias } = fresh({ features: 4, outputs: 4 }, 8, generator(1));
  for (let a = 0; a < 8; a++) {
    for (let b = 0; b <= a; b++) {
      let product = 0;
      for (let k = 0; k < 32; k++) product += recurrentKernel[32 * a + k] * recurrentKernel[32 * b + k];
      assert.ok(Math.abs(product - (a === b ? 1 : 0)) < 1e-12);
    }
  }
  const largest = Math.max(...kernel.map(Math.abs));
  assert.ok(largest <= Math.sqrt(6 / 36) && largest > 0.9 * Math.sqrt(6 / 36));
  assert.ok(bias.every((value) => value === 0));
});

test("a forget bias of 5 remembers the first of 30 symbols, where 0 only guesses", () => {
  // Seeds 1 to 6, the last 200 of 800 batches: 0.75 to 1.00 right with 5, 0.24 to 0.25 with 0.
  for (const seed of [1, 2, 3]) {
    const [kept, lost] = [5, 0].map((forgetBias) => {
      const run = training({ ...settings("recall"), forgetBias, seed });
      const right = Array.from({ length: 800 }, () => run.step().right).slice(-200);
      return right.reduce((sum, share) => sum + share) / right.length;
    });
    assert.ok(kept > 0.5 && lost < 0.35, `seed ${seed}: ${kept} and ${lost}`);
  }
});

test("no setting that the page allows makes a loss that is no number", () => {
  for (const task of ["sine", "recall"]) {
    for (const end of [1, 2]) {
      const run = training({ ...settings(task, end), timesteps: 3 }, start);
      for (let k = 0; k < 3; k++) assert.ok(Number.isFinite(run.step().loss));
    }
  }
});
