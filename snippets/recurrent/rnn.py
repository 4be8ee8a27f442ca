# --8<-- [start:imports]
import re

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(0)
# --8<-- [end:imports]

# --8<-- [start:by-hand]
W, U, b = 1.0, 0.5, 0.0  # weights of x[t] and of h[t-1], bias
h = 0.0  # before the first step
states = []
for t, x in enumerate([1.0, 0.0, 0.0, 0.0], start=1):
    a = W * x + U * h + b
    print(f"h[{t}] = tanh({W}·{x} + {U}·{h:.3f} + {b}) = {np.tanh(a):.3f}")
    h = np.tanh(a)
    states.append(h)
assert states[0] > 0.7 > 0.1 > states[3] > 0  # the 1 fades, step by step
# --8<-- [end:by-hand]


# --8<-- [start:layer]
def simple_rnn(x, kernel, recurrent_kernel, bias):
    """x (batch, timesteps, features) -> h (batch, timesteps, units)."""
    h = np.zeros((x.shape[0], recurrent_kernel.shape[0]), x.dtype)
    states = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent_kernel + bias)
        states.append(h)  # (batch, units)
    return np.stack(states, axis=1)


# --8<-- [end:layer]


# --8<-- [start:parity]
def largest_difference(batch, timesteps, features, units, dtype):
    """NumPy against a Keras layer with random weights, on random input."""
    layer = layers.SimpleRNN(units, return_sequences=True, dtype=dtype)
    layer.build((batch, timesteps, features))
    rng = np.random.default_rng(0)
    kernel, recurrent_kernel, bias = layer.get_weights()
    bias += rng.uniform(-0.5, 0.5, bias.shape).astype(dtype)  # not only 0
    layer.set_weights([kernel, recurrent_kernel, bias])

    x = rng.uniform(-1, 1, (batch, timesteps, features)).astype(dtype)
    h_keras = np.asarray(layer(x))
    h = simple_rnn(x, kernel, recurrent_kernel, bias)
    assert h.shape == h_keras.shape == (batch, timesteps, units)
    return abs(h - h_keras).max()


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

# --8<-- [start:units]
rng = np.random.default_rng(0)
layer = layers.SimpleRNN(3)  # 3 units
layer.build((None, None, 2))  # any batch, any number of steps, 2 features
kernel, recurrent_kernel, bias = layer.get_weights()
print("kernel", kernel.shape, end="  ")
print("recurrent_kernel", recurrent_kernel.shape, " bias", bias.shape)
for timesteps in (1, 5, 500):
    x = rng.uniform(-1, 1, (4, timesteps, 2)).astype("float32")
    y = np.asarray(layer(x))
    print("input", x.shape, "-> output", y.shape)
    assert y.shape == (4, 3)
    assert np.allclose(y, simple_rnn(x, *layer.get_weights())[:, -1])
# --8<-- [end:units]


# --8<-- [start:parameters]
def simple_rnn_parameters(units, features):
    """Weights for the input, weights for the state, and biases."""
    return units * features + units * units + units


digits = keras.Sequential(
    [
        keras.Input((28, 28)),  # an image, read as 28 rows of 28 pixels
        layers.SimpleRNN(128),
        layers.Dense(10),
    ]
)
counts = [layer.count_params() for layer in digits.layers]
print("SimpleRNN and Dense:", counts)
assert counts == [simple_rnn_parameters(128, 28), 128 * 10 + 10]
# --8<-- [end:parameters]

# --8<-- [start:unrolled]
HIDDEN = "#00475b"  # as in the equations
INK = plt.rcParams["text.color"]

fig, axis = plt.subplots(figsize=(5.2, 2.9))


def node(x, y, text, color=INK, style="circle"):
    """A symbol in a frame."""
    box = {"boxstyle": f"{style},pad=0.35", "fc": "none", "ec": color}
    axis.text(x, y, text, ha="center", va="center", color=color, bbox=box)


def arrow(start, end, label="", at=(0, 0), color=INK, bend=0, gap=15):
    """An arrow from one node to another, with a label beside it."""
    bent = f"arc3,rad={bend}"
    line = {"arrowstyle": "->", "color": color, "connectionstyle": bent}
    line |= {"shrinkA": gap, "shrinkB": gap}
    axis.annotate("", end, start, arrowprops=line)
    axis.text(*at, label, ha="center", va="center", color=color)


node(0, 1, "$h_t$", HIDDEN, "square")
node(0, 0, "$x_t$")
arrow((0, 0), (0, 1), "$W$", (-0.18, 0.45))
arrow((0, 1), (0, 2))
loop = (0.2, 0.9), (0.2, 1.1)
arrow(*loop, "$U$", (0.62, 1), HIDDEN, bend=1.8, gap=0)
axis.text(1, 1, "=", ha="center", va="center", fontsize=18)

node(1.5, 1, "$0$", HIDDEN, "square")
for t in (1, 2, 3):
    x = 1.5 + t
    node(x, 1, f"$h_{t}$", HIDDEN, "square")
    node(x, 0, f"$x_{t}$")
    arrow((x, 0), (x, 1), "$W$", (x - 0.18, 0.45))
    arrow((x, 1), (x, 2))
    arrow((x - 1, 1), (x, 1), "$U$", (x - 0.5, 1.15), HIDDEN)
arrow((4.5, 1), (5.4, 1), "…", (5.35, 1), HIDDEN)
axis.set(xlim=(-0.7, 5.5), ylim=(-0.3, 2.1))
axis.set_axis_off()
plt.show()
# --8<-- [end:unrolled]


# --8<-- [start:waves]
def waves(sequences, seed):
    """pitch (sequences, 1), wave and octave (sequences, 30, 1)."""
    rng = np.random.default_rng(seed)
    pitch = rng.uniform(0.3, 1.0, (sequences, 1))  # radians a step
    start = rng.uniform(0, 2 * np.pi, (sequences, 1))
    angle = start + pitch * np.arange(30)  # (sequences, 30)
    wave, octave = np.sin(angle), np.sin(2 * angle)
    arrays = pitch, wave[..., np.newaxis], octave[..., np.newaxis]
    return [array.astype("float32") for array in arrays]


def tasks(sequences, seed):
    """{name: (inputs, targets)}"""
    pitch, wave, octave = waves(sequences, seed)
    from_zero = np.sin(pitch * np.arange(20))[..., np.newaxis]
    return {
        "one to many": (pitch, from_zero),
        "many to one": (wave[:, :20], pitch),
        "many to many, equal": (wave[:, :20], octave[:, :20]),
        "many to many, 20 to 10": (wave[:, :20], wave[:, 20:]),
    }


train, test = tasks(2000, seed=1), tasks(500, seed=2)
for name, (x, y) in train.items():
    print(f"{name:23}", x.shape, "->", y.shape)
# --8<-- [end:waves]

# --8<-- [start:models]
stacks = {  # each a function: a new model needs new layers
    "one to many": lambda: [
        keras.Input((1,)),
        layers.RepeatVector(20),  # the same number at each of 20 steps
        layers.SimpleRNN(32, return_sequences=True),
        layers.Dense(1),
    ],
    "many to one": lambda: [
        keras.Input((None, 1)),  # None: any number of steps
        layers.SimpleRNN(32),  # the last hidden state only
        layers.Dense(1),
    ],
    "many to many, equal": lambda: [
        keras.Input((None, 1)),
        layers.SimpleRNN(32, return_sequences=True),
        layers.Dense(1),  # acts on each step
    ],
    "many to many, 20 to 10": lambda: [
        keras.Input((None, 1)),
        layers.SimpleRNN(32),  # reads: all steps become one vector
        layers.RepeatVector(10),  # the vector, once for each new step
        layers.SimpleRNN(32, return_sequences=True),  # writes
        layers.Dense(1),
    ],
}
for name, stack in stacks.items():
    model = keras.Sequential(stack())
    print(f"{name}: {model.input_shape}")
    for layer in model.layers:
        print(f"    {layer.__class__.__name__:13}{layer.output.shape}")
    _, targets = train[name]
    assert model(train[name][0][:8]).shape == targets[:8].shape
# --8<-- [end:models]


# --8<-- [start:baselines]
def rmse(prediction, y):
    """Root mean squared error; the shapes must agree."""
    assert prediction.shape == y.shape
    return float(np.sqrt(np.mean((prediction - y) ** 2)))


def linear(x, y, x_test):
    """Least squares from all inputs of a sequence to all its targets."""
    x = np.pad(x.reshape(len(x), -1), ((0, 0), (0, 1)), constant_values=1)
    weights, *_ = np.linalg.lstsq(x, y.reshape(len(y), -1))
    prediction = x_test.reshape(len(x_test), -1) @ weights[:-1] + weights[-1]
    return prediction.reshape(-1, *y.shape[1:])


errors = {}  # {task: [mean, linear, three seeds]}
for name, (x, y) in train.items():
    x_test, y_test = test[name]
    mean = np.broadcast_to(y.mean(axis=0), y_test.shape)
    errors[name] = [rmse(mean, y_test), rmse(linear(x, y, x_test), y_test)]
# --8<-- [end:baselines]

# --8<-- [start:train]
models = {}
for name, stack in stacks.items():
    for seed in range(3):
        keras.utils.set_random_seed(seed)
        model = models[name] = keras.Sequential(stack())
        model.compile(keras.optimizers.Adam(0.01), "mse")
        model.fit(*train[name], batch_size=64, epochs=15, verbose=0)
        x_test, y_test = test[name]
        errors[name].append(rmse(np.asarray(model(x_test)), y_test))

print("root mean squared error    mean  linear   SimpleRNN, 3 seeds")
for name, (mean, line, *seeds) in errors.items():
    spread = " ".join(f"{error:.3f}" for error in sorted(seeds))
    print(f"{name:23} {mean:7.3f} {line:7.3f}   {spread}")
# --8<-- [end:train]

# --8<-- [start:verdict]
for name, (mean, line, *seeds) in errors.items():
    assert max(seeds) < 0.5 * mean, name  # it learnt something, each time
    if name == "many to many, 20 to 10":
        assert line < 1.2 * np.mean(seeds)  # no need of a network?
    else:
        assert line > 0.8 * mean  # a linear model learnt little or nothing
        assert max(seeds) < 0.5 * line
# --8<-- [end:verdict]

# --8<-- [start:exact]
name = "many to many, 20 to 10"
(x, y), (x_test, y_test) = train[name], test[name]
print("noise     linear  SimpleRNN, trained without noise")
found = []
for size in (0, 1e-4, 1e-3, 1e-2):
    rng = np.random.default_rng(0)
    seen, asked = (
        a + rng.normal(0, size, a.shape).astype("float32")
        for a in (x, x_test)
    )
    line = rmse(linear(seen, y, asked), y_test)  # trained with the noise
    network = rmse(np.asarray(models[name](asked)), y_test)
    print(f"{size:6} {line:9.3f} {network:8.3f}")
    found.append((line, network))
(clean_line, clean), *_, (line, network) = found
assert line > 5 * clean_line
assert network < 1.5 * clean
assert line > 2 * network
# --8<-- [end:exact]

# --8<-- [start:examples]
fig, axes = plt.subplots(4, 1, figsize=(5.2, 7.2))
shown = 3  # a sequence of the test set
for axis, (name, (x, y)) in zip(axes, test.items()):
    prediction = np.asarray(models[name](x))
    axis.set_title(name, loc="left")
    if name == "many to one":
        axis.plot(y, prediction, ".", color="C1", alpha=0.3, markersize=4)
        axis.plot([0.3, 1], [0.3, 1], "--", linewidth=1)
        axis.set(xlabel="true pitch", ylabel="output")
        continue
    first = 20 if name.endswith("20 to 10") else 0
    steps = first + np.arange(y.shape[1])
    axis.plot(steps, y[shown], "-", linewidth=5, alpha=0.3, label="target")
    axis.plot(steps, prediction[shown], color="C1", label="output")
    if x.ndim == 3:
        axis.plot(np.arange(20), x[shown], ".", color="C2", label="input")
    axis.set_xlim(-0.5, 29.5)
fig.legend(
    *axis.get_legend_handles_labels(), loc="outside upper right", ncols=3
)
axes[-1].set_xlabel("time step")
plt.show()
# --8<-- [end:examples]

# --8<-- [start:by-step]
wave, octave = test["many to many, equal"]
error = np.asarray(models["many to many, equal"](wave)) - octave
by_step = np.sqrt(np.mean(error**2, axis=(0, 2)))
for step in (0, 1, 2, 5, 10, 19):
    print(f"after {step + 1:2d} values: {by_step[step]:.2f}")
assert by_step[0] > 0.6
assert by_step[10:].max() < 0.2
# --8<-- [end:by-step]


# --8<-- [start:complaint]
def complaint(call, parts):
    """Print the error that a call raises: its type and the parts we read."""
    try:
        call()
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        kind, told = type(error).__name__, re.findall(parts, str(error))
        print(f"{kind}: {', '.join(told)}")
    else:
        raise AssertionError("this call raises nothing")


# --8<-- [end:complaint]

# --8<-- [start:two-axes]
series = np.zeros((8, 10))  # 8 sequences of 10 values
rank = "expected ndim=.|found ndim=.|received: .*"
complaint(lambda: layers.SimpleRNN(4)(series), rank)

cured = layers.SimpleRNN(4)(series[..., np.newaxis])  # (8, 10, 1)
print("with an axis for the features:", cured.shape)
assert cured.shape == (8, 4)
# --8<-- [end:two-axes]

# --8<-- [start:stacked]
x = keras.Input((10, 1))
first = layers.SimpleRNN(4)
complaint(lambda: layers.SimpleRNN(4)(first(x)), rank)

first = layers.SimpleRNN(4, return_sequences=True)
print("with return_sequences=True:", layers.SimpleRNN(4)(first(x)).shape)
assert first(x).shape == (None, 10, 4)
# --8<-- [end:stacked]

# --8<-- [start:features]
layer = layers.SimpleRNN(4)
layer(np.zeros((8, 10, 1)))  # the first call fixes one feature
two = np.zeros((8, 10, 2))
parts = r"size-incompatible|In\[.\]: \[.,.\]"
complaint(lambda: layer(two), parts)
model = keras.Sequential([keras.Input((10, 1)), layers.SimpleRNN(4)])
parts = "Dimensions must be equal, but are . and ."
complaint(lambda: model.predict(two, verbose=0), parts)

print("one of the two features:", layer(two[..., :1]).shape)
print("a layer for two:", layers.SimpleRNN(4)(two).shape)
# --8<-- [end:features]

# --8<-- [start:samples]
model = models["many to one"]
wave, pitch = train["many to one"]
parts = "Data cardinality is ambiguous|'[xy]' sizes: [0-9]+"
complaint(lambda: model.fit(wave[:8], pitch[1:8]), parts)

assert len(wave) == len(pitch)  # the line to write before fit
print("inputs", wave.shape, "and targets", pitch.shape)
# --8<-- [end:samples]

# --8<-- [start:one-step]
right = np.zeros((8, 10, 1))  # 10 steps of 1 feature
wrong = right.reshape(8, 1, 10)  # 1 step of 10 features
for x in (right, wrong):
    layer = layers.SimpleRNN(4)
    x = x + np.random.default_rng(0).normal(size=x.shape)
    before = np.asarray(layer(x))
    kernel, recurrent_kernel, bias = layer.get_weights()
    layer.set_weights([kernel, 0 * recurrent_kernel, bias])
    change = abs(np.asarray(layer(x)) - before).max()
    print(x.shape, f"without its recurrence, changed by {change:.2f}")
    assert (change > 0.1) == (x.shape == right.shape)
assert change == 0  # one step: the state was zero, so nothing came from it
# --8<-- [end:one-step]

# --8<-- [start:no-batch]
model = models["many to one"]
wave, pitch = test["many to one"]
one = wave[shown]  # (20, 1): one sequence, and no axis for the batch
silent, right = np.asarray(model(one)), np.asarray(model(one[np.newaxis]))
print("true pitch:", pitch[shown])
print(one.shape, "gives", silent.shape)
print(one[np.newaxis].shape, "gives", right.shape, right[0])
assert abs(right - pitch[shown]).max() < 0.1
assert np.allclose(silent, model(one[:, np.newaxis]))  # 20 of one step
# --8<-- [end:no-batch]

# --8<-- [start:targets]
model = models["many to many, equal"]
x, wrong = wave[:8], pitch[:8]  # one target for each sequence
loss = float(model.test_on_batch(x, wrong))
output = np.asarray(model(x))
print("output", output.shape, "targets", wrong.shape, "and no error")
assert np.isclose(loss, np.mean((output - wrong[:, np.newaxis]) ** 2))
assert output.shape != wrong.shape  # compare them before you fit
# --8<-- [end:targets]

# --8<-- [start:starter-sensors]
sensors = np.stack([np.arange(40), 100 + np.arange(40)])  # (2, 40)
wrong = sensors.reshape(4, 10, 2)  # the right shape, but …
print("first steps of the first sequence:")
print(wrong[0, :3])
# --8<-- [end:starter-sensors]

# --8<-- [start:solution-sensors]
x = sensors.T.reshape(4, 10, 2)  # first (steps, sensors), then cut
print("first steps of the first sequence:")
print(x[0, :3])
assert (x[..., 1] - x[..., 0] == 100).all()  # both sensors, same time
assert (np.diff(x, axis=1) == 1).all()  # neighbours are one step apart
assert not (wrong[..., 1] - wrong[..., 0] == 100).any()
# --8<-- [end:solution-sensors]

# --8<-- [start:starter-longer]
steps = np.arange(200)
angle = 1.0 + 0.5 * steps  # a pitch inside the range of training
long = np.sin(angle).astype("float32")[np.newaxis, :, np.newaxis]
print("shape of the long wave:", long.shape)
# --8<-- [end:starter-longer]

# --8<-- [start:solution-longer]
model = models["many to many, equal"]
error = np.asarray(model(long))[0, :, 0] - np.sin(2 * angle)
parts = np.sqrt(np.mean(error.reshape(10, 20) ** 2, axis=1))
for number, part in enumerate(parts):
    print(f"steps {20 * number:3d} to {20 * number + 19:3d}: {part:.3f}")
assert parts[1:].max() < 0.6 * parts[0]
# --8<-- [end:solution-longer]

# --8<-- [start:starter-memory]
model = models["many to one"]
kernel, recurrent_kernel, bias = model.layers[0].get_weights()
print("recurrent_kernel:", recurrent_kernel.shape)
# --8<-- [end:starter-memory]

# --8<-- [start:solution-memory]
x_test, y_test = test["many to one"]
dense, offset = model.layers[1].get_weights()
for name, U in (("learnt", recurrent_kernel), ("zero", 0 * recurrent_kernel)):
    h = simple_rnn(x_test, kernel, U, bias)[:, -1]
    print(f"recurrent_kernel {name:7}", end="")
    print(f"error {rmse(h @ dense + offset, y_test):.3f}")
print(f"always the mean         error {errors['many to one'][0]:.3f}")
assert rmse(h @ dense + offset, y_test) > errors["many to one"][0]
# --8<-- [end:solution-memory]
