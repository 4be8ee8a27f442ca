# --8<-- [start:imports]
from textwrap import shorten

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

# --8<-- [end:imports]

# --8<-- [start:assign]
v = tf.Variable([1.0, 2.0])
other = v  # a second name, not a second variable
v.assign([10.0, 20.0])
v.assign_add([1.0, 1.0])
v[0].assign(0.0)
print("v", v.numpy(), "other", other.numpy())
assert other is v
assert other.numpy().tolist() == [0, 21]

v = v + 1  # a new tensor gets the name
print(type(other).__name__, "and", type(v).__name__)
print("v", v.numpy(), "other", other.numpy())
assert other.numpy().tolist() == [0, 21]  # the variable did not change
# --8<-- [end:assign]


# --8<-- [start:descend]
def descend(rebind, steps=3):
    """Minimize (w - 3)²; the values of w, or where it stopped."""
    w = tf.Variable(0.0)
    values = []
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = (w - 3) ** 2
        gradient = tape.gradient(loss, w)
        if gradient is None:
            return values, "the gradient is None"
        if rebind:
            w = w - 0.25 * gradient
        else:
            w.assign_sub(0.25 * gradient)
        values.append(float(w))
    return values, "finished"


print("w.assign_sub(…):", *descend(rebind=False))
print("w = w - …:      ", *descend(rebind=True))
assert descend(rebind=False) == ([1.5, 2.25, 2.625], "finished")
assert descend(rebind=True) == ([1.5], "the gradient is None")
# --8<-- [end:descend]

# --8<-- [start:fixed]
state = tf.Variable(tf.zeros((2, 3)))
for value in (tf.zeros((3, 2)), tf.zeros((2, 3), "float64")):
    try:
        state.assign(value)
    except ValueError as error:
        print(shorten(str(error), 70, placeholder=" …"))
    else:
        raise AssertionError("the variable took another shape or type")
# --8<-- [end:fixed]

# --8<-- [start:counter]
counts = {"python": 0}
steps = tf.Variable(0)


@tf.function
def step():
    """Count a call twice: in Python, and in a variable."""
    counts["python"] += 1
    steps.assign_add(1)


for _ in range(5):
    step()
print("Python counted", counts["python"], "the variable", steps.numpy())
assert steps == 5
assert counts["python"] == 1
# --8<-- [end:counter]

# --8<-- [start:tracked]
model = keras.Sequential(
    [
        keras.Input((10, 3)),
        layers.LSTM(4),
        layers.BatchNormalization(),
        layers.Dropout(0.5),
        layers.Dense(1),
    ]
)
print("layer                variable               shape     trained")
for layer in model.layers:
    for variable in layer.variables:
        shape = str(tuple(variable.shape))
        name = variable.path.split("/")[-1]
        print(f"{layer.name:20} {name:22} {shape:9} ", end="")
        print("yes" if variable.trainable else "no")
total, trained = len(model.variables), len(model.trainable_variables)
print(f"{total} variables, {trained} of them trained")
assert trained == 3 + 2 + 2  # LSTM, gamma and beta, Dense
# --8<-- [end:tracked]


# --8<-- [start:own]
class Scale(layers.Layer):
    """Multiply by a learnt factor."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        return self.factor * x


class Lost(layers.Layer):
    """The same, with a tensor for the factor."""

    def build(self, shape):
        self.factor = tf.constant(1.0)

    def call(self, x):
        return self.factor * x


for layer in (Scale(), Lost()):
    layer(tf.ones((2, 1)))
    print(type(layer).__name__, len(layer.trainable_variables), "variables")
    assert len(layer.trainable_variables) == (type(layer) is Scale)
assert len(Scale().variables) == 0  # not built yet
# --8<-- [end:own]

# --8<-- [start:initializers]
keras.utils.set_random_seed(0)
names = [
    "zeros",
    "random_normal",
    "glorot_uniform",
    "he_normal",
    "orthogonal",
]
print("                    mean   spread   longest")
for name in names:
    w = np.asarray(keras.initializers.get(name)((100, 100)))
    norm = np.linalg.norm(w, 2)  # how much it stretches a vector at most
    mean = round(float(w.mean()), 3) + 0.0  # no -0.000
    print(f"{name:16} {mean:7.3f} {w.std():8.3f} {norm:9.3f}")
limit = np.sqrt(6 / (100 + 100))
w = np.asarray(keras.initializers.GlorotUniform(seed=0)((100, 100)))
assert abs(w).max() <= limit
assert abs(w.std() - limit / np.sqrt(3)) < 0.003
lstm = np.asarray(keras.initializers.Orthogonal(seed=0)((100, 400)))
assert np.allclose(lstm @ lstm.T, np.eye(100), atol=1e-5)
assert np.linalg.norm(lstm[:, :100], 2) < 0.95  # the block of a single gate
# --8<-- [end:initializers]


# --8<-- [start:lengths]
def lengths(name, seed, steps=100):
    """Length of a vector that a matrix multiplies again and again."""
    keras.utils.set_random_seed(seed)
    w = np.asarray(keras.initializers.get(name)((100, 100)), "float64")
    h = np.random.default_rng(seed).normal(size=100)
    h /= np.linalg.norm(h)
    found = [1.0]
    for _ in range(steps):
        h = h @ w
        found.append(np.linalg.norm(h))
    return np.array(found)


curves = {
    name: np.array([lengths(name, seed) for seed in range(5)])
    for name in names[1:]
}
print("length after 100 steps, least and most of 5 seeds")
for name, found in curves.items():
    last = found[:, -1]
    print(f"{name:16} {last.min():9.1e} {last.max():9.1e}")
assert np.abs(curves["orthogonal"] - 1).max() < 1e-3
assert curves["random_normal"][:, -1].max() < 1e-10
assert curves["he_normal"][:, -1].min() > 1e5
assert curves["glorot_uniform"][:, -1].min() > 1e-4
assert curves["glorot_uniform"][:, -1].max() < 1e8
for name, factor in (("random_normal", 0.5), ("he_normal", 2**0.5)):
    each = curves[name][:, -1] ** 0.01  # the factor of one step
    assert np.allclose(each, factor, rtol=0.2)  # the spread times √100
# --8<-- [end:lengths]

# --8<-- [start:lengths-figure]
fig, axis = plt.subplots(figsize=(5.2, 3.6))
styles = ["-", "--", "-.", ":"]
for number, (name, found) in enumerate(curves.items()):
    style = {"color": f"C{number}", "ls": styles[number]}
    axis.plot(found[0], label=name, **style)
    axis.plot(found[1:].T, alpha=0.4, **style)
axis.set(yscale="log", xlabel="step", ylabel="length of the vector")
axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=2)
plt.show()
# --8<-- [end:lengths-figure]


# --8<-- [start:symmetry]
def kernel_after(initializer):
    """Kernel of a hidden layer of three units after 50 steps."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(3, "tanh", kernel_initializer=initializer),
            layers.Dense(1, kernel_initializer="ones"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.random.default_rng(0).normal(size=(64, 2))
    model.fit(x, x[:, :1] * x[:, 1:], 64, epochs=50, verbose=0)
    return model.get_weights()[0]  # (2, 3)


for initializer in ("zeros", "glorot_uniform"):
    print(initializer)
    print(kernel_after(initializer).round(3))
same = kernel_after("zeros")
assert np.abs(same - same[:, :1]).max() < 1e-6  # three equal columns
different = kernel_after("glorot_uniform")
assert np.abs(different - different[:, :1]).max() > 0.01
# --8<-- [end:symmetry]

# --8<-- [start:through]
v, x = tf.Variable(1.0), tf.Variable(2.0)
with tf.GradientTape() as tape:
    v.assign(x * x)  # state, outside of what the tape follows
    loss = v * 3
print("through assign:  ", tape.gradient(loss, x))
with tf.GradientTape() as tape:
    loss = (x * x) * 3
slope = tape.gradient(loss, x)
print("through a tensor:", slope.numpy())
assert slope == 12
# --8<-- [end:through]


# --8<-- [start:appended]
class Steps(layers.Layer):
    """Three factors, kept in a list."""

    def __init__(self, keras_way):
        super().__init__()
        self.factors = []
        for _ in range(3):
            if keras_way:
                factor = self.add_weight(shape=(), initializer="ones")
            else:
                factor = self.last = tf.Variable(1.0)
            self.factors.append(factor)


found = {way: len(Steps(way).trainable_variables) for way in (True, False)}
print("with add_weight: ", found[True])
print("with tf.Variable:", found[False])
assert found == {True: 3, False: 0}
# --8<-- [end:appended]


# --8<-- [start:inside]
@tf.function
def scaled(x):
    """Make a variable inside: wrong."""
    return tf.Variable(2.0) * x


try:
    scaled(tf.constant(1.0))
except ValueError as error:
    line = next(x for x in str(error).splitlines() if "tf.function" in x)
    print(shorten(line, 70, placeholder=" …"))
else:
    raise AssertionError("a variable was made at each call")
factor = tf.Variable(2.0)  # outside: right


@tf.function
def scaled(x):
    """Use a variable that is already there."""
    return factor * x


assert scaled(tf.constant(1.0)) == 2
factor.assign(5.0)
print("after assign:", scaled(tf.constant(1.0)).numpy())
assert scaled(tf.constant(1.0)) == 5
# --8<-- [end:inside]

# --8<-- [start:starter-average]
values = np.random.default_rng(0).normal(size=200).astype("float32")
average, keep = tf.Variable(0.0), 0.9
print("first values:", values[:3].round(3))
# --8<-- [end:starter-average]

# --8<-- [start:solution-average]
for value in values:
    average.assign(keep * average + (1 - keep) * value)
weights = (1 - keep) * keep ** np.arange(199, -1, -1)
by_formula = weights @ values
print(f"variable {average.numpy():.5f}, formula {by_formula:.5f}")
assert abs(average - by_formula) < 1e-5
# --8<-- [end:solution-average]

# --8<-- [start:starter-adam]
network = keras.Sequential([keras.Input((4, 2)), layers.LSTM(3)])
network.compile("adam", "mse")
parameters = network.count_params()
print("parameters:", parameters)
# --8<-- [end:starter-adam]

# --8<-- [start:solution-adam]
network.optimizer.build(network.trainable_variables)
held = [tuple(v.shape) for v in network.optimizer.variables]
numbers = sum(int(np.prod(shape)) for shape in held)
print("variables of the optimizer:", len(held), "numbers:", numbers)
assert numbers == 2 * parameters + 2
# --8<-- [end:solution-adam]
