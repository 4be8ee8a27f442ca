# --8<-- [start:imports]
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

SEEDS = range(5)
# --8<-- [end:imports]


# --8<-- [start:regression]
def mse(y, output):
    return np.mean((output - y) ** 2)


def mae(y, output):
    return np.mean(abs(output - y))


def huber(y, output):
    """Squared up to an error of 1, straight beyond."""
    e = abs(output - y)
    return np.mean(np.where(e <= 1, 0.5 * e**2, e - 0.5))


rng = np.random.default_rng(0)
y, output = rng.normal(size=(100, 1)), 2 * rng.normal(size=(100, 1))
losses = {
    "mse": (mse, keras.losses.MeanSquaredError(dtype="float64")),
    "mae": (mae, keras.losses.MeanAbsoluteError(dtype="float64")),
    "huber": (huber, keras.losses.Huber(dtype="float64")),
}
for name, (ours, by_keras) in losses.items():
    value = float(by_keras(y, output))
    print(f"{name:6} ours {ours(y, output):.6f}   Keras {value:.6f}")
    assert abs(ours(y, output) - value) < 1e-6
# --8<-- [end:regression]

# --8<-- [start:constant]
values = np.array([1.0, 2, 3, 4, 100])
guesses = np.linspace(0, 100, 10_001)
best = {}
for name, (loss, _) in losses.items():
    best[name] = guesses[np.argmin([loss(values, g) for g in guesses])]
    print(f"{name:6} is least at {best[name]:6.2f}")
print("mean:", values.mean(), "  median:", np.median(values))
assert abs(best["mse"] - values.mean()) < 0.01
assert abs(best["mae"] - np.median(values)) < 0.01
assert abs(best["huber"] - np.median(values)) < 0.01
# --8<-- [end:constant]

# --8<-- [start:outliers]
slopes = {  # derivative of each loss by the output, up to 1 / points
    "mse": lambda e: 2 * e,
    "mae": np.sign,
    "huber": lambda e: np.clip(e, -1, 1),
    "huber, delta=0.1": lambda e: np.clip(e, -0.1, 0.1),
    "huber, delta=10": lambda e: np.clip(e, -10, 10),
}


def fit_line(loss, seed):
    """Error of a line fitted to 100 points, 10 of which are wrong."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, 100)
    truth = 2 * x + 1
    y = truth + rng.normal(0, 0.1, 100)
    y[:10] += rng.uniform(5, 15, 10)  # all wrong in one direction
    w, b = 0.0, 0.0
    for step in range(2000):
        rate = 0.1 * (1 - step / 2000)
        slope = slopes[loss](w * x + b - y)
        w -= rate * np.mean(slope * x)
        b -= rate * np.mean(slope)
    return np.sqrt(np.mean((w * x + b - truth) ** 2))


constant = np.std(2 * np.random.default_rng(0).uniform(-1, 1, 10_000) + 1)
print(f"best constant: {constant:.2f}   (root of the mean squared error)")
missed = {}
for loss in slopes:
    missed[loss] = [fit_line(loss, seed) for seed in SEEDS]
    low, high = min(missed[loss]), max(missed[loss])
    print(f"{loss:16} {np.mean(missed[loss]):.3f} ({low:.3f} to {high:.3f})")
assert min(missed["mse"]) > 4 * max(missed["huber"])
assert max(missed["huber"] + missed["mae"]) < 0.3 * constant
assert np.mean(missed["mse"]) > 0.8 * constant
assert max(missed["huber, delta=0.1"]) < 0.5 * min(missed["huber"])
assert np.mean(missed["huber, delta=10"]) > 0.8 * np.mean(missed["mse"])
# --8<-- [end:outliers]


# --8<-- [start:binary]
def sigmoid(z):
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def cross_entropy(y, p):
    """Of probabilities p, for labels y that are 0 or 1."""
    return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p))


def cross_entropy_from_logits(y, z):
    """The same of z with p = sigmoid(z); no logarithm of 0, no overflow."""
    return np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-abs(z))))


y = np.array([1.0, 0, 1, 0])
z = np.array([2.0, -1, -0.5, 3])
from_p = keras.losses.BinaryCrossentropy(dtype="float64")
from_z = keras.losses.BinaryCrossentropy(from_logits=True, dtype="float64")
print(f"of p: {cross_entropy(y, sigmoid(z)):.6f}", end="   ")
print(f"Keras {float(from_p(y, sigmoid(z))):.6f}")
print(f"of z: {cross_entropy_from_logits(y, z):.6f}", end="   ")
print(f"Keras {float(from_z(y, z)):.6f}")
for value in (from_p(y, sigmoid(z)), from_z(y, z)):
    assert abs(cross_entropy(y, sigmoid(z)) - float(value)) < 1e-6
    assert abs(cross_entropy_from_logits(y, z) - float(value)) < 1e-6

chances = np.linspace(0.01, 0.99, 99)
one_of_four = [cross_entropy(np.array([1, 0, 0, 0]), p) for p in chances]
print(f"one yes of four: least at p = {chances[np.argmin(one_of_four)]:.2f}")
assert abs(chances[np.argmin(one_of_four)] - 0.25) < 1e-9
# --8<-- [end:binary]


# --8<-- [start:classes]
def softmax(z):
    """Probabilities of the classes, (batch, classes); each row adds to 1."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def categorical(label, z):
    """Minus the logarithm of the right class's probability."""
    return -np.mean(np.log(softmax(z)[np.arange(len(label)), label]))


rng = np.random.default_rng(1)
z, label = rng.normal(size=(50, 4)), rng.integers(4, size=50)
sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
print(f"ours {categorical(label, z):.5f}   Keras {sparse(label, z):.5f}")
print(f"all classes alike: {categorical(label, 0 * z):.5f}", end="   ")
print(f"logarithm of 4: {np.log(4):.5f}")
assert abs(categorical(label, z) - sparse(label, z).numpy()) < 1e-5
assert abs(categorical(label, 0 * z) - np.log(4)) < 1e-12
assert categorical(label, z) > np.log(4) + 0.1
# --8<-- [end:classes]

# --8<-- [start:logits]
print("the label is 1; derivative of the loss by z:")
print("     z   with logits   without   squared error of p   Keras layer")
by_z = {}
layer = keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")
for start in (0.0, -5.0, -20.0, -50.0):
    z = tf.Variable([[start]])
    one = tf.constant([[1.0]])
    with tf.GradientTape(persistent=True) as tape:
        p = tf.sigmoid(z)
        p_layer = layer(z)  # the same numbers
        losses_of_z = [
            keras.losses.BinaryCrossentropy(from_logits=True)(one, z),
            keras.losses.BinaryCrossentropy()(one, p),
            keras.losses.MeanSquaredError()(one, p),
            keras.losses.BinaryCrossentropy()(one, p_layer),
        ]
    gradients = [tape.gradient(loss, z) for loss in losses_of_z]
    by_z[start] = [float(g.numpy().item()) for g in gradients]
    numbers = "{:13.4f} {:9.4f} {:20.1e} {:13.4f}".format(*by_z[start])
    print(f"{start:6.0f} {numbers}")
    assert abs(p_layer - p).numpy().item() < 1e-6
    assert abs(by_z[start][0] - (sigmoid(start) - 1)) < 1e-6  # p − y
assert by_z[-50.0][0] < -0.99
assert by_z[-20.0][1] == by_z[-50.0][1] == 0
assert by_z[-50.0][3] < -0.99  # Keras finds the logits behind its sigmoid
assert abs(by_z[-5.0][2]) < 0.02


@tf.function
def without_in_a_graph(z):
    p = tf.sigmoid(z)
    loss = keras.losses.BinaryCrossentropy()(tf.ones_like(z), p)
    return tf.gradients(loss, z)[0]


assert without_in_a_graph(tf.constant([[-50.0]])) < -0.99
# --8<-- [end:logits]


# --8<-- [start:optimizers]
def sgd(g, state, t, rate):
    """Downhill. g: gradient; state: a dict of what is kept; t: 1, 2, …"""
    return -rate * g


def momentum(g, state, t, rate, keep=0.9):
    """A step is a part of the last step, and the gradient."""
    state["step"] = keep * state.get("step", 0) - rate * g
    return state["step"]


def rmsprop(g, state, t, rate, keep=0.9, epsilon=1e-7):
    """Divided by the root of a running mean of the squared gradient."""
    state["v"] = keep * state.get("v", 0) + (1 - keep) * g**2
    return -rate * g / np.sqrt(state["v"] + epsilon)


def adam(g, state, t, rate, keep=(0.9, 0.999), epsilon=1e-7):
    """Running means of the gradient and of its square, both corrected."""
    state["m"] = keep[0] * state.get("m", 0) + (1 - keep[0]) * g
    state["v"] = keep[1] * state.get("v", 0) + (1 - keep[1]) * g**2
    rate = rate * np.sqrt(1 - keep[1] ** t) / (1 - keep[0] ** t)
    return -rate * state["m"] / (np.sqrt(state["v"]) + epsilon)


optimizers = {
    "SGD": sgd,
    "momentum": momentum,
    "RMSprop": rmsprop,
    "Adam": adam,
}
# --8<-- [end:optimizers]

# --8<-- [start:same]
rate, keep, keep_square = 2**-6, 0.875, 1 - 2**-10  # exact in float32
pairs = {  # name: (options of ours, the optimizer of Keras)
    "SGD": ({}, keras.optimizers.SGD(rate)),
    "momentum": ({"keep": keep}, keras.optimizers.SGD(rate, momentum=keep)),
    "RMSprop": ({"keep": keep}, keras.optimizers.RMSprop(rate, rho=keep)),
    "Adam": (
        {"keep": (keep, keep_square)},
        keras.optimizers.Adam(rate, beta_1=keep, beta_2=keep_square),
    ),
}
gradients = np.random.default_rng(2).normal(size=(100, 3)) * [0.01, 1, 100]
print("after 100 steps, largest difference from Keras, by the way gone")
for name, (options, by_keras) in pairs.items():
    w, state = np.ones(3), {}
    variable = keras.Variable(np.ones(3), dtype="float64")
    for t, g in enumerate(gradients, start=1):
        w = w + optimizers[name](g, state, t, rate, **options)
        by_keras.apply([tf.constant(g)], [variable])
    difference = abs(w - variable.numpy()).max() / abs(w - 1).max()
    print(f"{name:9} {difference:.0e}")
    assert difference < 1e-10
# --8<-- [end:same]


# --8<-- [start:surface]
CURVATURE = np.array([1.0, 20.0])  # of the valley: flat along, steep across


def valley(w):
    """A loss of two weights, w (..., 2)."""
    return 0.5 * np.sum(CURVATURE * w**2, axis=-1)


def walk(name, rate, start=(-4, 1), slope=lambda w: CURVATURE * w):
    """The path (61, 2) of 60 steps of an optimizer."""
    path, state = [np.array(start, float)], {}
    for t in range(1, 61):
        g = slope(path[-1])
        path.append(path[-1] + optimizers[name](g, state, t, rate))
    return np.array(path)


rates = {"SGD": 0.09, "momentum": 0.03, "RMSprop": 0.2, "Adam": 0.4}
print("           rate  after 0     10     30     60 steps")
paths = {name: walk(name, rate) for name, rate in rates.items()}
for name, path in paths.items():
    heights = valley(path)[[0, 10, 30, 60]]
    print(f"{name:9} {rates[name]:5.2f}", end="    ")
    print("  ".join(f"{height:5.0e}" for height in heights))
    assert heights[-1] < 0.1 * heights[0]
ends = {name: valley(path[-1]) for name, path in paths.items()}
assert ends["SGD"] < 0.5 * min(ends[name] for name in rates if name != "SGD")
assert valley(paths["SGD"][10]) > valley(paths["Adam"][10])
thrown_back = valley(paths["RMSprop"])[40:]
print(f"RMSprop at step {40 + thrown_back.argmax()}: {thrown_back.max():.1f}")
assert thrown_back.max() > 1 > 100 * valley(paths["RMSprop"][40])

start, limit = valley(paths["SGD"][0]), 2 / CURVATURE.max()
below = valley(walk("SGD", 0.99 * limit)[-1])
above = valley(walk("SGD", 1.01 * limit)[-1])
print(f"SGD at {0.99 * limit:.3f}: {below:.2f}", end="   ")
print(f"at {1.01 * limit:.3f}: {above:.0f}")
assert below < 0.1 * start
assert above > 5 * start
# --8<-- [end:surface]

# --8<-- [start:paths]
fig, axes = plt.subplots(4, 1, figsize=(5.2, 7.6), sharex=True)
sides = np.linspace(-5, 2.5, 80), np.linspace(-1.4, 1.4)
across, along = np.meshgrid(*sides)
heights = valley(np.stack([across, along], axis=-1))
for axis, (name, path) in zip(axes, paths.items(), strict=True):
    axis.contour(across, along, heights, 12, colors="C5", alpha=0.3)
    axis.plot(*path.T, ".-", color="C0", markersize=5, linewidth=1)
    axis.plot(0, 0, "*", color="C1", markersize=12)
    axis.set_title(f"{name}, rate {rates[name]}", loc="left")
    axis.grid(visible=False)
    axis.set_ylabel("w[1]")
axes[-1].set_xlabel("w[0]")
plt.show()
# --8<-- [end:paths]


# --8<-- [start:network]
def network(w, x):
    """16 hidden units with tanh; w holds all 49 weights."""
    W, b, V, d = np.split(w, [16, 32, 48])
    h = np.tanh(x * W + b)  # (batch, 16)
    return h, h @ V + d  # (batch,)


def gradient(w, x, y):
    """Of the mean squared error, by all weights: (49,)."""
    V = w[32:48]
    h, output = network(w, x)
    e = 2 * (output - y) / len(y)  # (batch,)
    da = e[:, None] * V * (1 - h**2)  # (batch, 16)
    parts = [(x * da).sum(axis=0), da.sum(axis=0), h.T @ e, [e.sum()]]
    return np.concatenate(parts)


rng = np.random.default_rng(0)
w, x = rng.normal(size=49), rng.uniform(-1, 1, (8, 1))
y = np.sin(4 * x[:, 0])
w_tensor = tf.Variable(w)
with tf.GradientTape() as tape:
    W, b, V, d = tf.split(w_tensor, [16, 16, 16, 1])
    h = tf.tanh(x * W + b)
    loss = tf.reduce_mean((tf.linalg.matvec(h, V) + d - y) ** 2)
by_tape = tape.gradient(loss, w_tensor).numpy()
print(f"largest difference: {abs(gradient(w, x, y) - by_tape).max():.0e}")
assert abs(gradient(w, x, y) - by_tape).max() < 1e-12
# --8<-- [end:network]


# --8<-- [start:sweep]
x_test = np.linspace(-1, 1, 1000)[:, None]
y_test = np.sin(4 * x_test[:, 0])


def train(name, rate, seed, steps=500):
    """Mean squared error after steps of batches of 64 points."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(0, 1, 32), rng.normal(0, 0.25, 17)
    w, state = np.concatenate([first, second]), {}
    for t in range(1, steps + 1):
        x = rng.uniform(-1, 1, (64, 1))
        g = gradient(w, x, np.sin(4 * x[:, 0]))
        w = w + optimizers[name](g, state, t, rate)
        if not abs(w).max() < 1e6:
            return np.inf
    return mse(y_test, network(w, x_test)[1])


sweep = [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0]
errors = {}
for name in optimizers:
    rows = [[train(name, rate, seed) for seed in SEEDS] for rate in sweep]
    errors[name] = np.array(rows)  # (rates, seeds)

line = np.polyval(np.polyfit(x_test[:, 0], y_test, 1), x_test[:, 0])
print(f"always zero: {mse(y_test, 0):.3f}", end="   ")
print(f"straight line: {mse(y_test, line):.3f}")
print("rate", *(f"{name:>15}" for name in optimizers))
for row, rate in enumerate(sweep):
    print(f"{rate:<6g}", end="")
    for name in optimizers:
        low, high = errors[name][row].min(), errors[name][row].max()
        print(f"  {low:5.0e} to {high:5.0e}", end="")
    print()
# --8<-- [end:sweep]

# --8<-- [start:verdict]
line_error = mse(y_test, line)
learnt = {}  # rates at which every seed has a tenth of the line's error
for name in optimizers:
    good = errors[name].max(axis=1) < 0.1 * line_error
    learnt[name] = [rate for rate, ok in zip(sweep, good, strict=True) if ok]
    print(f"{name:9} learns at", *learnt[name])
    assert errors[name][0].min() > 0.5 * line_error  # too small a rate
    assert errors[name][-1].max() > 0.5 * line_error  # too large a rate
for name in ("SGD", "momentum", "RMSprop"):
    assert len(learnt["Adam"]) > len(learnt[name])
assert len(learnt["SGD"]) == len(learnt["RMSprop"]) == 1
for name in ("SGD", "momentum"):
    assert np.isinf(errors[name][sweep.index(1.0)]).all()
assert errors["RMSprop"][3].min() > errors["RMSprop"][2].max()
# --8<-- [end:verdict]

# --8<-- [start:sweep-figure]
fig, axis = plt.subplots(figsize=(5.2, 3.8))
for marker, (name, found) in zip("osD^", errors.items(), strict=True):
    shown = np.where(np.isinf(found), np.nan, found)[:-1]
    mean = np.exp(np.log(shown).mean(axis=1))
    lines = axis.loglog(sweep[:-1], mean, marker + "-", label=name)
    axis.fill_between(
        sweep[:-1],
        shown.min(axis=1),
        shown.max(axis=1),
        color=lines[0].get_color(),
        alpha=0.2,
        linewidth=0,
    )
axis.axhline(line_error, linestyle=":", label="straight line")
axis.set_ylim(1e-5, 100)
axis.set_xlabel("learning rate")
axis.set_ylabel("mean squared error")
axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
plt.show()
# --8<-- [end:sweep-figure]

# --8<-- [start:twice]
y = tf.constant([[1.0], [0.0]])
perfect = tf.constant([[1.0], [0.0]])  # probabilities, already right
with_logits = keras.losses.BinaryCrossentropy(from_logits=True)
without = keras.losses.BinaryCrossentropy()
print(f"perfect probabilities, as probabilities: {without(y, perfect):.4f}")
print(
    f"perfect probabilities, taken for logits: {with_logits(y, perfect):.4f}"
)

z = tf.Variable([[-3.0], [4.0]])  # logits, both wrong
for name, loss in (("logits", with_logits), ("probabilities", without)):
    with tf.GradientTape() as tape:
        value = loss(y, z)
    slope = tape.gradient(value, z).numpy().ravel()
    print(f"wrong logits, taken for {name}: {value:.2f}, gradient", slope)
    assert (slope == 0).all() == (name == "probabilities")
assert with_logits(y, perfect) > 0.4
assert without(y, perfect) < 1e-5
# --8<-- [end:twice]

# --8<-- [start:shapes]
y = np.array([1.0, 2, 3, 4])  # (4,)
output = y[:, None]  # (4, 1): the same numbers, so the error is 0
print("shape of the difference:", (output - y).shape)
print(f"by hand: {mse(y, output):.2f}", end="   ")
print(f"Keras: {float(keras.losses.MeanSquaredError()(y, output)):.2f}")
assert (output - y).shape == (4, 4)
assert mse(y, output) > 1
assert float(keras.losses.MeanSquaredError()(y, output)) == 0
# --8<-- [end:shapes]

# --8<-- [start:epsilon]
print("gradient   first step by the rate: ours, Keras   the paper's line")
for g in (1e-3, 1e-6, 1e-8):
    ours = -adam(g, {}, 1, 1.0)
    variable = keras.Variable([0.0], dtype="float64")
    slope = tf.constant([g], tf.float64)
    keras.optimizers.Adam(1.0).apply([slope], [variable])
    by_keras = -float(variable.numpy()[0])
    paper = g / (abs(g) + 1e-7)
    print(f"{g:8.0e} {ours:24.4f} {by_keras:12.4f} {paper:18.4f}")
    assert abs(ours - by_keras) < 1e-4
    if g == 1e-6:
        assert abs(ours - 0.25) < 0.02
        assert abs(paper - 0.9) < 0.02
# --8<-- [end:epsilon]

# --8<-- [start:starter-quantile]
values = np.random.default_rng(4).lognormal(size=2000)
guesses = np.linspace(0, 10, 2001)
print("0.9 quantile of the values:", np.quantile(values, 0.9).round(2))
print(
    "mean:", values.mean().round(2), "  median:", np.median(values).round(2)
)
# --8<-- [end:starter-quantile]


# --8<-- [start:solution-quantile]
def pinball(y, output, q):
    """Too low costs q for each unit, too high costs 1 - q."""
    e = output - y
    return np.mean(np.where(e < 0, -q * e, (1 - q) * e))


for q in (0.5, 0.9):
    scores = [pinball(values, guess, q) for guess in guesses]
    best_guess = guesses[np.argmin(scores)]
    print(f"q = {q}: least at {best_guess:.2f}")
    assert abs(best_guess - np.quantile(values, q)) < 0.02
assert abs(pinball(values, 1.0, 0.5) - 0.5 * mae(values, 1.0)) < 1e-12
# --8<-- [end:solution-quantile]

# --8<-- [start:starter-turn]
turn = np.array([[1, -1], [1, 1]]) / np.sqrt(2)  # by 45 degrees
start = turn @ [-4, 1]
print("the same start, turned:", start.round(3))
print("the same height:", valley(turn.T @ start), valley(np.array([-4, 1])))
# --8<-- [end:starter-turn]

# --8<-- [start:solution-turn]
print("loss after 30 steps   along the axes   turned")
for name, rate in rates.items():
    path = walk(
        name, rate, start, lambda w: turn @ (CURVATURE * (turn.T @ w))
    )
    straight, turned = valley(paths[name][30]), valley(path[30] @ turn)
    print(f"{name:9} {straight:27.4f} {turned:8.4f}")
    if name in ("SGD", "momentum"):
        assert abs(straight - turned) < 1e-9
    else:
        assert abs(straight - turned) > 0.1 * straight
    if name == "RMSprop":
        assert turned > 10 * straight
# --8<-- [end:solution-turn]
