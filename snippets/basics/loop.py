# --8<-- [start:imports]
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

# --8<-- [end:imports]

# --8<-- [start:task]
rng = np.random.default_rng(0)
series = np.sin(np.arange(106) / 3) + rng.normal(0, 0.2, 106)
rows = np.lib.stride_tricks.sliding_window_view(series, 7)
rows = rng.permutation(rows).astype("float32")
x = rows[:, :6, np.newaxis]  # (100, timesteps, features)
y = rows[:, 6:]  # (100, 1), the next value
batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
sizes = [len(x_batch) for x_batch, _ in batches]
print("windows", x.shape, " targets", y.shape, " batches of", sizes)


def start(seed, dropout=0.2, kind=keras.Sequential):
    """A model; one seed gives the same weights and the same dropout."""
    keras.utils.set_random_seed(seed)
    lstm = layers.LSTM(8, kernel_regularizer=keras.regularizers.L2(0.01))
    parts = [keras.Input((6, 1)), lstm, layers.Dropout(dropout)]
    return kind([*parts, layers.Dense(1)])


# --8<-- [end:task]


# --8<-- [start:fit]
def fit(model, epochs=3, **clipping):
    """Train with fit; return the loss that it shows after each batch."""
    shown = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: shown.append(logs["loss"])
    )
    model.compile(keras.optimizers.Adam(0.01, **clipping), "mse")
    settings = {"batch_size": 32, "shuffle": False, "verbose": 0}
    model.fit(x, y, epochs=epochs, callbacks=[note], **settings)
    return np.reshape(shown, (epochs, -1))  # (epochs, batches)


fitted = start(seed=0)
shown = fit(fitted)
print(shown.round(4))
assert shown.shape == (3, 4)
# --8<-- [end:fit]

# --8<-- [start:step]
mse = keras.losses.MeanSquaredError()


def train_step(model, optimizer, x, y):
    """One update by x (batch, timesteps, 1) and y (batch, 1); the loss."""
    with tf.GradientTape() as tape:
        output = model(x, training=True)  # (batch, 1)
        loss = mse(y, output) + sum(model.losses)
    weights = model.trainable_variables
    optimizer.apply(tape.gradient(loss, weights), weights)
    return loss


# --8<-- [end:step]


# --8<-- [start:loop]
def train(model, step=train_step, epochs=3):
    """The loop; return the running mean of the loss, (epochs, batches)."""
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    mean, shown = keras.metrics.Mean(), []
    for _ in range(epochs):
        mean.reset_state()
        for x_batch, y_batch in batches:
            loss = step(model, optimizer, x_batch, y_batch)
            mean.update_state(loss, sample_weight=len(x_batch))
            shown.append(float(mean.result()))
    return np.reshape(shown, (epochs, -1))


# --8<-- [end:loop]


# --8<-- [start:apart]
def apart(a, b):
    """The largest difference between the weights of two models."""
    pairs = zip(a.get_weights(), b.get_weights())
    return max(np.abs(v - w).max() for v, w in pairs)


# --8<-- [end:apart]

# --8<-- [start:same]
looped = start(seed=0)
by_hand = train(looped)
print("fit     ", shown[:, -1].round(4))
print("by hand ", by_hand[:, -1].round(4))
equal = np.abs(by_hand - shown).max() < 1e-4
print("all 12 losses equal to 0.0001:", equal)
print("all weights equal to 0.0001:  ", apart(fitted, looped) < 1e-4)
assert np.abs(by_hand - shown).max() < 1e-4
assert apart(fitted, looped) < 1e-4
assert apart(fitted, start(seed=0)) > 0.02
# --8<-- [end:same]


# --8<-- [start:moving]
def loss_of_all(model):
    """The loss over all windows, with the weights at rest."""
    output = model(x, training=False)
    return float(mse(y, output) + sum(model.losses))


model = start(seed=0, dropout=0)
optimizer = keras.optimizers.Adam(0.01)
losses, rest = [], [loss_of_all(model)]
for _ in range(3):
    for x_batch, y_batch in batches:
        losses.append(float(train_step(model, optimizer, x_batch, y_batch)))
    rest.append(loss_of_all(model))
# --8<-- [end:moving]

# --8<-- [start:means]
losses = np.reshape(losses, (3, 4))  # (epochs, batches)
weighted, plain = losses @ sizes / 100, losses.mean(axis=1)
print("epoch  weighted mean  plain mean  after the epoch")
for k in range(3):
    print(f"{k + 1:5}{weighted[k]:15.3f}{plain[k]:12.3f}{rest[k + 1]:17.3f}")

other = start(seed=0, dropout=0)
shown = fit(other)[:, -1]
print("fit shows the weighted mean:", np.abs(weighted - shown).max() < 1e-4)
assert np.abs(weighted - shown).max() < 1e-4
assert np.abs(plain - shown).min() > 1e-3
assert np.isclose(rest[3], other.evaluate(x, y, verbose=0), atol=1e-4)
assert (weighted > np.array(rest[1:]) + 0.01).all()
assert (losses[:, 3] < losses[:, :3].min(axis=1) - 0.05).all()
# --8<-- [end:means]

# --8<-- [start:running]
totals = np.cumsum(losses * sizes, axis=1) / np.cumsum(sizes)
update = np.arange(1, 13).reshape(3, 4)
plt.figure(figsize=(5.2, 3.2))
plt.plot(update.T, totals.T, color="C0")
plt.plot([], [], color="C0", label="running mean")
plt.plot(update.ravel(), losses.ravel(), "o", color="C1", label="one batch")
plt.plot([0.5, 4.5, 8.5, 12.5], rest, "D", color="C2", label="all windows")
for border in (4.5, 8.5):
    plt.axvline(border, color="C2", linewidth=0.8, linestyle=":")
plt.xlabel("update")
plt.ylabel("loss")
plt.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
plt.show()
# --8<-- [end:running]


# --8<-- [start:variants]
def without(training=True, penalty=True, loss=mse):
    """A train_step in which something is missing or different."""

    def step(model, optimizer, x, y):
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=training))
            if penalty:
                value += sum(model.losses)
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(value, weights), weights)
        return value

    return step


def flat(y, output):
    """The mean squared error as one writes it, with targets (batch,)."""
    return tf.reduce_mean((output - y[:, 0]) ** 2)


# --8<-- [end:variants]

# --8<-- [start:wrong]
summed = keras.losses.MeanSquaredError(reduction="sum")
steps = {
    "complete": without(),
    "no training=True": without(training=False),
    "no model.losses": without(penalty=False),
    "sum over the batch": without(loss=summed),
    "targets (batch,)": without(loss=flat),
}
few = y[:32]
constant = np.full_like(few, few.mean())
print("loss of a perfect forecast, and of the mean alone")
for loss in (mse, flat):
    name = "mse" if loss is mse else "flat"
    print(f"{name:5}{loss(few, few):7.3f}{loss(few, constant):7.3f}")
assert mse(few, few) == mse(few[:, 0], few) == 0
assert flat(few, few) > 1.5 * flat(few, constant)
assert np.isclose(summed(few, constant), 32 * mse(few, constant))
# --8<-- [end:wrong]

# --8<-- [start:missing]
off = {name: [] for name in steps}  # for each seed: losses, weights
for seed in range(3):
    model = start(seed)
    expected = fit(model)
    for name, step in steps.items():
        other = start(seed)
        loss = train(other, step)[:, -1]
        difference = np.abs(loss - expected[:, -1]).max()
        off[name].append((difference, apart(model, other)))
        assert loss[2] < loss[0]  # each of them seems to work
off = {name: np.array(pairs) for name, pairs in off.items()}

print("differs from fit by       its losses       its weights")
for name, pairs in off.items():
    print(f"{name:18}", end="")
    for low, high in zip(pairs.min(axis=0), pairs.max(axis=0)):
        text = f"{low:.3f} to {high:.3f}" if high > 1e-4 else "nothing"
        print(f"{text:>18}", end="")
    print()
    assert pairs.max() < 1e-4 if name == "complete" else pairs.min() > 1e-3
# --8<-- [end:missing]

# --8<-- [start:figure]
plt.figure(figsize=(5.2, 3.2))
for row, pairs in enumerate(off.values()):
    values = np.maximum(pairs[:, 1], 1e-8)
    style = "oC0" if row == 0 else "XC1"
    plt.plot(values, np.full(3, row), style, markersize=8)
plt.xscale("log")
plt.xlim(5e-9, 2)
plt.yticks(range(len(off)), list(off))
plt.gca().invert_yaxis()
plt.xlabel("largest difference from fit's weights")
plt.show()
# --8<-- [end:figure]

# --8<-- [start:graph]
graph_model = start(seed=0)
graph_step = tf.function(train_step)
by_graph = train(graph_model, graph_step)
print("traces:", graph_step.experimental_get_tracing_count())
print("same losses:", np.abs(by_graph - by_hand).max() < 1e-4)
assert graph_step.experimental_get_tracing_count() == 2
assert np.abs(by_graph - by_hand).max() < 1e-4
assert apart(looped, graph_model) < 1e-4
# --8<-- [end:graph]

# --8<-- [start:time]
optimizer = keras.optimizers.Adam(0.01)
model, compiled = start(seed=0), tf.function(train_step)
weights = model.trainable_variables
optimizer.build(weights)
parts, graph = [], []
iterator = iter(batches.take(3).repeat(5))
for _ in range(15):
    clock = [time.perf_counter()]
    x_batch, y_batch = next(iterator)
    clock.append(time.perf_counter())
    with tf.GradientTape() as tape:
        loss = mse(y_batch, model(x_batch, training=True))
        loss += sum(model.losses)
    clock.append(time.perf_counter())
    gradients = tape.gradient(loss, weights)
    clock.append(time.perf_counter())
    optimizer.apply(gradients, weights)
    clock.append(time.perf_counter())
    parts.append(np.diff(clock))
    compiled(model, optimizer, x_batch, y_batch).numpy()
    graph.append(time.perf_counter() - clock[-1])
# --8<-- [end:time]

# --8<-- [start:shares]
part = np.median(parts, axis=0)
for name, share in zip(("data", "forward", "backward", "update"), part):
    share = share / part.sum()
    print(f"{name:9}", "under 10 %" if share < 0.1 else "10 % or more")
ratio = part[1:].sum() / np.median(graph)
least = max(bound for bound in (0, 1, 3, 10) if ratio > bound)
print(f"an eager step takes more than {least} times as long as a graph's")
assert part[0] < 0.2 * part.sum()
assert ratio > 3
# --8<-- [end:shares]

# --8<-- [start:clip]
norms = []


def clipped_step(model, optimizer, x, y):
    """A train_step; the gradient's norm is noted, and at most 0.5 after."""
    with tf.GradientTape() as tape:
        loss = mse(y, model(x, training=True)) + sum(model.losses)
    weights = model.trainable_variables
    gradients = tape.gradient(loss, weights)
    gradients, norm = tf.clip_by_global_norm(gradients, 0.5)
    norms.append(float(norm))
    optimizer.apply(gradients, weights)
    return loss


# --8<-- [end:clip]

# --8<-- [start:limit]
clipped = start(seed=0)
by_clipping = train(clipped, clipped_step)[:, -1]
print(np.reshape(norms, (3, 4)).round(2))
fit(together := start(seed=0), global_clipnorm=0.5)
fit(singly := start(seed=0), clipnorm=0.5)
print("equals fit:                     ", apart(clipped, fitted) < 1e-4)
print("equals fit with global_clipnorm:", apart(clipped, together) < 1e-4)
print("equals fit with clipnorm:       ", apart(clipped, singly) < 1e-4)
assert min(norms) < 0.5 < max(norms)
assert apart(clipped, fitted) > 1e-3
assert apart(clipped, together) < 1e-4
assert apart(clipped, singly) > 1e-3
# --8<-- [end:limit]

# --8<-- [start:inside]
weight, gradient = keras.Variable([0.0, 0.0]), tf.constant([3.0, 4.0])
optimizer = keras.optimizers.SGD(1.0, global_clipnorm=0.5)
optimizer.apply([gradient], [weight])
print(weight.numpy())
assert np.allclose(weight.numpy(), [-0.3, -0.4])
optimizer.apply_gradients(zip([gradient], [weight]))
print(weight.numpy())
assert np.allclose(weight.numpy(), [-0.6, -0.8])
# --8<-- [end:inside]


# --8<-- [start:middle]
class Clipped(keras.Sequential):
    """A model that fit trains with our step instead of its own."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            output = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=output)
        weights = self.trainable_variables
        gradients = tape.gradient(loss, weights)
        gradients, norm = tf.clip_by_global_norm(gradients, 0.5)
        self.optimizer.apply(gradients, weights)
        self.metrics[0].update_state(loss, sample_weight=tf.shape(x)[0])
        self.norm.update_state(norm)
        return self.get_metrics_result() | {"last": norm}


# --8<-- [end:middle]

# --8<-- [start:watch]
middle = start(seed=0, kind=Clipped)
middle.norm = keras.metrics.Mean(name="norm")
fit(middle)
assert middle.metrics[-1] is middle.norm
history = {k: np.array(v) for k, v in middle.history.history.items()}
for name in ("loss", "norm", "last"):
    print(f"{name:5}", history[name].round(3))
print("equals the loop:", apart(middle, clipped) < 1e-4)
assert apart(middle, clipped) < 1e-4
assert np.allclose(history["loss"], by_clipping, atol=1e-4)
by_epoch = np.reshape(norms, (3, 4))
assert np.allclose(history["norm"], by_epoch.mean(axis=1), atol=1e-3)
assert np.allclose(history["last"], by_epoch[:, -1], atol=1e-3)

try:
    middle.fit(x, y, sample_weight=np.ones(len(x)), verbose=0)
except ValueError as error:
    refused = "too many values to unpack" in str(error)
    print("with sample weights: ValueError, too many values to unpack")
assert refused
# --8<-- [end:watch]

# --8<-- [start:normalize]
normalize = layers.BatchNormalization()
normalize(5 + x[:32])
print("no training=True:", normalize.moving_mean.numpy())
assert (normalize.moving_mean.numpy() == 0).all()
normalize(5 + x[:32], training=True)
print("training=True:   ", normalize.moving_mean.numpy().round(2))
assert (normalize.moving_mean.numpy() > 0.02).all()
# --8<-- [end:normalize]

# --8<-- [start:empty]
plain_model = keras.Sequential([keras.Input((6, 1)), layers.LSTM(8)])
print("model.losses:", plain_model.losses, " sum:", sum(plain_model.losses))
try:
    tf.add_n(plain_model.losses)
except ValueError as error:
    print("tf.add_n:", type(error).__name__)
else:
    raise AssertionError("add_n added nothing")
assert sum(plain_model.losses) == 0
# --8<-- [end:empty]

# --8<-- [start:second]
again = tf.function(train_step)
again(start(seed=0), keras.optimizers.Adam(), x[:32], y[:32])
model = start(seed=1)
try:
    again(model, keras.optimizers.Adam(), x[:32], y[:32])
except ValueError as error:
    said = str(error)
else:
    raise AssertionError("new variables went through")
said = said[said.index("singleton") :].split(". ")[0]
print("ValueError: …", said)

optimizer = keras.optimizers.Adam()
optimizer.build(model.trainable_variables)
again(model, optimizer, x[:32], y[:32])
print("built: ", apart(model, start(seed=1)) > 0)
assert apart(model, start(seed=1)) > 0
# --8<-- [end:second]

# --8<-- [start:starter-accumulate]
SGD = keras.optimizers.SGD
large, small = start(seed=0, dropout=0), start(seed=0, dropout=0)
train_step(large, SGD(0.1), x[:32], y[:32])

optimizer = SGD(0.1)
for k in range(0, 32, 8):
    train_step(small, optimizer, x[k : k + 8], y[k : k + 8])
print("equal:", apart(large, small) < 1e-4)
# --8<-- [end:starter-accumulate]

# --8<-- [start:solution-accumulate]
gathered = start(seed=0, dropout=0)
weights = gathered.trainable_variables
total = [tf.zeros(w.shape) for w in weights]
for k in range(0, 32, 8):
    with tf.GradientTape() as tape:
        output = gathered(x[k : k + 8], training=True)
        loss = (mse(y[k : k + 8], output) + sum(gathered.losses)) / 4
    new = tape.gradient(loss, weights)
    total = [a + b for a, b in zip(total, new)]
SGD(0.1).apply(total, weights)
print("equal:", apart(large, gathered) < 1e-4)
assert apart(large, gathered) < 1e-4
assert apart(large, small) > 1e-3
# --8<-- [end:solution-accumulate]


# --8<-- [start:starter-rates]
def two_rates(slow, fast):
    """A train_step: one optimizer for the LSTM, one for the output."""

    def step(model, _, x, y):
        with tf.GradientTape() as tape:
            loss = mse(y, model(x, training=True)) + sum(model.losses)
        weights = model.trainable_variables
        fast.apply(tape.gradient(loss, weights), weights)
        return loss

    return step


SGD = keras.optimizers.SGD
before, single = start(seed=0), start(seed=0)
train(single, two_rates(SGD(0.0), SGD(0.1)))
print("LSTM moved:", apart(before.layers[0], single.layers[0]) > 0)
# --8<-- [end:starter-rates]


# --8<-- [start:solution-rates]
def two_optimizers(slow, fast):
    """A train_step: one optimizer for the LSTM, one for the output."""

    def step(model, _, x, y):
        with tf.GradientTape() as tape:
            loss = mse(y, model(x, training=True)) + sum(model.losses)
        weights = model.trainable_variables
        gradients = tape.gradient(loss, weights)
        slow.apply(gradients[:3], weights[:3])  # the LSTM has three
        fast.apply(gradients[3:], weights[3:])
        return loss

    return step


frozen, both = start(seed=0), start(seed=0)
train(frozen, two_optimizers(SGD(0.0), SGD(0.1)))
train(both, two_optimizers(SGD(0.1), SGD(0.1)))
print("LSTM moved:", apart(before.layers[0], frozen.layers[0]) > 0)
print("equal rates, same as one:", apart(both, single) < 1e-4)
assert apart(before.layers[0], frozen.layers[0]) == 0
assert apart(before.layers[-1], frozen.layers[-1]) > 1e-3
assert apart(both, single) < 1e-4
# --8<-- [end:solution-rates]
