# --8<-- [start:imports]
import json
from time import perf_counter

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

SEEDS = range(4)
# --8<-- [end:imports]


# --8<-- [start:by-hand]
def sigmoid(a):
    """Logistic function; written with tanh, it cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def hidden_state(a_i, a_f, a_c, a_o, c_before=0.8):
    """One step of one unit, from the four sums to h."""
    c = sigmoid(a_f) * c_before + sigmoid(a_i) * np.tanh(a_c)
    return sigmoid(a_o) * np.tanh(c)


sums = {"a_i": 0.37, "a_f": 1.36, "a_c": 0.84, "a_o": 0.14}
i, f, o = (sigmoid(sums[gate]) for gate in ("a_i", "a_f", "a_o"))
c_tilde = np.tanh(sums["a_c"])
tanh_c = np.tanh(f * 0.8 + i * c_tilde)

dh = 1.0  # the loss is h itself
dc = dh * o * (1 - tanh_c**2)
by_rule = {
    "a_i": dc * c_tilde * i * (1 - i),
    "a_f": dc * 0.8 * f * (1 - f),
    "a_c": dc * i * (1 - c_tilde**2),
    "a_o": dh * tanh_c * o * (1 - o),
}
print("       by the rule   by trying")
for name, gradient in by_rule.items():
    up = hidden_state(**sums | {name: sums[name] + 1e-5})
    down = hidden_state(**sums | {name: sums[name] - 1e-5})
    tried = (up - down) / 2e-5
    print(f"{name} {gradient:14.6f} {tried:11.6f}")
    assert abs(gradient - tried) < 1e-9
# --8<-- [end:by-hand]


# --8<-- [start:forward]
def lstm_forward(x, kernel, recurrent_kernel, bias):
    """x (batch, timesteps, features) -> h (batch, timesteps, units), steps.

    `steps` keeps what the backward pass needs of each step.
    """
    h = c = np.zeros((len(x), len(recurrent_kernel)), x.dtype)
    outputs, steps = [], []
    for t in range(x.shape[1]):
        h_before, c_before = h, c
        a = x[:, t] @ kernel + h_before @ recurrent_kernel + bias
        i, f, c_tilde, o = np.split(a, 4, axis=1)  # (batch, units) each
        i, f, o = sigmoid(i), sigmoid(f), sigmoid(o)
        c_tilde = np.tanh(c_tilde)
        c = f * c_before + i * c_tilde
        tanh_c = np.tanh(c)
        h = o * tanh_c
        outputs.append(h)
        steps.append((h_before, c_before, i, f, c_tilde, o, tanh_c))
    return np.stack(outputs, axis=1), steps


# --8<-- [end:forward]


# --8<-- [start:backward]
def lstm_backward(dh_above, steps, x, kernel, recurrent_kernel):
    """dh_above (batch, timesteps, units): what the layer above reports.

    Return the gradients of x, kernel, recurrent_kernel and bias.
    """
    dx, dkernel = np.empty_like(x), np.zeros_like(kernel)
    drecurrent, dbias = np.zeros_like(recurrent_kernel), 0
    dh_later = dc_later = 0  # nothing comes after the last step
    for t in reversed(range(x.shape[1])):
        h_before, c_before, i, f, c_tilde, o, tanh_c = steps[t]
        dh = dh_above[:, t] + dh_later
        dc = dc_later + dh * o * (1 - tanh_c**2)
        da_i = dc * c_tilde * i * (1 - i)
        da_f = dc * c_before * f * (1 - f)
        da_c = dc * i * (1 - c_tilde**2)
        da_o = dh * tanh_c * o * (1 - o)
        da = np.concatenate([da_i, da_f, da_c, da_o], axis=1)
        dkernel += x[:, t].T @ da
        drecurrent += h_before.T @ da
        dbias += da.sum(axis=0)
        dx[:, t] = da @ kernel.T
        dh_later = da @ recurrent_kernel.T
        dc_later = dc * f
    return dx, dkernel, drecurrent, dbias


# --8<-- [end:backward]


# --8<-- [start:network]
def network_forward(x, weights):
    """LSTM layers and a dense layer; weights in the order of Keras."""
    *stack, dense, offset = weights
    memory = []
    for kernel, recurrent_kernel, bias in zip(*[iter(stack)] * 3):
        h, steps = lstm_forward(x, kernel, recurrent_kernel, bias)
        memory.append((steps, x, kernel, recurrent_kernel))
        x = h
    return x @ dense + offset, (memory, x, dense)


def network_backward(dy, memory, h, dense):
    """dy, like the output -> the gradient of each array in weights."""
    gradients = [np.tensordot(h, dy, [(0, 1), (0, 1)]), dy.sum(axis=(0, 1))]
    dh = dy @ dense.T
    for saved in reversed(memory):
        dh, *of_layer = lstm_backward(dh, *saved)
        gradients = of_layer + gradients
    return gradients


def loss_and_gradients(x, y, weights):
    """Mean squared error and its gradient for each array in weights."""
    prediction, cache = network_forward(x, weights)
    error = prediction - y
    return np.mean(error**2), network_backward(2 * error / error.size, *cache)


# --8<-- [end:network]


# --8<-- [start:task]
def sample_and_hold(sequences, timesteps, seed):
    """x (sequences, timesteps, 2): value and flag; y (…, 1): what to hold."""
    rng = np.random.default_rng(seed)
    value = rng.uniform(-1, 1, (sequences, timesteps))
    flag = rng.random((sequences, timesteps)) < 0.1
    flag[:, 0] = True
    last = np.where(flag, np.arange(timesteps), 0)
    last = np.maximum.accumulate(last, axis=1)
    y = np.take_along_axis(value, last, axis=1)
    return np.stack([value, flag], axis=2), y[..., None]


def keras_model(units, depth, seed, dtype="float64"):
    """Keras' network of the same kind, in single or double precision."""
    keras.config.set_floatx(dtype)  # layers, loss and optimizer
    keras.utils.set_random_seed(seed)
    stack = [layers.LSTM(units, return_sequences=True) for _ in range(depth)]
    return keras.Sequential([keras.Input((None, 2)), *stack, layers.Dense(1)])


x, y = sample_and_hold(8, 12, seed=0)
weights = keras_model(4, depth=2, seed=0).get_weights()
loss, gradients = loss_and_gradients(x, y, weights)
print("shapes of the weights and of their gradients")
for weight, gradient in zip(weights, gradients):
    print(f"{weight.shape!s:10} {gradient.shape!s:10}")
    assert weight.shape == gradient.shape
# --8<-- [end:task]


# --8<-- [start:tape]
def relative(ours, others):
    """Largest difference between two arrays, by the largest entry."""
    return abs(ours - others).max() / abs(others).max()


def against_tape(depth, seed, dtype="float64", timesteps=12):
    """Largest relative difference of the gradients from GradientTape's."""
    model = keras_model(4, depth, seed, dtype)
    rng = np.random.default_rng(seed)
    weights = []
    for weight in model.get_weights():  # biases too shall be uneven
        noise = rng.normal(0, 0.3, weight.shape)
        weights.append((weight + noise).astype(dtype))
    model.set_weights(weights)
    x, y = sample_and_hold(8, timesteps, seed)
    x, y = x.astype(dtype), y.astype(dtype)

    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x) - y) ** 2)
    taped = tape.gradient(loss, model.trainable_variables)
    _, ours = loss_and_gradients(x, y, weights)
    return max(relative(a, np.asarray(b)) for a, b in zip(ours, taped))


print("layers     float32            float64   (largest of four seeds)")
for depth in (1, 2):
    single = max(against_tape(depth, seed, "float32") for seed in SEEDS)
    double = max(against_tape(depth, seed) for seed in SEEDS)
    print(f"{depth:6d} {single:11.0e} {double:18.0e}")
    assert single < 1e-4
    assert double < 1e-9
# --8<-- [end:tape]


# --8<-- [start:differences]
def by_trying(x, y, weights, step):
    """Move one weight at a time: the slope of the loss on both sides."""
    gradients = [np.empty_like(weight) for weight in weights]
    for weight, gradient in zip(weights, gradients):
        for index in np.ndindex(weight.shape):
            kept = weight[index]
            losses = []
            for moved in (kept + step, kept - step):
                weight[index] = moved
                prediction, _ = network_forward(x, weights)
                losses.append(np.mean((prediction - y) ** 2))
            weight[index] = kept
            gradient[index] = (losses[0] - losses[1]) / (2 * step)
    return gradients


print("layers   weights   largest relative difference")
for depth in (1, 2):
    weights = keras_model(3, depth, seed=1).get_weights()
    _, gradients = loss_and_gradients(x, y, weights)
    tried = by_trying(x, y, weights, step=1e-5)
    worst = max(map(relative, gradients, tried))
    print(f"{depth:6d} {sum(w.size for w in weights):9d} {worst:14.0e}")
    assert worst < 1e-6
# --8<-- [end:differences]


# --8<-- [start:adam]
def adam_step(weights, gradients, state, learning_rate=0.01, epsilon=1e-7):
    """Change the weights as Keras' Adam does. state = [t, means, squares]."""
    state[0] += 1
    t, means, squares = state
    # Keras rounds these two to single precision, whatever the weights are.
    power_1, power_2 = np.float32([0.9, 0.999]).astype("float64") ** t
    rate = learning_rate * np.sqrt(1 - power_2) / (1 - power_1)
    for weight, g, m, v in zip(weights, gradients, means, squares):
        m += (g - m) * (1 - 0.9)
        v += (g**2 - v) * (1 - 0.999)
        weight -= rate * m / (np.sqrt(v) + epsilon)


def adam_start(weights):
    """No step made yet; a mean and a mean square for each weight: zeros."""
    return [0, *([np.zeros_like(w) for w in weights] for _ in range(2))]


# --8<-- [end:adam]

# --8<-- [start:adam-parity]
keras.config.set_floatx("float64")
rng = np.random.default_rng(0)
start = rng.normal(size=(30, 4))
variable, weights = keras.Variable(start), [start.copy()]
optimizer, state = keras.optimizers.Adam(0.01), adam_start(weights)
for _ in range(50):
    size = 10.0 ** rng.uniform(-9, 0, start.shape)  # tiny ones as well
    gradient = size * rng.normal(size=start.shape)
    optimizer.apply([tf.constant(gradient)], [variable])
    adam_step(weights, [gradient], state)
difference = abs(weights[0] - variable.numpy()).max()
print(f"after 50 steps, off by {difference:.0e}")
assert difference < 1e-12
# --8<-- [end:adam-parity]


# --8<-- [start:count]
def lines(function):
    """Number of lines of a function, from the line table of its code."""
    code = function.__code__
    numbers = [line for *_, line in code.co_lines() if line]
    return max(numbers) - code.co_firstlineno + 1


parts = [sigmoid, lstm_forward, lstm_backward, network_forward]
parts += [network_backward, loss_and_gradients, adam_step, adam_start]
for function in parts:
    print(f"{function.__name__:20} {lines(function):3d} lines")
total = sum(map(lines, parts))
print(f"{'together':20} {total:3d} lines")
assert total <= 120
# --8<-- [end:count]


# --8<-- [start:train]
def train_keras(model, batches):
    """Return the loss of each step."""
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return [float(model.train_on_batch(x, y)) for x, y in batches]


def train_numpy(weights, batches, gradients_of=loss_and_gradients):
    """Return the loss of each step; `weights` change."""
    state, losses = adam_start(weights), []
    for x, y in batches:
        loss, gradients = gradients_of(x, y, weights)
        adam_step(weights, gradients, state)
        losses.append(float(loss))
    return losses


def batches_of(seed, dtype="float64", steps=100):
    """A fresh batch of 64 sequences of 20 steps for each training step."""
    x, y = sample_and_hold(64 * steps, 20, seed)
    x, y = x.astype(dtype), y.astype(dtype)
    return list(zip(np.split(x, steps), np.split(y, steps)))


def both(depth, seed, dtype):
    """Losses and final weights of Keras and of NumPy from one start."""
    model = keras_model(16, depth, seed, dtype)
    weights = model.get_weights()
    batches = batches_of(seed, dtype)
    theirs = train_keras(model, batches), model.get_weights()
    return theirs, (train_numpy(weights, batches), weights)


runs = {}
for dtype in ("float64", "float32"):
    for depth in (1, 2):
        for seed in SEEDS:
            runs[dtype, depth, seed] = both(depth, seed, dtype)
# --8<-- [end:train]


# --8<-- [start:verdict]
def apart(weights, others):
    """Largest difference between two lists of arrays."""
    return max(abs(a - b).max() for a, b in zip(weights, others))


print("                   largest difference in 100 steps, by seed")
print("precision layers    of a loss           of a weight at the end")
for dtype, bound in (("float64", 1e-9), ("float32", 0.01)):
    for depth in (1, 2):
        of_loss, of_weight = [], []
        for seed in SEEDS:
            (losses, weights), (ours, our_weights) = runs[dtype, depth, seed]
            of_loss.append(abs(np.subtract(losses, ours)).max())
            of_weight.append(apart(weights, our_weights))
        print(f"{dtype:9} {depth:6d}", end="")
        for values in (of_loss, of_weight):
            print(f"    {min(values):.0e} to {max(values):.0e}", end="")
        print()
        assert max(of_loss + of_weight) < bound
# --8<-- [end:verdict]

# --8<-- [start:curves]
fig, axes = plt.subplots(2, 1, figsize=(5.2, 5.6), sharex=True)
for depth, colour in ((1, "C0"), (2, "C1")):
    (losses, _), (ours, _) = runs["float64", depth, 0]
    name = "1 layer" if depth == 1 else "2 layers"
    wide = {"linewidth": 6, "alpha": 0.3, "label": f"Keras, {name}"}
    axes[0].plot(losses, colour, **wide)
    axes[0].plot(ours, colour, label=f"NumPy, {name}")
    for dtype, style in (("float32", "--"), ("float64", "-")):
        (losses, _), (ours, _) = runs[dtype, depth, 0]
        difference = abs(np.subtract(losses, ours)) + 1e-17
        axes[1].semilogy(difference, colour, linestyle=style)
axes[1].set_ylim(1e-18, 1e-5)
axes[1].text(80, 3e-7, "float32")
axes[1].text(80, 1e-14, "float64")
axes[0].set_ylabel("mean squared error")
axes[1].set_ylabel("difference")
axes[1].set_xlabel("training step")
axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
plt.show()
# --8<-- [end:curves]


# --8<-- [start:scores]
x_test, y_test = sample_and_hold(500, 20, seed=99)


def score(weights):
    """Mean squared error on sequences that no network has seen."""
    prediction, _ = network_forward(x_test, weights)
    return np.mean((prediction - y_test) ** 2)


rows = {
    "always zero": [np.mean(y_test**2)],
    "repeat the value": [np.mean((x_test[..., :1] - y_test) ** 2)],
}
for depth in (1, 2):
    for position, name in enumerate(("Keras", "NumPy")):
        finals = [runs["float64", depth, s][position][1] for s in SEEDS]
        rows[f"{name}, layers: {depth}"] = [score(w) for w in finals]
print("                     mean squared error (best to worst seed)")
for name, scores in rows.items():
    spread = f"({min(scores):.4f} to {max(scores):.4f})" if scores[1:] else ""
    print(f"{name:17} {np.mean(scores):13.4f}   {spread}")
for depth in (1, 2):
    ours, theirs = (rows[f"{n}, layers: {depth}"] for n in ("NumPy", "Keras"))
    assert max(ours) < 0.5 * rows["always zero"][0]
    assert np.allclose(ours, theirs, rtol=1e-6)
# --8<-- [end:scores]


# --8<-- [start:speed]
def milliseconds(function, *arguments, repeats=15):
    """Median time of a call, after one call to warm up."""
    function(*arguments)
    times = []
    for _ in range(repeats):
        start = perf_counter()
        function(*arguments)
        times.append(perf_counter() - start)
    return 1000 * np.median(times)


def numpy_step(x, y, weights, state):
    """One training step in NumPy."""
    _, gradients = loss_and_gradients(x, y, weights)
    adam_step(weights, gradients, state)


print("units   time of a NumPy step / time of a Keras step")
((x, y),) = batches_of(0, "float32", steps=1)
for units in (4, 32, 128):
    model = keras_model(units, 1, 0, "float32")
    model.compile(keras.optimizers.Adam(0.01), "mse")
    weights = model.get_weights()
    ratio = milliseconds(numpy_step, x, y, weights, adam_start(weights))
    ratio /= milliseconds(model.train_on_batch, x, y)
    print(f"{units:5d} {ratio:12.1f}")
    assert 0.01 < ratio < 100
# --8<-- [end:speed]


# --8<-- [start:watch]
def last_step_only(x, y, weights):
    """As loss_and_gradients, for one target after the last step."""
    prediction, cache = network_forward(x, weights)
    error = prediction[:, -1] - y
    dy = np.zeros_like(prediction)
    dy[:, -1] = 2 * error / error.size
    return np.mean(error**2), network_backward(dy, *cache)


def forecast(model, steps=100):
    """Begin with the first window, go on with the model's own outputs."""
    known = list(series[:10])
    for _ in range(steps):
        window = np.reshape(known[-10:], (1, 10, 1))
        known.append(model.predict_on_batch(window)[0, 0])
    return np.array(known[10:], "float64")


keras.config.set_floatx("float32")  # Keras' default
single = {"dtype": "float32"}  # layers keep the first floatx, unless told
keras.utils.set_random_seed(0)
stack = [layers.LSTM(16, **single), layers.Dense(1, **single)]
model = keras.Sequential([keras.Input((10, 1)), *stack])
model.compile(keras.optimizers.Adam(0.01), "mse")
start = [weight.astype("float64").round(8) for weight in model.get_weights()]
model.set_weights(start)

series = np.sin(0.1 * np.arange(1024 + 10)).astype("float32")
windows = np.lib.stride_tricks.sliding_window_view(series, 11)  # (1024, 11)
order = 419 * np.arange(1024) % 1024  # mixed, the same in each epoch
batches = [(w[:, :-1, None], w[:, -1:]) for w in np.split(windows[order], 32)]

losses, forecasts = [], [forecast(model)]
for _ in range(10):
    losses += [float(model.train_on_batch(x, y)) for x, y in batches]
    forecasts.append(forecast(model))
with open("training.json", "w") as file:
    numbers = {"start": [weight.tolist() for weight in start]}
    numbers["losses"] = np.round(losses, 8).tolist()
    numbers["forecasts"] = np.round(forecasts, 6).tolist()
    json.dump(numbers, file)

ours = train_numpy(start, 10 * batches, last_step_only)  # start changes
difference = abs(np.subtract(ours, losses)).max()
print(f"320 losses of Keras and of NumPy differ by at most {difference:.0e}")
assert difference < 1e-5

sine = np.sin(0.1 * np.arange(10, 110))
off = ((forecasts - sine) ** 2).mean(axis=1)
print("forecast        mean squared error")
print(f"always zero    {np.mean(sine**2):10.4f}")
for epoch in (0, 1, 2, 5, 10):
    print(f"after epoch {epoch:2} {off[epoch]:10.4f}")
assert losses[31] < 0.1 * losses[0]
assert off[1] > 0.1
assert off[10] < 0.02

fig, axes = plt.subplots(2, 1, figsize=(5.2, 5.2))
axes[0].semilogy(range(1, 321), losses)
axes[0].set_xlabel("training step")
axes[0].set_ylabel("mean squared error")
ahead = range(1, 101)
axes[1].plot(ahead, sine, ":", color="#1f2328", label="sine")
for epoch in (1, 3, 10):
    axes[1].plot(ahead, forecasts[epoch], label=f"epoch {epoch}")
axes[1].set_ylim(-2.2, 2.2)
axes[1].set_xlabel("steps ahead of what the network was given")
place = {"loc": "lower right", "bbox_to_anchor": (1, 1)}
axes[1].legend(**place, ncols=4, columnspacing=1)
plt.show()
# --8<-- [end:watch]

# --8<-- [start:step-size]
x, y = sample_and_hold(8, 12, seed=0)
weights = keras_model(3, depth=1, seed=1).get_weights()
_, gradients = loss_and_gradients(x, y, weights)
x_single, y_single = x.astype("float32"), y.astype("float32")
single = [weight.astype("float32") for weight in weights]

steps = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7]
errors = {"float32": [], "float64": []}
print("  step    float32   float64")
for step in steps:
    tried = by_trying(x_single, y_single, single, step)
    errors["float32"].append(max(map(relative, tried, gradients)))
    tried = by_trying(x, y, weights, step)
    errors["float64"].append(max(map(relative, tried, gradients)))
    print(f"{step:.0e} {errors['float32'][-1]:10.0e}", end="")
    print(f" {errors['float64'][-1]:9.0e}")
assert min(errors["float64"]) < 1e-7 < 1e-5 < min(errors["float32"])
assert np.argmin(errors["float32"]) < np.argmin(errors["float64"])
assert errors["float32"][-1] > 0.1

prediction, cache = network_forward(x, weights)
of_sum = network_backward(2 * (prediction - y), *cache)
factors = [(a / b).mean() for a, b in zip(of_sum, gradients)]
print("gradient of the sum / gradient of the mean:", f"{factors[0]:.0f}")
assert np.allclose(factors, y.size)
# --8<-- [end:step-size]


# --8<-- [start:variants]
def adam_variant(weights, gradients, state, scaled, rounded):
    """Adam with epsilon scaled as in Algorithm 1, or without rounding."""
    state[0] += 1
    t, means, squares = state
    powers = np.array([0.9, 0.999]) ** t
    if rounded:
        powers = np.float32([0.9, 0.999]).astype("float64") ** t
    epsilon = 1e-7 * np.sqrt(1 - powers[1]) if scaled else 1e-7
    rate = 0.01 * np.sqrt(1 - powers[1]) / (1 - powers[0])
    for weight, g, m, v in zip(weights, gradients, means, squares):
        m += (g - m) * (1 - 0.9)
        v += (g**2 - v) * (1 - 0.999)
        weight -= rate * m / (np.sqrt(v) + epsilon)


(losses, keras_weights), (our_losses, our_weights) = runs["float64", 1, 0]
rows = {"as on this page": apart(our_weights, keras_weights)}
batches = batches_of(seed=0)
variants = {
    "powers not rounded": (False, False),
    "other epsilon": (True, True),
}
for name, choices in variants.items():
    weights = keras_model(16, 1, seed=0).get_weights()
    state = adam_start(weights)
    for x, y in batches:
        loss, gradients = loss_and_gradients(x, y, weights)
        adam_variant(weights, gradients, state, *choices)
    rows[name] = apart(weights, keras_weights)
loss_apart = abs(loss - losses[-1])

model = keras_model(16, 1, seed=0)
keras.config.set_floatx("float32")  # after the layers: they stay float64
train_keras(model, batches)
rows["only layers in float64"] = apart(model.get_weights(), keras_weights)

print("                         largest difference of a weight from Keras")
for name, difference in rows.items():
    print(f"{name:22} {difference:12.0e}")
print(f"last loss, other epsilon: {loss:.4f}; Keras: {losses[-1]:.4f}")
assert rows["as on this page"] < 1e-9
assert rows["powers not rounded"] > 1e-7
assert rows["only layers in float64"] > 1e-9
assert rows["other epsilon"] > 0.005 > loss_apart
# --8<-- [end:variants]

# --8<-- [start:history]
model = keras_model(16, 1, seed=0)
model.compile(keras.optimizers.Adam(0.01), "mse")
x, y = sample_and_hold(6400, 20, seed=0)
history = model.fit(x, y, batch_size=64, shuffle=False, verbose=0)
(reported,) = history.history["loss"]
after = model.evaluate(x, y, verbose=0)
print(f"fit reports                      {reported:.4f}")
print(f"mean of our 100 losses           {np.mean(our_losses):.4f}")
print(f"the same data, final weights     {after:.4f}")
assert abs(reported - np.mean(our_losses)) < 1e-9
assert after < 0.5 * reported
# --8<-- [end:history]

# --8<-- [start:starter-truncated]
x, y = sample_and_hold(64, 20, seed=5)
weights = keras_model(16, 1, seed=5).get_weights()
prediction, (memory, h, dense) = network_forward(x, weights)
((steps, x_in, kernel, recurrent_kernel),) = memory
print("recurrent kernel, as the backward pass sees it:", end=" ")
print(recurrent_kernel.shape)
# --8<-- [end:starter-truncated]


# --8<-- [start:solution-truncated]
def truncated(x, y, weights):
    """As loss_and_gradients, but nothing flows back through h."""
    prediction, (memory, h, dense) = network_forward(x, weights)
    error = prediction - y
    cut = [(*saved[:3], np.zeros_like(saved[3])) for saved in memory]
    dy = 2 * error / error.size
    return np.mean(error**2), network_backward(dy, cut, h, dense)


_, full = loss_and_gradients(x, y, weights)
_, cut = truncated(x, y, weights)
names = ("kernel", "recurrent_kernel", "bias")
for name, a, b in zip(names, cut, full):
    print(f"{name:17} gradient changes by {relative(a, b):.0%}")
    assert relative(a, b) > 0.01

scores = {"full": [], "truncated": []}
for seed in SEEDS:
    for name, rule in (
        ("full", loss_and_gradients),
        ("truncated", truncated),
    ):
        weights = keras_model(16, 1, seed).get_weights()
        train_numpy(weights, batches_of(seed), rule)
        scores[name].append(score(weights))
print("           mean squared error (best to worst seed)")
for name, found in scores.items():
    print(f"{name:10} {np.mean(found):7.4f}", end="   ")
    print(f"({min(found):.4f} to {max(found):.4f})")
assert max(scores["truncated"]) < 0.25 * np.mean(y_test**2)
# --8<-- [end:solution-truncated]

# --8<-- [start:starter-clip]
model = keras_model(16, 1, seed=0)
weights = model.get_weights()
_, gradients = loss_and_gradients(*batches[0], weights)
norms = [np.linalg.norm(gradient) for gradient in gradients]
print("norm of each gradient:", np.round(norms, 3))
# --8<-- [end:starter-clip]


# --8<-- [start:solution-clip]
def clipped(x, y, weights, limit=0.05):
    """Scale all gradients together, if their common norm is too large."""
    loss, gradients = loss_and_gradients(x, y, weights)
    norm = np.sqrt(sum(np.sum(gradient**2) for gradient in gradients))
    return loss, [g * min(1, limit / norm) for g in gradients]


optimizer = keras.optimizers.Adam(0.01, global_clipnorm=0.05)
model.compile(optimizer, "mse")
for x, y in batches:
    model.train_on_batch(x, y)
train_numpy(weights, batches, clipped)
found = apart(weights, model.get_weights())
unclipped = apart(weights, keras_weights)
print(f"from Keras with global_clipnorm: {found:.0e}")
print(f"from the training without it:    {unclipped:.0e}")
assert found < 1e-9 < 1e-3 < unclipped
# --8<-- [end:solution-clip]
