# --8<-- [start:imports]
import keras
import matplotlib.pyplot as plt
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

timesteps = 3
numbers = np.arange(10)
# --8<-- [end:imports]

# --8<-- [start:by-hand]
for start in range(len(numbers) - timesteps):
    end = start + timesteps
    print(numbers[start:end], "->", numbers[end])

print(len(numbers) - timesteps, "windows")
# --8<-- [end:by-hand]

# --8<-- [start:picture]
count = len(numbers) - timesteps
plt.figure(figsize=(5.2, 3.2))
for row in range(count):
    inside = numbers[row : row + timesteps]
    plt.scatter(inside, [row] * timesteps, marker="s", s=130, color="C0")
    plt.scatter(row + timesteps, row, marker="*", s=170, color="C1")
plt.scatter([], [], marker="s", s=80, color="C0", label="window")
plt.scatter([], [], marker="*", s=120, color="C1", label="target")
plt.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
plt.xticks(numbers)
plt.yticks(range(count))
plt.gca().invert_yaxis()
plt.xlabel("place in the series")
plt.ylabel("number of the window")
plt.show()
# --8<-- [end:picture]


# --8<-- [start:function]
def make_windows(series, timesteps, horizon=1):
    """(n, features) -> windows (count, timesteps, features) and
    targets (count, horizon, features)."""
    # (count, features, timesteps + horizon)
    rows = sliding_window_view(series, timesteps + horizon, axis=0)
    rows = rows.swapaxes(1, 2)  # (count, timesteps + horizon, features)
    return rows[:, :timesteps], rows[:, timesteps:]


x, y = make_windows(numbers[:, None], timesteps)
print("windows", x.shape, " targets", y.shape)

assert np.shares_memory(x, numbers)  # nothing was copied
assert len(x) == len(y) == len(numbers) - timesteps
assert y[-1] == numbers[-1]  # the last value is used
# Each target is the end of the next window.
assert np.array_equal(x[1:, -1], y[:-1, 0])
# --8<-- [end:function]

# --8<-- [start:check]
where = np.arange(1000)
x, y = make_windows(where[:, None], 10, horizon=4)

rows = np.concatenate([x, y], axis=1)[:, :, 0]  # (count, 10 + 4)
assert np.all(np.diff(rows, axis=1) == 1)  # no gap, no overlap inside a row
assert np.all(np.diff(rows, axis=0) == 1)  # nor from one row to the next
assert (rows[0, 0], rows[-1, -1]) == (0, 999)  # no end is lost
assert len(x) == 1000 - 10 - 4 + 1
for name, k in (("first", 0), ("last", -1)):
    print(f"{name:5} window {x[k, 0, 0]:3} to {x[k, -1, 0]:3}", end="  ")
    print("targets", y[k, :, 0])
# --8<-- [end:check]


# --8<-- [start:dataset]
def pairs(data, targets, length=timesteps):
    """All windows with their targets, as Keras makes them."""
    batches = keras.utils.timeseries_dataset_from_array(
        data, targets, sequence_length=length, batch_size=None
    )
    return [(x.numpy(), int(y)) for x, y in batches]


found = pairs(data=numbers, targets=numbers[timesteps:])
for window, target in found:
    print(window, "->", target)

by_hand = [
    (numbers[s : s + timesteps], numbers[s + timesteps]) for s in range(count)
]
assert len(found) == len(by_hand)
for (a, b), (c, d) in zip(found, by_hand):
    assert np.array_equal(a, c)
    assert b == d
x, y = make_windows(numbers[:, None], timesteps)
assert np.array_equal(x[:, :, 0], [window for window, _ in found])
assert np.array_equal(y[:, 0, 0], [target for _, target in found])
# --8<-- [end:dataset]

# --8<-- [start:lost]
shortened = pairs(data=numbers[:-timesteps], targets=numbers[timesteps:])
print("all of the data:", len(found), "windows")
print("data[:-timesteps]:", len(shortened), "windows")

assert len(shortened) == len(found) - (timesteps - 1)
# --8<-- [end:lost]

# --8<-- [start:shifted]
early = pairs(data=numbers, targets=numbers[timesteps - 1 :])
for window, target in early[:3]:
    print(window, "->", target)

assert all(target in window for window, target in early)
# --8<-- [end:shifted]


# --8<-- [start:leak]
def rmse_of_line(x, y):
    """The error of a linear regression, fitted on the first half."""
    x = np.column_stack([x.reshape(len(x), -1), np.ones(len(x))])
    half = len(x) // 2
    weights = np.linalg.lstsq(x[:half], y[:half], rcond=None)[0]
    return np.sqrt(np.mean((x[half:] @ weights - y[half:]) ** 2))


print("seed   honest   target inside   mean of training part")
for seed in range(5):
    noise = np.random.default_rng(seed).normal(size=1000)
    x, y = make_windows(noise[:, None], 10)
    y = y[:, 0, 0]
    honest = rmse_of_line(x, y)
    leaking = rmse_of_line(x[1:], y[:-1])  # the target ends its own window
    mean = np.sqrt(np.mean((y[495:] - y[:495].mean()) ** 2))
    print(f"{seed:4}  {honest:7.2f}  {leaking:14.0e}  {mean:22.2f}")
    assert leaking < 1e-10 < 0.8 < honest
    assert honest > 0.95 * mean  # nothing can be learnt from noise
# --8<-- [end:leak]

# --8<-- [start:several]
monday, tuesday = np.arange(10), 100 + np.arange(8)
together = np.concatenate([monday, tuesday])[:, None]
glued, _ = make_windows(together, timesteps)
mixed = (glued.min(axis=(1, 2)) < 100) & (glued.max(axis=(1, 2)) >= 100)

apart = [make_windows(day[:, None], timesteps) for day in (monday, tuesday)]
x = np.concatenate([windows for windows, _ in apart])
y = np.concatenate([targets for _, targets in apart])
print("glued first:", len(glued), "windows,", mixed.sum(), "of two days")
print("cut first:", len(x), "windows")

assert len(x) == (10 - timesteps) + (8 - timesteps)
assert mixed.sum() == timesteps - 1
# One more has its window in one day and its target in the other.
assert len(glued) == len(x) + timesteps
assert np.all((x[:, 0] < 100) == (y[:, 0] < 100))
# --8<-- [end:several]

# --8<-- [start:starter-hourly]
hours = np.arange(24 * 7)  # a week of hourly values
temperature = 10 + 5 * np.sin(2 * np.pi * hours / 24)
wind = np.random.default_rng(0).uniform(0, 8, len(hours))
series = np.stack([temperature, wind], axis=1)  # (168, 2)
print(series.shape)
# --8<-- [end:starter-hourly]

# --8<-- [start:solution-hourly]
x, y = make_windows(series, timesteps=24, horizon=6)
y = y[:, :, 0]  # the temperature is the first column
print("windows", x.shape, " targets", y.shape)

assert x.shape == (168 - 24 - 6 + 1, 24, 2)
assert y.shape == (len(x), 6)
assert y[0, 0] == temperature[24]
assert y[-1, -1] == temperature[-1]
# --8<-- [end:solution-hourly]

# --8<-- [start:starter-ahead]
ahead = 12  # forecast the value 12 steps after the end of the window
place = np.arange(100)
# --8<-- [end:starter-ahead]

# --8<-- [start:solution-ahead]
x, y = make_windows(place[:, None], timesteps=10, horizon=ahead)
y = y[:, -1, 0]  # of the next twelve values, the last
print("window ends at", x[0, -1, 0], "target", y[0], " windows:", len(x))

assert np.array_equal(y, x[:, -1, 0] + ahead)
assert len(x) == 100 - 10 - ahead + 1

keras_way = pairs(place, place[10 - 1 + ahead :], length=10)
assert len(keras_way) == len(x)
assert all(target == window[-1] + ahead for window, target in keras_way)
# --8<-- [end:solution-ahead]
