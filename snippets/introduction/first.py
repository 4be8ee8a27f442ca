# --8<-- [start:ten]
import keras
import matplotlib.pyplot as plt
import numpy as np

keras.utils.set_random_seed(0)
x = np.linspace(0, 1, 50)[:, np.newaxis]  # (50, 1)
y = 2 * x + 1 + np.random.default_rng(0).normal(0, 0.2, x.shape)
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.5), "mse")
history = model.fit(x, y, batch_size=50, epochs=100, verbose=0)
print(model.get_weights())
# --8<-- [end:ten]

# --8<-- [start:parts]
kernel, bias = model.get_weights()
print("kernel", kernel.shape, "bias", bias.shape)
y_hat = model.predict(x, verbose=0)  # (50, 1)
assert np.abs(y_hat - (x @ kernel + bias)).max() < 1e-5
loss = np.mean((y_hat - y) ** 2)
print("loss before the first step", round(history.history["loss"][0], 4))
print("loss after the last step  ", round(float(loss), 4))
assert abs(model.evaluate(x, y, verbose=0) - loss) < 1e-5
# --8<-- [end:parts]


# --8<-- [start:descent]
def gradient(w, b, x, y):
    """Derivatives of the loss with respect to w and b; x, y (n, 1)."""
    error = w * x + b - y  # (n, 1)
    return 2 * np.mean(error * x), 2 * np.mean(error)


def descend(w, b, x, y, rate, steps):
    """Gradient descent; returns all points (w, b), (steps + 1, 2)."""
    path = [(w, b)]
    for _ in range(steps):
        g_w, g_b = gradient(w, b, x, y)
        w, b = w - rate * g_w, b - rate * g_b
        path.append((w, b))
    return np.array(path)


def mse(w, b, x, y):
    """Mean squared error of the line w·x + b."""
    return np.mean((w * x + b - y) ** 2)


path = descend(0.0, 0.0, x, y, rate=0.5, steps=1000)
step = 1e-6  # the derivatives again, by trying out
at_w = (mse(1 + step, 0, x, y) - mse(1 - step, 0, x, y)) / (2 * step)
at_b = (mse(1, step, x, y) - mse(1, -step, x, y)) / (2 * step)
assert np.allclose(gradient(1, 0, x, y), (at_w, at_b), atol=1e-8)
# --8<-- [end:descent]


# --8<-- [start:parity]
def fit(x, y, rate, epochs, seed):
    """Keras' weights before and after: (w, b), (w, b) and the losses."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    before = np.concatenate(model.get_weights(), axis=None)  # (2,)
    history = model.fit(x, y, batch_size=len(x), epochs=epochs, verbose=0)
    after = np.concatenate(model.get_weights(), axis=None)
    return before, after, history.history["loss"]


print("seed   w and b at the start   after 100 steps   NumPy's")
for seed in range(5):
    before, after, losses = fit(x, y, 0.5, 100, seed)
    ours = descend(*before.astype("float64"), x, y, rate=0.5, steps=100)
    print(f"{seed:4d} {before[0]:12.4f} {before[1]:7.4f}", end="")
    print(f" {after[0]:10.4f} {after[1]:7.4f}", end="")
    print(f" {ours[-1, 0]:9.4f} {ours[-1, 1]:7.4f}")
    assert np.abs(after - ours[-1]).max() < 1e-4
    ours_losses = [mse(w, b, x, y) for w, b in ours[:-1]]
    assert np.abs(np.subtract(losses, ours_losses)).max() < 1e-4
# --8<-- [end:parity]

# --8<-- [start:closed]
X = np.hstack([x, np.ones_like(x)])  # (50, 2): a column for w, one for b
(w_best, b_best), *_ = np.linalg.lstsq(X, y[:, 0])
least = mse(w_best, b_best, x, y)
print("steps         w        b     loss   loss - least")
for k in (0, 1, 10, 100, 1000):
    w, b = path[k]
    gap = max(mse(w, b, x, y) - least, 0)  # rounding may pass it
    print(f"{k:5d} {w:9.4f} {b:8.4f} {mse(w, b, x, y):8.4f} {gap:14.1e}")
print(f"closed{w_best:9.4f} {b_best:8.4f} {least:8.4f}")
assert np.abs(np.subtract(path[1000], (w_best, b_best))).max() < 1e-6
assert np.allclose(gradient(w_best, b_best, x, y), 0, atol=1e-12)
# --8<-- [end:closed]


# --8<-- [start:lines]
def draw_lines(axis):
    """The points, the line after some steps, and the closed form."""
    axis.plot(x, y, ".", alpha=0.5)
    for k, style in ((0, ":"), (2, "--"), (10, "-.")):
        w, b = path[k]
        label = f"{k} steps"
        axis.plot(x, w * x + b, style, color="C1", label=label)
    axis.plot(x, w_best * x + b_best, color="C2", label="closed form")
    axis.set(xlabel="x", ylabel="y")
    axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=2)


fig, axis = plt.subplots(figsize=(5.2, 3.6))
draw_lines(axis)
plt.show()
# --8<-- [end:lines]

# --8<-- [start:curves]
fig, axis = plt.subplots(figsize=(5.2, 3.4))
rates = {0.05: ":", 0.2: "--", 0.5: "-", 0.75: "-."}
gaps = {}
for rate, style in rates.items():
    points = descend(0.0, 0.0, x, y, rate, 100)
    gaps[rate] = [mse(w, b, x, y) - least for w, b in points]
    axis.plot(gaps[rate], style, label=f"rate {rate}")
axis.set(yscale="log", xlabel="step", ylabel="loss - least loss")
axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=2)
plt.show()

assert gaps[0.5][100] < gaps[0.2][100] < gaps[0.05][100]
assert gaps[0.75][20] > gaps[0.5][20]  # larger is not always faster
assert gaps[0.75][70] < gaps[0.5][70]
# --8<-- [end:curves]

# --8<-- [start:path]
w_grid, b_grid = np.meshgrid(
    np.linspace(-1, 3.8, 121), np.linspace(-0.5, 3.3, 96)
)
loss_grid = np.mean(
    (w_grid[..., None] * x[:, 0] + b_grid[..., None] - y[:, 0]) ** 2, axis=2
)  # (96, 121)

fig, axis = plt.subplots(figsize=(5.2, 4))
levels = least + np.geomspace(0.01, 8, 9)
axis.contour(w_grid, b_grid, loss_grid, levels, colors="C0", alpha=0.4)
for rate, mark, color in ((0.05, ".", "C1"), (0.75, "x", "C3")):
    points = descend(0.0, 0.0, x, y, rate, 60)
    line = f"{mark}-"
    axis.plot(*points.T, line, color=color, lw=0.8, label=f"rate {rate}")
axis.plot(w_best, b_best, "*", color="C2", ms=14, label="closed form")
axis.set(xlabel="w", ylabel="b")
axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3)
plt.show()
# --8<-- [end:path]

# --8<-- [start:noise]
starts = []
for seed in range(5):  # other starts, the same points
    w, b = np.random.default_rng(seed).uniform(-1, 1, 2)
    starts.append(descend(w, b, x, y, 0.5, 1000)[-1])
samples = []
for seed in range(5):  # the same start, other points
    noise = np.random.default_rng(seed).normal(0, 0.2, x.shape)
    samples.append(descend(0.0, 0.0, x, 2 * x + 1 + noise, 0.5, 1000)[-1])
print("                 w: least   most     b: least   most")
for name, found in (("other starts", starts), ("other points", samples)):
    (w_low, b_low), (w_high, b_high) = np.min(found, 0), np.max(found, 0)
    print(f"{name:17}{w_low:8.4f} {w_high:6.4f}", end="")
    print(f" {b_low:12.4f} {b_high:6.4f}")
w_mean, b_mean = np.mean(samples, axis=0)
print(f"mean of the five samples: w {w_mean:.3f}, b {b_mean:.3f}")
assert np.ptp(starts, axis=0).max() < 1e-5
assert np.ptp(samples, axis=0).max() > 0.02
# --8<-- [end:noise]

# --8<-- [start:unscaled]
year = 1950 + 70 * x  # the same points, on another axis
_, after, losses = fit(year, y, rate=0.5, epochs=20, seed=0)
print("years as they are:", [f"{loss:.0e}" for loss in losses[:4]], "…")
print("weights:", after)
assert np.isnan(after).all()

scaled = (year - year.mean()) / year.std()
_, after, losses = fit(scaled, y, rate=0.5, epochs=20, seed=0)
print("years scaled:", [f"{loss:.4f}" for loss in losses[:4]], "…")
assert losses[1] < least + 1e-4  # after one step
# --8<-- [end:unscaled]

# --8<-- [start:broadcast]
y_flat = y[:, 0]  # (50,)
wrong = np.mean((y_hat - y_flat) ** 2)  # (50, 1) - (50,) is (50, 50)
print("shape of the difference:", (y_hat - y_flat).shape)
print(f"the mean of its squares: {wrong:.4f}, the loss: {loss:.4f}")
keras_loss = float(keras.losses.MeanSquaredError()(y_flat, y_hat))
print(f"Keras' loss object, given the same two arrays: {keras_loss:.4f}")
assert wrong > 5 * loss
assert abs(keras_loss - loss) < 1e-5
# --8<-- [end:broadcast]

# --8<-- [start:starter-rate]
hessian = 2 * X.T @ X / len(X)  # second derivatives of the loss, (2, 2)
print(hessian.round(4))
# --8<-- [end:starter-rate]

# --8<-- [start:solution-rate]
curvature = np.linalg.eigvalsh(hessian)
limit = 2 / curvature.max()
print("curvatures:", curvature.round(4), f"limit: {limit:.4f}")
for factor in (0.98, 1.02):
    w, b = descend(0.0, 0.0, x, y, factor * limit, 500)[-1]
    print(f"{factor} of the limit: loss {mse(w, b, x, y):.4g}")
    assert (mse(w, b, x, y) < least + 0.01) == (factor < 1)

slowest = (1 - 0.5 * curvature.min()) ** 2  # of the rate 0.5, in each step
measured = gaps[0.5][100] / gaps[0.5][99]
print(f"each step multiplies the gap by {slowest:.4f}", end=", ")
print(f"measured {measured:.4f}")
assert abs(slowest - measured) < 1e-3
# --8<-- [end:solution-rate]

# --8<-- [start:starter-sine]
t = np.arange(200)
sine = np.sin(t)  # one radian a step
pairs = np.stack([sine[:-2], sine[1:-1]], axis=1)  # (198, 2)
following = sine[2:, np.newaxis]  # (198, 1)
print(pairs[0], "->", following[0])
# --8<-- [end:starter-sine]

# --8<-- [start:solution-sine]
keras.utils.set_random_seed(0)
neuron = keras.Sequential(
    [keras.Input((2,)), keras.layers.Dense(1, use_bias=False)]
)
neuron.compile(keras.optimizers.SGD(0.5), "mse")
history = neuron.fit(pairs, following, 198, epochs=100, verbose=0)
(kernel,) = neuron.get_weights()  # (2, 1)
print("weights:", kernel[:, 0], " 2·cos(1) =", round(2 * np.cos(1), 4))
assert np.abs(kernel[:, 0] - (-1, 2 * np.cos(1))).max() < 1e-3

last = sine[-2:].tolist()
for _ in range(50):  # each forecast becomes an input
    last.append(float(last[-2:] @ kernel[:, 0]))
error = np.abs(last[2:] - np.sin(np.arange(200, 250))).max()
print(f"largest error of 50 free-running steps: {error:.0e}")
assert error < 0.02
# --8<-- [end:solution-sine]
