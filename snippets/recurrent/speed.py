# --8<-- [start:imports]
import importlib
import time
from unittest import mock

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

# --8<-- [end:imports]

# --8<-- [start:data]
rng = np.random.default_rng(0)
series = np.sin(0.1 * np.arange(818)) + 0.1 * rng.normal(size=818)
windows = np.lib.stride_tricks.sliding_window_view(series, 51)
windows = windows.astype("float32")
x, y = windows[:, :-1, None], windows[:, -1:]
print("x:", x.shape, " y:", y.shape)
assert x.shape == (768, 50, 1)
assert (x[1:, -1, 0] == y[:-1, 0]).all()  # y is the value after x
# --8<-- [end:data]


# --8<-- [start:build]
def build(depth=1, units=32, steps=50, compile_options=None, **lstm_options):
    """`depth` LSTM layers; models of one size start with equal weights."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((steps, 1))])
    for level in range(depth):
        more = level < depth - 1  # another LSTM follows
        lstm = layers.LSTM(units, return_sequences=more, **lstm_options)
        model.add(lstm)
    model.add(layers.Dense(1))
    model.compile("adam", "mse", **(compile_options or {}))
    return model


def epoch_of(model, data=(x, y), batch_size=32, epochs=1):
    """A function that trains for one epoch or more: the loss of the first."""
    options = {"epochs": epochs, "verbose": 0, "shuffle": False}
    if isinstance(data, tf.data.Dataset):  # it has batches already
        return lambda: model.fit(data, **options).history["loss"][0]
    options["batch_size"] = batch_size
    return lambda: model.fit(*data, **options).history["loss"][0]


# --8<-- [end:build]


# --8<-- [start:race]
def race(runs, rounds=3, claim=lambda times: True):
    """Call each function of `runs` once, then once in each round.

    While `claim(times)` is false there are more rounds, at most 12: a busy
    machine makes a true claim fail, and each round may be a quiet one.
    Returns three dicts with the names of `runs`: seconds of the first
    call, seconds of the rounds (rounds,), what the first call returned.
    """
    first, times, results = {}, {name: [] for name in runs}, {}
    for name, run in runs.items():
        start = time.perf_counter()
        results[name] = run()
        first[name] = time.perf_counter() - start
    for count in range(12):
        if count >= rounds and claim(times):
            break
        for name, run in runs.items():  # a busy moment meets all of them
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return first, {k: np.array(v) for k, v in times.items()}, results


def ratio(times, name, base):
    """Best time of `name`, in best times of `base`."""
    return min(times[name]) / min(times[base])


def spread(times, name, base):
    """Smallest and largest ratio of the two within one round."""
    rounds = times[name] / times[base]
    return rounds.min(), rounds.max()


naps = {"short": lambda: time.sleep(0.02), "long": lambda: time.sleep(0.06)}
_, times, _ = race(naps)
low, high = spread(times, "long", "short")
print("a nap three times as long takes", end=" ")
print(f"{ratio(times, 'long', 'short'):.2f} ({low:.2f} to {high:.2f})")
assert 2 < ratio(times, "long", "short") < 4
assert spread(times, "short", "short") == (1, 1)
# --8<-- [end:race]

# --8<-- [start:runs]
batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
xla, several = {"jit_compile": True}, {"steps_per_execution": 16}
BASE = "as it is, batch 32"
unchanged = ["jit_compile", "unroll", "steps_per_execution", "tf.data, cache"]
runs = {
    BASE: epoch_of(build()),
    "jit_compile": epoch_of(build(compile_options=xla)),
    "unroll": epoch_of(build(unroll=True)),
    "steps_per_execution": epoch_of(build(compile_options=several)),
    "tf.data, cache": epoch_of(build(), batches.cache().prefetch(2)),
    "batch 8": epoch_of(build(), batch_size=8),
    "batch 128": epoch_of(build(), batch_size=128),
    "batch 512": epoch_of(build(), batch_size=512),
    "dropout": epoch_of(build(dropout=0.2)),
    "recurrent_dropout": epoch_of(build(recurrent_dropout=0.2)),
    "two layers": epoch_of(build(depth=2)),
}
# --8<-- [end:runs]


# --8<-- [start:claims]
def claims(times):
    """What we say of the race beforehand, {claim: does it hold?}."""
    best = {name: ratio(times, name, BASE) for name in times}
    eight = best.pop("batch 8") / best["batch 128"]
    others = max(max(one, 1 / one) for one in best.values())
    dropped = best["recurrent_dropout"]
    return {
        "batch 8 takes at least twice as long as batch 128": eight > 2,
        "nothing else moves as much": eight > others,
        "jit_compile saves at least 5 %": best["jit_compile"] < 0.95,
        "recurrent_dropout costs at least 20 %": dropped > 1.2,
        "a second layer costs 30 to 200 %": 1.3 < best["two layers"] < 3,
    }


# --8<-- [end:claims]

# --8<-- [start:contest]
epoch_of(build(), (x[:64], y[:64]))()  # TensorFlow's own start: no row's
first, times, losses = race(runs, claim=lambda t: all(claims(t).values()))

print("                            one epoch              first   pays")
print("                          best  in one round       epoch  after")
for name in runs:
    best = ratio(times, name, BASE)
    low, high = spread(times, name, BASE)
    print(f"{name:24} {best:5.2f}  ({low:.2f} to {high:.2f})", end="")
    print(f"{first[name] / times[BASE].min():9.0f}", end="")
    if name in unchanged and best < 0.95:
        saved = times[BASE].min() - times[name].min()  # in each epoch
        late = max(np.ceil((first[name] - first[BASE]) / saved), 0)
        print(f"{late + 1:7.0f}")  # the first epoch, and as many as that
    else:
        print("      -")
print("rounds:", len(times[BASE]))
# --8<-- [end:contest]

# --8<-- [start:verdict]
for claim, holds in claims(times).items():
    print("holds:" if holds else "FAILS:", claim)
    assert holds
assert layers.LSTM(4).cell.implementation == 2  # one product, cut in four
assert layers.LSTM(4, recurrent_dropout=0.2).cell.implementation == 1
if not tf.config.list_physical_devices("GPU"):
    assert not build().jit_compile  # "auto" means no
# --8<-- [end:verdict]

# --8<-- [start:bars]
fig, axis = plt.subplots(figsize=(5.2, 4.3))
low, high = np.array([spread(times, name, BASE) for name in runs]).T
bars = [ratio(times, name, BASE) for name in runs]
axis.barh(range(len(runs)), bars, alpha=0.6)
axis.hlines(range(len(runs)), low, high, color="C1")
axis.axvline(1, linestyle=":")
axis.set_yticks(range(len(runs)), runs)
axis.invert_yaxis()
axis.set_xlabel("time of an epoch / time as it is")
plt.show()
# --8<-- [end:bars]

# --8<-- [start:same]
for name in runs:
    print(f"{name:24}  loss of the first epoch {losses[name]:.4f}")
for name in unchanged:
    assert abs(losses[name] - losses[BASE]) < 1e-4
assert losses["batch 8"] < 0.7 * losses["batch 128"]
assert losses[BASE] < losses["batch 128"] < losses["batch 512"]
# --8<-- [end:same]

# --8<-- [start:eager]
few = (x[:64], y[:64])
slow = build(compile_options={"run_eagerly": True})
modes = {"graph": epoch_of(build(), few), "eager": epoch_of(slow, few)}
_, mode_times, mode_losses = race(modes, rounds=3)
print(f"run_eagerly: {ratio(mode_times, 'eager', 'graph'):.1f} times as long")
assert ratio(mode_times, "eager", "graph") > 3
assert abs(mode_losses["eager"] - mode_losses["graph"]) < 1e-4
# --8<-- [end:eager]


# --8<-- [start:operations]
def operations(timesteps, unroll):
    """Operations that TensorFlow records for one LSTM layer."""
    layer = layers.LSTM(4, unroll=unroll)
    layer.build((None, timesteps, 1))
    shape = tf.TensorSpec((1, timesteps, 1))
    graph = tf.function(layer).get_concrete_function(shape).graph
    graph = graph.as_graph_def()
    inner = sum(len(f.node_def) for f in graph.library.function)
    return len(graph.node) + inner


print("timesteps       loop   unrolled")
for timesteps in (5, 10, 50):
    loop = operations(timesteps, unroll=False)
    unrolled = operations(timesteps, unroll=True)
    print(f"{timesteps:9d} {loop:10d} {unrolled:10d}")
assert operations(5, unroll=False) == loop
assert unrolled > 4 * operations(10, unroll=True)
# --8<-- [end:operations]

# --8<-- [start:pipeline]
lines = [",".join(f"{value:.6f}" for value in row) for row in windows]


def parse(line):
    """A line of text -> x (50, 1) and y (1,)."""
    values = tf.strings.to_number(tf.strings.split(line, ","))
    values = tf.ensure_shape(values, (51,))
    return values[:-1, None], values[-1:]


text = tf.data.Dataset.from_tensor_slices(lines).map(parse).batch(128)
kept = text.cache()
sources = {
    "arrays": epoch_of(build(), (x, y), batch_size=128, epochs=2),
    "text": epoch_of(build(), text, epochs=2),
    "text, prefetch": epoch_of(
        build(), text.prefetch(tf.data.AUTOTUNE), epochs=2
    ),
    "text, cache": epoch_of(build(), kept, epochs=2),
}
_, source_times, source_losses = race(
    sources, claim=lambda t: ratio(t, "text, cache", "text") < 1
)
for name in sources:
    low, high = spread(source_times, name, "arrays")
    best = ratio(source_times, name, "arrays")
    print(f"{name:16} {best:5.2f}  ({low:.2f} to {high:.2f})")
    assert abs(source_losses[name] - source_losses["arrays"]) < 1e-4
assert ratio(source_times, "text, cache", "text") < 1

reading = {"text": lambda: list(text), "text, cache": lambda: list(kept)}
_, read_times, _ = race(reading)
print("read without training, text in units of text, cache:", end=" ")
print(f"{ratio(read_times, 'text', 'text, cache'):.1f}")
assert ratio(read_times, "text", "text, cache") > 2
# --8<-- [end:pipeline]

# --8<-- [start:fused]
# The module where Keras 3.15 decides; private, so another version may differ.
keras_rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
gpu = {"_is_gpu_available": mock.Mock(return_value=True)}


def asks_for_fused(layer):
    """Would this layer take the fused kernel if there were a GPU?"""
    name = "_cudnn_gru" if isinstance(layer, layers.GRU) else "_cudnn_lstm"
    # The kernel itself cannot run here: the layer is told so and goes on.
    kernel = {name: mock.Mock(side_effect=NotImplementedError)}
    with mock.patch.multiple(keras_rnn, **gpu, **kernel):
        layer(x[:2], training=True)
        return getattr(keras_rnn, name).called


options = [  # of an LSTM layer, and what we read in the source
    ({}, True),
    ({"dropout": 0.2}, True),
    ({"go_backwards": True}, True),
    ({"recurrent_dropout": 0.2}, False),
    ({"unroll": True}, False),
    ({"use_bias": False}, False),
    ({"activation": "relu"}, False),
    ({"recurrent_activation": "hard_sigmoid"}, False),
    ({"use_cudnn": False}, False),
]
table = {}
for some, expected in options:
    label = ", ".join(f"{key}={value!r}" for key, value in some.items())
    label = f"LSTM(4, {label})" if some else "LSTM(4)"
    table[label] = layers.LSTM(4, **some), expected
table["RNN(LSTMCell(4))"] = layers.RNN(layers.LSTMCell(4)), False
table["GRU(4)"] = layers.GRU(4), True
table["GRU(4, reset_after=False)"] = layers.GRU(4, reset_after=False), False

for label, (layer, expected) in table.items():
    fused = asks_for_fused(layer)
    print(f"{label:46}", "fused" if fused else "-")
    assert fused == expected

with mock.patch.multiple(keras_rnn, **gpu):
    print("XLA allowed, fused:", layers.LSTM(4).supports_jit)
    print(
        "XLA allowed, unroll=True:", layers.LSTM(4, unroll=True).supports_jit
    )
    neither = layers.LSTM(4, recurrent_dropout=0.2).supports_jit
    print("XLA allowed, recurrent_dropout=0.2:", neither)
    assert not layers.LSTM(4).supports_jit
    assert layers.LSTM(4, unroll=True).supports_jit
    assert not neither
# --8<-- [end:fused]


# --8<-- [start:mask]
def stand_in(input, input_h, input_c, **options):
    """What the kernel returns, in its shapes; nothing is computed."""
    return input, input_h, input_c, None, None


def path(mask, graph):
    """What an LSTM layer does with a mask if there were a GPU."""
    layer = layers.LSTM(4)
    call = tf.function(layer) if graph else layer
    kernel = mock.Mock(side_effect=stand_in)
    with (
        mock.patch.multiple(keras_rnn, **gpu),
        mock.patch.object(tf.raw_ops, "CudnnRNNV3", kernel),
    ):
        try:
            call(x[:2, :3], mask=np.array(mask, bool))
        except tf.errors.InvalidArgumentError:
            return "error"
    return "fused" if kernel.called else "loop"


masks = {
    "padded on the right": [[1, 1, 0], [1, 1, 1]],
    "padded on the left": [[0, 1, 1], [1, 1, 1]],
    "a sequence of padding only": [[0, 0, 0], [1, 1, 1]],
}
print("                            called   in a graph")
for name, mask in masks.items():
    paths = path(mask, graph=False), path(mask, graph=True)
    print(f"{name:27} {paths[0]:8} {paths[1]}")
    right = "right" in name
    assert paths == (("fused", "fused") if right else ("loop", "error"))
# --8<-- [end:mask]

# --8<-- [start:demand]
told = {}
print("use_cudnn=True, recurrent_dropout")
for rate in (0, 0.2):
    layer = layers.LSTM(4, use_cudnn=True, recurrent_dropout=rate)
    with (
        mock.patch.multiple(keras_rnn, **gpu),
        mock.patch.object(tf.raw_ops, "CudnnRNNV3", stand_in),
    ):
        try:
            layer(x[:2])
            told[rate] = "taken"
        except ValueError as error:
            reason = str(error).split("use_cudnn=True was specified, but ")[1]
            told[rate] = "ValueError: " + reason.split(" with ")[0] + " …"
    print(f"{rate:3}  {told[rate]}")
assert told[0] == "taken"
assert "cuDNN is not supported" in told[0.2]
# --8<-- [end:demand]

# --8<-- [start:starter-predict]
model = build()
one = tf.constant(x[:1])
ways = {
    "model.predict(one)": lambda: model.predict(one, verbose=0),
    "model(one)": lambda: model(one),
}
_, way_times, _ = race(ways)
for name in ways:
    print(f"{name:28} {ratio(way_times, name, 'model(one)'):6.2f}")
# --8<-- [end:starter-predict]

# --8<-- [start:solution-predict]
compiled = tf.function(model)
ways |= {
    "model.predict_on_batch(one)": lambda: model.predict_on_batch(one),
    "tf.function(model)(one)": lambda: compiled(one),
}
_, way_times, answers = race(ways, rounds=5)
for name in ways:
    print(f"{name:28} {ratio(way_times, name, 'model(one)'):6.2f}")
    same = abs(np.asarray(answers[name]) - answers["model(one)"])
    assert np.max(same) < 1e-6
for slow in ("model(one)", "model.predict(one)"):
    for fast in ("model.predict_on_batch(one)", "tf.function(model)(one)"):
        assert ratio(way_times, slow, fast) > 4
# --8<-- [end:solution-predict]

# --8<-- [start:starter-size]
half = (x[:384], y[:384])
sizes = {
    "32 units": epoch_of(build(), half),
    "64 units": epoch_of(build(units=64), half),
}
print("to race:", ", ".join(sizes))
# --8<-- [end:starter-size]

# --8<-- [start:solution-size]
longer = np.concatenate([half[0], half[0]], axis=1)  # (384, 100, 1)
sizes["twice the steps"] = epoch_of(build(steps=100), (longer, half[1]))
sizes["twice the sequences"] = epoch_of(build(), (x, y))
sizes["one sequence"] = epoch_of(build(), (x[:1], y[:1]))


def without_fixed(times, name):
    """Time of `name` less that of one sequence; "32 units" is 1."""
    fixed = ratio(times, "one sequence", "32 units")
    return (ratio(times, name, "32 units") - fixed) / (1 - fixed)


def doubled(times):
    """Do twice the steps and twice the sequences cost clearly more?"""
    twice = ("twice the steps", "twice the sequences")
    return min(without_fixed(times, name) for name in twice) > 1.2


_, size_times, _ = race(sizes, claim=doubled)
print("                     time   less that of one sequence")
for name in sizes:
    print(f"{name:20} {ratio(size_times, name, '32 units'):4.2f}", end="")
    print(f"{without_fixed(size_times, name):9.2f}")
assert doubled(size_times)
assert ratio(size_times, "one sequence", "32 units") < 1
# --8<-- [end:solution-size]
