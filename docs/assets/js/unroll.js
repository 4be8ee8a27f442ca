// The numbers behind <lstm-cell>. Nothing here knows a page, so Node can test it.
import { step } from "./lstm.js";

export const LIMIT = 100; // the largest input that the explorer takes: a hundred times the training range

/**
 * The trained model, and the series with TensorFlow's numbers, from the JSON that the lesson's run wrote.
 * @returns {features: [{name, low, high}], weights (as `step` wants them), dense, offset, series: [{x, h, c, prediction}]}
 */
export function readModel(json) {
  const features = Object.entries(json.features).map(([name, [low, high]]) => ({ name, low, high }));
  const flat = (rows) => Float64Array.from(rows.flat());
  return {
    features,
    weights: {
      features: features.length,
      units: json.recurrent_kernel.length,
      kernel: flat(json.kernel),
      recurrentKernel: flat(json.recurrent_kernel),
      bias: flat(json.bias),
    },
    dense: flat(json.dense),
    offset: json.offset[0],
    series: json.x.map((x, n) => ({ x, h: json.h[n], c: json.c[n], prediction: json.prediction[n] })),
  };
}

/** A series that can be changed without changing this one. */
export const copy = (x) => x.map((input) => [...input]);

/**
 * Run the model over a series.
 * @param x one array of features for each step
 * @param held gates that are fixed for all units: {f: 1} never forgets
 * @returns one object for each step: its input x, the state before {h, c}, the gates i, f, o, the candidate g,
 *   the new c and h (arrays with one number for each unit), and the prediction
 */
export function unroll({ weights, dense, offset }, x, held = {}) {
  let before = { h: new Float64Array(weights.units), c: new Float64Array(weights.units) };
  return x.map((input) => {
    const { i, f, g, o, c, h } = step(weights, input, before.h, before.c, held);
    const prediction = h.reduce((sum, value, unit) => sum + value * dense[unit], offset);
    const result = { x: input, before, i, f, g, o, c, h, prediction };
    before = { h, c };
    return result;
  });
}

/** What stands inside σ or tanh of one unit: the parts of the input, of the hidden states, and the bias. */
export function summands({ units, kernel, recurrentKernel, bias }, { x, before }, gate, unit) {
  const column = "ifgo".indexOf(gate) * units + unit; // the order of Keras' blocks
  const product = (vector, matrix) => vector.reduce((sum, value, row) => sum + value * matrix[row * 4 * units + column], 0);
  return [product(x, kernel), product(before.h, recurrentKernel), bias[column]];
}

/** The largest difference between our steps and TensorFlow's hidden states, cell states and predictions. */
export function largestDifference(steps, { h, c, prediction }) {
  const differences = steps.flatMap((mine, t) => [
    ...Array.from(mine.h, (value, unit) => Math.abs(value - h[t][unit])),
    ...Array.from(mine.c, (value, unit) => Math.abs(value - c[t][unit])),
    Math.abs(mine.prediction - prediction[t][0]),
  ]);
  return Math.max(...differences); // NaN, if one of them is
}

/** The number that a reader typed or pasted, or null if the explorer cannot use it. */
export function readNumber(text) {
  const value = text.trim() === "" ? NaN : Number(text);
  return Math.abs(value) <= LIMIT ? value : null;
}

/** A number for a reader: a true minus sign, and none before a zero. */
export function format(value, digits = 2) {
  const text = value.toFixed(digits);
  return text.replace("-", Number(text) === 0 ? "" : "−");
}

/** Numbers with their signs between them: 0.10 − 0.25 + 1.00. */
export function formatSum(values, digits, after = () => "") {
  return values
    .map((value, k) => {
      const size = format(k === 0 ? value : Math.abs(value), digits);
      return (k === 0 ? "" : value < 0 ? " − " : " + ") + size + after(k);
    })
    .join("");
}
