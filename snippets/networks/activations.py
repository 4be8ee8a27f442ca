# --8<-- [start:imports]
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

SEEDS = range(5)
# --8<-- [end:imports]

# --8<-- [start:linear]
rng = np.random.default_rng(0)
x = rng.normal(size=(100, 4))
W1, b1 = rng.normal(size=(4, 16)), rng.normal(size=16)
W2, b2 = rng.normal(size=(16, 3)), rng.normal(size=3)
two_layers = (x @ W1 + b1) @ W2 + b2
one_layer = x @ (W1 @ W2) + (b1 @ W2 + b2)
print(f"largest difference: {abs(two_layers - one_layer).max():.0e}")
assert abs(two_layers - one_layer).max() < 1e-12

bent = np.maximum(x @ W1 + b1, 0) @ W2 + b2  # with max(a, 0) in between
rows = np.insert(x, 0, 1, axis=1)
best, *_ = np.linalg.lstsq(rows, bent)
missed = np.mean((rows @ best - bent) ** 2) / np.var(bent, axis=0).mean()
print(f"missed by the best single layer: {missed:.0%} of the variance")
assert missed > 0.05
# --8<-- [end:linear]


# --8<-- [start:functions]
def sigmoid(a):
    """Between 0 and 1; written with tanh, it cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def relu(a):
    return np.maximum(a, 0)


def leaky_relu(a):
    return np.where(a > 0, a, 0.2 * a)


functions = {  # name: (value, derivative), both of a
    "sigmoid": (sigmoid, lambda a: sigmoid(a) * (1 - sigmoid(a))),
    "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "relu": (relu, lambda a: np.where(a > 0, 1.0, 0.0)),
    "leaky_relu": (leaky_relu, lambda a: np.where(a > 0, 1.0, 0.2)),
}
# --8<-- [end:functions]

# --8<-- [start:parity]
a = np.linspace(-6, 6, 1201)
print("              least   greatest   greatest derivative")
for name, (value, derivative) in functions.items():
    a_tensor = tf.constant(a)
    with tf.GradientTape() as tape:
        tape.watch(a_tensor)
        by_keras = keras.activations.get(name)(a_tensor)
    slope = tape.gradient(by_keras, a_tensor).numpy()
    assert abs(value(a) - by_keras.numpy()).max() < 1e-7
    assert abs(derivative(a) - slope).max() < 1e-7
    low, high = value(a).min(), value(a).max()
    print(f"{name:12} {low:6.2f} {high:10.2f} {derivative(a).max():21.2f}")

assert functions["sigmoid"][1](a).max() == 0.25
assert abs(np.tanh(a) - (2 * sigmoid(2 * a) - 1)).max() < 1e-15
# --8<-- [end:parity]

# --8<-- [start:curves]
fig, axes = plt.subplots(2, 1, figsize=(5.2, 5.6), sharex=True)
styles = ["-", "--", "-.", ":"]
for (name, pair), style in zip(functions.items(), styles, strict=True):
    for axis, function in zip(axes, pair, strict=True):
        axis.plot(a, function(a), style, label=name)
axes[0].set_ylim(-1.3, 2.2)
axes[0].set_title("Value", loc="left")
axes[1].set_title("Derivative", loc="left")
axes[1].set_xlabel("a")
axes[1].set_xlim(-6, 6)
axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.1), ncols=2)
plt.show()
# --8<-- [end:curves]

# --8<-- [start:saturation]
print("    a   sigmoid's derivative   tanh's derivative")
for a_one in (0, 2, 5, 10, 20):
    slopes = [functions[name][1](a_one) for name in ("sigmoid", "tanh")]
    print(f"{a_one:5d} {slopes[0]:19.1e} {slopes[1]:19.1e}")

single = np.float32(20)
print("in float32, sigmoid(20) =", sigmoid(single))
print("in float32, its derivative =", functions["sigmoid"][1](single))
assert functions["sigmoid"][1](10) < 1e-4
assert functions["sigmoid"][1](single) == 0
# --8<-- [end:saturation]


# --8<-- [start:depth]
def gradient_by_depth(activation, initializer, seed, depth=30, width=64):
    """Norm of the loss's gradient at the outputs of layers 1 to depth."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    h = tf.constant(rng.normal(size=(100, width)), tf.float32)
    direction = rng.normal(size=width).astype("float32")
    outputs = []
    with tf.GradientTape() as tape:
        tape.watch(h)
        for _ in range(depth):
            h = layers.Dense(
                width, activation, kernel_initializer=initializer
            )(h)
            outputs.append(h)
        loss = tf.reduce_mean(h @ direction[:, None])
    gradients = tape.gradient(loss, outputs)
    return [np.linalg.norm(np.float64(g)) for g in gradients]


pairs = [
    ("sigmoid", "glorot_uniform"),
    ("tanh", "glorot_uniform"),
    ("relu", "glorot_uniform"),
    ("relu", "he_normal"),
    ("leaky_relu", "he_normal"),
]
reach = {}
print("                             left after 10   20   29 layers")
for pair in pairs:
    norms = np.array([gradient_by_depth(*pair, seed) for seed in SEEDS])
    left = norms / norms[:, -1:]  # by the gradient at the last layer
    reach[pair] = np.exp(np.log(left).mean(axis=0))[::-1]
    numbers = "  ".join(f"{reach[pair][k]:7.0e}" for k in (10, 20, 29))
    print(f"{pair[0]:12} {pair[1]:16} {numbers}")

assert reach["sigmoid", "glorot_uniform"][29] < 1e-12
assert reach["tanh", "glorot_uniform"][29] > 1e-3
assert reach["relu", "he_normal"][29] > 1e-2
ratio = reach["relu", "glorot_uniform"][29] / reach["relu", "he_normal"][29]
print(f"relu, glorot by he: {ratio:.0e}", end="; ")
print(f"root of a half, 29 times: {0.5 ** (29 / 2):.0e}")
assert 0.3 < ratio / 0.5 ** (29 / 2) < 3
# --8<-- [end:depth]

# --8<-- [start:depth-figure]
fig, axis = plt.subplots(figsize=(5.2, 3.6))
styles = ["-", "--", "-.", ":", (0, (1, 1))]
for (pair, left), style in zip(reach.items(), styles, strict=True):
    label = f"{pair[0]}, {pair[1].split('_')[0]}"
    axis.semilogy(range(30), left, linestyle=style, label=label)
axis.set_xlabel("layers back from the last one")
axis.set_ylabel("gradient left")
axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
plt.show()
# --8<-- [end:depth-figure]


# --8<-- [start:train]
def wave(points, seed):
    """Points x in [-1, 1] and sin(4x), each (points, 1)."""
    x = np.random.default_rng(seed).uniform(-1, 1, (points, 1))
    return x.astype("float32"), np.sin(4 * x).astype("float32")


x_train, y_train = wave(64_000, seed=1)
x_test, y_test = wave(2000, seed=2)


def train(activation, depth, seed):
    """Mean squared error after one pass over the points: 500 steps."""
    keras.utils.set_random_seed(seed)
    start = "he_normal" if "relu" in activation else "glorot_uniform"
    hidden = [
        layers.Dense(16, activation, kernel_initializer=start)
        for _ in range(depth)
    ]
    model = keras.Sequential([keras.Input((1,)), *hidden, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(x_train, y_train, batch_size=128, verbose=0)
    output = model(x_test).numpy()
    return float(np.mean((output - y_test) ** 2))


slope, offset = np.polyfit(x_train[:, 0], y_train[:, 0], 1)
line = np.mean((slope * x_test + offset - y_test) ** 2)
print(f"always zero: {np.mean(y_test**2):.4f}   straight line: {line:.4f}")
print("             2 hidden layers              12 hidden layers")
errors = {}
for name in ("sigmoid", "tanh", "relu"):
    print(f"{name:12}", end="")
    for depth in (2, 12):
        found = np.array([train(name, depth, seed) for seed in range(3)])
        errors[name, depth] = found
        spread = f"({found.min():.4f} to {found.max():.4f})"
        print(f" {found.mean():.4f} {spread}", end="  ")
    print()
# --8<-- [end:train]

# --8<-- [start:verdict]
for name in ("sigmoid", "tanh", "relu"):
    assert errors[name, 2].max() < 0.5 * line  # two layers: all learn
assert errors["sigmoid", 12].min() > 0.95 * line  # twelve: nothing learnt
for name in ("tanh", "relu"):
    assert errors[name, 12].mean() < 0.5 * line
# --8<-- [end:verdict]

# --8<-- [start:dead]
x_unit = tf.constant(np.random.default_rng(0).normal(size=(1000, 3)))
w = tf.Variable([[0.5], [-0.5], [0.3]], dtype=tf.float64)
print("bias   function     share of sums above 0   gradient of the bias")
gradients = {}
for bias in (0.0, -10.0):
    b = tf.Variable(bias, dtype=tf.float64)
    for name in ("relu", "leaky_relu", "sigmoid"):
        with tf.GradientTape() as tape:
            a = x_unit @ w + b
            output = keras.activations.get(name)(a)
            loss = tf.reduce_mean((output - 1) ** 2)
        gradients[name, bias] = float(tape.gradient(loss, b))
        above = np.mean(a.numpy() > 0)
        print(f"{bias:4.0f}   {name:12}", end="")
        print(f"{above:19.2f} {gradients[name, bias]:24.5f}")
assert gradients["relu", -10.0] == 0
assert gradients["leaky_relu", -10.0] < -1
assert -0.01 < gradients["sigmoid", -10.0] < 0
# --8<-- [end:dead]


# --8<-- [start:dying]
def dead_units(activation, rate, seed):
    """Train 64 hidden units; count those that are never above 0; error."""
    keras.utils.set_random_seed(seed)
    hidden = layers.Dense(64, kernel_initializer="he_normal")
    inputs = keras.Input((1,))
    sums = hidden(inputs)
    after = layers.Activation(activation)(sums)
    model = keras.Model(inputs, layers.Dense(1)(after))
    model.compile(keras.optimizers.Adam(rate), "mse")
    model.fit(x_train[:25_600], y_train[:25_600], batch_size=128, verbose=0)
    dead = np.sum(hidden(x_test).numpy().max(axis=0) <= 0)
    return dead, np.mean((model(x_test).numpy() - y_test) ** 2)


print("learning rate   function     units never above 0   squared error")
found = {}
for rate in (0.003, 0.3):
    for name in ("relu", "leaky_relu"):
        runs = np.array([dead_units(name, rate, seed) for seed in range(3)])
        found[name, rate] = runs
        (low, error_low), (high, error_high) = runs.min(0), runs.max(0)
        print(f"{rate:13} {name:>13}", end="")
        print(f"{low:13.0f} to {high:2.0f}", end="")
        print(f"{error_low:12.4f} to {error_high:.4f}")
assert found["relu", 0.003][:, 0].max() < 10
assert found["relu", 0.3][:, 0].min() > 40
relu_error, leaky_error = (
    found[name, 0.3][:, 1].mean() for name in ("relu", "leaky_relu")
)
print(f"mean error at 0.3: {relu_error:.3f}, {leaky_error:.3f}")
assert leaky_error < relu_error
# --8<-- [end:dying]


# --8<-- [start:memory]
def remember(gate, content, start=0.0, steps=200):
    """1000 memories after steps of memory = gate * memory + content."""
    rng = np.random.default_rng(0)
    memory = np.full(1000, start)
    for _ in range(steps):
        a_gate = rng.normal(3, 1, 1000)  # mostly "keep"
        a_content = rng.normal(0, 1, 1000)  # both signs alike
        memory = gate(a_gate) * memory + content(a_content)
    return memory


print("gate      content   least      greatest   negative")
choices = [
    ("sigmoid", "tanh"),
    ("sigmoid", "sigmoid"),
    ("sigmoid", "relu"),
    ("relu", "tanh"),
]
memories = {}
for gate, content in choices:
    memory = remember(functions[gate][0], functions[content][0])
    memories[gate, content] = memory
    print(f"{gate:9} {content:9}", end="")
    print(f" {memory.min():9.3g} {memory.max():10.3g}", end="")
    print(f" {np.mean(memory < 0):9.0%}")
assert abs(memories["sigmoid", "tanh"]).max() < 200  # at most 1 a step
assert 0.4 < np.mean(memories["sigmoid", "tanh"] < 0) < 0.6
assert memories["sigmoid", "sigmoid"].min() > 0
assert memories["sigmoid", "relu"].min() > 0
assert abs(memories["relu", "tanh"]).max() > 1e30
# --8<-- [end:memory]

# --8<-- [start:gate]
print("to keep a memory of 1 for 100 steps:")
for name, a_keep in (("sigmoid", 8.0), ("tanh", 8.0), ("relu", 1.05)):
    kept = functions[name][0](a_keep) ** 100
    print(f"{name:8} of {a_keep:4}: {kept:8.3f}", end="   ")
    flipped = functions[name][0](-a_keep)
    print(f"of {-a_keep:5}, one step: {flipped:6.3f}")
assert 0.9 < sigmoid(8.0) ** 100 <= 1
assert sigmoid(-8.0) < 0.001
assert np.tanh(-8.0) < -0.99  # no "erase": it turns the sign
assert relu(1.05) ** 100 > 100  # more than kept
# --8<-- [end:gate]

# --8<-- [start:last-layer]
floor = np.mean(np.minimum(y_test, 0) ** 2)  # all zeros below, rest exact
keras.utils.set_random_seed(0)
parts = [layers.Dense(16, "tanh"), layers.Dense(1, "relu")]
model = keras.Sequential([keras.Input((1,)), *parts])
model.compile(keras.optimizers.Adam(0.003), "mse")
model.fit(x_train, y_train, batch_size=128, verbose=0)
output = model(x_test).numpy()
print(f"least target {y_test.min():.2f}, least output {output.min():.2f}")
error = np.mean((output - y_test) ** 2)
print(f"squared error {error:.2f}; no such network is below {floor:.2f}")
assert output.min() >= 0
assert error > 0.99 * floor > 10 * errors["tanh", 2].max()
# --8<-- [end:last-layer]

# --8<-- [start:feedback]
states = {"relu": np.float32(0), "tanh": np.float32(0)}
with np.errstate(over="ignore"):
    for _ in range(1000):  # each step reads the state of the step before
        for name, h in states.items():
            states[name] = functions[name][0](np.float32(1.1) * h + 1)
print("after 1000 steps:", {name: float(h) for name, h in states.items()})
with np.errstate(invalid="ignore"):
    itself = states["relu"] - states["relu"]
print("relu's difference with itself:", itself)
assert np.isinf(states["relu"])
assert np.isnan(itself)
assert states["tanh"] < 1
# --8<-- [end:feedback]

# --8<-- [start:overflow]
a_low = np.float32(-100)
with np.errstate(over="ignore"):  # otherwise: RuntimeWarning: overflow
    power = np.exp(-a_low)
print("exp(100) in float32:", power)
print("sigmoid(-100), written with tanh:", sigmoid(a_low))
assert np.isinf(power)
assert sigmoid(a_low) == 0
# --8<-- [end:overflow]

# --8<-- [start:starter-tanh]
rng = np.random.default_rng(3)
x = rng.normal(size=(50, 4))
W, b = rng.normal(size=(4, 8)), rng.normal(size=8)
V, d = rng.normal(size=(8, 1)), rng.normal(size=1)
wanted = np.tanh(x @ W + b) @ V + d  # a network with tanh
print("to match:", wanted[:4, 0].round(3))
# --8<-- [end:starter-tanh]

# --8<-- [start:solution-tanh]
same = sigmoid(x @ (2 * W) + 2 * b) @ (2 * V) + (d - V.sum(axis=0))
print(f"largest difference: {abs(same - wanted).max():.0e}")
assert abs(same - wanted).max() < 1e-12
# --8<-- [end:solution-tanh]

# --8<-- [start:starter-swish]
a = np.linspace(-8, 8, 1601)
silu = keras.activations.silu(a).numpy()  # a * sigmoid(a), also "swish"
print(f"least value {silu.min():.3f} at a = {a[silu.argmin()]:.2f}")
# --8<-- [end:starter-swish]

# --8<-- [start:solution-swish]
slope = sigmoid(a) + a * sigmoid(a) * (1 - sigmoid(a))
a_tensor = tf.constant(a)
with tf.GradientTape() as tape:
    tape.watch(a_tensor)
    output = keras.activations.silu(a_tensor)
assert abs(slope - tape.gradient(output, a_tensor).numpy()).max() < 1e-12
print(f"greatest derivative {slope.max():.3f}", end=" ")
print(f"at a = {a[slope.argmax()]:.2f}")
print(f"at a = -8: {slope[0]:.4f}; of relu: {functions['relu'][1](-8):.4f}")
assert slope.max() > 1
assert slope[0] < 0
# --8<-- [end:solution-swish]
