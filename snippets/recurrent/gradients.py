# --8<-- [start:imports]
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

SEEDS = range(5)
FAST = {"jit_compile": True, "steps_per_execution": 4}  # see "Speed"
# --8<-- [end:imports]

# --8<-- [start:powers]
print("factor     after 10     50      100      200 steps")
for factor in (0.5, 0.73, 0.9, 0.99, 1.01, 1.1, 2.0):
    powers = [factor**k for k in (10, 50, 100, 200)]
    print(f"{factor:5.2f}  " + "".join(f"{power:9.0e}" for power in powers))
assert abs(1 / (1 + np.exp(-1)) - 0.73) < 0.005  # the LSTM's first f
assert 0.9**100 < 1e-4
assert 1.1**100 > 1e4
# --8<-- [end:powers]


# --8<-- [start:lag]
def geometric(values):
    """Geometric mean over the first axis."""
    return np.exp(np.log(values).mean(axis=0))


def gradient_by_lag(layer, x):
    """How much the last state moves when the input k steps ago does.

    x (batch, timesteps, features) -> (timesteps,), lag 0 first.
    """
    x = tf.constant(x)
    units = layer.units
    direction = np.random.default_rng(0).normal(size=(1, units))
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = tf.reduce_sum(layer(x) * direction / np.sqrt(units))
    gradient = np.asarray(tape.gradient(output, x), "float64")  # see below
    norms = np.linalg.norm(gradient, axis=2)[:, ::-1]  # (batch, timesteps)
    return geometric(norms)


def forget_bias(value):
    """An LSTM layer of 32 units with this bias of the forget gate."""
    start = np.zeros(4 * 32)
    start[32:64] = value
    return layers.LSTM(
        32,
        unit_forget_bias=False,
        bias_initializer=lambda shape, dtype: tf.constant(start, dtype),
    )


cells = {
    "SimpleRNN": lambda: layers.SimpleRNN(32),
    "GRU": lambda: layers.GRU(32),
    "LSTM": lambda: layers.LSTM(32),  # forget bias 1
    "LSTM, bias 5": lambda: forget_bias(5),
}
by_lag = {}
for name, build in cells.items():
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        x = np.random.default_rng(seed).uniform(-1, 1, (8, 101, 2))
        by_lag[name, seed] = gradient_by_lag(build(), x.astype("float32"))


lags = [10, 50, 100]
print("gradient at a lag over that at lag 1, geometric mean")
header = "".join(f"{f'lag {lag}':10}" for lag in lags)
print(f"{'':14}{header}(seeds at lag 100)")
kept = {}
for name in cells:
    curves = np.array([by_lag[name, seed] for seed in SEEDS])
    kept[name] = curves[:, lags] / curves[:, [1]]  # (seeds, lags)
    row = "".join(f"{value:<10.0e}" for value in geometric(kept[name]))
    last = kept[name][:, -1]
    print(f"{name:14}{row}({min(last):.0e} to {max(last):.0e})")

assert max(kept["LSTM"][:, -1]) < 1e-4  # the default LSTM's vanishes …
assert max(kept["SimpleRNN"][:, -1]) < 1e-2  # … and so does this one's
assert max(kept["LSTM"][:, -1]) < min(kept["SimpleRNN"][:, -1])
assert max(kept["GRU"][:, -1]) < min(kept["LSTM"][:, -1])
assert min(kept["LSTM, bias 5"][:, -1]) > 0.01  # a matter of the start
assert geometric(kept["LSTM, bias 5"])[-1] > 1
# --8<-- [end:lag]

# --8<-- [start:lag-figure]
fig, axis = plt.subplots(figsize=(5.2, 3.6))
for number, name in enumerate(cells):
    curves = np.array([by_lag[name, seed] for seed in SEEDS])
    curves = curves / curves[:, [1]]
    for curve in curves:
        axis.semilogy(curve, color=f"C{number}", alpha=0.25, linewidth=1)
    axis.semilogy(geometric(curves), color=f"C{number}", label=name)
axis.set(xlabel="lag in steps", ylabel="gradient, lag 1 = 1")
axis.set(ylim=(1e-12, 30), xlim=(0, 100))
axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
plt.show()
# --8<-- [end:lag-figure]


# --8<-- [start:sweep]
def carried_back(radius, seed, units=32, steps=100, batch=8):
    """Norm of a vector carried back k steps through a tanh network.

    -> (steps + 1, batch); the recurrent matrix is radius times orthogonal.
    """
    rng = np.random.default_rng(seed)
    orthogonal, _ = np.linalg.qr(rng.normal(size=(units, units)))
    recurrent_kernel = radius * orthogonal
    drive = rng.uniform(-0.5, 0.5, (50 + steps, batch, units))  # x @ kernel
    h = [np.zeros((batch, units))]
    for a in drive:
        h.append(np.tanh(a + h[-1] @ recurrent_kernel))

    back = rng.normal(size=(batch, units))
    norms = [np.linalg.norm(back, axis=1)]
    for k in range(steps):
        back = (back * (1 - h[-1 - k] ** 2)) @ recurrent_kernel.T
        norms.append(np.linalg.norm(back, axis=1))
    return np.array(norms) / norms[0]


radii = np.round(np.arange(0.5, 3.01, 0.1), 1)
swept = np.array([[carried_back(r, seed) for seed in SEEDS] for r in radii])
spread = geometric(np.moveaxis(swept, -1, 0))  # (radii, seeds, steps + 1)

powers = radii[:, None] ** np.arange(101)
bound = powers[:, None, :, None]  # no tanh can carry back more than this
assert (swept <= bound * (1 + 1e-9)).all()

print("radius   lag 10    lag 50    lag 100  (seeds)", end="")
print(f"{'radius^100':>26}")
for radius in (0.5, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0):
    row = spread[list(radii).index(radius)]  # (seeds, steps + 1)
    cells = "".join(f"{value:10.0e}" for value in geometric(row)[lags])
    seeds = f"({min(row[:, 100]):.0e} to {max(row[:, 100]):.0e})"
    print(f"{radius:4.1f} {cells}  {seeds:20}{radius**100:12.0e}")

left = dict(zip(radii, spread[..., 100]))  # radius: five seeds
assert max(left[0.9]) < 1e-9
assert max(left[1.0]) < 1e-5
assert max(left[1.2]) < 0.1 < 1 < min(left[1.5])
assert min(left[3.0]) > 1e7
# --8<-- [end:sweep]

# --8<-- [start:sweep-figure]
fig, axis = plt.subplots(figsize=(5.2, 3.8))
image = np.log10(geometric(np.moveaxis(spread, 1, 0)))  # (radii, lags)
mesh = axis.pcolormesh(
    np.arange(101), radii, image, cmap="viridis", vmin=-10, rasterized=True
)
axis.axhline(1, linestyle="--", color="C1")
axis.set(xlabel="lag in steps", ylabel="spectral radius at the start")
axis.grid(visible=False)
fig.colorbar(mesh, label="log10 of what is left", extend="min")
plt.show()
# --8<-- [end:sweep-figure]


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
    x = np.stack([value, flag], axis=2)
    return x.astype("float32"), y[..., None].astype("float32")


def restart(model, seed):
    """Draw new random weights, empty the optimizer, keep what is compiled."""
    keras.utils.set_random_seed(seed)
    model.set_weights(keras.models.clone_model(model).get_weights())
    for variable in model.optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(keras.ops.zeros_like(variable))


def held(model, lag):
    """Mean size of d output / d value, of the value flagged k steps ago."""
    x = np.zeros((64, lag + 1, 2), "float32")
    x[..., 0] = np.random.default_rng(0).uniform(-1, 1, (64, lag + 1))
    x[:, 0, 1] = 1  # the only flag
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = tf.reduce_sum(model(x)[:, -1])
    return np.abs(tape.gradient(output, x)[:, 0, 0]).mean()


# --8<-- [end:task]

# --8<-- [start:trained]
x_train, y_train = sample_and_hold(1000, 40, seed=1)
x_test, y_test = sample_and_hold(300, 40, seed=2)
probes = [1, 10, 39, 100]
chosen = {  # with the learning rates of the LSTM lesson
    "SimpleRNN(8)": (layers.SimpleRNN(8, return_sequences=True), 0.02),
    "LSTM(1)": (layers.LSTM(1, return_sequences=True), 0.05),
}
table = {}
for name, (layer, learning_rate) in chosen.items():
    model = keras.Sequential([keras.Input((None, 2)), layer, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(learning_rate), "mse", **FAST)
    for seed in range(4):
        restart(model, seed)
        before = [held(model, lag) for lag in probes]
        model.fit(x_train, y_train, batch_size=32, epochs=12, verbose=0)
        after = [held(model, lag) for lag in probes]
        error = model.evaluate(x_test, y_test, verbose=0)
        table[name, seed] = before, after, error

print("derivative of the output by the value to hold; ideal: 1")
header = "".join(f"{f'lag {lag}':>9}" for lag in probes)
print(f"{'':12} seed {'':7}{header} test error")
for (name, seed), (before, after, error) in table.items():
    for when, row in (("before", before), ("after", after)):
        cells = "".join(f"{value:9.0e}" for value in row)
        tail = f"{error:11.4f}" if when == "after" else ""
        print(f"{name:12} {seed:4d} {when:7}{cells}{tail}")
# --8<-- [end:trained]

# --8<-- [start:trained-verdict]
kept, errors = {name: [] for name in chosen}, {name: [] for name in chosen}
for (name, _), (before, after, error) in table.items():
    assert before[2] < 0.05  # at the start little comes back 39 steps …
    assert after[2] > 5 * before[2]  # … after training more
    kept[name].append(after[2])
    errors[name].append(error)
assert min(kept["LSTM(1)"]) > 0.4
assert np.mean(kept["SimpleRNN(8)"]) < np.mean(kept["LSTM(1)"])
assert min(errors["SimpleRNN(8)"]) > max(errors["LSTM(1)"])
starts = [table["LSTM(1)", seed][0][2] for seed in range(4)]
assert np.median(starts) < 1e-6
near = [table["LSTM(1)", seed][0][0] for seed in range(4)]  # over one step
assert np.median(near) > 1000 * np.median(starts)
# --8<-- [end:trained-verdict]

# --8<-- [start:explode]
rng = np.random.default_rng(0)
x_sum = rng.uniform(0, 1, (384, 60, 1)).astype("float32")
y_sum = x_sum.sum(axis=1) / 3  # about 10


def summing(activation, **options):
    """A simple recurrent network that learns to add its inputs."""
    recurrent = layers.SimpleRNN(16, activation=activation)
    model = keras.Sequential(
        [keras.Input((60, 1)), recurrent, layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(**options), "mse", **FAST)
    return model


def loss_and_gradients(model, x, y):
    """The loss and its derivatives by each trainable weight."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x) - y) ** 2)
    weights = [weight.value for weight in model.trainable_weights]
    return float(loss), tape.gradient(loss, weights)


def norm(gradients):
    """Norm over all numbers of all arrays, in float64."""
    squares = [np.sum(np.asarray(g, "float64") ** 2) for g in gradients]
    return np.sqrt(sum(squares))


def factor(model, x):
    """Spectral radius of U among the units that ReLU leaves on at the end."""
    recurrent_kernel = model.get_weights()[1]
    on = np.asarray(model.layers[0](x[:1]))[0] > 0  # (units,)
    eigenvalues = np.linalg.eigvals(recurrent_kernel[on][:, on])
    return np.abs(eigenvalues).max(initial=0)


keras.utils.set_random_seed(1)
model = summing("relu", learning_rate=0.01)
factors = []
print("update       loss   gradient norm   factor per step")
for update in range(12):
    rows = slice(32 * update, 32 * update + 32)
    loss, gradients = loss_and_gradients(model, x_sum[rows], y_sum[rows])
    factors.append(factor(model, x_sum[rows]))
    print(f"{update:6d} {loss:10.1e} {norm(gradients):15.1e}", end="")
    print(f"{factors[-1]:18.2f}")
    if np.isnan(loss):
        break
    model.optimizer.apply(gradients, model.trainable_weights)
assert np.isnan(loss)
assert factors[0] < 1 < factors[-2]  # what was damped now grows
# --8<-- [end:explode]

# --8<-- [start:cures]
ways = {
    "relu": ("relu", {"learning_rate": 0.01}),
    "relu, rate 1e-5": ("relu", {"learning_rate": 1e-5}),
    "relu, global_clipnorm": (
        "relu",
        {"learning_rate": 0.01, "global_clipnorm": 5.0},
    ),
    "tanh": ("tanh", {"learning_rate": 0.01}),
}
print("                       mean loss of the last 12 of 120 updates")
always_mean = np.var(y_sum)
rows = np.pad(x_sum[..., 0], ((0, 0), (0, 1)), constant_values=1)
best, *_ = np.linalg.lstsq(rows, y_sum)
print(f"{'always the mean':22} {always_mean:8.2f}")
print(f"{'linear regression':22} {np.mean((rows @ best - y_sum) ** 2):8.2f}")
last = {}
for name, (activation, options) in ways.items():
    model = summing(activation, **options)
    last[name] = []
    for seed in SEEDS:
        restart(model, seed)
        fitted = model.fit(x_sum, y_sum, batch_size=32, epochs=10, verbose=0)
        last[name].append(fitted.history["loss"][-1])
    print(f"{name:22}", "".join(f"{value:9.2f}" for value in last[name]))

assert np.isnan(last["relu"]).all()
for name in list(ways)[1:]:
    assert np.isfinite(last[name]).all()
assert min(last["relu, rate 1e-5"]) > 20 * always_mean
assert max(last["tanh"]) < 2 * always_mean
# --8<-- [end:cures]


# --8<-- [start:clip]
def clipped(gradients, **options):
    """What a Keras optimizer subtracts at a learning rate of 1."""
    weights = [keras.Variable(np.zeros(g.shape)) for g in gradients]
    keras.optimizers.SGD(1.0, **options).apply(gradients, weights)
    return [-np.asarray(weight) for weight in weights]


def cosine(one, other):
    """Cosine of the angle between two lists of arrays, each as one vector."""
    one, other = (
        np.concatenate([np.ravel(g) for g in gradients]).astype("float64")
        for gradients in (one, other)
    )
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)


print("                  norm                 cosine with the gradient")
cosines = {}
for name in ("clipvalue", "clipnorm", "global_clipnorm"):
    sizes, cosines[name] = [], []
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        model = summing("relu", learning_rate=0.01)
        _, full = loss_and_gradients(model, x_sum[:32], y_sum[:32])
        cut = clipped(full, **{name: 1.0})
        sizes.append((norm(full), norm(cut)))
        cosines[name].append(cosine(full, cut))
    (low, high), (small, large) = np.min(sizes, 0), np.max(sizes, 0)
    sizes = f"{low:.0f} to {small:.0f} -> {high:.1f} to {large:.1f}"
    angle = f"{min(cosines[name]):.4f} to {max(cosines[name]):.4f}"
    print(f"{name:16}  {sizes:27}  {angle}")

assert min(cosines["global_clipnorm"]) > 1 - 1e-6
assert max(cosines["clipnorm"]) < 0.995
assert max(cosines["clipvalue"]) < min(cosines["clipnorm"])
# --8<-- [end:clip]

# --8<-- [start:formulas]
by_hand = {
    "clipvalue": [np.clip(g, -1, 1) for g in full],
    "clipnorm": [g / max(norm([g]), 1) for g in full],
    "global_clipnorm": [g / max(norm(full), 1) for g in full],
}
for name, expected in by_hand.items():
    for ours, keras_array in zip(expected, clipped(full, **{name: 1.0})):
        assert abs(np.asarray(ours) - keras_array).max() < 1e-5
# --8<-- [end:formulas]

# --8<-- [start:overflow]
largest = np.finfo("float32").max
with np.errstate(over="ignore", invalid="ignore"):
    too_large = largest * np.float32(10)
    print(f"largest float32: {largest:.1e}, times ten: {too_large}")
    print("inf - inf:", too_large - too_large, "  0 * inf:", 0 * too_large)
    assert np.isnan(too_large - too_large)
    assert np.isnan(0 * too_large)
# A state that grows by half at each step fits for 218 steps, not for 219.
assert 1.5**218 < float(largest) < 1.5**219
# --8<-- [end:overflow]

# --8<-- [start:too-late]
broken = [tf.constant([1.0, np.nan, 2.0]), tf.constant([3.0, 4.0])]
for name in by_hand:
    first, second = clipped(broken, **{name: 1.0})
    print(f"{name:16} {first.round(2)} {second.round(2)}")
    assert np.isnan(first).any()
# --8<-- [end:too-late]

# --8<-- [start:starter-bias]
biases = (0, 1, 3, 5)
for bias in biases:
    kept_alone = (1 / (1 + np.exp(-bias))) ** 99
    print(
        f"forget bias {bias}: gate alone keeps {kept_alone:.0e} of 99 steps"
    )
# --8<-- [end:starter-bias]

# --8<-- [start:solution-bias]
print("lag 100 over lag 1, three seeds")
measured = {}
for bias in biases:
    measured[bias] = []
    for seed in range(3):
        keras.utils.set_random_seed(seed)
        x = np.random.default_rng(seed).uniform(-1, 1, (8, 101, 2))
        curve = gradient_by_lag(forget_bias(bias), x.astype("float32"))
        measured[bias].append(curve[100] / curve[1])
    row = "".join(f"{value:9.0e}" for value in measured[bias])
    print(f"forget bias {bias}:{row}")
assert max(measured[1]) < 1e-4 < 0.01 < min(measured[3])
for bias in biases:
    assert min(measured[bias]) > (1 / (1 + np.exp(-bias))) ** 99
assert min(measured[5]) > 0.01
# --8<-- [end:solution-bias]

# --8<-- [start:starter-momentum]
optimizer = keras.optimizers.SGD(1.0, momentum=0.9, global_clipnorm=1.0)
weight = keras.Variable(np.zeros(2))
gradient = tf.constant([30.0, 40.0])  # norm 50, the same at each update
print("norm of the gradient:", np.linalg.norm(gradient))
# --8<-- [end:starter-momentum]

# --8<-- [start:solution-momentum]
lengths = []
for _ in range(3):
    start = np.asarray(weight).copy()
    optimizer.apply([gradient], [weight])
    lengths.append(np.linalg.norm(np.asarray(weight) - start))
print("length of each update:", np.round(lengths, 3))
assert np.allclose(lengths, [1, 1.9, 2.71], atol=1e-5)
# --8<-- [end:solution-momentum]
