# --8<-- [start:imports]
import json

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(0)
assert tf.keras.layers.LSTM is layers.LSTM  # two names for one class
# --8<-- [end:imports]


# --8<-- [start:forgetting]
def sigmoid(a):
    """Logistic function; written with tanh, it cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


print("b_f    kept per step    half-life in steps")
for b_f in (0, 1, 3, 5):
    kept = sigmoid(b_f)
    print(f"{b_f:3d} {kept:16.3f} {np.log(0.5) / np.log(kept):21.1f}")

assert sigmoid(1) ** 100 < 1e-13  # the default: nothing is left
assert sigmoid(5) ** 100 > 0.5  # a large bias: more than half is left
# --8<-- [end:forgetting]

# --8<-- [start:by-hand]
h, c, x = 0.2, 0.8, 0.5  # h[t-1], c[t-1], x[t]
W = {  # each pair of weights acts on [h, x]
    "f": [0.3, 0.6],
    "i": [-0.4, 0.9],
    "c": [0.7, 1.2],
    "o": [0.2, 0.8],
}
b = {"f": 1.0, "i": 0.0, "c": 0.1, "o": -0.3}

a = {}
for gate, (w_h, w_x) in W.items():
    a[gate] = w_h * h + w_x * x + b[gate]
    print(f"a_{gate}  = {w_h}·{h} + {w_x}·{x} + {b[gate]} = {a[gate]:.2f}")

f, i, o = sigmoid(a["f"]), sigmoid(a["i"]), sigmoid(a["o"])
c_tilde = np.tanh(a["c"])
print(f"f    = σ({a['f']:.2f}) = {f:.4f}")
print(f"i    = σ({a['i']:.2f}) = {i:.4f}")
print(f"c̃    = tanh({a['c']:.2f}) = {c_tilde:.4f}")
print(f"o    = σ({a['o']:.2f}) = {o:.4f}")

c_new = f * c + i * c_tilde
h_new = o * np.tanh(c_new)
print(f"c[t] = {f:.4f}·{c} + {i:.4f}·{c_tilde:.4f} = {c_new:.3f}")
print(f"h[t] = {o:.4f}·tanh({c_new:.3f}) = {h_new:.3f}")
assert 0.75 < f < 0.85  # about four fifths of the state are kept
# --8<-- [end:by-hand]


# --8<-- [start:step]
def lstm_step(x, h, c, W, b):
    """x (features,), h, c (units,), W[gate] (units, units + features)."""
    hx = np.concatenate([h, x])  # (units + features,)
    f = sigmoid(W["f"] @ hx + b["f"])
    i = sigmoid(W["i"] @ hx + b["i"])
    c_tilde = np.tanh(W["c"] @ hx + b["c"])
    o = sigmoid(W["o"] @ hx + b["o"])
    c = f * c + i * c_tilde
    h = o * np.tanh(c)
    return h, c


W_one = {gate: np.array([W[gate]]) for gate in "fico"}  # (1, 2)
b_one = {gate: np.array([b[gate]]) for gate in "fico"}  # (1,)
x_one, h_one, c_one = np.array([x]), np.array([h]), np.array([c])  # (1,)
h_step, c_step = lstm_step(x_one, h_one, c_one, W_one, b_one)
assert abs(h_step[0] - h_new) < 1e-15
assert abs(c_step[0] - c_new) < 1e-15
# --8<-- [end:step]


# --8<-- [start:layer]
def lstm(x, kernel, recurrent_kernel, bias):
    """x (batch, timesteps, features) -> h, c, f, i, c_tilde, o of each step.

    Each of the six is (batch, timesteps, units).
    """
    units = recurrent_kernel.shape[0]
    h = c = np.zeros((x.shape[0], units), x.dtype)
    steps = []
    for t in range(x.shape[1]):
        a = x[:, t] @ kernel + h @ recurrent_kernel + bias
        i, f, c_tilde, o = np.split(a, 4, axis=1)  # (batch, units) each
        i, f, o = sigmoid(i), sigmoid(f), sigmoid(o)
        c_tilde = np.tanh(c_tilde)
        c = f * c + i * c_tilde
        h = o * np.tanh(c)
        steps.append((h, c, f, i, c_tilde, o))
    return np.stack(steps, axis=2)  # (6, batch, timesteps, units)


# --8<-- [end:layer]


# --8<-- [start:parity]
def largest_difference(batch, timesteps, features, units, dtype):
    """NumPy against a Keras layer with random weights, on random input."""
    layer = layers.LSTM(
        units, return_sequences=True, return_state=True, dtype=dtype
    )
    layer.build((batch, timesteps, features))
    rng = np.random.default_rng(0)
    kernel, recurrent_kernel, bias = layer.get_weights()
    bias += rng.uniform(-0.5, 0.5, bias.shape).astype(dtype)  # not only 0, 1
    layer.set_weights([kernel, recurrent_kernel, bias])

    x = rng.uniform(-1, 1, (batch, timesteps, features)).astype(dtype)
    h_keras, _, last_c = (np.asarray(value) for value in layer(x))
    h, c, *_ = lstm(x, kernel, recurrent_kernel, bias)
    return max(abs(h - h_keras).max(), abs(c[:, -1] - last_c).max())


shapes = [(1, 1, 1, 1), (2, 7, 3, 5), (5, 50, 2, 16), (3, 200, 8, 4)]
print("batch timesteps features units      float32   float64")
for batch, timesteps, features, units in shapes:
    shape = (batch, timesteps, features, units)
    single = largest_difference(*shape, "float32")
    double = largest_difference(*shape, "float64")
    print(f"{batch:5d} {timesteps:9d} {features:8d} {units:5d}", end="   ")
    print(f"{single:10.0e} {double:9.0e}")
    assert single < 1e-6
    assert double < 1e-12
# --8<-- [end:parity]

# --8<-- [start:split]
units, features = 4, 8
rng = np.random.default_rng(1)
x_t, h_t, c_t = rng.normal(size=8), rng.normal(size=4), rng.normal(size=4)
cell = layers.LSTMCell(units, dtype="float64")  # one step of the layer
cell.build((1, features))
kernel, recurrent_kernel, bias = cell.get_weights()

# [h, x] meets the recurrent rows first, then the input rows.
blocks = np.split(np.concatenate([recurrent_kernel, kernel]), 4, axis=1)
W = {gate: block.T for gate, block in zip("ifco", blocks, strict=True)}
b = dict(zip("ifco", np.split(bias, 4), strict=True))
print({gate: W[gate].shape for gate in "fico"})

together = [W[gate] @ np.concatenate([h_t, x_t]) + b[gate] for gate in "ifco"]
apart = np.split(x_t @ kernel + h_t @ recurrent_kernel + bias, 4)
assert np.abs(np.subtract(together, apart)).max() < 1e-14

_, (h_keras, c_keras) = cell(x_t[None], [h_t[None], c_t[None]])
h_step, c_step = lstm_step(x_t, h_t, c_t, W, b)
assert abs(h_step - np.asarray(h_keras)[0]).max() < 1e-12
assert abs(c_step - np.asarray(c_keras)[0]).max() < 1e-12
# --8<-- [end:split]

# --8<-- [start:parameters]
model = keras.Sequential(
    [
        keras.Input((10, 1)),  # (timesteps, features)
        layers.LSTM(50, return_sequences=True),
        layers.LSTM(50),
        layers.Dense(1),
    ]
)
model.summary()


def lstm_parameters(units, features):
    """Four blocks of weights for [h, x] and of biases."""
    return 4 * (units * (units + features) + units)


counts = [layer.count_params() for layer in model.layers]
assert counts == [10_400, 20_200, 51]
assert lstm_parameters(50, 1) == 10_400
assert lstm_parameters(50, 50) == 20_200
assert model.count_params() == 30_651
# --8<-- [end:parameters]


# --8<-- [start:task]
def sample_and_hold(sequences, timesteps, seed):
    """x (sequences, timesteps, 2): value and flag; y (…, 1): what to hold."""
    rng = np.random.default_rng(seed)
    value = rng.uniform(-1, 1, (sequences, timesteps))
    flag = rng.random((sequences, timesteps)) < 0.1
    flag[:, 0] = True  # there is always something to remember
    last = np.where(flag, np.arange(timesteps), 0)
    last = np.maximum.accumulate(last, axis=1)  # index of the last flag
    y = np.take_along_axis(value, last, axis=1)
    x = np.stack([value, flag], axis=2)
    return x.astype("float32"), y[..., None].astype("float32")


x_train, y_train = sample_and_hold(2000, 40, seed=1)
x_test, y_test = sample_and_hold(500, 40, seed=2)

shown = 3  # the test sequence that the page prints and draws
print("value  flag  target")
for (value, flag), (target,) in zip(x_test[shown, :6], y_test[shown, :6]):
    print(f"{value:5.2f} {flag:5.0f} {target:7.2f}")
# --8<-- [end:task]


# --8<-- [start:rules]
def mse(prediction):
    """Mean squared error on the test sequences."""
    return float(np.mean((prediction - y_test) ** 2))


def last_ten(x):
    """The last ten inputs at each step (zeros before the start), and a 1."""
    x = np.pad(x, ((0, 0), (9, 0), (0, 0)))
    x = np.lib.stride_tricks.sliding_window_view(x, 10, axis=1)
    x = x.reshape(*x.shape[:2], 20)
    return np.pad(x, ((0, 0), (0, 0), (0, 1)), constant_values=1)


weights, *_ = np.linalg.lstsq(
    last_ten(x_train).reshape(-1, 21), y_train.reshape(-1, 1)
)
rows = {  # name: (parameters, errors)
    "always zero": (0, [mse(0)]),
    "repeat the value": (0, [mse(x_test[..., :1])]),
    "linear, last ten": (21, [mse(last_ten(x_test) @ weights)]),
}
# --8<-- [end:rules]


# --8<-- [start:train]
def train(layer, units, learning_rate, seed):
    """Return a trained model and its mean squared error."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((None, 2)),
            layer(units, return_sequences=True),
            layers.Dense(1),
        ]
    )
    # Eight batches for each call from Python: faster, the same numbers.
    fast = {"steps_per_execution": 8}
    model.compile(keras.optimizers.Adam(learning_rate), "mse", **fast)
    model.fit(x_train, y_train, batch_size=64, epochs=15, verbose=0)
    return model, model.evaluate(x_test, y_test, verbose=0)


cells = {  # name: (layer, units, learning rate)
    "SimpleRNN(3)": (layers.SimpleRNN, 3, 0.05),
    "SimpleRNN(8)": (layers.SimpleRNN, 8, 0.02),
    "LSTM(1)": (layers.LSTM, 1, 0.05),
}
trained = {}  # name: one model for each of four seeds
for name, cell in cells.items():
    runs = [train(*cell, seed) for seed in range(4)]
    trained[name] = [model for model, _ in runs]
    parameters = trained[name][0].count_params()
    rows[name] = parameters, [error for _, error in runs]

print("                  parameters   mean squared error (best to worst)")
for name, (parameters, errors) in rows.items():
    spread = f"({min(errors):.4f} to {max(errors):.4f})" if errors[1:] else ""
    print(f"{name:17} {parameters:10d} {np.mean(errors):10.4f}   {spread}")
# --8<-- [end:train]

# --8<-- [start:verdict]
mean = {name: np.mean(errors) for name, (_, errors) in rows.items()}
assert max(rows["LSTM(1)"][1]) < 0.01
assert mean["SimpleRNN(8)"] > 2 * mean["LSTM(1)"]
assert mean["SimpleRNN(3)"] > 10 * mean["LSTM(1)"]
assert mean["linear, last ten"] > 0.8 * mean["always zero"]
# --8<-- [end:verdict]

# --8<-- [start:age]
flagged = x_test[..., 1] == 1  # (500, 40)
last_flag = np.maximum.accumulate(flagged * np.arange(40), axis=1)
age = np.arange(40) - last_flag  # steps since the flag
print("steps since the flag    0 to 9   10 to 19   20 to 29   30 to 39")
for name, models in trained.items():
    error = np.mean([(m(x_test) - y_test) ** 2 for m in models], axis=0)
    by_age = [error[age // 10 == decade].mean() for decade in range(4)]
    print(f"{name:20}", *(f"{value:10.4f}" for value in by_age))
print(f"at most 9 steps ago: {np.mean(age < 10):.0%} of all steps")
assert max(by_age) < 0.05  # the LSTM, also after thirty steps
assert np.mean(age < 10) > 0.5
# --8<-- [end:age]

# --8<-- [start:inside]
print("     forget gate   input gate      |c̃|        |i·c̃|    output gate")
print("seed  flag other   flag other   flag other   flag other   flag other")
for seed, model in enumerate(trained["LSTM(1)"]):
    states = lstm(x_test, *model.layers[0].get_weights())
    h, c, f, i, c_tilde, o = states[..., 0]  # the only unit: each (500, 40)
    h_keras = np.asarray(model.layers[0](x_test))[..., 0]
    assert abs(h - h_keras).max() < 1e-5

    means = []
    for gate in (f, i, abs(c_tilde), abs(i * c_tilde), o):
        means.append((gate[flagged].mean(), gate[~flagged].mean()))
    print(f"{seed:4d} {means[0][0]:6.3f} {means[0][1]:5.3f}", end=" ")
    print(*(f"{at:6.2f} {other:5.2f}" for at, other in means[1:]))
    assert means[0][0] < 0.5 < 0.9 < means[0][1]  # kept: less than half, most
    assert means[3][0] > 4 * means[3][1]  # written: at a flag
    assert min(means[4]) > 0.7  # shown: always
# --8<-- [end:inside]

# --8<-- [start:hold]
FORGET, INPUT, HIDDEN = "#cc2200", "#0867e7", "#00475b"  # as in equations

drawn = trained["LSTM(1)"][1]  # the run with seed 1
states = lstm(x_test[[shown]], *drawn.layers[0].get_weights())
h, c, f, i, c_tilde, o = states[:, 0, :, 0]  # each (40,)

fig, axes = plt.subplots(3, 1, figsize=(5.2, 5.6), sharex=True)
steps, flags = np.arange(40), np.flatnonzero(flagged[shown])
values = x_test[shown, :, 0]
axes[0].plot(steps, values, ".", alpha=0.5, label="value")
axes[0].plot(flags, values[flags], "o", color=INPUT, label="with a flag")
axes[1].plot(steps, f, ".-", color=FORGET, label="forget gate: kept")
axes[1].plot(
    steps, abs(i * c_tilde), ".--", color=INPUT, label="|i·c̃|: written"
)
axes[2].plot(steps, y_test[shown], linewidth=6, alpha=0.3, label="target")
axes[2].plot(steps, drawn(x_test[[shown]])[0], color=HIDDEN, label="output")
for axis, title in zip(axes, ["comes in", "gates", "remembered"]):
    for step in flags:
        axis.axvline(step, linestyle=":", alpha=0.5)
    axis.set_title(title, loc="left")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
axes[2].set_xlabel("time step")
plt.show()

between = ~flagged[shown]
assert f[flags].max() < 0.25 < 0.95 < f[between].min()
# --8<-- [end:hold]

# --8<-- [start:explorer]
double = keras.Sequential(  # for the same weights in double precision
    [
        keras.Input((10, 2), dtype="float64"),
        layers.LSTM(4, return_sequences=True, dtype="float64"),
        layers.Dense(1, dtype="float64"),
    ]
)
small, error = train(layers.LSTM, 4, learning_rate=0.05, seed=3)
double.set_weights(small.get_weights())

series, target = sample_and_hold(12, 10, seed=125)
series = series.astype("float64").round(2)
series[8:] *= 100  # far outside the training range: gates saturate
cell = double.layers[0].cell  # one step gives both states
state, states = cell.get_initial_state(batch_size=12), []
for t in range(10):
    _, state = cell(series[:, t], state)
    states.append(state)
h_keras, c_keras = np.moveaxis(np.array(states), 0, 2)  # (12, 10, 4) each
prediction = np.asarray(double(series))  # (12, 10, 1)
single = np.asarray(small(series))

weights = double.get_weights()
h, c, f, i, c_tilde, o = lstm(series, *weights[:3])
assert abs(h - h_keras).max() < 1e-12
assert abs(c - c_keras).max() < 1e-12
assert abs(prediction - single).max() < 1e-4
assert abs(prediction[0] - target[0]).max() < 0.25  # holds the flagged value

names = "kernel recurrent_kernel bias dense offset x h c prediction"
arrays = [*weights, series, h_keras, c_keras, prediction]
explorer = {"features": {"value": [-1, 1], "flag": [0, 1]}}  # for sliders
for name, array in zip(names.split(), arrays, strict=True):
    explorer[name] = array.tolist()
with open("explorer.json", "w") as file:
    json.dump(explorer, file)
# --8<-- [end:explorer]

# --8<-- [start:ten-steps]
gates = {"f": (f, "#cc2200"), "i": (i, "#0867e7"), "o": (o, "#992ba5")}
states = {"c̃": (c_tilde, "#20754f"), "c": (c, "#5f2f00"), "h": (h, "#00475b")}
unit = 1  # the second of four, over the steps of the first series
columns = [array[0, :, unit] for array, _ in (gates | states).values()]
table = np.stack([*series[0].T, *columns, prediction[0, :, 0]], axis=1)
print("step  value flag     f      i      o      c̃      c      h  prediction")
for step, (value, flag, *rest) in enumerate(table, 1):
    print(f"{step:4d} {value:6.2f} {flag:4.0f}", end=" ")
    print(*(f"{number:6.2f}" for number in rest))

fig, axes = plt.subplots(3, 1, figsize=(5.2, 5.6), sharex=True)
steps = np.arange(1, 11)
for axis, lines in zip(axes, [gates, states]):
    for name, (array, colour) in lines.items():
        axis.plot(steps, array[0, :, unit], ".-", color=colour, label=name)
axes[2].plot(steps, series[0, :, 0], "o", alpha=0.3, label="value")
axes[2].plot(steps, prediction[0, :, 0], ".-", label="prediction")
at_flag = series[0, :, 1] == 1
for step in steps[at_flag]:
    axes[2].axvline(step, linestyle=":", alpha=0.5)
for axis, title in zip(axes, ["gates", "candidate and states", "output"]):
    axis.set_title(title, loc="left")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=3)
axes[2].set_xlabel("time step (dotted: flagged)")
plt.show()
assert f[0, at_flag, unit].max() < 0.5 < f[0, ~at_flag, unit].min()
assert i[0, ~at_flag, unit].max() < 0.5 < i[0, at_flag, unit].min()
# --8<-- [end:ten-steps]


# --8<-- [start:order]
def to_keras_1(weights):
    """The same blocks in the order of Keras 1: i, c, f, o."""
    i, f, c, o = np.split(weights, 4, axis=-1)
    return np.concatenate([i, c, f, o], axis=-1)


x = np.random.default_rng(2).normal(size=(8, 20, 3))
layer = layers.LSTM(5, return_sequences=True, dtype="float64")
h_keras = np.asarray(layer(x))
weights = layer.get_weights()
right = abs(lstm(x, *weights)[0] - h_keras).max()
wrong = abs(lstm(x, *map(to_keras_1, weights))[0] - h_keras).max()
print(f"weights in the order i, f, c, o: off by {right:.0e}")
print(f"weights in the order i, c, f, o: off by {wrong:.2f}")
assert right < 1e-12
assert wrong > 0.05
# --8<-- [end:order]

# --8<-- [start:bias]
seven = keras.initializers.Constant(7)
layer = layers.LSTM(2, bias_initializer=seven)
layer.build((1, 1, 1))
print("input, forget, candidate, output:", layer.get_weights()[2])
assert layer.get_weights()[2].tolist() == [7, 7, 1, 1, 7, 7, 7, 7]
# --8<-- [end:bias]

# --8<-- [start:starter-longer]
x_once, _ = sample_and_hold(500, 400, seed=3)
x_once[:, 1:, 1] = 0  # the only flag is at step 0 …
y_once = x_once[:, 0, 0]  # … so this is to be held to the end
prediction = np.asarray(drawn(x_once))[..., 0]  # (500, 400)
print("the model was trained on 40 steps and runs on", prediction.shape[1])
# --8<-- [end:starter-longer]

# --8<-- [start:solution-longer]
ages = [10, 30, 100, 200, 399]
print("steps since the flag", *(f"{step:7d}" for step in ages), end="")
print("  half-life   mean")
for seed, model in enumerate(trained["LSTM(1)"]):
    prediction = np.asarray(model(x_once))[..., 0]
    error = np.mean((prediction - y_once[:, None]) ** 2, axis=0)  # (400,)
    f = lstm(x_once, *model.layers[0].get_weights())[2][:, 1:].mean()
    half_life = np.log(0.5) / np.log(f)  # of a gate at its mean
    print(
        f"seed {seed}              ",
        *(f"{error[t]:7.4f}" for t in ages),
        end="",
    )
    print(f"{half_life:11.0f}{prediction[:, 399].mean():7.2f}")
    assert error[10] < 0.02  # held …
    assert error[399] > 5 * error[30]  # … and slowly lost
    assert 10 < half_life < 2000

print(f"always zero          {np.mean(y_once**2):7.4f}", end="")
print(f"    mean of the values {y_once.mean():.2f}")
# --8<-- [end:solution-longer]

# --8<-- [start:starter-no-forget]
model = trained["LSTM(1)"][1]
kernel, recurrent_kernel, bias = model.layers[0].get_weights()
dense, offset = model.layers[1].get_weights()
h, *_ = lstm(x_test, kernel, recurrent_kernel, bias)
print(f"with its forget gate: {mse(h @ dense + offset):.4f}")
print("columns of the kernel: i, f, c̃, o =", kernel.shape)
# --8<-- [end:starter-no-forget]

# --8<-- [start:solution-no-forget]
print("seed   learnt   held at 1   old state in what is written")
for seed, model in enumerate(trained["LSTM(1)"]):
    weights = model.layers[0].get_weights()
    held = [w.copy() for w in weights]
    held[0][:, 1] = held[1][:, 1] = 0  # x and h say nothing …
    held[2][1] = 50  # … and σ(50) is 1 in float32
    h_learnt, c, _, i, c_tilde, _ = lstm(x_test, *weights)
    h_held, _, f_held, *_ = lstm(x_test, *held)
    assert f_held.min() == 1

    dense, offset = model.layers[1].get_weights()
    learnt, without = (mse(h @ dense + offset) for h in (h_learnt, h_held))
    later = flagged[:, 1:]  # flags with a step before them
    old, written = c[:, :-1][later], (i * c_tilde)[:, 1:][later]
    slope = np.polyfit(old[:, 0], written[:, 0], 1)[0]
    print(f"{seed:4d} {learnt:8.4f} {without:11.4f} {slope:15.2f}")
    assert without > 20 * learnt
# --8<-- [end:solution-no-forget]
