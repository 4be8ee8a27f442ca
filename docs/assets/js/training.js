// What the page "An LSTM from Scratch, Trained" trains in the reader's browser: two tasks, their start weights, and a
// training that goes on one batch at a time. No window and no worker is needed, so Node can test it.
import * as lstm from "./lstm.js";

const BATCH = 32;
const WINDOWS = 1024; // of the sine; 32 batches are an epoch
const STRIDE = 419; // windows k, k + 419, … (modulo 1024) follow each other: every one once an epoch, in mixed order
const SYMBOLS = 4;

/** What a reader can set, with limits; the first number is where it starts. */
export const TASKS = {
  sine: { steps: 320, epoch: WINDOWS / BATCH, units: [16, 1, 64], timesteps: [10, 2, 50], forgetBias: [1, -10, 10] },
  recall: { steps: 1600, epoch: 100, units: [8, 1, 64], timesteps: [30, 2, 60], forgetBias: [0, -10, 10] },
};
for (const task of Object.values(TASKS)) task.learningRate = [0.01, 0.00001, 1];

// ---- Tasks: each gives batches of pairs {x: sequence, y: target} ----------------------------------------------------

/** The lesson's sine in single precision, `count` values of it; 0 is the first one that a forecast is for. */
export function sineValues(from, count) {
  return Float64Array.from({ length: count }, (_, k) => Math.fround(Math.sin(0.1 * (from + k + 10))));
}

/** Forecast the sine: from `timesteps` values the next one. */
function sine(timesteps) {
  const series = sineValues(-10, WINDOWS + timesteps);
  const points = Array.from(series, (_, k) => series.subarray(k, k + 1)); // an input has one feature
  return {
    features: 1,
    outputs: 1,
    lossOf: lstm.meanSquaredError,
    batch: (number) =>
      Array.from({ length: BATCH }, (_, k) => {
        const first = ((BATCH * number + k) * STRIDE) % WINDOWS;
        return { x: points.slice(first, first + timesteps), y: points[first + timesteps] };
      }),
    /** Begin with a window of the sine, and go on with the network's own outputs in its place. */
    forecast(network, length = 100) {
      const known = Array.from(sineValues(-timesteps, timesteps), (value) => [value]);
      const memory = lstm.memoryFor(network, timesteps);
      while (known.length < timesteps + length) {
        known.push([lstm.forward(network, known.slice(-timesteps), memory).output[0]]);
      }
      return known.slice(timesteps).map(([value]) => value);
    },
  };
}

/** Remember the first symbol: read `timesteps` random symbols, then say which one was first. Each batch is new. */
function recall(timesteps, random) {
  const oneHot = Array.from({ length: SYMBOLS }, (_, k) => new Float64Array(SYMBOLS).fill(1, k, k + 1));
  let right;
  return {
    features: SYMBOLS,
    outputs: SYMBOLS,
    lossOf(output, target, dOutput) {
      if (output.indexOf(Math.max(...output)) === target) right += 1;
      return lstm.crossEntropy(output, target, dOutput);
    },
    batch() {
      right = 0;
      return Array.from({ length: BATCH }, () => {
        const x = Array.from({ length: timesteps }, () => oneHot[Math.floor(SYMBOLS * random())]);
        return { x, y: oneHot.indexOf(x[0]) };
      });
    },
    /** Share of right answers in the batch that was trained last: to sequences that the network had never seen. */
    right: () => right / BATCH,
  };
}

// ---- Start weights --------------------------------------------------------------------------------------------------

/** Numbers between 0 and 1, the same ones for the same seed (mulberry32). */
export function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A matrix as Keras draws the kernels: evenly, within limits that depend on its shape (Glorot). */
function glorot(rows, columns, random) {
  const limit = Math.sqrt(6 / (rows + columns));
  return Float64Array.from({ length: rows * columns }, () => limit * (2 * random() - 1));
}

/** A matrix as Keras draws the recurrent kernel: rows of length 1, orthogonal to each other (by Gram-Schmidt). */
function orthogonal(rows, columns, random) {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const matrix = Float64Array.from({ length: rows * columns }, normal);
  for (let r = 0; r < rows; r++) {
    const row = matrix.subarray(r * columns, (r + 1) * columns);
    for (let before = 0; before < r; before++) {
      const other = matrix.subarray(before * columns, (before + 1) * columns);
      const product = row.reduce((sum, value, k) => sum + value * other[k], 0);
      for (let k = 0; k < columns; k++) row[k] -= product * other[k];
    }
    const length = Math.hypot(...row);
    for (let k = 0; k < columns; k++) row[k] /= length;
  }
  return matrix;
}

/** A network with fresh weights, drawn as Keras draws them; all biases are zero. */
export function fresh({ features, outputs }, units, random) {
  return {
    features,
    units,
    outputs,
    kernel: glorot(features, 4 * units, random),
    recurrentKernel: orthogonal(units, 4 * units, random),
    bias: new Float64Array(4 * units),
    denseKernel: glorot(units, outputs, random),
    denseBias: new Float64Array(outputs),
  };
}

/** A network from the arrays of Keras' get_weights(), nested lists in the JSON that the lesson writes. */
export function fromKeras(arrays) {
  const network = { features: arrays[0].length, units: arrays[1].length, outputs: arrays[4].length };
  lstm.ARRAYS.forEach((name, k) => (network[name] = Float64Array.from(arrays[k].flat())));
  return network;
}

// ---- Training -------------------------------------------------------------------------------------------------------

/**
 * A training at its start.
 * @param settings {task: "sine" or "recall", units, timesteps, forgetBias, learningRate, seed}
 * @param start TensorFlow's start weights; used where they fit, otherwise fresh ones are drawn
 * @returns {network, step, look}: `step()` trains one batch and returns its loss and, for recall, the share of right
 *   answers; `look()` returns what there is to see of the network: its forecast of the sine
 */
export function training({ task: name, units, timesteps, forgetBias, learningRate, seed = 1 }, start) {
  const random = generator(seed);
  const task = name === "recall" ? recall(timesteps, random) : sine(timesteps);
  const fits = name === "sine" && start?.[1].length === units;
  const network = fits ? fromKeras(start) : fresh(task, units, random);
  network.bias.fill(forgetBias, units, 2 * units); // the block of the forget gate
  const state = lstm.adamStart(network);
  let number = 0;
  return {
    network,
    step() {
      const { loss, gradients } = lstm.lossAndGradients(network, task.batch(number), task.lossOf);
      lstm.adam(network, gradients, state, learningRate);
      number += 1;
      return { loss, right: task.right?.() };
    },
    look: () => ({ forecast: task.forecast?.(network) }),
  };
}
