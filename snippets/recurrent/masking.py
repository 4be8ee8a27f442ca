# --8<-- [start:imports]
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
# --8<-- [end:imports]

# --8<-- [start:pad]
rng = np.random.default_rng(0)
lengths = [3, 5, 2]
sequences = [-rng.uniform(0.1, 1, (n, 2)).astype("float32") for n in lengths]


def pad(sequences, where="post", timesteps=None):
    """Fill up with zeros: (sequences, timesteps, features)."""
    return keras.utils.pad_sequences(
        sequences, maxlen=timesteps, padding=where, dtype="float32"
    )


padded = pad(sequences)
mask = layers.Masking(mask_value=0.0).compute_mask(padded)
print("shape", padded.shape)
print(np.asarray(mask).astype(int))  # 1 is a step, 0 is padding
assert np.asarray(mask).sum(axis=1).tolist() == lengths
# --8<-- [end:pad]


# --8<-- [start:equal]
def shaken(layer):
    """Build a layer for 2 features; as after training, no bias is zero."""
    layer.build((None, None, 2))
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign_add(rng.uniform(-0.5, 0.5, weight.shape))
    return layer


def largest_error(layer, batch, mask=None):
    """Largest difference to the result of each sequence on its own."""
    together = np.asarray(layer(batch, mask=mask))
    alone = [np.asarray(layer(s[None]))[0] for s in sequences]
    return abs(together - np.stack(alone)).max()


kinds = {
    "SimpleRNN": layers.SimpleRNN(4),
    "GRU": layers.GRU(4),
    "LSTM": layers.LSTM(4),
    "Bidirectional LSTM": layers.Bidirectional(layers.LSTM(4)),
}
print("                     padding   with mask   without")
for name, layer in kinds.items():
    shaken(layer)
    for where in ("post", "pre"):
        batch = pad(sequences, where)
        mask = layers.Masking().compute_mask(batch)
        masked = largest_error(layer, batch, mask)
        unmasked = largest_error(layer, batch)
        print(f"{name:18} {where:>9} {masked:11.0e} {unmasked:9.2f}")
        assert masked < 1e-5
        assert unmasked > 0.01
# --8<-- [end:equal]

# --8<-- [start:steps]
keras.utils.set_random_seed(0)
layer = shaken(layers.LSTM(2, return_sequences=True))
for where in ("post", "pre"):
    batch = pad(sequences, where)[:1]  # the sequence of three steps
    mask = np.asarray(layers.Masking().compute_mask(batch))
    h = np.asarray(layer(batch, mask=mask))[0]  # (5, 2)
    print(f"{where:4}", *(f"({a:.3f}, {b:.3f})" for a, b in h))
    if where == "post":
        assert (h[3:] == h[2]).all()  # the last real output, repeated
    else:
        assert (h[:2] == 0).all()  # the state before the first step
    both = layers.Bidirectional(layer)(batch, mask=mask)
    assert (np.asarray(both)[~mask] == 0).all()
# --8<-- [end:steps]


# --8<-- [start:survives]
def survives(between):
    """Is the mask still there after `between`? Compare with no padding."""
    reader = layers.LSTM(4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        h = between(layers.Masking()(padded))
        together = np.asarray(reader(h))
        alone = [reader(between(s[None])) for s in sequences]
    error = abs(together - np.concatenate(alone)).max()
    return error < 1e-5, len(caught) > 0


between = {
    "Dense": layers.Dense(2),
    "TimeDistributed(Dense)": layers.TimeDistributed(layers.Dense(2)),
    "Activation": layers.Activation("tanh"),
    "Dropout": layers.Dropout(0.5),
    "Rescaling": layers.Rescaling(2.0),
    "LayerNormalization": layers.LayerNormalization(),
    "BatchNormalization": layers.BatchNormalization(),
    "LSTM, all steps": layers.LSTM(2, return_sequences=True),
    "Bidirectional, all steps": layers.Bidirectional(
        layers.LSTM(2, return_sequences=True)
    ),
    "Add": lambda h: layers.Add()([h, h]),
    "Concatenate": lambda h: layers.Concatenate()([h, h]),
    "Conv1D": layers.Conv1D(2, 2, padding="causal"),
    "EinsumDense": layers.EinsumDense("btf,fg->btg", (None, 2)),
    "Reshape": layers.Reshape((-1, 2)),
    "Lambda": layers.Lambda(lambda h: 2 * h),
    "2 * h": lambda h: 2 * h,
    "keras.ops.tanh(h)": lambda h: keras.ops.tanh(h),
}
keras.utils.set_random_seed(0)
kept, warned = {}, {}
print("                           mask   warning")
for name, function in between.items():
    kept[name], warned[name] = survives(function)
    mark = "kept" if kept[name] else "lost"
    print(f"{name:25} {mark:>5} {'yes' if warned[name] else 'no':>8}")
# --8<-- [end:survives]

# --8<-- [start:survives-verdict]
names = list(between)
first_lost = names.index("Conv1D")
assert all(kept[name] for name in names[:first_lost])
assert not any(kept[name] for name in names[first_lost:])
assert not any(warned[name] for name in names[:first_lost])
assert all(warned[name] for name in names[first_lost:-2])
assert not any(warned[name] for name in names[-2:])  # silently
# --8<-- [end:survives-verdict]

# --8<-- [start:pooling]
masked = layers.Masking()(padded)
average = np.asarray(layers.GlobalAveragePooling1D()(masked))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    largest = np.asarray(layers.GlobalMaxPooling1D()(masked))
print("maximum by Keras ", largest.max(axis=1).round(2))
print("true maximum     ", np.array([s.max() for s in sequences]).round(2))
for i, s in enumerate(sequences):
    assert np.allclose(average[i], s.mean(axis=0), atol=1e-6)
assert len(caught) == 1
assert largest[0].max() == 0 > sequences[0].max()  # all values are negative
# --8<-- [end:pooling]

# --8<-- [start:loss]
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((None, 2)),
        layers.Masking(),
        layers.LSTM(4, return_sequences=True),
        layers.Dense(1),
    ]
)
model.compile("sgd", "mse", metrics=["mse"])
y = np.zeros((3, 5, 1), "float32")
for i, n in enumerate(lengths):
    y[i, :n] = i  # targets; the padded ones stay zero
mask = np.asarray(layers.Masking().compute_mask(padded))  # (3, 5)

squared = ((model.predict(padded, verbose=0) - y) ** 2)[..., 0]  # (3, 5)
total = (squared * mask).sum()
print(f"sum over the real steps / 10 real steps: {total / mask.sum():.4f}")
print(f"sum over the real steps / 15 steps:      {total / mask.size:.4f}")
loss, metric = model.evaluate(padded, y, verbose=0)
print(f"Keras: loss {loss:.4f}, metric {metric:.4f}")
assert abs(loss - total / mask.sum()) < 1e-5
assert abs(metric - total / mask.sum()) < 1e-5
# --8<-- [end:loss]

# --8<-- [start:loss-targets]
other = y.copy()
other[~mask] = 1000
assert abs(model.evaluate(padded, other, verbose=0)[0] - loss) < 1e-5
other[~mask] = np.nan
with_nan = model.evaluate(padded, other, verbose=0)
print("NaN as padding of the targets:", with_nan)
assert np.isnan(with_nan[0])
# --8<-- [end:loss-targets]

# --8<-- [start:batches]
for batch_size in (3, 1):
    loss, metric = model.evaluate(padded, y, batch_size, verbose=0)
    print(f"batch size {batch_size}: loss {loss:.4f}, metric {metric:.4f}")
each = (squared * mask).sum(axis=1) / mask.sum(axis=1)
print(f"mean of the three sequences' means: {each.mean():.4f}")
assert abs(loss - each.mean()) < 1e-5
assert abs(metric - total / mask.sum()) < 1e-5
# --8<-- [end:batches]


# --8<-- [start:task]
def averages(sequences, seed):
    """Sequences of 5 to 20 values, and the mean of each."""
    rng = np.random.default_rng(seed)
    xs, ys = [], []
    for n in rng.integers(5, 21, sequences):
        values = rng.uniform(-1, 1) + rng.uniform(-1, 1, (n, 1))
        xs.append(values.astype("float32"))
        ys.append(values.mean())
    return xs, np.array(ys, "float32")[:, None]


x_train, y_train = averages(2000, seed=1)
x_test, y_test = averages(500, seed=2)
print(len(x_train), "sequences, padded:", pad(x_train).shape)
# --8<-- [end:task]

# --8<-- [start:train]
kinds = {  # name: (with a mask?, where the padding goes)
    "LSTM, mask": (True, "post"),
    "LSTM, no mask, right": (False, "post"),
    "LSTM, no mask, left": (False, "pre"),
}
widths = (20, 25, 40, 80)  # 20 as in training


def train(use_mask, where, seed):
    """Mean squared error at each width of the padded test sequences."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((None, 1))])
    if use_mask:
        model.add(layers.Masking())
    model.add(layers.LSTM(16))
    model.add(layers.Dense(1))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x = pad(x_train, where, 20)
    model.fit(x, y_train, batch_size=64, epochs=10, verbose=0)
    batches = [pad(x_test, where, width) for width in widths]
    return [model.evaluate(x, y_test, 500, verbose=0) for x in batches]


errors = {name: [] for name in kinds}  # name: (seeds, widths)
for name, kind in kinds.items():
    for seed in range(4):
        errors[name].append(train(*kind, seed))
    errors[name] = np.array(errors[name])
# --8<-- [end:train]

# --8<-- [start:table]
constant = np.mean((y_test - y_train.mean()) ** 2)
naive = [
    np.mean((pad(x_test, "post", width).mean(axis=1) - y_test) ** 2)
    for width in widths
]
print("steps with padding  ", *(f"{width:>11}" for width in widths))
print(f"{'always the mean':20}", *([f"{constant:11.4f}"] * 4))
print(f"{'mean with the zeros':20}", *(f"{e:11.4f}" for e in naive))
for name, runs in errors.items():
    print(f"{name:20}", *(f"{e:11.4f}" for e in runs.mean(axis=0)))
    low, high = runs.min(axis=0), runs.max(axis=0)
    spread = [f"{a:.3f}–{b:.3f}" for a, b in zip(low, high)]
    print(f"{'   best to worst':20}", *(f"{cell:>11}" for cell in spread))
# --8<-- [end:table]

# --8<-- [start:verdict]
masked, right, left = errors.values()  # each (seeds, widths)
assert masked.max() < 0.004
assert np.ptp(masked, axis=1).max() < 1e-5  # the padding does not matter
assert right[:, 0].min() > 3 * masked.max()  # as wide as in training
assert left[:, 0].min() > masked.max()
assert right[:, 0].max() < constant / 10
assert right[:, 3].mean() > constant  # four times as wide
assert right[:, 3].min() > 5 * right[:, 0].max()
assert 0.3 < left[:, 0].mean() / right[:, 0].mean() < 3
assert left[:, 3].mean() < right[:, 3].mean() / 2
# --8<-- [end:verdict]

# --8<-- [start:figure]
plt.figure(figsize=(5.2, 3.6))
marks = dict(zip(errors, (("C0", "o-"), ("C1", "s--"), ("C2", "^-."))))
for name, runs in errors.items():
    color, mark = marks[name]
    plt.fill_between(widths, runs.min(0), runs.max(0), color=color, alpha=0.2)
    plt.plot(widths, runs.mean(0), mark, color=color, label=name)
plt.axhline(constant, linestyle=":", color="C3", label="always the mean")
plt.yscale("log")
plt.xlabel("steps with padding (20 in training)")
plt.ylabel("mean squared error")
plt.legend(loc="lower center", bbox_to_anchor=(0.45, 1), ncols=2)
plt.show()
# --8<-- [end:figure]

# --8<-- [start:in-data]
series = np.array([[[0.4], [0.0], [0.7], [-9.0]]], "float32")  # 0.0 is real
for mask_value in (0.0, -9.0, np.inf, np.nan):
    if not np.isfinite(mask_value):
        series[0, 3] = mask_value
    mask = layers.Masking(mask_value).compute_mask(series)
    print(f"mask value {mask_value:4}:", np.asarray(mask)[0].astype(int))
assert np.asarray(mask).all()  # NaN is not equal to NaN: nothing is masked
# --8<-- [end:in-data]

# --8<-- [start:own-mask]
steps = np.arange(padded.shape[1])
mask = steps < np.array(lengths)[:, None]  # (3, 5), True is a step
layer = shaken(layers.LSTM(4))
print(mask.astype(int))
assert largest_error(layer, padded, mask) < 1e-5
# --8<-- [end:own-mask]

# --8<-- [start:integers]
halves = [[0.5, 1.5, -0.5], [2.5]]
print("default: ", keras.utils.pad_sequences(halves).tolist())
right_way = keras.utils.pad_sequences(halves, dtype="float32", padding="post")
print("better:  ", right_way.tolist())
assert keras.utils.pad_sequences(halves).dtype == "int32"
assert right_way[0].tolist() == halves[0]
# --8<-- [end:integers]

# --8<-- [start:zero-output]
weights = layer.get_weights()
zeroed = layers.LSTM(4, zero_output_for_mask=True)
zeroed.build((None, None, 2))
zeroed.set_weights(weights)
usual = np.asarray(layer(padded, mask=mask))
last = np.asarray(zeroed(padded, mask=mask))
print("usual:               ", usual[0].round(2))
print("zero_output_for_mask:", last[0].round(2))
assert (last[0] == 0).all()  # 3 of 5 steps are real
assert (last[1] != 0).all()  # no padding
# --8<-- [end:zero-output]


# --8<-- [start:right-padded]
def good_for_cudnn(mask):
    """Real steps first, then padding, and at least one real step."""
    mask = np.asarray(mask)  # (batch, timesteps)
    counts = mask.sum(axis=1, keepdims=True)
    right = mask == (np.arange(mask.shape[1]) < counts)
    return bool(right.all() and (counts > 0).all())


masking = layers.Masking()
left_padded = masking.compute_mask(pad(sequences, "pre"))
gap = masking.compute_mask(np.array([[[0.4], [0.0], [0.7]]]))
empty = masking.compute_mask(np.zeros((1, 3, 1)))
print("right:", good_for_cudnn(mask), "  left:", good_for_cudnn(left_padded))
print("gap:", good_for_cudnn(gap), "   nothing real:", good_for_cudnn(empty))
assert good_for_cudnn(mask)
assert not any(map(good_for_cudnn, (left_padded, gap, empty)))
# --8<-- [end:right-padded]

# --8<-- [start:starter-mean]
keras.utils.set_random_seed(0)
layer = shaken(layers.LSTM(4, return_sequences=True))
h = np.asarray(layer(padded, mask=mask))  # (3, 5, 4)
print("mean over all five steps:", h.mean(axis=1)[0].round(3))
# --8<-- [end:starter-mean]

# --8<-- [start:solution-mean]
real = mask[..., None]  # (3, 5, 1)
by_hand = (h * real).sum(axis=1) / real.sum(axis=1)
pooling = layers.GlobalAveragePooling1D()
by_keras = np.asarray(pooling(h, mask=mask))
print("mean over the real steps:", by_hand[0].round(3))
assert abs(by_hand - by_keras).max() < 1e-6
assert abs(by_hand[0] - h.mean(axis=1)[0]).max() > 0.001
assert np.allclose(by_hand[1], h[1].mean(axis=0))  # no padding in this one
# --8<-- [end:solution-mean]

# --8<-- [start:starter-weights]
print("real steps:", mask.sum(axis=1))
print("loss of each sequence:", *(f"{e:.3f}" for e in each))
# --8<-- [end:starter-weights]

# --8<-- [start:solution-weights]
weight = mask / mask.sum(axis=1, keepdims=True)  # each row sums to 1
weight *= mask.sum() / len(mask)  # Keras divides by the real steps
loss, _ = model.evaluate(padded, y, sample_weight=weight, verbose=0)
print(f"with these weights {loss:.4f}, mean {each.mean():.4f}")
assert abs(loss - each.mean()) < 1e-5
# --8<-- [end:solution-weights]
