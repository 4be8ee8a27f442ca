# --8<-- [start:imports]
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

# --8<-- [end:imports]


# --8<-- [start:tape]
def wave(x):
    """exp(sin x), for a tensor of any shape."""
    return tf.exp(tf.sin(x))


x = tf.Variable(1.0, dtype="float64")
with tf.GradientTape() as tape:
    y = wave(x)
by_tape = tape.gradient(y, x).numpy()
by_hand = np.cos(1.0) * np.exp(np.sin(1.0))
print(f"by tape {by_tape:.15f}")
print(f"by hand {by_hand:.15f}")
assert abs(by_tape - by_hand) < 1e-14
# --8<-- [end:tape]


# --8<-- [start:differences]
def forward(function, x, h):
    """One-sided difference quotient."""
    return (function(x + h) - function(x)) / h


def central(function, x, h):
    """Two-sided difference quotient."""
    return (function(x + h) - function(x - h)) / (2 * h)


point = tf.constant(1.0, "float64")
print("step       forward    central   (errors)")
for h in (1e-2, 1e-5, 1e-8, 1e-11):
    errors = [
        abs(float(quotient(wave, point, h)) - by_hand)
        for quotient in (forward, central)
    ]
    print(f"{h:.0e} {errors[0]:11.0e} {errors[1]:10.0e}")
assert abs(float(central(wave, point, 1e-5)) - by_hand) < 1e-8
# --8<-- [end:differences]

# --8<-- [start:steps]
h = np.logspace(-14, -1, 105)
points = np.linspace(0.5, 1.2, 21)  # the median of 21 places
exact = np.cos(points) * np.exp(np.sin(points))
curves = {
    "forward, float64": (forward, "float64", "-"),
    "central, float64": (central, "float64", "--"),
    "central, float32": (central, "float32", ":"),
}
error = {}
fig, axis = plt.subplots(figsize=(5.2, 3.6))
for name, (quotient, dtype, style) in curves.items():
    places = tf.constant(points[:, None], dtype)  # (21, 1)
    steps = tf.constant(h, dtype)  # (105,)
    found = quotient(wave, places, steps).numpy()  # (21, 105)
    error[name] = np.median(abs(found - exact[:, None]), axis=0)
    axis.loglog(h, error[name], style, label=name)
places = tf.constant(points)
with tf.GradientTape() as tape:
    tape.watch(places)
    values = wave(places)
tape_error = abs(tape.gradient(values, places).numpy() - exact).max()
axis.axhline(max(tape_error, 1e-16), color="C3", label="tape, float64")
axis.set(xlabel="step h", ylabel="error", ylim=(3e-17, 30))
axis.legend(loc="lower left", bbox_to_anchor=(-0.1, 1), ncols=2)
plt.show()
# --8<-- [end:steps]


# --8<-- [start:best]
def growth(name):
    """By how many powers of ten the error grows from h 1e-3 to 1e-2."""
    at = [abs(h - value).argmin() for value in (1e-3, 1e-2)]
    return np.log10(error[name][at[1]] / error[name][at[0]])


print("                   best step   its error")
best = {}
for name, values in error.items():
    best[name] = h[values.argmin()], values.min()
    print(f"{name:18} {best[name][0]:9.0e} {best[name][1]:11.0e}")
below = "below 1e-14" if tape_error < 1e-14 else "large"
print(f"{'tape, float64':28} {below:>11}")
for name in ("forward, float64", "central, float64"):
    print(f"{name}: ten times the step, 10^{growth(name):.1f} the error")
assert 1e-10 < best["forward, float64"][0] < 1e-6
assert 1e-7 < best["central, float64"][0] < 1e-3
assert tape_error < 1e-14 < 1e-13 < best["central, float64"][1]
assert best["central, float64"][1] < best["forward, float64"][1] / 10
assert best["central, float32"][1] > 1e-7
assert np.isclose(error["central, float32"][0], np.median(exact))
assert 0.8 < growth("forward, float64") < 1.2
assert 1.8 < growth("central, float64") < 2.2
# --8<-- [end:best]

# --8<-- [start:persistent]
x = tf.Variable([1.0, 2.0])
with tf.GradientTape(persistent=True) as tape:
    a = tf.reduce_sum(x**2)
    b = tf.reduce_sum(x**3)
print("of a", tape.gradient(a, x).numpy())
print("of b", tape.gradient(b, x).numpy())
assert tape.gradient(b, x).numpy().tolist() == [3, 12]
del tape  # a persistent tape keeps all values until it is gone

with tf.GradientTape() as tape:
    a = tf.reduce_sum(x**2)
tape.gradient(a, x)
try:
    tape.gradient(a, x)
except RuntimeError as message:
    print(str(message)[:42], "…")
else:
    raise AssertionError("the second call went through")
# --8<-- [end:persistent]

# --8<-- [start:stop]
w = tf.Variable(3.0)
with tf.GradientTape(persistent=True) as tape:
    cube = w * w**2
    partly = w * tf.stop_gradient(w**2)
print("values     ", cube.numpy(), partly.numpy())
gradients = [tape.gradient(part, w).numpy() for part in (cube, partly)]
print("derivatives", *gradients)
assert cube == partly
assert gradients == [3 * 9, 9]
# --8<-- [end:stop]

# --8<-- [start:second]
x = tf.Variable(1.0, dtype="float64")
with tf.GradientTape() as outer:
    with tf.GradientTape() as inner:
        y = wave(x)
    first = inner.gradient(y, x)  # inside the outer tape
second = outer.gradient(first, x).numpy()
by_hand = (np.cos(1.0) ** 2 - np.sin(1.0)) * np.exp(np.sin(1.0))
print(f"by tapes {second:.12f}")
print(f"by hand  {by_hand:.12f}")
assert abs(second - by_hand) < 1e-13
# --8<-- [end:second]

# --8<-- [start:jacobian]
z = tf.Variable([1.0, 2.0, 4.0])
with tf.GradientTape(persistent=True) as tape:
    p = tf.nn.softmax(z)  # three positive numbers, their sum is 1
jacobian = tape.jacobian(p, z).numpy()  # (outputs, inputs)
summed = tape.gradient(p, z).numpy()
print("Jacobian", jacobian.shape)
print(jacobian.round(3) + 0.0)
print("tape.gradient:", summed.round(3) + 0.0)
share = p.numpy()
assert np.allclose(jacobian, np.diag(share) - np.outer(share, share))
assert np.allclose(summed, jacobian.sum(axis=0), atol=1e-6)
assert abs(summed).max() < 1e-6

with tf.GradientTape(persistent=True) as tape:
    q = tf.stack([z[0] * z[1], z[2]])  # two outputs of three inputs
print(tape.jacobian(q, z).numpy().tolist())
print("tape.gradient:", tape.gradient(q, z).numpy())
assert tape.jacobian(q, z).numpy().tolist() == [[2, 1, 0], [0, 0, 1]]
assert tape.gradient(q, z).numpy().tolist() == [2, 1, 1]
# --8<-- [end:jacobian]


# --8<-- [start:none]
def outside(w, c):
    """w * c, by NumPy."""
    return tf.constant(w.numpy() * c.numpy())


def whole(w, c):
    """w * c, with w cut to a whole number."""
    return tf.cast(tf.cast(w, "int32"), "float32") * c


ways = {
    "w * c": lambda w, c: w * c,
    "w does not occur": lambda w, c: c**2,
    "NumPy in between": outside,
    "whole numbers in between": whole,
    "rounded": lambda w, c: tf.round(w) * c,
}
found = {}
for name, function in ways.items():
    w, c = tf.Variable(2.0), tf.constant(5.0)
    with tf.GradientTape() as tape:
        y = function(w, c)
    found[name] = tape.gradient(y, w)
for watch in (False, True):
    name = "a constant, watched" if watch else "a constant"
    with tf.GradientTape() as tape:
        if watch:
            tape.watch(c)
        y = c * 2
    found[name] = tape.gradient(y, c)
for name, gradient in found.items():
    print(f"{name:25}", None if gradient is None else gradient.numpy())
nothing = [name for name, gradient in found.items() if gradient is None]
assert len(nothing) == 5
assert found["w * c"] == 5
assert found["a constant, watched"] == 2
# --8<-- [end:none]

# --8<-- [start:zero]
used, unused = tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0])
with tf.GradientTape(persistent=True) as tape:
    loss = tf.reduce_sum(used**2)
print(tape.gradient(loss, unused))
zeros = tape.gradient(loss, unused, unconnected_gradients="zero")
print(zeros.numpy())
assert tape.gradient(loss, unused) is None
assert zeros.numpy().tolist() == [0, 0]
# --8<-- [end:zero]


# --8<-- [start:where]
def unsafe(x):
    """The logarithm of x, and 0 where there is none."""
    return tf.where(x > 0, tf.math.log(x), 0.0)


def safe(x):
    """The same, with a harmless argument where x is not used."""
    harmless = tf.where(x > 0, x, 1.0)
    return tf.where(x > 0, tf.math.log(harmless), 0.0)


x = tf.Variable([0.0, 1.0, 4.0])
slopes = {}
for function in (unsafe, safe):
    with tf.GradientTape() as tape:
        y = function(x)
    name = function.__name__
    slopes[name] = tape.gradient(y, x).numpy()
    print(f"{name:7} values {y.numpy().round(3)} gradient {slopes[name]}")
assert np.isnan(slopes["unsafe"][0])
assert slopes["safe"].tolist() == [0, 1, 0.25]
# --8<-- [end:where]

# --8<-- [start:starter-check]
functions = {
    "softplus": tf.math.softplus,
    "own square": tf.custom_gradient(lambda x: (x**2, lambda up: up * x)),
    "tanh": tf.tanh,
}
x = tf.constant([-1.0, 0.5, 2.0], "float64")
for name, function in functions.items():
    print(f"{name:11}", function(x).numpy().round(3))
# --8<-- [end:starter-check]

# --8<-- [start:solution-check]
wrong = []
for name, function in functions.items():
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    difference = tape.gradient(y, x) - central(function, x, 1e-5)
    largest = float(tf.reduce_max(abs(difference)))
    print(f"{name:11} largest difference {largest:.0e}")
    if largest > 1e-6:
        wrong.append(name)
assert wrong == ["own square"]
# --8<-- [end:solution-check]

# --8<-- [start:starter-round]
w = tf.Variable(0.2)
with tf.GradientTape() as tape:
    loss = (tf.round(w) - 3) ** 2
print("loss", loss.numpy(), "gradient", tape.gradient(loss, w))
# --8<-- [end:starter-round]


# --8<-- [start:solution-round]
def rounded(w):
    """The value of round(w), with the derivative of w."""
    return w + tf.stop_gradient(tf.round(w) - w)


for _ in range(20):
    with tf.GradientTape() as tape:
        loss = (rounded(w) - 3) ** 2
    w.assign_sub(0.1 * tape.gradient(loss, w))
print(f"w {w.numpy():.2f}, rounded {rounded(w).numpy():.0f}")
assert rounded(w) == 3
# --8<-- [end:solution-round]
