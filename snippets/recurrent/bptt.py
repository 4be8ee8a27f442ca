# --8<-- [start:imports]
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(0)
# --8<-- [end:imports]

# --8<-- [start:by-hand]
W, U, b = 0.5, 0.8, 0.0  # one unit, one feature: each weight is a number
x = [1.0, -0.5, 0.25]  # x[1], x[2], x[3]
y = -0.5  # what h[3] should be

h = [0.0]  # h[0]
for t in (1, 2, 3):
    h.append(np.tanh(W * x[t - 1] + U * h[t - 1] + b))
    print(f"forward   h[{t}] = {h[t]:7.4f}")

delta, part = {}, {}
reaches = h[3] - y  # the loss ½(h[3] − y)², derived by h[3]
for t in (3, 2, 1):
    delta[t] = (1 - h[t] ** 2) * reaches  # through tanh
    part[t] = delta[t] * h[t - 1]  # what step t says about U
    reaches = U * delta[t]  # what arrives one step earlier
    print(f"backward  δ[{t}] = {delta[t]:7.4f}   part of U: {part[t]:7.4f}")
print(f"derivative of the loss by U: {sum(part.values()):.4f}")


def loss_of(U):
    """The same loss as a function of U alone."""
    h = 0.0
    for value in x:
        h = np.tanh(W * value + U * h + b)
    return 0.5 * (h - y) ** 2


slope = (loss_of(U + 1e-5) - loss_of(U - 1e-5)) / 2e-5
assert abs(slope - sum(part.values())) < 1e-9
# --8<-- [end:by-hand]

# --8<-- [start:arrows]
HIDDEN = "#00475b"  # the colour of h in the equations
BACK = "C1"


def arrow(start, end, color, style="-", bend=0.0):
    """An arrow between two points that leaves room for the circles."""
    axis.annotate(
        "",
        end,
        start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": color,
            "linestyle": style,
            "linewidth": 1.6,
            "shrinkA": 15,
            "shrinkB": 15,
            "connectionstyle": f"arc3,rad={bend}",
        },
    )


fig, axis = plt.subplots(figsize=(5.2, 3.6))
for t in range(5):
    if t > 0:
        axis.text(t, 0, f"$x_{t}$", ha="center", va="center", fontsize=14)
        axis.text(t, 2, f"$\\ell_{t}$", ha="center", va="center", fontsize=14)
        for start, end in [((t, 0), (t, 1)), ((t, 1), (t, 2))]:
            arrow(start, end, HIDDEN, bend=0.15)
            arrow(end, start, BACK, "--", bend=0.15)
        arrow((t - 1, 1), (t, 1), HIDDEN, bend=-0.25)
        arrow((t, 1), (t - 1, 1), BACK, "--", bend=-0.25)
        axis.text(t - 0.5, 1.2, "$U$", ha="center", color=HIDDEN)
        axis.text(t - 0.5, 0.63, "$U^T$", ha="center", color=BACK)
    axis.text(t, 1, f"$h_{t}$", ha="center", va="center", fontsize=14)
axis.plot([], [], color=HIDDEN, label="forward: values")
axis.plot([], [], color=BACK, linestyle="--", label="backward: derivatives")
axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
axis.set(xlim=(-0.4, 4.4), ylim=(-0.3, 2.3))
axis.axis("off")
plt.show()
# --8<-- [end:arrows]


# --8<-- [start:forward]
def forward(x, kernel, recurrent_kernel, bias):
    """x (batch, timesteps, features) -> h (batch, timesteps + 1, units).

    h[:, 0] is the state before the first step, zeros.
    """
    batch, timesteps, _ = x.shape
    h = np.zeros((batch, timesteps + 1, len(bias)))
    for t in range(1, timesteps + 1):
        a = x[:, t - 1] @ kernel + h[:, t - 1] @ recurrent_kernel + bias
        h[:, t] = np.tanh(a)
    return h


# --8<-- [end:forward]


# --8<-- [start:backward]
def backward(x, h, e, kernel, recurrent_kernel, window=None):
    """The gradients of the loss; e (batch, timesteps, units) is ∂L/∂h direct.

    With a window, nothing is carried back over its borders.
    """
    delta = np.zeros_like(e)  # (batch, timesteps, units)
    carried = np.zeros_like(e[:, 0])  # from the step after: (batch, units)
    for t in reversed(range(x.shape[1])):
        reaches = e[:, t] + carried
        delta[:, t] = (1 - h[:, t + 1] ** 2) * reaches
        carried = delta[:, t] @ recurrent_kernel.T
        if window and t % window == 0:
            carried = np.zeros_like(carried)
    return {
        "kernel": np.einsum("btn,btm->nm", x, delta),
        "recurrent_kernel": np.einsum("btk,btm->km", h[:, :-1], delta),
        "bias": delta.sum(axis=(0, 1)),
        "input": delta @ kernel.T,
    }


# --8<-- [end:backward]

# --8<-- [start:numbers]
batch, timesteps, features, units = 2, 12, 3, 5
rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, (batch, timesteps, features))
y = rng.uniform(-1, 1, (batch, timesteps, units))

layer = layers.SimpleRNN(units, return_sequences=True, dtype="float64")
layer.build(x.shape)
kernel, recurrent_kernel, _ = layer.get_weights()
bias = rng.uniform(-0.5, 0.5, units)  # Keras would start with zeros
layer.set_weights([kernel, recurrent_kernel, bias])

h = forward(x, kernel, recurrent_kernel, bias)
assert abs(h[:, 1:] - np.asarray(layer(x))).max() < 1e-12

e = h[:, 1:] - y  # the loss is ½ Σ (h − y)²
derived = backward(x, h, e, kernel, recurrent_kernel)
for name, gradient in derived.items():
    print(f"{name:17} {gradient.shape}")
# --8<-- [end:numbers]

# --8<-- [start:tape]
x_tensor = tf.constant(x)
with tf.GradientTape() as tape:
    tape.watch(x_tensor)
    loss = 0.5 * tf.reduce_sum((layer(x_tensor) - y) ** 2)

variables = [*(weight.value for weight in layer.weights), x_tensor]
gradients = [np.asarray(value) for value in tape.gradient(loss, variables)]
taped = dict(zip(derived, gradients))
# --8<-- [end:tape]


# --8<-- [start:differences]
def loss_numpy(arrays):
    """½ Σ (h − y)² as a function of the four arrays."""
    h = forward(arrays["input"], *list(arrays.values())[:3])
    return 0.5 * np.sum((h[:, 1:] - y) ** 2)


def finite_differences(arrays, name, step=1e-4):
    """Move each element of one array by one and two steps, up and down."""
    gradient = np.zeros_like(arrays[name])
    for index in np.ndindex(gradient.shape):
        f = {}
        for steps in (-2, -1, 1, 2):
            changed = arrays[name].copy()
            changed[index] += steps * step
            f[steps] = loss_numpy({**arrays, name: changed})
        near, far = f[1] - f[-1], f[2] - f[-2]
        gradient[index] = (8 * near - far) / (12 * step)
    return gradient


def relative_error(estimate, exact):
    """Norm of the difference over the norm of the exact array."""
    return np.linalg.norm(estimate - exact) / np.linalg.norm(exact)


arrays = dict(zip(derived, [kernel, recurrent_kernel, bias, x]))
print("gradient of       norm      tape    finite differences")
for name, gradient in derived.items():
    numeric = finite_differences(arrays, name)
    tape_error = relative_error(taped[name], gradient)
    numeric_error = relative_error(numeric, gradient)
    print(f"{name:17} {np.linalg.norm(gradient):5.2f}", end="   ")
    print(f"{tape_error:.0e} {numeric_error:13.0e}")
    assert tape_error < 1e-9
    assert numeric_error < 1e-9
# --8<-- [end:differences]

# --8<-- [start:windows]
whole = derived["recurrent_kernel"]
print("window   error of the gradient of recurrent_kernel")
for window in (1, 2, 3, 4, 6, 12):
    cut = backward(x, h, e, kernel, recurrent_kernel, window)
    error = relative_error(cut["recurrent_kernel"], whole)
    print(f"{window:6d} {error:13.3f}")
assert error == 0  # one window over all 12 steps leaves nothing out
# --8<-- [end:windows]


# --8<-- [start:memory]
def random_network(units, radius, rng):
    """Keras' initial weights, the recurrent ones multiplied by radius."""
    limit = np.sqrt(6 / (1 + units))
    kernel = rng.uniform(-limit, limit, (1, units))
    orthogonal, _ = np.linalg.qr(rng.normal(size=(units, units)))
    output = rng.uniform(-limit, limit, units)
    return kernel, radius * orthogonal, np.zeros(units), output


def echo(sequences, timesteps, rng, delay=8):
    """x (sequences, timesteps, 1); y (…): the input of 8 steps ago, or 0."""
    x = rng.uniform(-1, 1, (sequences, timesteps, 1))
    y = np.zeros((sequences, timesteps))
    y[:, delay:] = x[:, :-delay, 0]
    return x, y


lengths = (1, 2, 5, 10, 20, 40, 60)
errors = {}
for radius in (0.5, 1.0, 1.2):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        *weights, output = random_network(32, radius, rng)
        x_echo, y_echo = echo(32, 120, rng)
        h_echo = forward(x_echo, *weights)
        off = h_echo[:, 1:] @ output - y_echo  # (32, 120)
        e_echo = off[..., None] * output  # (32, 120, 32)
        given = x_echo, h_echo, e_echo, *weights[:2]
        full = backward(*given)["recurrent_kernel"]
        errors[radius, seed] = [
            relative_error(backward(*given, k)["recurrent_kernel"], full)
            for k in lengths
        ]

print("          relative error by window length, mean (worst seed)")
print("radius" + "".join(f"{k:12d}" for k in lengths[2:]))
for radius in (0.5, 1.0, 1.2):
    runs = np.array([errors[radius, seed] for seed in range(5)])
    cells = zip(runs.mean(axis=0), runs.max(axis=0))
    cells = [f"{mean:.2f} ({worst:.2f})" for mean, worst in cells][2:]
    print(f"{radius:4.1f}  ", "".join(f"{cell:>12}" for cell in cells))
    assert (np.diff(runs, axis=1) < 0).all()  # longer is better, each seed
# --8<-- [end:memory]

# --8<-- [start:memory-figure]
fig, axis = plt.subplots(figsize=(5.2, 3.4))
markers = {0.5: "o", 1.0: "s", 1.2: "^"}
for number, (radius, marker) in enumerate(markers.items()):
    for seed in range(5):
        axis.loglog(
            lengths,
            errors[radius, seed],
            marker=marker,
            color=f"C{number}",
            alpha=0.6,
            linewidth=1,
            label=f"{radius:.1f}" if seed == 0 else None,
        )
axis.axhline(1, linestyle=":", alpha=0.6)
axis.text(1, 1.1, "no gradient at all")
axis.set(xlabel="window length in steps", ylabel="relative error")
axis.set_ylim(0.002, 2)
axis.set_xticks(lengths, map(str, lengths), minor=False)
axis.legend(title="radius", loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

at_five = {
    radius: [errors[radius, seed][lengths.index(5)] for seed in range(5)]
    for radius in markers
}
assert min(at_five[1.0]) > 0.5  # half of the gradient is missing …
assert max(at_five[0.5]) < 0.4  # … which a short memory does not need
# --8<-- [end:memory-figure]

# --8<-- [start:stateful]
early, late = tf.constant(x[:, :6]), tf.constant(x[:, 6:])  # two windows

stateful = layers.SimpleRNN(
    units, return_sequences=True, stateful=True, dtype="float64"
)
stateful.build(early.shape)
stateful.set_weights([kernel, recurrent_kernel, bias])

with tf.GradientTape(persistent=True) as tape:
    tape.watch([early, late])
    h_early = stateful(early)
    h_late = stateful(late)  # starts from the state that early has left
    loss_early = 0.5 * tf.reduce_sum((h_early - y[:, :6]) ** 2)
    loss_late = 0.5 * tf.reduce_sum((h_late - y[:, 6:]) ** 2)
    loss = loss_early + loss_late

assert abs(np.asarray(h_late) - h[:, 7:]).max() < 1e-12
print("late loss by late inputs: ", tape.gradient(loss_late, late).shape)
print("late loss by early inputs:", tape.gradient(loss_late, early))
assert tape.gradient(loss_late, early) is None

weight = stateful.cell.recurrent_kernel.value
two_windows = np.asarray(tape.gradient(loss, weight))
cut = backward(x, h, e, kernel, recurrent_kernel, window=6)
assert relative_error(two_windows, cut["recurrent_kernel"]) < 1e-9
assert relative_error(two_windows, whole) > 0.1
# --8<-- [end:stateful]


# --8<-- [start:stream]
BATCH, DELAY, UPDATES = 32, 8, 800


def stream(window, updates, seed):
    """Successive windows of 32 endless sequences, in the order of fit.

    x, y (updates * 32, window, 1); y is the input of 8 steps ago.
    """
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (BATCH, updates * window, 1)).astype("float32")
    y = np.zeros_like(x)
    y[:, DELAY:] = x[:, :-DELAY]
    return [
        np.concatenate(np.split(each, updates, axis=1)) for each in (x, y)
    ]


x_three, y_three = stream(window=3, updates=4, seed=0)
print("four windows of three steps:", x_three.shape)
# The second window of a sequence lies 32 rows below its first.
seen = np.concatenate(np.split(x_three, 4), axis=1)  # (32, 12, 1)
wanted = np.concatenate(np.split(y_three, 4), axis=1)
assert (seen[:, :-DELAY] == wanted[:, DELAY:]).all()
# --8<-- [end:stream]


# --8<-- [start:train]
def stateful_model(window):
    """A simple recurrent layer that keeps its state between batches."""
    recurrent = layers.SimpleRNN(16, stateful=True, return_sequences=True)
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(BATCH, window, 1)),
            recurrent,
            layers.Dense(1),
        ]
    )
    # Python is asked after 20 batches: the same numbers, sooner.
    fast = {"steps_per_execution": 20}
    model.compile(keras.optimizers.Adam(0.01), "mse", **fast)
    return model


def restart(model, seed):
    """Draw new random weights, empty optimizer and state."""
    keras.utils.set_random_seed(seed)
    model.set_weights(keras.models.clone_model(model).get_weights())
    model.layers[0].reset_state()
    for variable in model.optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(keras.ops.zeros_like(variable))


x_test, y_test = echo(32, 500, np.random.default_rng(99))
later = slice(50, None)  # judge when the start is forgotten


def judge(model):
    """Mean squared error of the model, and with the best output weights."""
    *weights, output, offset = map(np.asarray, model.trainable_weights)
    h = forward(x_test, *weights)[:, 1:]
    states, wanted = h[:, later].reshape(-1, 16), y_test[:, later].ravel()
    error = np.mean((states @ output[:, 0] + offset - wanted) ** 2)
    states = np.pad(states, ((0, 0), (0, 1)), constant_values=1)  # an offset
    best, *_ = np.linalg.lstsq(states, wanted)
    return error, np.mean((states @ best - wanted) ** 2)


zero = np.mean(y_test[:, later] ** 2)
scores = {"always zero": [(zero, zero)], "not trained": []}
for window in (1, 3, 6, 10, 20):
    model = stateful_model(window)
    name = f"window of {window:2d}"
    scores[name] = []
    for seed in range(5):
        restart(model, seed)
        if window == 1:
            scores["not trained"].append(judge(model))
        data = stream(window, UPDATES, seed)
        model.fit(*data, batch_size=BATCH, shuffle=False, verbose=0)
        scores[name].append(judge(model))

print("               mean squared error        with the best output")
for name, runs in scores.items():
    print(f"{name:13}", end="")
    for errors in zip(*runs):
        spread = f"({min(errors):.4f} to {max(errors):.4f})"
        print(f" {np.mean(errors):.4f} {spread:18}", end="")
    print()
# --8<-- [end:train]

# --8<-- [start:verdict]
own, best = {}, {}
for name, runs in scores.items():
    own[name], best[name] = zip(*runs)
too_short = [*own["window of  3"], *own["window of  6"]]
long_enough = [*own["window of 10"], *own["window of 20"]]
assert max(long_enough) < 0.03
assert min(too_short + list(own["window of  1"])) > 5 * max(long_enough)
assert min(too_short) > 1.5 * max(best["not trained"])
for name in ("window of  3", "window of  6"):
    assert np.mean(best[name]) > 1.5 * np.mean(best["not trained"])
# --8<-- [end:verdict]

# --8<-- [start:copies]
copies = [tf.constant(recurrent_kernel) for _ in range(timesteps)]
with tf.GradientTape() as tape:
    tape.watch(copies)
    state, loss = tf.zeros((batch, units), tf.float64), 0.0
    for t, copy in enumerate(copies):  # a matrix of its own for each step
        state = tf.tanh(x[:, t] @ kernel + state @ copy + bias)
        loss += 0.5 * tf.reduce_sum((state - y[:, t]) ** 2)

parts = np.stack(tape.gradient(loss, copies))  # (timesteps, units, units)
norms = np.linalg.norm(parts, axis=(1, 2))
print("norm of each part:", norms.round(1))
error = relative_error(parts.sum(axis=0), whole)
print(f"their sum against the gradient: {error:.0e}")
assert error < 1e-9
# --8<-- [end:copies]


# --8<-- [start:carried]
def gradient_of_two_windows(cut):
    """Carry the state by hand inside one tape; cut it or do not."""
    with tf.GradientTape() as tape:
        h_early = layer(early)
        state = h_early[:, -1]
        if cut:
            state = tf.stop_gradient(state)
        h_late = layer(late, initial_state=state)
        off = tf.concat([h_early, h_late], axis=1) - y
        loss = 0.5 * tf.reduce_sum(off**2)
    return np.asarray(tape.gradient(loss, layer.cell.recurrent_kernel.value))


carried = gradient_of_two_windows(cut=False)
stopped = gradient_of_two_windows(cut=True)
print(f"carried:       off by {relative_error(carried, whole):.0e}")
print(f"stop_gradient: off by {relative_error(stopped, whole):.2f}")
assert relative_error(carried, whole) < 1e-9  # nothing is truncated
assert relative_error(stopped, cut["recurrent_kernel"]) < 1e-9
# --8<-- [end:carried]

# --8<-- [start:starter-step]
steps = 10.0 ** -np.arange(1, 12)
print("steps from", steps[0], "to", steps[-1])
# --8<-- [end:starter-step]

# --8<-- [start:solution-step]
print("    step   relative error")
by_step = {}
for step in steps:
    numeric = finite_differences(arrays, "bias", step)
    by_step[step] = relative_error(numeric, derived["bias"])
    print(f"{step:8.0e} {by_step[step]:12.0e}")
best_step = min(by_step, key=by_step.get)
assert 1e-5 < best_step < 1e-1
assert by_step[steps[-1]] > 100 * by_step[best_step]
assert by_step[steps[0]] > 100 * by_step[best_step]
# --8<-- [end:solution-step]

# --8<-- [start:starter-noise]
rng = np.random.default_rng(0)
*weights, output = random_network(32, 1.0, rng)


def echo_gradient(sequences, window=None):
    """The recurrent gradient of the echo task for a mean over sequences."""
    x, y = echo(sequences, 40, rng)
    h = forward(x, *weights)
    e = (h[:, 1:] @ output - y)[..., None] * output / sequences
    return backward(x, h, e, *weights[:2], window)["recurrent_kernel"]


reference = echo_gradient(20_000)
print("norm of the gradient:", np.linalg.norm(reference).round(3))
# --8<-- [end:starter-noise]

# --8<-- [start:solution-noise]
print("sequences     full   windows of 5")
for sequences in (20, 200, 2000, 20_000):
    off_full = relative_error(echo_gradient(sequences), reference)
    off_cut = relative_error(echo_gradient(sequences, 5), reference)
    print(f"{sequences:9d} {off_full:8.2f} {off_cut:14.2f}")
assert off_full < 0.1
assert off_cut > 0.4
# --8<-- [end:solution-noise]
