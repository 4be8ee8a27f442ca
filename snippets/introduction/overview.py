# --8<-- [start:imports]
import os
from importlib import metadata

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

# --8<-- [end:imports]

# --8<-- [start:op]
x = tf.constant([[1.0, 2.0], [3.0, 4.0]])  # (2, 2)
w = tf.constant([[0.5], [-1.0]])  # (2, 1)
product = tf.matmul(x, w)  # the same as x @ w
print(product)
print("dtype", product.dtype.name, "on", product.device[-5:])
assert np.array_equal(product, np.array(x) @ np.array(w))
# --8<-- [end:op]


# --8<-- [start:gradient]
def last_state(w, inputs):
    """Read the inputs one by one; return the state after the last."""
    h = tf.constant(0.0)
    for x_t in inputs:
        h = tf.tanh(w * h + x_t)
    return h


inputs = [0.5, -0.2, 0.1, 0.4]
w = tf.Variable(0.8)
with tf.GradientTape() as tape:
    h = last_state(w, inputs)
slope = tape.gradient(h, w)
print(f"h = {h:.4f}, dh/dw = {slope:.4f}")


def last_state_numpy(w, inputs):
    """The same in NumPy, in float64."""
    h = 0.0
    for x_t in inputs:
        h = np.tanh(w * h + x_t)
    return h


step = 1e-6
higher = last_state_numpy(0.8 + step, inputs)
lower = last_state_numpy(0.8 - step, inputs)
difference = (higher - lower) / (2 * step)
print(f"by two runs:  dh/dw = {difference:.4f}")
assert abs(h - last_state_numpy(0.8, inputs)) < 1e-6
assert abs(slope - difference) < 1e-5
# --8<-- [end:gradient]

# --8<-- [start:curve]
grid = np.linspace(-2, 2, 81)  # values of w
with tf.GradientTape() as tape:
    w_grid = tf.Variable(grid.astype("float32"))
    states = last_state(w_grid, inputs)  # (81,)
slopes = tape.gradient(states, w_grid)  # (81,)

fig, axis = plt.subplots(figsize=(5.2, 3.2))
axis.plot(grid, states, label="h after four inputs")
axis.plot(grid, slopes, "--", label="its derivative, by the tape")
axis.set(xlabel="w")
axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1))
plt.show()

numeric = np.gradient(last_state_numpy(grid, inputs), grid)
assert np.abs(slopes - numeric)[1:-1].max() < 0.01
# --8<-- [end:curve]

# --8<-- [start:layer]
keras.utils.set_random_seed(0)
layer = layers.Dense(3, activation="tanh")
x = tf.constant([[1.0, 2.0], [3.0, 4.0]])  # (2, 2)
y = layer(x)  # (2, 3)
kernel, bias = layer.trainable_variables
print("kernel", kernel.shape, "bias", bias.shape, "output", y.shape)
assert np.abs(y - tf.tanh(x @ kernel + bias)).max() < 1e-6

with tf.GradientTape() as tape:
    loss = tf.reduce_mean(layer(x) ** 2)
gradients = tape.gradient(loss, layer.trainable_variables)
print("gradients", [tuple(g.shape) for g in gradients])
assert [g.shape for g in gradients] == [kernel.shape, bias.shape]
# --8<-- [end:layer]

# --8<-- [start:who]
print("backend:", keras.backend.backend())
print("tf.keras is Keras", tf.keras.__version__)
print("the same layer class:", tf.keras.layers.LSTM is layers.LSTM)
result = keras.ops.matmul(np.ones((2, 2)), np.ones((2, 2)))
print("keras.ops returns:", type(result).__name__)
assert keras.backend.backend() == "tensorflow"
assert tf.keras.layers.LSTM is layers.LSTM
assert isinstance(result, tf.Tensor)
# --8<-- [end:who]

# --8<-- [start:stack]
boxes = [  # text, left, bottom, width, colour, line
    ("your program", 0, 3, 4, "C4", "-"),
    ("Keras 3: layers, fit, keras.ops", 1.1, 2, 2.9, "C0", "-"),
    ("TensorFlow", 0, 1, 1.9, "C1", "-"),
    ("JAX", 2, 1, 0.9, "C2", ":"),
    ("PyTorch", 3, 1, 1, "C3", ":"),
    ("processor or GPU", 0, 0, 4, "C5", "-"),
]
fig, axis = plt.subplots(figsize=(5.2, 3.4))
for text, left, bottom, width, color, line in boxes:
    corner, size = (left, bottom), (width, 0.7)
    axis.add_patch(plt.Rectangle(corner, *size, color=color, alpha=0.12))
    axis.add_patch(
        plt.Rectangle(corner, *size, ec=color, fill=False, ls=line)
    )
    axis.text(left + width / 2, bottom + 0.35, text, ha="center", va="center")
for column, top, bottom in (
    (0.55, 3, 1.7),  # past Keras
    (2.55, 3, 2.7),
    (1.5, 2, 1.7),
    (2.45, 2, 1.7),
    (3.5, 2, 1.7),
    (0.95, 1, 0.7),
    (2.45, 1, 0.7),
    (3.5, 1, 0.7),
):
    style = {"arrowstyle": "-|>", "color": "C4"}
    axis.annotate("", (column, bottom), (column, top), arrowprops=style)
axis.set(xlim=(-0.05, 4.05), ylim=(-0.05, 3.75))
axis.axis("off")
plt.show()
# --8<-- [end:stack]

# --8<-- [start:size]
megabytes = {}
for package in ("numpy", "matplotlib", "keras", "tensorflow"):
    files = [file.locate() for file in metadata.files(package)]
    size = sum(file.stat().st_size for file in files if file.exists())
    megabytes[package] = size / 1e6
    version = metadata.version(package)
    print(f"{package:11} {version:7} {megabytes[package]:7.0f} MB")
assert megabytes["tensorflow"] > 5 * megabytes["numpy"]
# --8<-- [end:size]

# --8<-- [start:numpy-inside]
w = tf.Variable(0.8)
with tf.GradientTape() as tape:
    h = tf.constant(np.tanh(w.numpy() * 0.5))  # NumPy does the work
lost = tape.gradient(h, w)
with tf.GradientTape() as tape:
    h = tf.tanh(w * 0.5)
kept = tape.gradient(h, w)
print("with NumPy inside:", lost)
print(f"TensorFlow only:   {kept:.4f}")
assert lost is None
assert abs(kept - 0.5 * (1 - np.tanh(0.4) ** 2)) < 1e-6
# --8<-- [end:numpy-inside]

# --8<-- [start:backend]
os.environ["KERAS_BACKEND"] = "jax"  # too late: Keras is imported
print("backend:", keras.backend.backend())
assert keras.backend.backend() == "tensorflow"
del os.environ["KERAS_BACKEND"]
# --8<-- [end:backend]

# --8<-- [start:starter-softplus]
x = tf.Variable([-100.0, 0.0, 100.0])
with tf.GradientTape() as tape:
    y = tf.math.log(1 + tf.exp(x))
print("log(1 + exp(x)):", y.numpy())
print("its derivative: ", tape.gradient(y, x).numpy())
# --8<-- [end:starter-softplus]

# --8<-- [start:solution-softplus]
with tf.GradientTape() as tape:
    y = tf.math.softplus(x)
slope = tape.gradient(y, x)
print("softplus(x):    ", y.numpy())
print("its derivative: ", slope.numpy())
assert np.allclose(y, [0, np.log(2), 100], atol=1e-6)
assert np.allclose(slope, [0, 0.5, 1], atol=1e-6)
# --8<-- [end:solution-softplus]

# --8<-- [start:starter-twice]
a = tf.Variable(0.7)
with tf.GradientTape() as tape:
    y = tf.tanh(a)
print(f"tanh' = {tape.gradient(y, a):.4f}")
# --8<-- [end:starter-twice]

# --8<-- [start:solution-twice]
with tf.GradientTape() as outer:
    with tf.GradientTape() as inner:
        y = tf.tanh(a)
    first = inner.gradient(y, a)  # recorded by the outer tape
second = outer.gradient(first, a)
by_hand = -2 * np.tanh(0.7) * (1 - np.tanh(0.7) ** 2)
print(f"tanh'' = {second:.4f}, by hand {by_hand:.4f}")
assert abs(second - by_hand) < 1e-6
# --8<-- [end:solution-twice]
