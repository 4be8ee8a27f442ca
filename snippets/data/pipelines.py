# --8<-- [start:imports]
import time
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view

# --8<-- [end:imports]

# --8<-- [start:pipeline]
series = np.arange(107, dtype="float32")
windows = sliding_window_view(series, 8)  # (100, 8)
inputs, targets = windows[:, :7], windows[:, 7]


def subtract_last(x, y):
    """A window (7,) and its target, relative to the last value."""
    return x - x[-1], y - x[-1]


rows = tf.data.Dataset.from_tensor_slices((inputs, targets))
batches = rows.map(subtract_last).batch(32)
for x, y in batches:
    print("x", x.shape, " y", y.shape)

together = np.concatenate([x for x, y in batches])
assert np.array_equal(together, inputs - inputs[:, -1:])
assert [len(x) for x, y in batches] == [32, 32, 32, 4]
# --8<-- [end:pipeline]

# --8<-- [start:counts]
calls = tf.Variable(0)


def double(x):
    """Twice x; counts how often it runs."""
    calls.assign_add(1)
    return 2 * x


numbers = tf.data.Dataset.range(96)
orders = {
    "map, batch": numbers.map(double).batch(32),
    "batch, map": numbers.batch(32).map(double),
    "cache, map, batch": numbers.cache().map(double).batch(32),
    "map, cache, batch": numbers.map(double).cache().batch(32),
    "batch, map, cache": numbers.batch(32).map(double).cache(),
}
assert calls == 0  # nothing has run yet
runs = {}
print(f"{'runs in epoch':25}    1    2    3")
for order, dataset in orders.items():
    runs[order] = []
    for _ in range(3):
        calls.assign(0)
        values = np.concatenate(list(dataset))
        runs[order].append(int(calls))
        assert np.array_equal(values, 2 * np.arange(96))
    print(f"{order:25}" + "".join(f"{count:5}" for count in runs[order]))

assert runs["map, batch"] == runs["cache, map, batch"] == [96] * 3
assert runs["batch, map"] == [3, 3, 3]
assert runs["map, cache, batch"] == [96, 0, 0]
assert runs["batch, map, cache"] == [3, 0, 0]
# --8<-- [end:counts]

# --8<-- [start:ahead]
plain = tf.data.Options()
plain.experimental_optimization.inject_prefetch = False
plain.threading.private_threadpool_size = 8


def computed(dataset):
    """How often `double` has run when one element has been asked for."""
    calls.assign(0)
    iterator = iter(dataset)
    next(iterator)
    time.sleep(0.3)  # time for what goes on in the background
    return int(calls)


ways = {
    "map": numbers.map(double),
    "map, prefetch(8)": numbers.map(double).prefetch(8),
    "map, shuffle(64)": numbers.map(double).shuffle(64),
    "shuffle(64), map": numbers.shuffle(64).map(double),
}
made = {}
print("made for one element     as written   by default")
for way, dataset in ways.items():
    made[way] = computed(dataset.with_options(plain)), computed(dataset)
    print(f"{way:22} {made[way][0]:14} {made[way][1]:12}")
assert made["map"][0] == made["shuffle(64), map"][0] == 1
assert made["map"][1] > 1
assert 1 < made["map, prefetch(8)"][0] <= 9
assert made["map, shuffle(64)"][0] == 64
# --8<-- [end:ahead]


# --8<-- [start:slow]
def read(x):
    """Stands for a slow file: wait 10 ms, then return x."""
    time.sleep(0.01)
    return x


def slow(x):
    """`read` as a step of a pipeline."""
    return tf.numpy_function(read, [x], tf.int64)


def seconds(dataset, step):
    """The shortest of six epochs, each training step taking `step`."""
    times = []
    for _ in range(6):
        start = time.perf_counter()
        for _ in dataset:
            time.sleep(step)
        times.append(time.perf_counter() - start)
    return min(times)


# --8<-- [end:slow]

# --8<-- [start:waiting]
files = tf.data.Dataset.range(12)
ways = {
    "map": files.map(slow),
    "map, prefetch": files.map(slow).prefetch(2),
    "map, 4 parallel calls": files.map(slow, num_parallel_calls=4),
    "map, cache": files.map(slow).cache(),
}
taken = {}
for way, dataset in ways.items():
    dataset = dataset.with_options(plain)
    taken[way] = np.array([seconds(dataset, step) for step in (0, 0.01)])
gain = {way: taken["map"] / taken[way] for way in ways}
print("times as fast as map    reading alone   with training")
for way, (alone, training) in gain.items():
    print(f"{way:24}{alone:13.1f} {training:15.1f}")
assert gain["map, 4 parallel calls"][0] > 1.7
assert gain["map, 4 parallel calls"][0] > 1.5 * gain["map, prefetch"][0]
assert gain["map, cache"][0] > 2
assert min(gain[way][1] for way in ways if way != "map") > 1.2
# --8<-- [end:waiting]


# --8<-- [start:by-hand]
def shuffle_by_hand(source, buffer_size, rng):
    """Yield all elements of `source`, mixed by a buffer."""
    buffer = []
    for element in source:
        buffer.append(element)
        if len(buffer) == buffer_size:
            yield buffer.pop(rng.integers(len(buffer)))
    while buffer:
        yield buffer.pop(rng.integers(len(buffer)))


rng = np.random.default_rng(0)
for buffer_size in (1, 3, 10):
    order = list(shuffle_by_hand(range(10), buffer_size, rng))
    print(f"buffer of {buffer_size:2}:", *order)
    assert sorted(order) == list(range(10))
# --8<-- [end:by-hand]


# --8<-- [start:places]
def places(buffer_size, seed, n=256):
    """(n,): which place an element had that now comes 1st, 2nd, …"""
    dataset = tf.data.Dataset.range(n).shuffle(buffer_size, seed=seed)
    return np.array(list(dataset.as_numpy_iterator()))


before = places(buffer_size=32, seed=0)
after = np.arange(256)
print("the first eight come from", before[:8])
assert np.array_equal(np.sort(before), after)
# --8<-- [end:places]

# --8<-- [start:picture]
fig, axes = plt.subplots(1, 3, figsize=(5.2, 2.5), sharey=True)
for axis, buffer_size, marker in zip(axes, (1, 32, 256), "os^"):
    axis.plot(places(buffer_size, 0), after, marker, markersize=2.5)
    axis.set_title(f"buffer {buffer_size}")
    axis.set_xticks([0, 128, 256])
    axis.set_yticks([0, 128, 256])
axes[0].set_ylabel("place after")
axes[1].set_xlabel("place before")
plt.show()
# --8<-- [end:picture]

# --8<-- [start:rule]
print("buffer   places forward   places back    correlation")
spread = {}
for buffer_size in (1, 32, 128, 256, "NumPy"):
    forward, back, kept = [], [], []
    for seed in range(5):
        if buffer_size == "NumPy":
            before = np.random.default_rng(seed).permutation(256)
        else:
            before = places(buffer_size, seed)
            assert np.all(before - after <= buffer_size - 1)
        forward.append((before - after).max())
        back.append((after - before).max())
        kept.append(np.corrcoef(before, after)[0, 1])
    spread[buffer_size] = forward, back, kept
    print(f"{buffer_size:6}{min(forward):9} to {max(forward):3}", end="")
    print(f"{min(back):10} to {max(back):3}", end="")
    print(f"{min(kept):9.2f} to {max(kept):.2f}")

assert spread[1][0] == spread[1][1] == [0] * 5
assert min(spread[32][1]) > 31  # back is further than the buffer is wide
assert min(spread[32][2]) > 0.85
assert np.abs(spread[256][2] + spread["NumPy"][2]).max() < 0.3
# --8<-- [end:rule]


# --8<-- [start:sorted]
def waves(seed, each=200, timesteps=20):
    """Noisy waves (4 * each, timesteps) of four frequencies, sorted."""
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(4), each)
    angle = np.pi * 0.1 * (kind[:, None] + 1) * np.arange(timesteps)
    clean = np.sin(angle + rng.uniform(0, 2 * np.pi, (4 * each, 1)))
    noisy = clean + rng.normal(0, 0.5, clean.shape)
    return noisy.astype("float32"), kind


x, y = waves(seed=0)
assert np.all(np.diff(y) >= 0)
kinds = {}
print("waves", x.shape, "- kinds in a batch of 32, on average")
for buffer_size in (1, 40, 200, 800):
    of_batch = tf.data.Dataset.from_tensor_slices(y).shuffle(buffer_size)
    of_batch = of_batch.batch(32).as_numpy_iterator()
    kinds[buffer_size] = np.mean([len(set(kind)) for kind in of_batch])
    print(f"a buffer of {buffer_size:3} {kinds[buffer_size]:8.1f}")
assert kinds[40] < 2
assert kinds[800] > 3.5
# --8<-- [end:sorted]

# --8<-- [start:network]
model = keras.Sequential([keras.Input((20,)), layers.Dense(32, "tanh")])
model.add(layers.Dense(4))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.SGD(0.3), loss)


def accuracy(buffer_size, seed):
    """Train on waves for five epochs; the part of new waves told right."""
    x, y = waves(seed)
    keras.utils.set_random_seed(seed)
    model.set_weights(keras.models.clone_model(model).get_weights())
    if buffer_size == "arrays":
        model.fit(x, y, batch_size=32, epochs=5, verbose=0)
    else:
        dataset = tf.data.Dataset.from_tensor_slices((x, y))
        dataset = dataset.shuffle(buffer_size).batch(32)
        model.fit(dataset, shuffle=False, epochs=5, verbose=0)
    new_x, new_y = waves(seed + 100)
    return np.mean(np.argmax(model(new_x), axis=1) == new_y)


# --8<-- [end:network]

# --8<-- [start:experiment]
print("shuffled by              right, five seeds (least to most)")
right = {}
for buffer_size in (1, 40, 200, 800, "arrays"):
    right[buffer_size] = [accuracy(buffer_size, seed) for seed in range(5)]
    scores = right[buffer_size]
    name = "fit, from the arrays"
    if buffer_size != "arrays":
        name = f"a buffer of {buffer_size}"
    print(f"{name:22}{np.mean(scores):7.0%}", end="")
    print(f"  ({min(scores):.0%} to {max(scores):.0%})")
print(f"{'guessing':22}{0.25:7.0%}")

assert max(right[1] + right[40]) < 0.55
assert min(right[800] + right["arrays"]) > 0.65
assert abs(np.mean(right[800]) - np.mean(right["arrays"])) < 0.1
# --8<-- [end:experiment]

# --8<-- [start:batches]
twelve = tf.data.Dataset.range(12)
for name, dataset in {
    "shuffle, batch": twelve.shuffle(12, seed=1).batch(4),
    "batch, shuffle": twelve.batch(4).shuffle(12, seed=1),
}.items():
    print(f"{name}:", *(batch.numpy() for batch in dataset))

inside = [np.diff(batch) for batch in dataset]
assert np.all(np.array(inside) == 1)  # neighbours have stayed together
mixed = np.concatenate(list(twelve.shuffle(12, seed=1).batch(4)))
assert not np.array_equal(mixed, np.sort(mixed))
# --8<-- [end:batches]

# --8<-- [start:epochs]
many = tf.data.Dataset.range(100)
different = {}
for name, dataset in {
    "shuffle": many.shuffle(100),
    "cache, shuffle": many.cache().shuffle(100),
    "shuffle, cache": many.shuffle(100).cache(),
    "shuffle without reshuffling": many.shuffle(
        100, reshuffle_each_iteration=False
    ),
}.items():
    epochs = {tuple(dataset.as_numpy_iterator()) for _ in range(5)}
    different[name] = len(epochs)
    print(f"{name:28} orders in five epochs: {len(epochs)}")
assert list(different.values()) == [5, 5, 1, 1]
# --8<-- [end:epochs]

# --8<-- [start:repeat]
print("of the first 100 elements, different ones (five seeds)")
seen = {"shuffle, repeat": [], "repeat, shuffle": []}
for seed in range(5):
    clean = many.shuffle(100, seed=seed).repeat().take(100)
    blurred = many.repeat().shuffle(100, seed=seed).take(100)
    for name, dataset in zip(seen, (clean, blurred)):
        seen[name].append(len(set(dataset.as_numpy_iterator())))
for name, counts in seen.items():
    print(f"{name}:", *counts)
assert seen["shuffle, repeat"] == [100] * 5
assert max(seen["repeat, shuffle"]) < 95
# --8<-- [end:repeat]

# --8<-- [start:windows]
timesteps = 20
series = np.sin(0.1 * np.arange(1000)).astype("float32")
by_numpy = sliding_window_view(series, timesteps)  # (981, timesteps)
stored = tf.constant(series)


def flatten(window):
    """A window, which is a dataset, -> its numbers (timesteps,)."""
    calls.assign_add(1)
    return window.batch(timesteps)


def cut(start):
    """Starts (batch,) -> windows (batch, timesteps)."""
    calls.assign_add(1)
    steps = tf.range(timesteps, dtype="int64")
    return tf.gather(stored, start[:, None] + steps)


# --8<-- [end:windows]

# --8<-- [start:windows-equal]
nested = tf.data.Dataset.from_tensor_slices(series).window(
    timesteps, shift=1, drop_remainder=True
)
starts = tf.data.Dataset.range(len(by_numpy))
slices = tf.data.Dataset.from_tensor_slices(by_numpy)
ways = {
    "window, flat_map": nested.flat_map(flatten).batch(32),
    "starts, gather": starts.batch(32).map(cut),
    "slices of NumPy's": slices.batch(32),
}
made = {}
for way, dataset in ways.items():
    calls.assign(0)
    windows = np.concatenate(list(dataset))
    made[way] = int(calls)
    assert np.array_equal(windows, by_numpy)
    print(f"{way:18} equal to NumPy's; functions called: {made[way]:3}")
assert list(made.values()) == [981, 31, 0]
assert isinstance(nested.batch(2).element_spec, tf.data.DatasetSpec)

print("the series has", series.size, "numbers,", end=" ")
print("all windows together", by_numpy.size)
assert by_numpy.size > 19 * series.size
# --8<-- [end:windows-equal]


# --8<-- [start:repeatable]
def three_epochs(seed=None):
    """The orders of three epochs of a pipeline made anew."""
    dataset = tf.data.Dataset.range(100).shuffle(100, seed=seed)
    return [list(dataset.as_numpy_iterator()) for _ in range(3)]


a, b = three_epochs(seed=7), three_epochs(seed=7)
print("a seed of its own: the same three orders", a == b)
keras.utils.set_random_seed(7)
c = three_epochs()
keras.utils.set_random_seed(7)
d = three_epochs()
print("Keras' seed:       the same three orders", c == d)
print("epoch 1 and epoch 2 the same order      ", a[0] == a[1])
assert a == b
assert c == d
assert len({tuple(order) for order in a}) == 3  # all differ
assert three_epochs() != three_epochs()
# --8<-- [end:repeatable]


# --8<-- [start:order]
def late(x):
    """Wait for element 0 only."""
    time.sleep(0.3 * (x == 0))
    return x


def uneven(x):
    """`late` as a step of a pipeline."""
    return tf.numpy_function(late, [x], tf.int64)


came = {}
for keep in (True, False):
    dataset = tf.data.Dataset.range(8).map(
        uneven, num_parallel_calls=2, deterministic=keep
    )
    dataset = dataset.with_options(plain)
    came[keep] = [int(x) for x in dataset]
    print(f"deterministic={keep!s:5}", *came[keep])
assert came[True] == list(range(8))
assert came[False][0] != 0
assert sorted(came[False]) == list(range(8))
# --8<-- [end:order]

# --8<-- [start:steps]
print("n   batch   batches   with drop_remainder")
for n in (96, 100, 20):
    dataset = tf.data.Dataset.range(n)
    some, full = dataset.batch(32), dataset.batch(32, drop_remainder=True)
    print(f"{n:3}    32 {len(some):9} {len(full):11}")
    assert len(some) == -(-n // 32)
    assert len(full) == n // 32

some, full = many.batch(32), many.batch(32, drop_remainder=True)
print("shape of a batch:", some.element_spec.shape, end=" or ")
print(full.element_spec.shape)
print("never seen:", *sorted(set(range(100)) - set(np.ravel(list(full)))))
mixed = many.shuffle(100, seed=0).batch(32, drop_remainder=True)
for epoch in (1, 2, 3):
    dropped = set(range(100)) - set(np.ravel(list(mixed)))
    print("shuffled before, not seen in epoch", epoch, end=": ")
    print(*sorted(dropped))
    assert dropped != {96, 97, 98, 99}
assert np.max(list(full)) == 95
assert many.repeat().cardinality() == tf.data.INFINITE_CARDINALITY
# --8<-- [end:steps]


# --8<-- [start:enough]
def arrays_to_pipeline(model, x, y):
    """Time of two epochs from arrays over their time from a pipeline."""
    pipeline = tf.data.Dataset.from_tensor_slices((x, y))
    pipeline = pipeline.shuffle(len(x)).batch(32).prefetch(2)
    times = {"arrays": [], "pipeline": []}
    for _ in range(4):  # in turns, so that both meet the same load
        for way, data in (("arrays", (x, y)), ("pipeline", (pipeline,))):
            start = time.perf_counter()
            model.fit(*data, epochs=2, shuffle=way == "arrays", verbose=0)
            times[way].append(time.perf_counter() - start)
    return min(times["arrays"]) / min(times["pipeline"])


x, y = waves(seed=0)
small = arrays_to_pipeline(model, x, y)
x, y = waves(seed=0, timesteps=100)
lstm = keras.Sequential([keras.Input((100, 1)), layers.LSTM(32)])
lstm.add(layers.Dense(4))
lstm.compile(keras.optimizers.SGD(0.3), loss)
large = arrays_to_pipeline(lstm, x[..., None], y)
print("arrays / pipeline, time of an epoch")
print(f"small network, 20 numbers a row  {small:4.1f}")
print(f"LSTM(32), 100 steps              {large:4.1f}")
assert small > 0.5
assert 1 / 4 < large < 4
# --8<-- [end:enough]

# --8<-- [start:ignored]
waves_rows = tf.data.Dataset.from_tensor_slices(waves(seed=0))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model.fit(waves_rows.shuffle(800).batch(32), verbose=0)
print(str(caught[0].message)[:61], "…")
assert "will be ignored" in str(caught[0].message)
# --8<-- [end:ignored]

# --8<-- [start:frozen]
keras.utils.set_random_seed(0)
generator = tf.random.Generator.from_seed(0)
zero = tf.data.Dataset.from_tensors(tf.zeros(()))


def noise(x):
    """x with some noise from tf.random."""
    return x + tf.random.normal(())


def fresh_noise(x):
    """x with some noise from a generator, which keeps its state."""
    return x + generator.normal(())


fresh = {}
for name, dataset in {
    "noise, cache": zero.map(noise).cache(),
    "cache, noise": zero.cache().map(noise),
    "fresh_noise, cache": zero.map(fresh_noise).cache(),
    "cache, fresh_noise": zero.cache().map(fresh_noise),
}.items():
    fresh[name] = len({float(next(iter(dataset))) for _ in range(20)})
    print(f"{name:18} different values in 20 epochs: {fresh[name]:2}")
assert list(fresh.values()) == [1, 1, 1, 20]
# --8<-- [end:frozen]

# --8<-- [start:leak]
overlap = {}
for again in (True, False):
    mixed = many.shuffle(100, seed=0, reshuffle_each_iteration=again)
    train, test = mixed.take(80), mixed.skip(80)
    overlap[again] = []
    for _ in range(5):
        trained = set(train.as_numpy_iterator())
        tested = set(test.as_numpy_iterator())
        overlap[again].append(len(trained & tested))
    print(f"reshuffled {again!s:5}: of 20 test elements, trained on", end=" ")
    print(*overlap[again])
assert min(overlap[True]) > 5
assert overlap[False] == [0] * 5
# --8<-- [end:leak]

# --8<-- [start:ran-out]
trained = []
count = keras.callbacks.LambdaCallback(
    on_train_batch_end=lambda batch, logs: trained[-1].append(batch),
    on_epoch_begin=lambda epoch, logs: trained.append([]),
)
three = waves_rows.take(96).batch(32)
settings = {"shuffle": False, "verbose": 0, "callbacks": [count]}
for name, dataset in {"as it is": three, "repeat": three.repeat()}.items():
    trained.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(dataset, epochs=4, steps_per_epoch=2, **settings)
    steps = [len(epoch) for epoch in trained]
    told = str(caught[0].message)[:26] if caught else "no warning"
    print(f"{name:9} steps in four epochs", *steps, "-", told)
    assert steps == ([2, 2, 2, 2] if name == "repeat" else [2, 1, 2, 1])
# --8<-- [end:ran-out]


# --8<-- [start:starter-mend]
def add_noise(x):
    """A batch (10,), and the same batch with noise."""
    return x, x + tf.random.uniform((10,), 0, 1000, "int64")


def examine(dataset):
    """Go through two epochs; print and return what is seen in them."""
    calls.assign(0)
    # An epoch is (2, 100): the numbers, and below them those with noise
    one, two = (np.hstack(list(dataset)) for _ in range(2))
    noises = [sorted(noisy - x) for x, noisy in (one, two)]
    seen = {
        "runs of double": int(calls),
        "different numbers": len(set(one[0])),
        "new order": not np.array_equal(one[0], two[0]),
        "new noise": noises[0] != noises[1],
    }
    for name, value in seen.items():
        print(f"{name:18} {value}")
    return list(seen.values())


wrong = many.repeat().shuffle(50).map(double).batch(10).take(10)
wrong = wrong.map(add_noise).cache()
seen = examine(wrong)
# --8<-- [end:starter-mend]

# --8<-- [start:solution-mend]
generator = tf.random.Generator.from_seed(1)


def add_fresh_noise(x):
    """A batch (10,), and the same batch with noise."""
    return x, x + generator.uniform((10,), 0, 1000, "int64")


mended = many.batch(10).map(double).cache().unbatch()
mended = mended.shuffle(100).batch(10).map(add_fresh_noise).prefetch(2)
assert examine(mended) == [10, 100, True, True]
assert seen[0] >= 100
assert seen[1] < 95
assert seen[2:] == [False, False]
# --8<-- [end:solution-mend]


# --8<-- [start:starter-pairs]
series = np.random.default_rng(0).normal(size=500).astype("float32")
timesteps, horizon = 10, 3
rows = sliding_window_view(series, timesteps + horizon)
wanted = rows[:, :timesteps], rows[:, -1]  # windows and targets
print("windows", wanted[0].shape, " targets", wanted[1].shape)
# --8<-- [end:starter-pairs]

# --8<-- [start:solution-pairs]
stored = tf.constant(series)


def cut_pairs(start):
    """Starts (batch,) -> windows (batch, timesteps), targets (batch,)."""
    steps = tf.range(timesteps, dtype="int64")
    windows = tf.gather(stored, start[:, None] + steps)
    return windows, tf.gather(stored, start + timesteps + horizon - 1)


count = len(series) - timesteps - horizon + 1
starts = tf.data.Dataset.range(count)
pairs = starts.shuffle(count).batch(32).map(cut_pairs).prefetch(2)
x, y = (np.concatenate(part) for part in zip(*pairs))
where = [int(np.flatnonzero(series == first)[0]) for first in x[:, 0]]
print(len(pairs), "batches, starts", *where[:6], "…")
assert np.array_equal(x, wanted[0][where])
assert np.array_equal(y, wanted[1][where])
assert sorted(where) == list(range(count))
again = np.concatenate([x[:, 0] for x, _ in pairs])
assert not np.array_equal(again, x[:, 0])  # another order in each epoch
# --8<-- [end:solution-pairs]
