// An LSTM with a dense layer on its last hidden state, and its training, in plain JavaScript: the course's third
// implementation after Keras and NumPy. From the same weights and batches it gives the losses of TensorFlow.
//
// Matrices are flat Float64Arrays, row after row, in the layout of Keras. The columns of `kernel` (features, 4 units),
// `recurrentKernel` (units, 4 units) and `bias` (4 units) stand in four blocks: gate i, gate f, the candidate, gate o.
// A network is one object: {features, units, outputs} and the arrays that are named in ARRAYS, in the order of Keras.

export const ARRAYS = ["kernel", "recurrentKernel", "bias", "denseKernel", "denseBias"];

/** Logistic function: between 0 and 1, as a gate has to be. */
export const sigmoid = (a) => 1 / (1 + Math.exp(-a));

/** sums += vector · matrix; the matrix has a row for each entry of the vector. */
function addProduct(sums, vector, matrix) {
  const columns = sums.length;
  for (let row = 0; row < vector.length; row++) {
    const factor = vector[row];
    if (factor === 0) continue; // most entries of a one-hot vector
    const start = row * columns;
    for (let column = 0; column < columns; column++) sums[column] += factor * matrix[start + column];
  }
}

/** vector · matrixᵀ, into `result`: the way back through the product above. */
function transposedProduct(result, vector, matrix) {
  const columns = vector.length;
  for (let row = 0; row < result.length; row++) {
    const start = row * columns;
    let sum = 0;
    for (let column = 0; column < columns; column++) sum += vector[column] * matrix[start + column];
    result[row] = sum;
  }
}

/** matrix += columnᵀ · row, every entry of the one times every entry of the other: the gradient of a matrix. */
function addOuter(matrix, column, row) {
  const columns = row.length;
  for (let r = 0; r < column.length; r++) {
    const factor = column[r];
    if (factor === 0) continue;
    const start = r * columns;
    for (let k = 0; k < columns; k++) matrix[start + k] += factor * row[k];
  }
}

// ---- Forward ----------------------------------------------------------------------------------------------------

/** Room for one step: the four sums, the gates, the candidate g, the new state c and h, and tanh(c). */
function room(units) {
  const made = { sums: new Float64Array(4 * units) };
  for (const name of ["i", "f", "g", "o", "c", "tanhC", "h"]) made[name] = new Float64Array(units);
  return made;
}

const FREE = Object.freeze({}); // no gate is held

/**
 * One step of an LSTM layer: the six equations of the lesson.
 * @param weights {features, units, kernel, recurrentKernel, bias}
 * @param x the input, `features` numbers; h and c, the state before: `units` numbers each
 * @param held fixes a gate or the candidate for all units: {f: 1} never forgets
 * @param result where to put the answer; a new place if it is left out
 * @returns {i, f, g, o, c, h}, Float64Arrays of length `units`; g is the candidate
 */
export function step(weights, x, h, c, held = FREE, result = room(weights.units)) {
  const { units, kernel, recurrentKernel, bias } = weights;
  const { sums, i, f, g, o, tanhC } = result;
  sums.set(bias);
  addProduct(sums, x, kernel);
  addProduct(sums, h, recurrentKernel);
  for (let k = 0; k < units; k++) {
    i[k] = held.i ?? sigmoid(sums[k]);
    f[k] = held.f ?? sigmoid(sums[units + k]);
    g[k] = held.g ?? Math.tanh(sums[2 * units + k]);
    o[k] = held.o ?? sigmoid(sums[3 * units + k]);
    result.c[k] = f[k] * c[k] + i[k] * g[k];
    tanhC[k] = Math.tanh(result.c[k]);
    result.h[k] = o[k] * tanhC[k];
  }
  return result;
}

/** What `forward` keeps for `backward`: the state before the first step (zeros), each step, and the output. */
export function memoryFor({ units, outputs }, timesteps) {
  const steps = Array.from({ length: timesteps }, () => room(units));
  return { before: room(units), steps, output: new Float64Array(outputs) };
}

/**
 * A whole sequence, and the dense layer on its last hidden state.
 * @param sequence the inputs, one array of `features` numbers for each step
 * @param memory room from `memoryFor`, used again for every sequence of the same length
 * @returns memory, with `memory.output`
 */
export function forward(network, sequence, memory = memoryFor(network, sequence.length)) {
  let state = memory.before;
  for (let t = 0; t < sequence.length; t++) {
    state = step(network, sequence[t], state.h, state.c, FREE, memory.steps[t]);
  }
  memory.output.set(network.denseBias);
  addProduct(memory.output, state.h, network.denseKernel);
  return memory;
}

// ---- Losses: of one output; each also puts its gradient into dOutput ----------------------------------------------

/** Mean squared error; the target is an array of numbers. */
export function meanSquaredError(output, target, dOutput) {
  let loss = 0;
  for (let k = 0; k < output.length; k++) {
    const error = output[k] - target[k];
    loss += error ** 2 / output.length;
    dOutput[k] = (2 * error) / output.length;
  }
  return loss;
}

/** Softmax and cross-entropy; the target is the number of the right class. */
export function crossEntropy(output, target, dOutput) {
  const largest = Math.max(...output); // taken off, so that exp cannot overflow
  let total = 0;
  for (let k = 0; k < output.length; k++) total += dOutput[k] = Math.exp(output[k] - largest);
  for (let k = 0; k < output.length; k++) dOutput[k] /= total; // now the probability of each class
  dOutput[target] -= 1;
  return Math.log(total) + largest - output[target];
}

// ---- Backward ---------------------------------------------------------------------------------------------------

/** An object with the same arrays as the network, all zeros: gradients, or the means of Adam. */
export function zerosLike(network) {
  return Object.fromEntries(ARRAYS.map((name) => [name, new Float64Array(network[name].length)]));
}

/**
 * Back-propagation through time, from the last step to the first.
 * @param dOutput gradient of the loss with respect to the output; da below: with respect to the four sums of a step
 * @param gradients the gradient of each array of the network is added to the array of the same name
 */
export function backward(network, sequence, memory, dOutput, gradients) {
  const { units } = network;
  const dh = new Float64Array(units), dc = new Float64Array(units), da = new Float64Array(4 * units);
  addOuter(gradients.denseKernel, memory.steps.at(-1).h, dOutput);
  addOuter(gradients.denseBias, [1], dOutput);
  transposedProduct(dh, dOutput, network.denseKernel);
  for (let t = sequence.length - 1; t >= 0; t--) {
    const { i, f, g, o, tanhC } = memory.steps[t];
    const { h, c } = t > 0 ? memory.steps[t - 1] : memory.before;
    for (let k = 0; k < units; k++) {
      dc[k] += dh[k] * o[k] * (1 - tanhC[k] ** 2);
      da[k] = dc[k] * g[k] * i[k] * (1 - i[k]);
      da[units + k] = dc[k] * c[k] * f[k] * (1 - f[k]);
      da[2 * units + k] = dc[k] * i[k] * (1 - g[k] ** 2);
      da[3 * units + k] = dh[k] * tanhC[k] * o[k] * (1 - o[k]);
      dc[k] *= f[k]; // the direct path to the step before
    }
    addOuter(gradients.kernel, sequence[t], da);
    addOuter(gradients.recurrentKernel, h, da);
    addOuter(gradients.bias, [1], da);
    transposedProduct(dh, da, network.recurrentKernel);
  }
}

/**
 * The mean loss of a batch and its gradients.
 * @param batch pairs {x: sequence, y: target}; all sequences have the same length
 * @param lossOf meanSquaredError or crossEntropy
 * @returns {loss, gradients}
 */
export function lossAndGradients(network, batch, lossOf) {
  const memory = memoryFor(network, batch[0].x.length);
  const dOutput = new Float64Array(network.outputs);
  const gradients = zerosLike(network);
  let loss = 0;
  for (const { x, y } of batch) {
    const { output } = forward(network, x, memory);
    loss += lossOf(output, y, dOutput) / batch.length;
    for (let k = 0; k < dOutput.length; k++) dOutput[k] /= batch.length;
    backward(network, x, memory, dOutput, gradients);
  }
  return { loss, gradients };
}

// ---- Adam -------------------------------------------------------------------------------------------------------

/** Adam before its first step. */
export const adamStart = (network) => ({ t: 0, means: zerosLike(network), squares: zerosLike(network) });

/** Move the weights once, as Keras computes it: epsilon is added to √v, before the correction for the start. */
export function adam(network, gradients, state, learningRate, epsilon = 1e-7) {
  state.t += 1;
  // Keras keeps these two in single precision.
  const power1 = Math.fround(0.9) ** state.t, power2 = Math.fround(0.999) ** state.t;
  const rate = (learningRate * Math.sqrt(1 - power2)) / (1 - power1);
  for (const name of ARRAYS) {
    const weight = network[name], gradient = gradients[name], m = state.means[name], v = state.squares[name];
    for (let k = 0; k < weight.length; k++) {
      m[k] += (gradient[k] - m[k]) * (1 - 0.9);
      v[k] += (gradient[k] ** 2 - v[k]) * (1 - 0.999);
      weight[k] -= (rate * m[k]) / (Math.sqrt(v[k]) + epsilon);
    }
  }
}
