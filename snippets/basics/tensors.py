# --8<-- [start:imports]
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

# --8<-- [end:imports]

# --8<-- [start:ranks]
tensors = {
    "a number": tf.constant(0.5),
    "a series": tf.constant([0.1, 0.4, 0.9, 0.2]),
    "a sequence": tf.zeros((4, 3)),  # (timesteps, features)
    "a batch": tf.zeros((2, 4, 3)),  # (batch, timesteps, features)
}
print("                shape       rank   numbers")
for name, tensor in tensors.items():
    shape, rank = str(tensor.shape), len(tensor.shape)
    print(f"{name:15} {shape:11} {rank:4d} {tf.size(tensor):9d}")
assert tensors["a batch"].shape == (2, 4, 3)
# --8<-- [end:ranks]

# --8<-- [start:dtypes]
made_from = {
    "0.5": 0.5,
    "[1, 2]": [1, 2],
    "True": True,
    '"text"': "text",
    "np.array([0.5])": np.array([0.5]),
    "np.arange(2)": np.arange(2),
}
for text, value in made_from.items():
    print(f"{text:16} {tf.constant(value).dtype.name}")
assert tf.constant(0.5).dtype == "float32"
assert tf.constant(np.array([0.5])).dtype == "float64"
# --8<-- [end:dtypes]

# --8<-- [start:mixing]
single, double = tf.constant([1.0]), tf.constant(np.array([1.0]))
try:
    single + double
except tf.errors.InvalidArgumentError as error:
    print(fill(error.message.split("[")[0], 70))
else:
    raise AssertionError("float32 and float64 were added")
print("cast:", (single + tf.cast(double, "float32")).dtype.name)
print("with a Python number:", (double * 2.5).dtype.name)
try:
    tf.constant([1, 2]) * 2.5
except TypeError as error:
    print(str(error)[:57], "…")
else:
    raise AssertionError("an integer tensor was multiplied by 2.5")
layer = layers.Dense(1)
print("a layer casts its input:", layer(double[None]).dtype.name)
assert layer(double[None]).dtype == "float32"
# --8<-- [end:mixing]

# --8<-- [start:slices]
x = tf.reshape(tf.range(24), (2, 4, 3))  # (batch, timesteps, features)
parts = {
    "x[0]": x[0],
    "x[:, -1]": x[:, -1],
    "x[..., 0]": x[..., 0],
    "x[..., :1]": x[..., :1],
    "x[:, ::2]": x[:, ::2],
    "x[:, ::-1]": x[:, ::-1],
    "x[:, tf.newaxis]": x[:, tf.newaxis],
}
for text, part in parts.items():
    print(f"{text:17} {part.shape}")
assert x[:, -1].numpy().tolist() == [[9, 10, 11], [21, 22, 23]]
# --8<-- [end:slices]

# --8<-- [start:broadcast]
column = tf.constant([[0], [10], [20], [30]])  # (4, 1)
row = tf.constant([[1, 2, 3]])  # (1, 3)
total = column + row  # (4, 3)
print(total.numpy())
assert (total == tf.tile(column, (1, 3)) + tf.tile(row, (4, 1))).numpy().all()
# --8<-- [end:broadcast]

# --8<-- [start:rule]
shapes = [
    ((4, 1), (1, 3)),
    ((2, 4, 3), (3,)),
    ((2, 4, 3), (2, 1, 1)),
    ((50, 1), (50,)),
    ((2, 4, 3), (4,)),
]
for left, right in shapes:
    try:
        result = (tf.zeros(left) + tf.zeros(right)).shape
    except tf.errors.InvalidArgumentError:
        result = "no: 3 and 4 differ"
    print(f"{left!s:10} + {right!s:10} {result}")
    assert (result == "no: 3 and 4 differ") == (right == (4,))
    assert (result == (50, 50)) == (right == (50,))  # all pairs
# --8<-- [end:rule]


# --8<-- [start:drawing]
def draw(axis, values, shape, title):
    """A table of shape, its cells filled from values by repetition."""
    cells = np.broadcast_to(values, shape)
    for (i, j), value in np.ndenumerate(cells):
        own = i < values.shape[0] and j < values.shape[1]
        face = {"color": "C0", "alpha": 0.25 if own else 0.06}
        axis.add_patch(plt.Rectangle((j, i), 0.94, 0.94, **face))
        centre = {"ha": "center", "va": "center", "size": 10}
        axis.text(j + 0.47, i + 0.5, value, **centre)
    axis.set(xlim=(0, shape[1]), ylim=(shape[0], 0), aspect="equal")
    axis.set_title(title, size=11)
    axis.axis("off")


fig, axes = plt.subplots(1, 3, figsize=(5.2, 2.7))
draw(axes[0], column.numpy(), (4, 3), "(4, 1)")
draw(axes[1], row.numpy(), (4, 3), "+ (1, 3)")
draw(axes[2], total.numpy(), (4, 3), "= (4, 3)")
plt.show()
# --8<-- [end:drawing]

# --8<-- [start:numpy]
array = np.arange(3.0)
tensor = tf.constant(array)
back = tensor.numpy()
print("NumPy on a tensor:", type(np.sqrt(tensor)).__name__)
print("TensorFlow on an array:", type(tf.sqrt(array)).__name__)
array[0] = 100
print("array", array, "tensor", tensor.numpy())
assert tensor[0] == 0  # the tensor has its own copy
assert np.array_equal(back, [0, 1, 2])
# --8<-- [end:numpy]

# --8<-- [start:surprises]
print("0.1 + 0.2 == 0.3:  ", 0.1 + 0.2 == 0.3, "in float64", end=", ")
tenth = tf.constant(0.1)
print(bool(tenth + tf.constant(0.2) == tf.constant(0.3)), "in float32")
print(f"0.1 in float32:     {tenth:.10f}")
large = tf.constant(2.0**24)
print(f"2²⁴ + 1 - 2²⁴:      {large + 1 - large:.1f}")
stamp = 1_760_000_000.0  # seconds since 1970: a day in 2025
for later in (30.0, 100.0):
    moved = tf.constant(stamp + later) - tf.constant(stamp)
    print(f"{later:5.0f} seconds later: {moved:.0f}")
noise = np.random.default_rng(0).normal(size=1000)  # 1000 numbers …
for level in (0, 1e4, 1e6, 1e8):
    values = tf.constant(level + noise, "float32")
    different = np.unique(values).size  # … and how many are left
    print(f"around {level:11,.0f}: {different:4d} different values")
assert large + 1 == large
assert different == 1
assert np.unique(1e8 + noise).size == 1000  # float64 keeps them
# --8<-- [end:surprises]

# --8<-- [start:gaps]
size = np.logspace(-4, 12, 200)
names = {"float64": "-", "float32": "--", "float16": ":"}
fig, axis = plt.subplots(figsize=(5.2, 3.4))
for name, style in names.items():
    with np.errstate(over="ignore"):
        typed = size.astype(name)
    known = np.isfinite(typed)
    gap = np.spacing(typed[known]).astype("float64")
    axis.plot(size[known], gap, style, label=name)
axis.plot([stamp], [np.spacing(np.float32(stamp))], "o", color="C1")
axis.annotate("a time stamp", (stamp, 128), (1e4, 3e3), color="C1")
axis.set(xscale="log", yscale="log")
axis.set(xlabel="value", ylabel="next value - value")
axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3)
plt.show()
assert np.spacing(np.float32(stamp)) == 128
assert np.spacing(stamp) < 1e-6
# --8<-- [end:gaps]

# --8<-- [start:reshape]
two_series = tf.constant([[1, 2, 3, 4], [10, 20, 30, 40]])  # (features, t)
right = tf.transpose(two_series)  # (timesteps, features)
wrong = tf.reshape(two_series, (4, 2))  # the same shape, another content
print("transposed:", right.numpy().tolist())
print("reshaped:  ", wrong.numpy().tolist())
assert right.shape == wrong.shape
assert (right[:, 1] == 10 * right[:, 0]).numpy().all()
assert not (wrong[:, 1] == 10 * wrong[:, 0]).numpy().all()
# --8<-- [end:reshape]

# --8<-- [start:stack]
first, second = np.zeros((5, 2)), np.ones((5, 2))  # steps 0 and 1
print("np.stack([first, second]):        ", np.stack([first, second]).shape)
batch = np.stack([first, second], axis=1)  # (batch, timesteps, features)
print("np.stack([first, second], axis=1):", batch.shape)
assert (batch[:, 1] == 1).all()
# --8<-- [end:stack]

# --8<-- [start:assign]
x = tf.ones((2, 3))
try:
    x[0, 1] = 5.0
except TypeError as error:
    print(str(error).replace("'", "").rsplit(".", 1)[-1])
else:
    raise AssertionError("a tensor was changed")
here = tf.constant([[False, True, False], [False, False, False]])
changed = tf.where(here, 5.0, x)  # 5 where True, x elsewhere
print(changed.numpy().tolist())
assert changed[0, 1] == 5
assert tf.reduce_sum(changed) == 5 + 5  # the other five are ones
assert (x == 1).numpy().all()  # the old tensor is as it was
# --8<-- [end:assign]

# --8<-- [start:starter-scale]
rng = np.random.default_rng(0)
x = rng.normal([5, 0, -100], [1, 0.01, 30], (8, 20, 3)).astype("float32")
print("batch, timesteps, features:", x.shape)
print("means:", x.mean(axis=(0, 1)).round(2))
# --8<-- [end:starter-scale]

# --8<-- [start:solution-scale]
mean = tf.reduce_mean(x, axis=(0, 1), keepdims=True)  # (1, 1, 3)
std = tf.math.reduce_std(x, axis=(0, 1), keepdims=True)  # (1, 1, 3)
scaled = (x - mean) / std  # (8, 20, 3)
print("means:", tf.reduce_mean(scaled, axis=(0, 1)).numpy().round(4) + 0.0)
print("spreads:", tf.math.reduce_std(scaled, axis=(0, 1)).numpy().round(4))
assert tf.reduce_max(abs(tf.reduce_mean(scaled, axis=(0, 1)))) < 1e-4
assert np.allclose(tf.math.reduce_std(scaled, axis=(0, 1)), 1, atol=1e-4)
# --8<-- [end:solution-scale]

# --8<-- [start:starter-last]
lengths = tf.constant([2, 4, 1])
padded = tf.reshape(tf.range(12), (3, 4))  # (batch, timesteps)
padded = tf.where(tf.range(4) < lengths[:, tf.newaxis], padded, -1)
print(padded.numpy())
# --8<-- [end:starter-last]

# --8<-- [start:solution-last]
last = tf.gather(padded, lengths - 1, batch_dims=1)  # (batch,)
print("last valid values:", last.numpy())
by_loop = [padded[k, n - 1].numpy() for k, n in enumerate(lengths)]
assert last.numpy().tolist() == by_loop
assert (last >= 0).numpy().all()
# --8<-- [end:solution-last]
