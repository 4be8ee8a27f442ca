# --8<-- [start:imports]
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

# --8<-- [end:imports]

# --8<-- [start:output]
series = np.sin(np.arange(6))
print("a series:", series.round(2))
print("its shape:", series.shape)
# --8<-- [end:output]

# --8<-- [start:shapes]
batch = np.arange(24.0).reshape(2, 4, 3)  # (batch, timesteps, features)
print("one sequence", batch[0].shape, "= (timesteps, features)")
print("one step    ", batch[:, 1].shape, "= (batch, features)")
print("one feature ", batch[..., 0].shape, "= (batch, timesteps)")
single = series[np.newaxis, :, np.newaxis]  # one sequence of one feature
print("the series as a batch:", single.shape)

last = layers.LSTM(5)(batch)
every = layers.LSTM(5, return_sequences=True)(batch)
print("LSTM(5):", last.shape, "with return_sequences:", every.shape)
assert last.shape == (2, 5)  # (batch, units)
assert every.shape == (2, 4, 5)  # (batch, timesteps, units)
# --8<-- [end:shapes]

# --8<-- [start:grid]
fig, axes = plt.subplots(1, 2, figsize=(5.2, 3.2), sharey=True)
for number, axis in enumerate(axes):
    for step in range(4):
        for feature in range(3):
            text = f"{batch[number, step, feature]:.0f}"
            axis.text(feature, step, text, ha="center", va="center")
    band = {"color": "C0", "alpha": 0.2}
    axis.axhspan(0.5, 1.5, **band)  # the step with index 1
    axis.set(xlim=(-0.5, 2.5), ylim=(3.5, -0.5), xlabel="feature")
    axis.set(xticks=range(3), yticks=range(4))
    axis.set_title(f"sequence {number}", loc="left")
    axis.grid(False)
axes[0].set_ylabel("time step")
plt.show()
assert batch[:, 1].tolist() == [[3, 4, 5], [15, 16, 17]]  # the band
# --8<-- [end:grid]


# --8<-- [start:colours]
def sigmoid(a):
    """Logistic function of NumPy arrays or numbers."""
    return 1 / (1 + np.exp(-a))


FORGET, INPUT, CANDIDATE = "#cc2200", "#0867e7", "#20754f"
OUTPUT, CELL, HIDDEN = "#992ba5", "#5f2f00", "#00475b"

f, i, o = sigmoid(2.0), sigmoid(0.0), sigmoid(1.0)
c_tilde, c_before = np.tanh(-1.0), 0.9
c = f * c_before + i * c_tilde
h = o * np.tanh(c)
bars = {  # letter: (value, colour)
    "f": (f, FORGET),
    "i": (i, INPUT),
    "c̃": (c_tilde, CANDIDATE),
    "o": (o, OUTPUT),
    "c": (c, CELL),
    "h": (h, HIDDEN),
}
fig, axis = plt.subplots(figsize=(5.2, 3))
for letter, (value, color) in bars.items():
    axis.bar(letter, value, color=color)
    place = value + 0.09 * np.sign(value)
    label = f"{value:.2f}".replace("-", "−")
    axis.text(letter, place, label, ha="center", va="center")
axis.axhline(0, color="#1f2328", lw=0.8)
axis.set(ylim=(-1, 1.1), ylabel="value")
axis.grid(axis="x", visible=False)
plt.show()
assert 0 < min(f, i, o) < max(f, i, o) < 1  # gates
assert -1 < c_tilde < 1  # the candidate is none
# --8<-- [end:colours]


# --8<-- [start:fails]
def make_windows(series, timesteps):
    """Windows (…, timesteps) and the value after each (…,)."""
    starts = range(len(series) - timesteps - 1)
    x = [series[s : s + timesteps] for s in starts]
    y = [series[s + timesteps] for s in starts]
    return np.array(x), np.array(y)


x, y = make_windows(np.arange(10), timesteps=3)
try:
    assert y[-1] == 9, f"the last target is {y[-1]}, not 9"
except AssertionError as error:
    print("AssertionError:", error)
# --8<-- [end:fails]


# --8<-- [start:holds]
def make_windows(series, timesteps):
    """Windows (…, timesteps) and the value after each (…,)."""
    starts = range(len(series) - timesteps)
    x = [series[s : s + timesteps] for s in starts]
    y = [series[s + timesteps] for s in starts]
    return np.array(x), np.array(y)


x, y = make_windows(np.arange(10), timesteps=3)
print("windows", x.shape, "targets", y.shape, "last", x[-1], "->", y[-1])
assert y[-1] == 9
assert (y == x[:, -1] + 1).all()  # each target follows its window
# --8<-- [end:holds]


# --8<-- [start:seed]
def first_weights(seed):
    """Weights that a new layer starts with."""
    keras.utils.set_random_seed(seed)
    layer = layers.LSTM(2)
    layer.build((1, 1, 1))
    return layer.get_weights()[0]  # kernel, (features, 4 * units)


for seed in (0, 0, 1):
    print(f"seed {seed}:", first_weights(seed)[0, :4].round(3))
assert (first_weights(0) == first_weights(0)).all()
assert (first_weights(0) != first_weights(1)).any()
# --8<-- [end:seed]

# --8<-- [start:digits]
numbers = np.random.default_rng(0).normal(size=100_000).astype("float32")
exact = numbers.astype("float64").sum()
orders = {
    "one after the other": np.cumsum(numbers)[-1],
    "in pairs": np.sum(numbers),
    "sorted, one by one": np.cumsum(np.sort(numbers))[-1],
}
print(f"float64              {exact:.6f}")
for name, total in orders.items():
    print(f"{name:20} {total:.6f}   off by {abs(total - exact):.0e}")
assert len(set(orders.values())) > 1  # the same numbers, other sums
assert abs(orders["in pairs"] - exact) < 0.1
# --8<-- [end:digits]


# --8<-- [start:bound]
def mean_of(seed, size=1000):
    """Mean of random numbers that are 0 on average."""
    return np.random.default_rng(seed).normal(size=size).mean()


means = [mean_of(seed) for seed in range(5)]
print("five seeds:", " ".join(f"{mean:.3f}" for mean in means))
bound = 2 * max(np.abs(means))
print(f"the largest is {max(np.abs(means)):.3f}, so the bound: {bound:.3f}")
fresh = [abs(mean_of(seed)) for seed in range(100, 110)]
print(f"ten fresh seeds: the largest is {max(fresh):.3f}")
assert max(fresh) < bound
# --8<-- [end:bound]

# --8<-- [start:starter-average]
values = np.array([1.0, 2.0, 4.0, 8.0, 16.0])


def moving_average(values, width):
    """Mean of each value and the width - 1 values before it."""
    sums = np.cumsum(values)
    return (sums[width:] - sums[:-width]) / width


print(moving_average(values, 2))
# --8<-- [end:starter-average]

# --8<-- [start:solution-average]
try:
    assert len(moving_average(values, 2)) == len(values) - 2 + 1
except AssertionError:
    print("a mean is missing: the first, of 1 and 2")


def moving_average(values, width):
    """Mean of each value and the width - 1 values before it."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return (sums[width:] - sums[:-width]) / width


print(moving_average(values, 2))
assert moving_average(values, 2).tolist() == [1.5, 3, 6, 12]
assert moving_average(values, 1).tolist() == values.tolist()
# --8<-- [end:solution-average]

# --8<-- [start:starter-bound]
tight = max(np.abs(means))
print(f"a bound at the largest of five: {tight:.3f}")
# --8<-- [end:starter-bound]

# --8<-- [start:solution-bound]
others = np.abs([mean_of(seed) for seed in range(5, 1005)])
for name, value in (("largest of five", tight), ("twice that", bound)):
    share = np.mean(others >= value)
    print(f"{name:16} {value:.3f}: {share:6.1%} of 1000 other seeds fail")
assert np.mean(others >= tight) > 10 * np.mean(others >= bound)
# --8<-- [end:solution-bound]
