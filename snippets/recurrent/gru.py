# --8<-- [start:imports]
import random
from functools import cache
from time import perf_counter

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(0)
SEEDS = range(4)
# --8<-- [end:imports]


# --8<-- [start:by-hand]
def sigmoid(a):
    """Logistic function; written with tanh, it cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


x, h_before = 0.5, 0.8
z = sigmoid(0.6 * x + 0.3 * h_before + 1.0)
r = sigmoid(0.9 * x - 0.4 * h_before)
h_tilde = np.tanh(-0.5 * x + r * (0.7 * h_before) + 0.1)
h = z * h_before + (1 - z) * h_tilde
print(f"z  = σ(0.6·{x} + 0.3·{h_before} + 1.0) = {z:.4f}")
print(f"r  = σ(0.9·{x} − 0.4·{h_before}) = {r:.4f}")
print(f"h̃  = tanh(−0.5·{x} + {r:.4f}·0.7·{h_before} + 0.1) = {h_tilde:.4f}")
print(f"h  = {z:.4f}·{h_before} + {1 - z:.4f}·{h_tilde:.4f} = {h:.4f}")
assert h_tilde < h < h_before  # between the two
# --8<-- [end:by-hand]


# --8<-- [start:layer]
def gru(x, kernel, recurrent_kernel, bias, reset_after=True):
    """x (batch, timesteps, features) -> h, z, r, h_tilde of each step.

    Each of the four is (batch, timesteps, units).
    """
    units = len(recurrent_kernel)
    above, beside = bias if reset_after else (bias, np.zeros_like(bias))
    h = np.zeros((len(x), units), x.dtype)
    steps = []
    for t in range(x.shape[1]):
        x_z, x_r, x_h = np.split(x[:, t] @ kernel + above, 3, axis=1)
        h_z, h_r, h_h = np.split(h @ recurrent_kernel + beside, 3, axis=1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        if reset_after:
            reset = r * h_h
        else:
            reset = (r * h) @ recurrent_kernel[:, 2 * units :]
        h_tilde = np.tanh(x_h + reset)
        h = z * h + (1 - z) * h_tilde
        steps.append((h, z, r, h_tilde))
    return np.stack(steps, axis=2)  # (4, batch, timesteps, units)


# --8<-- [end:layer]


# --8<-- [start:parity]
def keras_gru(units, features, dtype="float64", **options):
    """A Keras layer whose biases are random, not zero."""
    layer = layers.GRU(units, return_sequences=True, dtype=dtype, **options)
    layer.build((None, None, features))
    kernel, recurrent_kernel, bias = layer.get_weights()
    bias = np.random.default_rng(0).uniform(-0.5, 0.5, bias.shape)
    layer.set_weights([kernel, recurrent_kernel, bias.astype(dtype)])
    return layer


def largest_difference(batch, timesteps, features, units, dtype, after):
    """NumPy against Keras, on random input."""
    layer = keras_gru(units, features, dtype, reset_after=after)
    x = np.random.default_rng(1).uniform(-1, 1, (batch, timesteps, features))
    x = x.astype(dtype)
    h, *_ = gru(x, *layer.get_weights(), reset_after=after)
    return abs(h - np.asarray(tf.function(layer)(x))).max()


shapes = [(1, 1, 1, 1), (2, 7, 4, 5), (5, 50, 2, 16), (3, 200, 8, 4)]
print(" " * 34 + "reset_after=True   reset_after=False")
print("batch timesteps features units    float32 float64    float32 float64")
for shape in shapes:
    print("{:5d} {:9d} {:8d} {:5d}".format(*shape), end="   ")
    for after in (True, False):
        single = largest_difference(*shape, "float32", after)
        double = largest_difference(*shape, "float64", after)
        print(f" {single:7.0e} {double:7.0e}", end="   ")
        assert single < 1e-6
        assert double < 1e-12
    print()
# --8<-- [end:parity]


# --8<-- [start:parameters]
def parameters(cell, units, features):
    """Blocks of weights for [h, x], and rows of biases."""
    blocks, rows = {
        "SimpleRNN": (1, 1),
        "GRU, reset_after=False": (3, 1),
        "GRU": (3, 2),
        "LSTM": (4, 1),
    }[cell]
    return blocks * units * (units + features + rows)


cells = {
    "SimpleRNN": layers.SimpleRNN(5),
    "GRU, reset_after=False": layers.GRU(5, reset_after=False),
    "GRU": layers.GRU(5),
    "LSTM": layers.LSTM(5),
}
print("                        shape of the bias   parameters")
for name, layer in cells.items():
    layer.build((None, None, 4))
    shape = layer.get_weights()[2].shape
    print(f"{name:23} {shape!s:>17} {layer.count_params():12d}")
    assert layer.count_params() == parameters(name, units=5, features=4)
assert cells["GRU"].count_params() == 165
assert cells["GRU, reset_after=False"].count_params() == 150
# --8<-- [end:parameters]


# --8<-- [start:backward]
def gru_backward(dh_above, x, kernel, recurrent_kernel, bias):
    """Gradients of x, kernel, recurrent_kernel and bias (reset_after=True).

    dh_above (batch, timesteps, units): the gradient of each h from outside.
    """
    h_all, z_all, r_all, tilde_all = gru(x, kernel, recurrent_kernel, bias)
    dx, dkernel = np.empty_like(x), np.zeros_like(kernel)
    drecurrent, dbias = np.zeros_like(recurrent_kernel), np.zeros_like(bias)
    units, dh_later = len(recurrent_kernel), 0
    for t in reversed(range(x.shape[1])):
        z, r, h_tilde = z_all[:, t], r_all[:, t], tilde_all[:, t]
        h_before = h_all[:, t - 1] if t else np.zeros_like(z)
        h_h = (h_before @ recurrent_kernel + bias[1])[:, 2 * units :]
        dh = dh_above[:, t] + dh_later
        da_z = dh * (h_before - h_tilde) * z * (1 - z)
        da_h = dh * (1 - z) * (1 - h_tilde**2)
        da_r = da_h * h_h * r * (1 - r)
        da_x = np.concatenate([da_z, da_r, da_h], axis=1)
        da_state = np.concatenate([da_z, da_r, da_h * r], axis=1)
        dx[:, t] = da_x @ kernel.T
        dkernel += x[:, t].T @ da_x
        drecurrent += h_before.T @ da_state
        dbias += da_x.sum(axis=0), da_state.sum(axis=0)
        dh_later = dh * z + da_state @ recurrent_kernel.T
    return dx, dkernel, drecurrent, dbias


def against_tape(seed):
    """Largest relative difference to the gradients of GradientTape."""
    layer, rng = keras_gru(5, 4), np.random.default_rng(seed)
    x, dh_above = rng.normal(size=(3, 9, 4)), rng.normal(size=(3, 9, 5))
    with tf.GradientTape() as tape:
        tape.watch(watched := tf.constant(x))
        loss = tf.reduce_sum(layer(watched) * dh_above)
    taped = tape.gradient(loss, [watched, *layer.trainable_variables])
    ours = gru_backward(dh_above, x, *layer.get_weights())
    pairs = [(a, np.asarray(b)) for a, b in zip(ours, taped)]
    return max(abs(a - b).max() / abs(b).max() for a, b in pairs)


worst = max(against_tape(seed) for seed in range(5))
print(f"largest relative difference, five seeds: {worst:.0e}")
assert worst < 1e-9
# --8<-- [end:backward]


# --8<-- [start:reach]
def block_bias(value, block, blocks):
    """A bias initializer: `value` in one block of the first row, else 0."""

    def initializer(shape, dtype=None):
        bias = np.zeros(shape)
        first_row = np.atleast_2d(bias)[0]  # the only one, except in a GRU
        np.split(first_row, blocks)[block][:] = value  # a view of `bias`
        return bias

    return initializer


def keep_bias(value):
    """Options of a GRU that begins by keeping its state."""
    return {"bias_initializer": block_bias(value, block=0, blocks=3)}


def forget_bias(value):
    """Options of an LSTM with another forget bias than one."""
    initializer = block_bias(value, block=1, blocks=4)
    return {"bias_initializer": initializer, "unit_forget_bias": False}


def reach(layer, options, timesteps=101):
    """Gradient of the last h: norms (seeds, timesteps), newest first."""

    def new_layer():
        made = layer(16, dtype="float64", **options)
        made.build((None, None, 4))
        return made

    @tf.function  # one graph for all seeds
    def gradient(x, weight):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(recurrent(x) * weight)
        return tape.gradient(loss, x)

    recurrent, norms = new_layer(), []
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        recurrent.set_weights(new_layer().get_weights())
        rng = np.random.default_rng(seed)
        x = tf.constant(rng.normal(size=(8, timesteps, 4)))
        back = gradient(x, tf.constant(rng.normal(size=(8, 16))))
        norms.append(np.linalg.norm(back, axis=(0, 2))[::-1])
    return norms


fresh = {
    "SimpleRNN": (layers.SimpleRNN, {}),
    "LSTM": (layers.LSTM, {}),
    "LSTM, forget bias 5": (layers.LSTM, forget_bias(5)),
    "GRU": (layers.GRU, {}),
    "GRU, keep bias 5": (layers.GRU, keep_bias(5)),
}
reached = {}
print("steps back                 1          10         100")
for name, (layer, options) in fresh.items():
    norms = reach(layer, options)
    mean = np.exp(np.log(norms).mean(axis=0))  # geometric mean
    reached[name] = mean / mean[0]
    one, ten, hundred = reached[name][[1, 10, 100]]
    print(f"{name:20} {one:7.2f} {ten:11.4f} {hundred:11.0e}")
for name in ("SimpleRNN", "LSTM"):  # the fresh GRU forgets fastest
    assert reached["GRU"][100] < reached[name][100] < 1e-5
assert reached["SimpleRNN"][100] < reached["LSTM"][100]
assert reached["GRU, keep bias 5"][100] > 0.05
# --8<-- [end:reach]

# --8<-- [start:reach-figure]
plt.figure(figsize=(5.2, 3.4))
styles = {"SimpleRNN": "C0:", "LSTM": "C1--", "LSTM, forget bias 5": "C1-"}
styles |= {"GRU": "C2--", "GRU, keep bias 5": "C2-"}
for name, style in styles.items():
    plt.semilogy(reached[name], style, label=name)
plt.xlabel("steps back")
plt.ylabel("gradient (newest input: 1)")
plt.ylim(1e-16, 30)
plt.legend(loc="lower right", bbox_to_anchor=(1.02, 1), ncols=2)
plt.show()
# --8<-- [end:reach-figure]


# --8<-- [start:tasks]
def sample_and_hold(sequences, seed, timesteps=30):
    """Value and flag come in; put out the value that was flagged last."""
    rng = np.random.default_rng(seed)
    value = rng.uniform(-1, 1, (sequences, timesteps))
    flag = rng.random((sequences, timesteps)) < 0.1
    flag[:, 0] = True
    last = np.where(flag, np.arange(timesteps), 0)
    last = np.maximum.accumulate(last, axis=1)
    y = np.take_along_axis(value, last, axis=1)
    return np.stack([value, flag], axis=2), y[..., None]


def noisy_sine(sequences, seed, timesteps=20):
    """Windows of a sine with noise; put out the next value."""
    rng = np.random.default_rng(seed)
    series = np.sin(0.1 * np.arange(sequences + timesteps))
    series += rng.normal(0, 0.1, series.shape)
    cut = np.lib.stride_tricks.sliding_window_view(series, timesteps + 1)
    return cut[:, :-1, None], cut[:, -1:]


def first_symbol(sequences, seed, timesteps=40):
    """Random symbols 0 to 3, one-hot; name the first one at the end."""
    rng = np.random.default_rng(seed)
    symbols = rng.integers(4, size=(sequences, timesteps))
    return np.eye(4)[symbols], symbols[:, 0]


tasks = {  # training data, test data, epochs
    "hold": (sample_and_hold(1000, 1), sample_and_hold(500, 2), 8),
    "sine": (noisy_sine(600, 1), noisy_sine(600, 2), 10),
    "first": (first_symbol(2000, 1), first_symbol(500, 2), 10),
}
# --8<-- [end:tasks]


# --8<-- [start:train]
def fresh_layers(cell, task):
    """The cell and a dense layer, built, with new weights."""
    layer, units, options = cell
    (x, _), *_ = tasks[task]
    recurrent = layer(units, return_sequences=task == "hold", **options)
    recurrent.build(x.shape)
    dense = layers.Dense(4 if task == "first" else 1)
    dense.build((None, units))
    return [recurrent, dense]


def score(output, task):
    """Share of right answers for "first", else mean squared error."""
    _, (_, y), _ = tasks[task]
    if task == "first":
        return float(np.mean(np.argmax(output, axis=1) == y))
    return float(np.mean((output - y) ** 2))


@cache
def compiled(layer, units, task):
    """A model for all seeds and biases, and its optimizer's first state."""
    (x, _), *_ = tasks[task]
    model = keras.Sequential([keras.Input(x.shape[1:])])
    for fresh in fresh_layers((layer, units, {}), task):
        model.add(fresh)
    loss = "mse"
    if task == "first":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fast = {"jit_compile": True, "steps_per_execution": 20}
    model.compile(keras.optimizers.Adam(0.01), loss, **fast)
    model.optimizer.build(model.trainable_variables)
    start = [np.asarray(value) for value in model.optimizer.variables]
    return model, start


def train(cell, task):
    """Parameters, score of each seed, seconds of a training."""
    (x, y), (x_test, _), epochs = tasks[task]
    data = tf.data.Dataset.from_tensor_slices((x, y))
    model, start = compiled(*cell[:2], task)
    scores, seconds = [], []
    for seed in SEEDS:  # fresh weights and optimizer
        random.seed(seed)  # what Keras' initialisers draw their seeds from
        for layer, fresh in zip(model.layers, fresh_layers(cell, task)):
            layer.set_weights(fresh.get_weights())
        for variable, value in zip(model.optimizer.variables, start):
            variable.assign(value)
        began = perf_counter()
        batches = data.shuffle(len(x), seed).batch(50).prefetch(20)
        # The dataset has shuffled; shuffle=False spares a warning.
        model.fit(batches, shuffle=False, epochs=epochs, verbose=0)
        seconds.append(perf_counter() - began)
        scores.append(score(np.asarray(model(x_test)), task))
    return model.count_params(), scores, np.median(seconds[1:])


cells = {
    "LSTM": (layers.LSTM, 7, {}),
    "GRU": (layers.GRU, 8, {}),
    "SimpleRNN": (layers.SimpleRNN, 16, {}),
}
kept = {
    "LSTM, forget bias 5": (layers.LSTM, 7, forget_bias(5)),
    "GRU, keep bias 5": (layers.GRU, 8, keep_bias(5)),
}
results = {
    "hold": {name: train(cell, "hold") for name, cell in cells.items()},
    "sine": {name: train(cell, "sine") for name, cell in cells.items()},
    "first": {n: train(c, "first") for n, c in (cells | kept).items()},
}
# --8<-- [end:train]

# --8<-- [start:baselines]
(x_train, y_train), (x_test, y_test), _ = tasks["sine"]
x_train, x_test = x_train[..., 0], x_test[..., 0]
with_one = np.insert(x_train, 0, 1, axis=1)  # a 1 for the constant
coefficients, *_ = np.linalg.lstsq(with_one, y_train)
linear = np.insert(x_test, 0, 1, axis=1) @ coefficients
baselines = {
    "hold": {"always zero": score(0, "hold")},
    "sine": {
        "repeat the last value": score(x_test[:, -1:], "sine"),
        "linear regression": score(linear, "sine"),
    },
    "first": {"chance": 0.25},
}
titles = {
    "hold": "SAMPLE AND HOLD, 30 steps: mean squared error",
    "sine": "NOISY SINE, 20 steps: mean squared error (noise alone: 0.01)",
    "first": "FIRST OF 40 SYMBOLS: share of right answers",
}
print(f"{'parameters':>27}{'mean':>9}  (lowest to highest)  / LSTM's")
for task, title in titles.items():
    print(title)
    for name, value in baselines[task].items():
        print(f"  {name:21} {value:12.4f}")
    of_lstm = results[task]["LSTM"][2]
    for name, (count, values, seconds) in results[task].items():
        print(f"  {name:19} {count:5d} {np.mean(values):8.4f}", end=" ")
        print(f"({min(values):.4f} to {max(values):.4f})", end="  ")
        print(f"time {seconds / of_lstm:.1f}")
# --8<-- [end:baselines]

# --8<-- [start:verdict]
scores = {task: {} for task in tasks}
for task, found in results.items():
    for name, (_, values, _) in found.items():
        scores[task][name] = values

for task in ("hold", "sine"):  # LSTM and GRU come out close
    ratio = np.mean(scores[task]["LSTM"]) / np.mean(scores[task]["GRU"])
    assert 0.4 < ratio < 2.5
for name in cells:  # nobody beats the linear model on the sine
    by_line = baselines["sine"]["linear regression"]
    assert np.mean(scores["sine"][name]) > by_line
    assert min(scores["sine"][name]) > 0.95 * by_line
for found in results.values():
    counts = [found[name][0] for name in cells]  # of parameters
    assert max(counts) < 1.2 * min(counts)
for gated, helped in zip(("LSTM", "GRU"), kept):
    simple = np.mean(scores["hold"]["SimpleRNN"])
    assert np.mean(scores["hold"][gated]) < 0.3 * simple
    default, with_bias = scores["first"][gated], scores["first"][helped]
    assert max(default) < 0.35 < 0.5 < np.mean(with_bias)
    assert np.mean(scores["first"]["SimpleRNN"]) > np.mean(default)
lstm, gru_5 = (scores["first"][name] for name in kept)
assert min(gru_5) > 0.7  # surer, and closer together
assert np.ptp(gru_5) < np.ptp(lstm)
# --8<-- [end:verdict]

# --8<-- [start:tasks-figure]
heights = {"height_ratios": [4, 5, 6]}
fig, axes = plt.subplots(3, 1, figsize=(5.2, 6.4), gridspec_kw=heights)
for axis, (task, title) in zip(axes, titles.items()):
    names = [*baselines[task], *scores[task]]
    for row, name in enumerate(names):
        if name in scores[task]:
            values = scores[task][name]
            axis.plot(values, [row] * len(values), "o", color="C0", alpha=0.6)
        else:
            axis.axvline(baselines[task][name], color="C1", linestyle=":")
            axis.plot(baselines[task][name], row, "D", color="C1")
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    name, score_name = title.split(" (")[0].split(": ")
    axis.set_title(name.capitalize(), loc="left")
    axis.set_xlabel(score_name)
axes[0].set_xscale("log")
axes[1].locator_params(axis="x", nbins=4)
plt.show()
# --8<-- [end:tasks-figure]


# --8<-- [start:convention]
def gru_other(x, kernel, recurrent_kernel, bias):
    """As gru, but with h = (1 − z)·h + z·h_tilde."""
    h = np.zeros((len(x), len(recurrent_kernel)))
    steps = []
    for t in range(x.shape[1]):
        x_z, x_r, x_h = np.split(x[:, t] @ kernel + bias[0], 3, axis=1)
        h_z, h_r, h_h = np.split(h @ recurrent_kernel + bias[1], 3, axis=1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        h = (1 - z) * h + z * np.tanh(x_h + r * h_h)
        steps.append(h)
    return np.stack(steps, axis=1)


layer = keras_gru(5, 4)
x = np.random.default_rng(0).normal(size=(8, 20, 4))
weights, h_keras = layer.get_weights(), np.asarray(layer(x))
negated = [weight.copy() for weight in weights]
for weight in negated:
    weight[..., :5] *= -1  # the block of z: σ(−a) = 1 − σ(a)

same = abs(gru_other(x, *weights) - h_keras).max()
mended = abs(gru_other(x, *negated) - h_keras).max()
print(f"the other convention, same weights:        off by {same:.2f}")
print(f"the same, block of z with changed sign:    off by {mended:.0e}")
assert same > 0.05
assert mended < 1e-12
# --8<-- [end:convention]

# --8<-- [start:rows]
kernel, recurrent_kernel, bias = weights
attempts = {
    "first row alone": (bias * [[1], [0]], True),
    "both rows added up": ((bias.sum(axis=0), 0 * bias[0]), True),
    "the same, reset first": (bias.sum(axis=0), False),
}
for name, (attempt, after) in attempts.items():
    h = gru(x, kernel, recurrent_kernel, attempt, reset_after=after)[0]
    difference = abs(h - h_keras).max()
    print(f"{name:22} off by {difference:.2f}")
    assert difference > 0.01

*_, dbias = gru_backward(np.ones_like(h_keras), x, *weights)
apart = np.split(abs(dbias[0] - dbias[1]), 3)
apart = [block.max() / abs(dbias).max() for block in apart]
print("the two rows' gradients differ, as a share of the largest, by")
for name, difference in zip("zrh", apart):
    print(f"  {name}: {difference:.2g}")
assert apart[0] == apart[1] == 0 < 0.1 < apart[2]
# --8<-- [end:rows]

# --8<-- [start:names]
default = layers.GRU(5)
print("reset_after:", default.reset_after)
assert default.reset_after is True
try:
    layers.GRU(5, unit_forget_bias=True)
except (TypeError, ValueError) as error:
    print(str(error).splitlines()[0][:72])
else:
    raise AssertionError("GRU knows unit_forget_bias now")
# --8<-- [end:names]


# --8<-- [start:speed]
def milliseconds(layer, repeats=15):
    """Median time to run a layer over a batch, forward and backward."""
    x = tf.random.normal((64, 30, 4))
    layer.build(x.shape)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x))
        return tape.gradient(loss, layer.trainable_variables)

    step()
    times = []
    for _ in range(repeats):
        start = perf_counter()
        step()
        times.append(perf_counter() - start)
    return 1000 * np.median(times)


timed = {
    "LSTM(32)": layers.LSTM(32),
    "GRU(32)": layers.GRU(32),
    "GRU(32, reset_after=False)": layers.GRU(32, reset_after=False),
}
times = {name: milliseconds(layer) for name, layer in timed.items()}
print("                            parameters   time / time of the LSTM")
for name, layer in timed.items():
    ratio = times[name] / times["LSTM(32)"]
    print(f"{name:28} {layer.count_params():9d} {ratio:10.1f}")
    assert 0.05 < ratio < 20  # no claim about which is faster
# --8<-- [end:speed]

# --8<-- [start:starter-simple]
x = np.random.default_rng(0).normal(size=(8, 20, 4))
layer = keras_gru(3, features=4)
simple = layers.SimpleRNN(3, return_sequences=True, dtype="float64")
simple.build((None, None, 4))
for name, weight in zip(("kernel", "recurrent", "bias"), layer.get_weights()):
    print(f"{name:10} {weight.shape}")
# --8<-- [end:starter-simple]

# --8<-- [start:solution-simple]
kernel, recurrent_kernel, bias = layer.get_weights()
kernel[:, :6] = recurrent_kernel[:, :6] = 0  # x and h say nothing to z, r
bias[0, :3], bias[0, 3:6] = -50, 50  # z = 0: keep nothing; r = 1
layer.set_weights([kernel, recurrent_kernel, bias])
simple.set_weights(
    [kernel[:, 6:], recurrent_kernel[:, 6:], bias[:, 6:].sum(0)]
)
difference = abs(np.asarray(layer(x)) - np.asarray(simple(x))).max()
print(f"GRU and SimpleRNN differ by {difference:.0e}")
assert difference < 1e-12
# --8<-- [end:solution-simple]

# --8<-- [start:starter-count]
ones = np.random.default_rng(0).integers(2, size=(1, 1000, 1)).astype(float)
print("ones in the first 10, 100, 1000 steps:", end=" ")
print(*(int(ones[:, :steps].sum()) for steps in (10, 100, 1000)))
# --8<-- [end:starter-count]

# --8<-- [start:solution-count]
counter = layers.LSTM(1, return_state=True, dtype="float64")
counter.build(ones.shape)
kernel = np.array([[0, 0, 50, 0]])  # a 1 makes the candidate 1
bias = np.array([50, 50, 0, 50])  # input, forget and output gate: open
counter.set_weights([kernel, np.zeros((1, 4)), bias])
for steps in (10, 100, 1000):
    *_, c = counter(ones[:, :steps])
    print(f"cell state after {steps:4d} steps: {float(c[0, 0]):.6f}")
    assert abs(float(c[0, 0]) - ones[:, :steps].sum()) < 1e-6

largest = 0
rng = np.random.default_rng(1)
for _ in range(50):  # any weights, however large
    shapes = [(1, 3), (1, 3), (2, 3)]
    guess = [rng.normal(0, 10, shape) for shape in shapes]
    largest = max(largest, abs(gru(ones[:, :100], *guess)[0]).max())
print(f"largest state of 50 random GRUs: {largest:.6f}")
assert largest <= 1
# --8<-- [end:solution-count]
