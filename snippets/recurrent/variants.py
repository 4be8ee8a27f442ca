# --8<-- [start:imports]
import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops
from keras.ops import sigmoid, tanh

SEEDS = range(5)
# --8<-- [end:imports]


# --8<-- [start:vanilla]
class Vanilla(layers.Layer):
    """One step of Keras' LSTM; the variants replace parts of it."""

    # Columns of the kernels: input, forget, candidate, output.
    blocks = "ifco"

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = self.output_size = units
        self.state_size = [units, units]  # of h and of c

    def build(self, input_shape):
        columns = len(self.blocks) * self.units
        features, width = input_shape[-1], self.state_size[0]
        self.kernel = self.add_weight((features, columns), "glorot_uniform")
        self.recurrent_kernel = self.add_weight(
            (width, columns), "orthogonal"
        )
        self.bias = self.add_weight((columns,), self.forget_bias_of_one)

    def forget_bias_of_one(self, shape, dtype):
        ones = [float(block == "f") for block in self.blocks]
        return ops.repeat(ops.convert_to_tensor(ones, dtype), self.units)

    def sums(self, x, h):
        """What stands inside the gates and the candidate, block by block."""
        a = x @ self.kernel + h @ self.recurrent_kernel + self.bias
        return ops.split(a, len(self.blocks), axis=1)

    def call(self, x, states):
        h, c = states  # x (batch, features), h and c (batch, units)
        a_i, a_f, a_c, a_o = self.sums(x, h)
        c = sigmoid(a_f) * c + sigmoid(a_i) * tanh(a_c)
        h = sigmoid(a_o) * tanh(c)
        return h, [h, c]


# --8<-- [end:vanilla]


# --8<-- [start:no-forget]
class NoForget(Vanilla):
    """1997: no forget gate; functions of ranges [-2, 2] and [-1, 1]."""

    blocks = "ico"

    def call(self, x, states):
        h, c = states
        a_i, a_c, a_o = self.sums(x, h)
        c = c + sigmoid(a_i) * 2 * tanh(a_c / 2)
        h = sigmoid(a_o) * tanh(c / 2)
        return h, [h, c]


# --8<-- [end:no-forget]


# --8<-- [start:peephole]
class Peephole(Vanilla):
    """The gates see the cell state: one weight for each gate and unit."""

    def build(self, input_shape):
        super().build(input_shape)
        self.peep = self.add_weight((3, self.units), "zeros")

    def call(self, x, states):
        h, c = states
        a_i, a_f, a_c, a_o = self.sums(x, h)
        p_i, p_f, p_o = ops.unstack(self.peep)
        i, f = sigmoid(a_i + p_i * c), sigmoid(a_f + p_f * c)
        c = f * c + i * tanh(a_c)
        h = sigmoid(a_o + p_o * c) * tanh(c)  # o sees the new cell state
        return h, [h, c]


# --8<-- [end:peephole]


# --8<-- [start:coupled]
class Coupled(Vanilla):
    """One gate for two: what is not kept is written."""

    blocks = "fco"

    def call(self, x, states):
        h, c = states
        a_f, a_c, a_o = self.sums(x, h)
        f = sigmoid(a_f)
        c = f * c + (1 - f) * tanh(a_c)
        h = sigmoid(a_o) * tanh(c)
        return h, [h, c]


# --8<-- [end:coupled]


# --8<-- [start:projected]
class Projected(Vanilla):
    """A hidden state that is narrower than the cell state."""

    def __init__(self, units, projected, **options):
        super().__init__(units, **options)
        self.output_size = projected
        self.state_size = [projected, units]

    def build(self, input_shape):
        super().build(input_shape)
        shape = (self.units, self.output_size)
        self.projection = self.add_weight(shape, "glorot_uniform")

    def call(self, x, states):
        h, [_, c] = super().call(x, states)  # h (batch, units)
        h = h @ self.projection  # (batch, projected)
        return h, [h, c]


# --8<-- [end:projected]


# --8<-- [start:normalized]
class Normalized(Vanilla):
    """Layer normalization of both products and of the cell state."""

    def build(self, input_shape):
        super().build(input_shape)
        columns = 4 * self.units
        self.norm_x = layers.LayerNormalization(center=False)
        self.norm_h = layers.LayerNormalization(center=False)
        self.norm_c = layers.LayerNormalization()
        self.norm_x.build((None, columns))
        self.norm_h.build((None, columns))
        self.norm_c.build((None, self.units))

    def call(self, x, states):
        h, c = states
        from_x = self.norm_x(x @ self.kernel)
        from_h = self.norm_h(h @ self.recurrent_kernel)
        a_i, a_f, a_c, a_o = ops.split(from_x + from_h + self.bias, 4, axis=1)
        c = sigmoid(a_f) * c + sigmoid(a_i) * tanh(a_c)
        h = sigmoid(a_o) * tanh(self.norm_c(c))
        return h, [h, c]


# --8<-- [end:normalized]


# --8<-- [start:parity]
def columns_of(cell):
    """Each block's columns (features + units + 1, units); the bias last."""
    kernel, recurrent_kernel, bias, *_ = cell.get_weights()
    rows = np.concatenate([kernel, recurrent_kernel, bias[None]])
    blocks = np.split(rows, len(cell.blocks), axis=1)
    return dict(zip(cell.blocks, blocks, strict=True))


def keras_lstm(x, w):
    """layers.LSTM with the columns w["i"], w["f"], w["c"], w["o"]."""
    rows = np.concatenate([w[block] for block in "ifco"], axis=1)
    layer = layers.LSTM(
        w["o"].shape[1], return_sequences=True, dtype="float64"
    )
    layer.build(x.shape)
    features = x.shape[2]
    layer.set_weights([rows[:features], rows[features:-1], rows[-1]])
    return np.asarray(layer(x))


def built(cell, features=3):
    """The cell with weights, its biases random instead of 0 and 1."""
    cell.build((None, features))
    cell.bias.assign(np.random.default_rng(1).uniform(-1, 1, cell.bias.shape))
    return cell


def outputs(cell, x):
    """Hidden states of every step, (batch, timesteps, …)."""
    layer = layers.RNN(cell, return_sequences=True, dtype="float64")
    return np.asarray(layer(x))


keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(4, 30, 3))
double = {"dtype": "float64"}
pairs = {}  # name: our hidden states, those of layers.LSTM

cell = built(Vanilla(5, **double))
pairs["vanilla"] = outputs(cell, x), keras_lstm(x, columns_of(cell))

cell = built(NoForget(5, **double))
w = columns_of(cell)
w["f"] = np.zeros_like(w["o"])
w["f"][-1] = 50  # σ(50) is 1: the forget gate stands open
w["c"] = w["c"] / 2
pairs["1997"] = outputs(cell, x), keras_lstm(x, w)

cell = built(Peephole(5, **double))
pairs["peephole, p = 0"] = outputs(cell, x), keras_lstm(x, columns_of(cell))

cell = built(Coupled(5, **double))
w = columns_of(cell)
w["i"] = -w["f"]  # 1 − σ(a) = σ(−a)
pairs["coupled"] = outputs(cell, x), keras_lstm(x, w)

cell = built(Projected(5, 5, **double))
cell.projection.assign(np.eye(5))
pairs["projected, P = 1"] = outputs(cell, x), keras_lstm(x, columns_of(cell))

cell = built(Normalized(5, **double))
cell.norm_x = cell.norm_h = cell.norm_c = lambda values: values
pairs["normalized, off"] = outputs(cell, x), keras_lstm(x, columns_of(cell))

for name, (ours, by_keras) in pairs.items():
    difference = abs(ours - by_keras).max()
    print(f"{name:18} largest difference {difference:.0e}")
    assert difference < 1e-12
# --8<-- [end:parity]

# --8<-- [start:peep]
cell = Peephole(1, dtype="float64")
cell.build((None, 1))
cell.peep.assign([[0.0], [2.0], [0.0]])  # only the forget gate peeps
nothing = np.zeros((1, 1))
print("cell state   forget gate, vanilla   with a peephole of 2")
for c in (-2.0, 0.0, 2.0):
    _, (_, c_next) = cell(nothing, [nothing, np.array([[c]])])
    with_peep, without = (1 / (1 + np.exp(-a)) for a in (1 + 2 * c, 1))
    print(f"{c:10.1f} {without:15.3f} {with_peep:22.3f}")
    assert abs(float(c_next[0, 0]) - with_peep * c) < 1e-12
# --8<-- [end:peep]


# --8<-- [start:scale]
def first_hidden(cell, value):
    """Hidden state after one step that reads a single number."""
    nothing = np.zeros((1, cell.units), "float32")
    h, _ = cell(np.array([[value]], "float32"), [nothing, nothing])
    return np.asarray(h)[0]


keras.utils.set_random_seed(0)
print("cell               x = 1    x = 10   (first unit)   farthest unit")
moved = {}
for cell in (Vanilla(11), Normalized(11)):
    one, ten = first_hidden(cell, 1.0), first_hidden(cell, 10.0)
    moved[type(cell)] = abs(one - ten).max()
    print(f"{type(cell).__name__:12} {one[0]:11.3f} {ten[0]:9.3f}", end="")
    print(f"{moved[type(cell)]:29.3f}")
assert moved[Normalized] < 0.1 * moved[Vanilla]
# --8<-- [end:scale]


# --8<-- [start:tasks]
def running_total(sequences, timesteps, seed):
    """Value and flag in; the sum of the values since the last flag out."""
    rng = np.random.default_rng(seed)
    value = rng.uniform(-0.5, 0.5, (sequences, timesteps))
    flag = rng.random((sequences, timesteps)) < 0.1
    y, total = np.empty_like(value), np.zeros(sequences)
    for t in range(timesteps):
        total = np.where(flag[:, t], 0, total) + value[:, t]
        y[:, t] = total
    x = np.stack([value, flag], axis=2)
    return (
        x.astype("float32"),
        y[..., None].astype("float32"),
        np.ones(y.shape),
    )


def timing(sequences, timesteps, seed, gap=15):
    """Spikes come 15 or 16 steps apart; at each one: 0 for 15, 1 for 16."""
    rng = np.random.default_rng(seed)
    x = np.zeros((sequences, timesteps, 1), "float32")
    y = np.zeros((sequences, timesteps, 1), "float32")
    asked = np.zeros((sequences, timesteps))  # 1 at spikes after the first
    for row in range(sequences):
        t = rng.integers(gap)
        x[row, t] = 1
        while (t := t + gap + (late := rng.integers(2))) < timesteps:
            x[row, t], y[row, t], asked[row, t] = 1, late, 1
    return x, y, asked


x, y, asked = timing(1, 90, seed=1)
print("spikes at    ", np.flatnonzero(x))
print("asked at     ", np.flatnonzero(asked))
print("right answers", y[asked == 1].ravel().astype(int))
assert np.isin(np.diff(np.flatnonzero(x)), (15, 16)).all()
assert (np.diff(np.flatnonzero(x)) - 15 == y[asked == 1].ravel()).all()

x, y, _ = running_total(1, 8, seed=6)
print("values       ", x[0, :, 0].round(2))
print("flags        ", x[0, :, 1].astype(int))
print("totals       ", y[0, :, 0].round(2))
# --8<-- [end:tasks]

# --8<-- [start:sizes]
cells = {
    "vanilla": lambda: Vanilla(12),
    "1997, no forget gate": lambda: NoForget(14),
    "peepholes": lambda: Peephole(12),
    "coupled gates": lambda: Coupled(14),
    "projection": lambda: Projected(18, 6),
    "layer-normalized": lambda: Normalized(11),
}


def network(make_cell, features):
    """The cell over all steps, and one number out at each."""
    layer = layers.RNN(make_cell(), return_sequences=True)
    inputs = keras.Input((None, features))
    return keras.Sequential([inputs, layer, layers.Dense(1)])


print("parameters             running total   timing")
counts = []
for name, make_cell in cells.items():
    pair = [network(make_cell, n).count_params() for n in (2, 1)]
    counts.append(pair)
    print(f"{name:20} {pair[0]:15d} {pair[1]:8d}")
counts = np.array(counts)
middle = (counts.min(axis=0) + counts.max(axis=0)) / 2
print(f"farthest from the middle: {(abs(counts / middle - 1)).max():.1%}")
assert (abs(counts / middle - 1) < 0.03).all()
# --8<-- [end:sizes]

# --8<-- [start:baselines]
tasks = {"total": running_total, "timing": timing}
LENGTHS = (50, 500)  # trained on 50 steps; judged on both
tests = {}
for task, generate in tasks.items():
    tests[task] = [generate(300, 50, seed=2), generate(100, 500, seed=3)]


def score(output, task, length):
    """Total: mean squared error. Timing: share of right answers."""
    _, y, asked = tests[task][LENGTHS.index(length)]
    if task == "timing":
        return float(np.mean(((output > 0) == y)[asked == 1]))
    return float(np.mean((output - y) ** 2))


def last_steps(x, steps):
    """The last `steps` inputs and a 1, for every step of every sequence."""
    before = np.zeros((len(x), steps - 1, x.shape[2]))
    padded = np.concatenate([before, x], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, steps, axis=1)
    windows = windows.reshape(*x.shape[:2], -1)
    return np.concatenate([windows, np.ones((*x.shape[:2], 1))], axis=2)


def linear(task, steps):
    """Least squares on the last steps; its score on both lengths."""
    x, y, asked = tasks[task](1000, 50, seed=1)
    target = 2 * y - 1 if task == "timing" else y
    chosen = asked == 1
    w, *_ = np.linalg.lstsq(last_steps(x, steps)[chosen], target[chosen])
    scores = []
    for length, (x_test, _, _) in zip(LENGTHS, tests[task], strict=True):
        scores.append(score(last_steps(x_test, steps) @ w, task, length))
    return scores


baselines = {"total": {}, "timing": {}}
constant = {"total": "always zero", "timing": "always 15"}
for task in tasks:
    always = [score(0.0, task, length) for length in LENGTHS]
    baselines[task][constant[task]] = always
    for steps in (10, 20):
        baselines[task][f"linear, last {steps}"] = linear(task, steps)
    for name, scores in baselines[task].items():
        print(f"{task:7} {name:15} {scores[0]:8.3f} {scores[1]:8.3f}")
assert max(baselines["timing"]["linear, last 10"]) < 0.6
assert min(baselines["timing"]["linear, last 20"]) > 0.99
# --8<-- [end:baselines]


# --8<-- [start:train]
random_numbers = Lock()  # one thread at a time draws weights


def train(make_cell, task, epochs):
    """Scores (seeds, 2), on 50 and on 500 steps."""
    x, y, asked = tasks[task](1000, 50, seed=1)
    data = tf.data.Dataset.from_tensor_slices((x, y, asked))
    with random_numbers:
        model = network(make_cell, x.shape[2])
    loss = "mse"
    if task == "timing":
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(0.01, clipnorm=1.0)
    # One epoch of 20 batches is one call from Python.
    fast = {"jit_compile": True, "steps_per_execution": 20}
    model.compile(optimizer, loss, **fast)
    optimizer.build(model.trainable_variables)
    start = [np.asarray(value) for value in optimizer.variables]
    predict = tf.function(model)
    scores = []
    for seed in SEEDS:  # one compiled model; fresh weights and optimizer
        with random_numbers:
            random.seed(seed)  # Keras' initialisers draw their seeds from it
            model.set_weights(network(make_cell, x.shape[2]).get_weights())
        for variable, value in zip(optimizer.variables, start, strict=True):
            variable.assign(value)
        batches = data.shuffle(len(x), seed).batch(50)
        model.fit(batches, shuffle=False, epochs=epochs, verbose=0)
        judged = []
        for length, (x_test, _, _) in zip(LENGTHS, tests[task], strict=True):
            judged.append(score(predict(x_test).numpy(), task, length))
        scores.append(judged)
    return np.array(scores)


def train_all(cells, task, epochs):
    """The scores of each cell, two cells at a time."""
    with ThreadPoolExecutor(2) as pool:
        jobs = {
            name: pool.submit(train, make_cell, task, epochs)
            for name, make_cell in cells.items()
        }
    return {name: job.result() for name, job in jobs.items()}


def table(title, task, found):
    """Mean over the seeds and the spread, on both lengths."""
    print(f"{title:21}{'50 steps':>8}{'500 steps':>25}")
    for name, scores in baselines[task].items():
        print(f"{name:21} {scores[0]:7.3f} {scores[1]:24.3f}")
    for name, scores in found.items():
        print(f"{name:21}", end="")
        for column in scores.T:
            low, high = column.min(), column.max()
            print(f" {column.mean():7.3f} ({low:.3f} to {high:.3f})", end="")
        print()


# --8<-- [end:train]

# --8<-- [start:total]
totals = train_all(cells, "total", epochs=10)
table("squared error", "total", totals)
# --8<-- [end:total]

# --8<-- [start:timing]
timed = train_all(cells, "timing", epochs=20)
table("right answers", "timing", timed)
# --8<-- [end:timing]

# --8<-- [start:verdict]
short, long = 0, 1  # columns of the scores
old, vanilla = totals["1997, no forget gate"], totals["vanilla"]
assert old[:, short].min() > 2 * vanilla[:, short].max()
assert old[:, long].min() > 4 * vanilla[:, long].max()
growth = {}
for name, scores in totals.items():
    growth[name] = scores[:, long].mean() / scores[:, short].mean()
of_old = growth.pop("1997, no forget gate")
assert of_old > max(1.5, 1.3 * max(growth.values()))
assert old[:, long].mean() > 0.5 * baselines["total"]["linear, last 20"][1]
for name in ("peepholes", "coupled gates", "projection"):
    ratio = totals[name].mean(axis=0) / vanilla.mean(axis=0)
    assert (ratio > 1 / 3).all()
    assert (ratio < 3).all()
normalized = totals["layer-normalized"]
assert (normalized.mean(axis=0) > 2 * vanilla.mean(axis=0)).all()
for scores in totals.values():  # no cell beats vanilla with every seed …
    assert (scores.max(axis=0) > vanilla.min(axis=0)).all()
    # … and each beats the linear model at 50 steps.
    assert scores[:, short].max() < baselines["total"]["linear, last 20"][0]

for name in ("vanilla", "peepholes"):
    assert (timed[name].mean(axis=0) > 0.95).all()
assert (timed["coupled gates"].mean(axis=0) > 0.9).all()
old_timed = timed["1997, no forget gate"].mean(axis=0)
assert old_timed[long] < min(0.85, old_timed[short])
assert timed["layer-normalized"][:, short].mean() < 0.97
for name in ("1997, no forget gate", "projection", "layer-normalized"):
    assert np.ptp(timed[name][:, short]) > 0.05  # they scatter
for scores in timed.values():  # none beats the linear model that fits
    assert scores.max() <= 1 == baselines["timing"]["linear, last 20"][0]
# --8<-- [end:verdict]


# --8<-- [start:ablation]
class Partly(Normalized):
    """Layer normalization with one of its three places left out."""

    def __init__(self, units, without):
        super().__init__(units)
        self.without = without

    def build(self, input_shape):
        super().build(input_shape)
        getattr(self, self.without).trainable = False  # and not used:
        setattr(self, self.without, lambda values: values)


less = {
    f"without {place}": partial(Partly, 11, place)
    for place in ("norm_x", "norm_h", "norm_c")
}
partly = {name: totals[name] for name in ("vanilla", "layer-normalized")}
partly |= train_all(less, "total", epochs=10)
table("squared error", "total", partly)
means = {name: scores.mean(axis=0) for name, scores in partly.items()}
for name in less:
    assert (means[name] > 1.5 * vanilla.mean(axis=0)).all()
three = means["layer-normalized"]
assert (means["without norm_x"] > three).all()
assert (0.4 * three < means["without norm_h"]).all()
assert (means["without norm_h"] < 1.1 * three).all()
# --8<-- [end:ablation]

# --8<-- [start:figure]
fig, axes = plt.subplots(2, 1, figsize=(5.2, 6.2))
for axis, task, found in zip(axes, tasks, (totals, timed), strict=True):
    line = np.array([baselines[task]["linear, last 20"]])
    rows = {"linear, last 20": line, **found}
    for row, (name, scores) in enumerate(rows.items()):
        color = "C0" if name in found else "C1"
        for column, filled in ((short, color), (long, "none")):
            axis.plot(
                scores[:, column],
                np.full(len(scores), row + 0.3 * column - 0.15),
                "o",
                color=color,
                markerfacecolor=filled,
                label=f"{LENGTHS[column]} steps" if row == 1 else None,
            )
    axis.set_yticks(range(len(rows)), rows)
    axis.set_ylim(len(rows) - 0.5, -0.5)
axes[0].set_xscale("log")
axes[0].set_title("Running total", loc="left")
axes[0].set_xlabel("mean squared error, less is better")
axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.1), ncols=2)
axes[1].set_title("Timing", loc="left")
axes[1].set_xlabel("share of right answers, more is better")
plt.show()
# --8<-- [end:figure]

# --8<-- [start:no-peepholes]
features, units = 2, 12
by_keras = layers.LSTM(units)
by_keras.build((None, None, features))
ours = Peephole(units)
ours.build((None, features))
print("layers.LSTM:", [tuple(w.shape) for w in by_keras.weights])
print("Peephole:   ", [tuple(w.shape) for w in ours.weights])
assert by_keras.count_params() == 4 * units * (units + features + 1)
assert ours.count_params() == by_keras.count_params() + 3 * units
# --8<-- [end:no-peepholes]


# --8<-- [start:output-size]
class FirstTwo(Vanilla):
    """Puts out the first two of its hidden numbers only."""

    def call(self, x, states):
        h, [h, c] = super().call(x, states)
        return h[:, :2], [h, c]


for size in (4, 2):
    cell = FirstTwo(4)
    cell.output_size = size
    layer = layers.RNN(cell, return_sequences=True)
    planned = layer(keras.Input((None, 3))).shape[-1]
    given = layer(np.zeros((1, 5, 3), "float32"))
    came = given.shape[-1]
    print(f"output_size {size}: Keras plans {planned}, the cell gives {came}")
    assert (planned, came) == (size, 2)
    after = layers.Dense(1)
    after.build((None, None, planned))
    try:
        after(given)
        refused = False
    except ValueError as error:
        print("  the next layer:", str(error).split("layer: ")[1])
        refused = True
    assert refused == (size == 4)
# --8<-- [end:output-size]

# --8<-- [start:starter-parallel]
x = np.random.default_rng(1).normal(size=(4, 30, 3))
cell = built(Vanilla(5, dtype="float64"))
cell.recurrent_kernel.assign(np.zeros((5, 20)))
a = x @ cell.kernel.numpy() + cell.bias.numpy()  # of all steps at once
a_i, a_f, a_c, a_o = np.split(a, 4, axis=2)
print("one block of sums:", a_f.shape)
# --8<-- [end:starter-parallel]


# --8<-- [start:solution-parallel]
def gate(a):
    return 0.5 + 0.5 * np.tanh(0.5 * a)


written = gate(a_i) * np.tanh(a_c)  # (batch, timesteps, units)
log_f = np.cumsum(np.log(gate(a_f)), axis=1)
kept = np.exp(log_f[:, :, None] - log_f[:, None])  # from step k to step t
earlier = np.tri(30)[:, :, None]  # 1 where k <= t
c = np.sum(earlier * kept * written[:, None], axis=2)
h = gate(a_o) * np.tanh(c)
difference = abs(h - outputs(cell, x)).max()
print(f"largest difference from the loop: {difference:.0e}")
assert difference < 1e-10
# --8<-- [end:solution-parallel]

# --8<-- [start:starter-no-output]
x = np.random.default_rng(1).normal(size=(4, 30, 3))
w = columns_of(built(Vanilla(5, dtype="float64")))
w["o"] = np.zeros_like(w["o"])
w["o"][-1] = 50  # an output gate that stands open
to_match = keras_lstm(x, w)
print("last hidden state to match:", to_match[0, -1].round(3))
three_blocks = network(cells["coupled gates"], 2).count_params()
print("parameters with three blocks of 14 units:", three_blocks)
# --8<-- [end:starter-no-output]


# --8<-- [start:solution-no-output]
class NoOutput(Vanilla):
    """No output gate: others see the squashed cell state."""

    blocks = "ifc"

    def call(self, x, states):
        h, c = states
        a_i, a_f, a_c = self.sums(x, h)
        c = sigmoid(a_f) * c + sigmoid(a_i) * tanh(a_c)
        h = tanh(c)
        return h, [h, c]


cell = built(NoOutput(5, dtype="float64"))
rows = np.concatenate([w[block] for block in "ifc"], axis=1)
cell.set_weights([rows[:3], rows[3:-1], rows[-1]])
assert abs(outputs(cell, x) - to_match).max() < 1e-12

found = train(lambda: NoOutput(14), "total", 10)
table("squared error", "total", {"vanilla": vanilla, "no output gate": found})
ratio = found.mean(axis=0) / vanilla.mean(axis=0)
assert (ratio > 1 / 3).all()
assert (ratio < 3).all()
# --8<-- [end:solution-no-output]
