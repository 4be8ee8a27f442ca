# --8<-- [start:imports]
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

SEEDS = range(20)
# --8<-- [end:imports]


# --8<-- [start:neuron]
def sigmoid(a):
    """A number between 0 and 1 for each number in a."""
    return 1 / (1 + np.exp(-a))


def neuron(x, w, b):
    """x (batch, features), w (features,), b a number -> (batch,)."""
    return sigmoid(x @ w + b)


corners = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])  # (4, 2)
w = np.array([10.0, 10.0])
at_least_one = neuron(corners, w, -5)  # 10·x1 + 10·x2 - 5
both = neuron(corners, w, -15)  # 10·x1 + 10·x2 - 15
print("switches   at least one on   both on")
for (x1, x2), one, two in zip(corners, at_least_one, both):
    print(f"{x1:4.0f} {x2:3.0f} {one:14.3f} {two:11.3f}")
assert (at_least_one > 0.5).tolist() == [False, True, True, True]
assert (both > 0.5).tolist() == [False, False, False, True]
# --8<-- [end:neuron]

# --8<-- [start:xor]
xor = np.array([0, 1, 1, 0])  # exactly one switch is on
rng = np.random.default_rng(0)
counts = np.zeros(5, int)
for _ in range(20000):
    answers = corners @ rng.normal(size=2) + rng.normal() > 0
    counts[np.sum(answers == xor)] += 1
for right, count in enumerate(counts):
    print(f"{right} of 4 right: {count:5d} neurons")
assert counts[3] > 0
assert counts[4] == 0
# --8<-- [end:xor]


# --8<-- [start:clouds]
def clouds(count, seed):
    """Points near the corners (count, 2), their classes (count, 1)."""
    corner = np.arange(count) % 4
    noise = np.random.default_rng(seed).normal(0, 0.15, (count, 2))
    return corners[corner] + noise, xor[corner, np.newaxis]


def best_line(x, y):
    """The straight line with most right answers: its share, w and b."""
    most, found = 0, None
    for angle in np.linspace(0, 2 * np.pi, 720, endpoint=False):
        w = np.array([np.cos(angle), np.sin(angle)])
        order = np.argsort(x @ w)
        ones = y[order, 0]
        # Cut after each point: zeros before it, ones behind it are right
        right = np.cumsum(1 - ones) + ones.sum() - np.cumsum(ones)
        cut = right.argmax()
        if right[cut] > most:
            most = right[cut]
            found = w, -np.mean(x[order[cut : cut + 2]] @ w)
    return most / len(x), *found


x_test, y_test = clouds(400, seed=1000)
share, w, b = best_line(x_test, y_test)
print(f"the best of all lines: {share:.1%} right, by counting")
assert np.isclose(np.mean((x_test @ w + b > 0) == y_test[:, 0]), share)
assert 0.7 < share < 0.8
# --8<-- [end:clouds]


# --8<-- [start:by-hand]
def forward(x, weights):
    """x (batch, features) -> hidden (batch, units), output (batch, 1)."""
    W1, b1, W2, b2 = weights
    hidden = np.tanh(x @ W1 + b1)  # (batch, units)
    return hidden, sigmoid(hidden @ W2 + b2)


by_hand = [
    np.array([[10.0, 10.0], [10.0, 10.0]]),  # W1 (2, 2)
    np.array([-5.0, -15.0]),  # b1 (2,): "at least one", "both"
    np.array([[5.0], [-5.0]]),  # W2 (2, 1): the first without the second
    np.array([-5.0]),  # b2 (1,)
]
hidden, output = forward(corners, by_hand)
print("switches    hidden units    output")
for (x1, x2), (h1, h2), (y_hat,) in zip(corners, hidden, output):
    print(f"{x1:4.0f} {x2:3.0f} {h1:9.2f} {h2:6.2f} {y_hat:9.3f}")
assert np.abs(output[:, 0] - xor).max() < 0.01
# --8<-- [end:by-hand]


# --8<-- [start:by-hand-figure]
def regions(axis, answer, low, high):
    """Hatch where answer(points) > 0.5 in a square."""
    line = np.linspace(low, high, 201)
    points = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    z = answer(points).reshape(201, 201)
    axis.contourf(
        line, line, z, levels=[0.5, 1], colors="none", hatches=["///"]
    )
    axis.contour(line, line, z, levels=[0.5], colors="C3")


def classes(axis, points, y, size=70):
    """Circles for class 0, filled triangles for class 1."""
    zero, one = points[y == 0].T, points[y == 1].T
    axis.scatter(*zero, size, facecolor="none", edgecolor="C0")
    axis.scatter(*one, size, marker="^", color="C1")


fig, (left, right) = plt.subplots(1, 2, figsize=(5.2, 2.9))
regions(left, lambda x: forward(x, by_hand)[1], -0.5, 1.5)
classes(left, corners, xor)
left.set(xlabel="$x_1$", ylabel="$x_2$", title="inputs")
left.set(xticks=[0, 1], yticks=[0, 1])
W2, b2 = by_hand[2:]
regions(right, lambda h: sigmoid(h @ W2 + b2), -1.5, 1.5)
classes(right, hidden, xor)
right.set(xlabel="$h_1$", ylabel="$h_2$", title="hidden units")
right.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])
plt.show()
# --8<-- [end:by-hand-figure]

# --8<-- [start:layer]
rng = np.random.default_rng(0)
x = rng.normal(size=(5, 3))  # (batch, features)
W, b = rng.normal(size=(3, 4)), rng.normal(size=4)  # four units
a = x @ W + b  # (batch, units)
print(x.shape, "@", W.shape, "+", b.shape, "->", a.shape)

one_by_one = np.empty((5, 4))
for example in range(5):
    for unit in range(4):
        one_by_one[example, unit] = x[example] @ W[:, unit] + b[unit]
assert np.allclose(a, one_by_one, rtol=0, atol=1e-12)
# --8<-- [end:layer]

# --8<-- [start:linear]
W1, b1 = rng.normal(size=(2, 8)), rng.normal(size=8)
W2, b2 = rng.normal(size=(8, 1)), rng.normal(size=1)
two_layers = (x_test @ W1 + b1) @ W2 + b2
W, b = W1 @ W2, b1 @ W2 + b2  # (2, 1) and (1,)
difference = np.abs(two_layers - (x_test @ W + b)).max()
print(f"{W1.shape} @ {W2.shape} is {W.shape}, difference {difference:.0e}")
assert difference < 1e-12
assert np.mean((two_layers > 0) == y_test) <= share + 0.02  # a line
# --8<-- [end:linear]


# --8<-- [start:keras]
def start(features, units, seed):
    """Random weights, biases of zero: W1, b1, W2, b2."""
    rng = np.random.default_rng(seed)
    W1, W2 = rng.normal(size=(features, units)), rng.normal(size=(units, 1))
    return [W1, np.zeros(units), W2, np.zeros(1)]


def keras_model(units):
    """The same network in Keras, for two inputs."""
    hidden = layers.Dense(units, "tanh")
    output = layers.Dense(1, "sigmoid")
    return keras.Sequential([keras.Input((2,)), hidden, output])


model = keras_model(8)
print("shapes:", *[w.shape for w in model.get_weights()])
differences = []
for seed in range(5):
    weights = start(2, 8, seed)
    model.set_weights(weights)
    ours, theirs = forward(x_test, weights)[1], model(x_test)
    differences.append(np.abs(ours - theirs).max())
print(f"largest difference: {max(differences):.0e}")
assert max(differences) < 1e-5

model = keras_model(2)
model.set_weights(by_hand)
assert (np.array(model(corners))[:, 0] > 0.5).tolist() == xor.tolist()
# --8<-- [end:keras]


# --8<-- [start:gradient]
def gradient(x, y, weights):
    """The derivative of the loss by each array in weights."""
    hidden, output = forward(x, weights)
    d2 = 2 / len(x) * (output - y) * output * (1 - output)  # (batch, 1)
    d1 = d2 @ weights[2].T * (1 - hidden**2)  # (batch, units)
    return [x.T @ d1, d1.sum(axis=0), hidden.T @ d2, d2.sum(axis=0)]


def tape_gradient(x, y, weights):
    """The same by TensorFlow."""
    variables = [tf.Variable(w) for w in weights]
    W1, b1, W2, b2 = variables
    with tf.GradientTape() as tape:
        output = tf.sigmoid(tf.tanh(x @ W1 + b1) @ W2 + b2)
        loss = tf.reduce_mean((output - y) ** 2)
    return tape.gradient(loss, variables)


x, y = clouds(100, seed=0)
worst = 0
for seed in range(5):
    weights = start(2, 8, seed)
    ours, tapes = gradient(x, y, weights), tape_gradient(x, y, weights)
    for w, g, by_tape in zip(weights, ours, tapes):
        assert g.shape == w.shape
        worst = max(worst, np.abs(g - by_tape).max())
print(f"five starts, four arrays: largest difference {worst:.0e}")
assert worst < 1e-12
# --8<-- [end:gradient]


# --8<-- [start:train]
def train(x, y, weights, rate=1.0, steps=1000):
    """Gradient descent on all points at once; returns new weights."""
    for _ in range(steps):
        slopes = gradient(x, y, weights)
        weights = [w - rate * g for w, g in zip(weights, slopes)]
    return weights


def score(x, y, weights):
    """The share of points on the right side of 0.5."""
    return np.mean((forward(x, weights)[1] > 0.5) == y)


weights = start(2, 8, seed=0)
print("steps    loss   right of 400 new points")
for step in range(0, 1001, 200):
    if step:
        weights = train(x, y, weights, steps=200)
    loss = np.mean((forward(x, weights)[1] - y) ** 2)
    print(f"{step:5d} {loss:7.4f} {score(x_test, y_test, weights):9.1%}")
assert loss < 0.02
assert score(x_test, y_test, weights) > 0.95
# --8<-- [end:train]

# --8<-- [start:picture]
fig, axes = plt.subplots(1, 2, figsize=(5.2, 2.9), sharey=True)
share, w, b = best_line(x, y)
regions(axes[0], lambda x: sigmoid(x @ w + b), -0.6, 1.6)
regions(axes[1], lambda x: forward(x, weights)[1], -0.6, 1.6)
for axis, title in zip(axes, ("the best line", "8 hidden units")):
    classes(axis, x, y[:, 0], size=18)
    axis.set(xlabel="$x_1$", title=title)
axes[0].set_ylabel("$x_2$")
plt.show()
# --8<-- [end:picture]


# --8<-- [start:one]
def train_neuron(x, y, seed, rate=1.0, steps=1000):
    """One neuron, trained in the same way: w (2, 1) and b (1,)."""
    w, b = np.random.default_rng(seed).normal(size=(2, 1)), np.zeros(1)
    for _ in range(steps):
        output = sigmoid(x @ w + b)
        d = 2 / len(x) * (output - y) * output * (1 - output)
        w, b = w - rate * x.T @ d, b - rate * d.sum(axis=0)
    return w, b


baselines = "best line", "one neuron", "2 units, by hand"
scores, losses = {name: [] for name in baselines}, []
for seed in SEEDS:
    x, y = clouds(100, seed)
    x_new, y_new = clouds(400, 1000 + seed)
    scores["best line"].append(best_line(x_new, y_new)[0])
    w, b = train_neuron(x, y, seed)
    scores["one neuron"].append(np.mean((x_new @ w + b > 0) == y_new))
    scores["2 units, by hand"].append(score(x_new, y_new, by_hand))
    losses.append(np.mean((sigmoid(x @ w + b) - y) ** 2))
print(f"loss of the answer 0.5 everywhere: {np.mean((0.5 - y) ** 2):.3f}")
print(f"of trained neurons: {min(losses):.3f} to {max(losses):.3f}")
assert min(losses) > 0.24
assert np.median(losses) < 0.252
# --8<-- [end:one]

# --8<-- [start:units]
for units, steps in ((2, 1000), (2, 3000), (3, 1000), (4, 1000), (8, 1000)):
    name = f"{units} units" + ", 3 x steps" * (steps > 1000)
    scores[name] = []
    for seed in SEEDS:
        weights = train(*clouds(100, seed), start(2, units, seed), 1, steps)
        scores[name].append(score(*clouds(400, 1000 + seed), weights))

solved = {name: np.sum(np.array(s) > 0.9) for name, s in scores.items()}
print("                     solved    right answers")
print("                      of 20    least  median  most")
for name, s in scores.items():
    low, middle, high = np.quantile(s, [0, 0.5, 1])
    print(f"{name:20}{solved[name]:7d}{low:9.0%}{middle:8.0%}{high:6.0%}")

assert solved["best line"] == solved["one neuron"] == 0
assert solved["2 units, by hand"] == 20
assert 4 <= solved["2 units"] <= 16
assert solved["2 units, 3 x steps"] <= solved["2 units"] + 4
assert solved["8 units"] >= 17
assert max(scores["one neuron"]) <= max(scores["best line"]) + 0.02
# --8<-- [end:units]

# --8<-- [start:units-figure]
shown = [name for name in scores if "," not in name]
fig, axis = plt.subplots(figsize=(5.2, 3))
for place, name in enumerate(shown):
    shift = np.linspace(-0.3, 0.3, len(SEEDS))
    axis.plot(place + shift, scores[name], "o", mfc="none", ms=5)
axis.axhline(max(scores["best line"]), color="C3", linestyle="--")
axis.set_xticks(range(len(shown)), [n.replace(" ", "\n") for n in shown])
axis.set(ylabel="right answers", ylim=(0.45, 1.03))
plt.show()
# --8<-- [end:units-figure]

# --8<-- [start:length]
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [keras.Input((10,)), layers.Dense(8, "tanh"), layers.Dense(1)]
)
refused = []
for length in (10, 9, 12):
    try:
        print(length, "values ->", model(np.ones((1, length))).shape)
    except ValueError as error:
        refused.append(length)
        print(length, "values ->", type(error).__name__)
assert refused == [9, 12]

pair = np.random.default_rng(0).normal(size=(2, 30))
pair[1, -10:] = pair[0, -10:]  # two pasts, the same last ten values
first, second = np.array(model(pair[:, -10:]))[:, 0]
print(f"two pasts, one window: {first:.4f} and {second:.4f}")
assert np.isclose(first, second)
# --8<-- [end:length]

# --8<-- [start:growth]
sizes = []
print("window   two layers   first recurrent network")
for window in (10, 100, 1000):
    inputs = keras.Input((window, 3))  # three features at each step
    hidden = layers.Dense(8, "tanh")(layers.Flatten()(inputs))
    two_layers = keras.Model(inputs, layers.Dense(1)(hidden))
    hidden = layers.SimpleRNN(8)(inputs)
    recurrent = keras.Model(inputs, layers.Dense(1)(hidden))
    sizes.append((two_layers.count_params(), recurrent.count_params()))
    print(f"{window:6d} {sizes[-1][0]:12,} {sizes[-1][1]:14,}")
    assert sizes[-1][0] == (window * 3 + 1) * 8 + 8 + 1
assert sizes[2][0] > 90 * sizes[0][0]
assert sizes[0][1] == sizes[1][1] == sizes[2][1]
# --8<-- [end:growth]


# --8<-- [start:places]
def pulses(count, first, last, seed):
    """Windows (count, 12) with one pulse; class 1 is up, then down."""
    rng = np.random.default_rng(seed)
    x, y = np.zeros((count, 12)), rng.integers(2, size=(count, 1))
    rows, place = np.arange(count), rng.integers(first, last + 1, count)
    height = (2 * y[:, 0] - 1) * rng.uniform(0.5, 1.5, count)
    x[rows, place], x[rows, place + 1] = height, -height
    return x, y


print("pulse at:", "places 0 to 5    places 6 to 11")
early, late = [], []
for seed in range(10):
    before = start(12, 8, seed)
    after = train(*pulses(200, 0, 4, seed), before)
    early.append(score(*pulses(200, 0, 4, 100 + seed), after))
    late.append(score(*pulses(200, 6, 10, 100 + seed), after))
    assert np.array_equal(after[0][6:], before[0][6:])  # not moved at all
for name, s in (("mean", np.mean), ("least", min), ("most", max)):
    print(f"{name:9} {s(early):12.0%} {s(late):17.0%}")
assert np.mean(early) > 0.95
assert 0.2 < np.mean(late) < 0.8
# --8<-- [end:places]


# --8<-- [start:feedback]
def parity(bits):
    """Is the number of ones odd? Each answer is an input of the next."""
    answer = 0.0
    for bit in bits:
        answer = forward(np.array([[answer, bit]]), by_hand)[1][0, 0]
    return answer


rng = np.random.default_rng(0)
print("length   right   parameters")
for length in (2, 10, 100, 1000):
    rows = rng.integers(2, size=(20, length))
    right = sum((parity(bits) > 0.5) == bits.sum() % 2 for bits in rows)
    size = sum(w.size for w in by_hand)
    print(f"{length:6d} {right:4d} of 20 {size:8d}")
    assert right == 20
# --8<-- [end:feedback]

# --8<-- [start:slow]
assert np.isclose(keras.optimizers.SGD().learning_rate, 0.01)
y = xor[:, np.newaxis]
print("loss    start   500 steps, rate 0.01   1000 steps, rate 1")
for seed in range(5):
    weights = start(2, 8, seed)
    few = train(corners, y, weights, rate=0.01, steps=500)
    many = train(corners, y, weights)
    losses = [
        np.mean((forward(corners, w)[1] - y) ** 2)
        for w in (weights, few, many)
    ]
    print(f"seed {seed}{losses[0]:7.3f}{losses[1]:15.3f}{losses[2]:23.3f}")
    assert losses[1] > 20 * losses[2]
    assert score(corners, y, many) == 1
# --8<-- [end:slow]

# --8<-- [start:softmax]
numbers = np.array([[-3.0], [0.0], [5.0]])  # three examples, one class
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    answers = np.array(keras.ops.softmax(numbers))
print("softmax:", answers[:, 0])
print("Keras warns:", str(caught[0].message).split(". ")[-1])
assert (answers == 1).all()
assert len(caught) == 1
# --8<-- [end:softmax]

# --8<-- [start:equal]
x, y = clouds(100, seed=0)
zeros = [np.zeros_like(w) for w in start(2, 8, seed=0)]
after = train(x, y, zeros)
print("all zero: greatest weight", max(abs(w).max() for w in after[::2]))
assert not after[0].any()
assert not after[2].any()

after = train(x, y, [z + 0.5 for z in zeros], steps=500)
print("all 0.5: W1 after 500 steps, four of its eight columns")
print(after[0][:, :4].round(3))
print(f"right: {score(x, y, after):.0%}, best line {best_line(x, y)[0]:.0%}")
assert np.ptp(after[0], axis=1).max() < 1e-3
assert np.abs(after[0] - 0.5).max() > 0.1
assert score(x, y, after) <= best_line(x, y)[0] + 0.02
# --8<-- [end:equal]


# --8<-- [start:broadcast]
def fit_by_tape(y, seed, steps=300):
    """Train a Keras network with a loss of our own; returns outputs."""
    keras.utils.set_random_seed(seed)
    model = keras_model(8)
    variables = model.trainable_variables
    optimizer = keras.optimizers.Adam(0.05)
    optimizer.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        optimizer.apply(tape.gradient(loss, variables), variables)

    for _ in range(steps):
        step()
    return np.array(model(x))


print(f"mean of the targets: {y.mean():.3f}")
for targets in (y, y[:, 0]):
    outputs = fit_by_tape(targets.astype("float32"), seed=0)
    print(f"targets {targets.shape!s:9} outputs from", end="")
    print(f" {outputs.min():.3f} to {outputs.max():.3f}")
    if targets.ndim == 2:
        assert np.mean((outputs > 0.5) == y) > 0.95
    else:
        assert np.abs(outputs - y.mean()).max() < 0.1
# --8<-- [end:broadcast]

# --8<-- [start:starter-parity]
three = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, 8).T
odd = three.sum(axis=1, keepdims=True) % 2  # (8, 1)
W1, b1 = np.full((3, 3), 10.0), np.zeros(3)  # your numbers here
W2, b2 = np.zeros((3, 1)), np.zeros(1)
print(f"right: {score(three, odd, [W1, b1, W2, b2]):.0%}")
# --8<-- [end:starter-parity]

# --8<-- [start:solution-parity]
b1 = np.array([-5.0, -15.0, -25.0])  # at least one, at least two, all three
W2 = np.array([[5.0], [-5.0], [5.0]])
hidden, output = forward(three, [W1, b1, W2, b2])
print("ones on   hidden units      output")
for count in range(4):
    row = three.sum(axis=1).tolist().index(count)
    units = " ".join(f"{h:3.0f}" for h in hidden[row])
    print(f"{count:7d}   {units:14} {output[row, 0]:6.3f}")
assert np.abs(output - odd).max() < 0.01
# --8<-- [end:solution-parity]


# --8<-- [start:starter-rings]
def rings(count, seed):
    """Class 1 near the origin, class 0 in a ring around it."""
    rng = np.random.default_rng(seed)
    y = np.arange(count)[:, np.newaxis] % 2
    radius = np.where(y == 1, 0.5, 1.5) + rng.normal(0, 0.15, y.shape)
    angle = rng.uniform(0, 2 * np.pi, y.shape)
    return radius * np.hstack([np.cos(angle), np.sin(angle)]), y


print(f"best line: {best_line(*rings(400, 1000))[0]:.0%}")
# --8<-- [end:starter-rings]

# --8<-- [start:solution-rings]
found = {}
for units in (2, 3, 8):
    found[units] = []
    for seed in range(5):
        weights = train(*rings(100, seed), start(2, units, seed))
        found[units].append(score(*rings(400, 1000 + seed), weights))
    print(f"{units} units:", *[f"{s:5.0%}" for s in found[units]])
assert max(found[2]) < 0.93
assert max(found[3]) > 0.95
assert np.median(found[8]) > 0.95
# --8<-- [end:solution-rings]
