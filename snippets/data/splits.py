# --8<-- [start:imports]
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view

timesteps, horizon = 10, 20
# --8<-- [end:imports]


# --8<-- [start:series]
def smooth_noise(seed, n=1000):
    """A series (n,): weighted sums of independent numbers, deviation 1."""
    weights = np.hanning(62)  # a bell, 60 numbers wide
    noise = np.random.default_rng(seed).normal(size=n + len(weights) - 1)
    return np.convolve(noise, weights / np.linalg.norm(weights), "valid")


def windows(series):
    """(n,) -> windows (count, timesteps), targets `horizon` steps later."""
    rows = sliding_window_view(series, timesteps + horizon)
    return rows[:, :timesteps], rows[:, -1]


x, y = windows(smooth_noise(0))
print("windows", x.shape, " targets", y.shape)
assert len(x) == 1000 - timesteps - horizon + 1
# --8<-- [end:series]


# --8<-- [start:splits]
def at_random(n, seed):
    """Places of 80 % of the windows for training, of 20 % for the test."""
    order = np.random.default_rng(seed).permutation(n)
    return order[: n * 4 // 5], order[n * 4 // 5 :]


def by_time(n, gap=0):
    """The first 80 % for training, the last 20 % for the test."""
    order = np.arange(n)
    return order[: n * 4 // 5 - gap], order[n * 4 // 5 :]


# --8<-- [end:splits]

# --8<-- [start:picture]
plt.figure(figsize=(5.2, 2.6))
for row, (train, test) in enumerate(
    (at_random(60, 0), by_time(60), by_time(60, gap=10))
):
    plt.scatter(train, np.full(len(train), row), s=22, color="C0")
    plt.scatter(test, np.full(len(test), row), s=40, color="C1", marker="*")
plt.scatter([], [], s=22, color="C0", label="training")
plt.scatter([], [], s=40, color="C1", marker="*", label="test")
plt.yticks(range(3), ["at random", "by time", "with a gap"])
plt.gca().invert_yaxis()
plt.ylim(2.5, -0.5)
plt.xlabel("start of the window")
plt.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
plt.show()
# --8<-- [end:picture]


# --8<-- [start:models]
def nearest(fit_x, fit_y, x):
    """Find the most similar window of the training part, copy its target."""
    # The squared distances, (windows to judge, windows of the training part)
    distance = np.sum(x**2, axis=1)[:, None] - 2 * x @ fit_x.T
    distance = distance + np.sum(fit_x**2, axis=1)
    return fit_y[distance.argmin(axis=1)]


def linear(fit_x, fit_y, x):
    """Linear regression with a constant."""
    fit_x, x = (np.c_[a, np.ones(len(a))] for a in (fit_x, x))
    return x @ np.linalg.lstsq(fit_x, fit_y)[0]


def mean(fit_x, fit_y, x):
    """The baseline: the mean of the training part."""
    return np.full(len(x), fit_y.mean())


def rmse(model, x, y, train, test):
    """The error of a model that was fitted on `train`, on `test`."""
    forecast = model(x[train], y[train], x[test])
    return np.sqrt(np.mean((forecast - y[test]) ** 2))


# --8<-- [end:models]

# --8<-- [start:two-scores]
SEEDS = range(10)
scores = {}
for model in (mean, linear, nearest):
    for seed in SEEDS:
        x, y = windows(smooth_noise(seed))
        ways = {
            "at random": at_random(len(x), seed),
            "by time": by_time(len(x)),
            "with a gap": by_time(len(x), gap=timesteps + horizon),
        }
        for way, parts in ways.items():
            error = rmse(model, x, y, *parts)
            scores.setdefault((model.__name__, way), []).append(error)

print("error, mean of 10 series (least to most)")
print("            at random            by time              with a gap")
for model in ("mean", "linear", "nearest"):
    print(f"{model:10}", end="")
    for way in ("at random", "by time", "with a gap"):
        e = scores[model, way]
        print(f"{np.mean(e):6.2f} ({min(e):.2f} to {max(e):.2f})", end="")
    print()

score = {key: np.mean(errors) for key, errors in scores.items()}
assert score["nearest", "at random"] < 0.85 * score["mean", "at random"]
assert score["linear", "at random"] > 0.8 * score["linear", "by time"]
assert score["nearest", "by time"] > 0.95 * score["mean", "by time"]
assert score["linear", "by time"] < 0.6 * score["mean", "by time"]
# --8<-- [end:two-scores]

# --8<-- [start:why]
train, test = at_random(len(x), seed=0)
neighbours = np.isin(test - 1, train) | np.isin(test + 1, train)
print(f"{neighbours.mean():.0%} of the test windows have a neighbour in time")
print("in the training part; such a pair shares nine of its ten values")
chosen = nearest(x[train], train, x[test])  # the place that is copied from
overlaps = abs(chosen - test) < timesteps
copied = (y[chosen] - y[test]) ** 2
near, far = np.sqrt([copied[overlaps].mean(), copied[~overlaps].mean()])
print(f"nearest copies from an overlapping window in {overlaps.mean():.0%}")
print(f"error there {near:.2f}, elsewhere {far:.2f}", end="; ")
of_mean = rmse(mean, x, y, train, test)
print(f"of the mean {of_mean:.2f}")
assert neighbours.mean() > 0.9
assert near < 0.3 * far
assert 0.75 < far / of_mean < 1.35
assert np.array_equal(x[1, :-1], x[0, 1:])
# --8<-- [end:why]

# --8<-- [start:gap]
train, test = by_time(len(x))
last_target = train[-1] + timesteps + horizon - 1
print("the last training target is value", last_target, end=", ")
print("the first test window begins at", test[0])
assert last_target >= test[0]

train, test = by_time(len(x), gap=timesteps + horizon)
assert train[-1] + timesteps + horizon - 1 < test[0]
# --8<-- [end:gap]

# --8<-- [start:rolling]
series = smooth_noise(0, n=2000)
x, y = windows(series)
print("trained before   linear    mean   better by")
gains = []
for origin in range(1000, 1900, 100):
    train = np.arange(origin - timesteps - horizon)
    test = np.arange(origin, min(origin + 100, len(x)))
    errors = [rmse(model, x, y, train, test) for model in (linear, mean)]
    gains.append(1 - errors[0] / errors[1])
    print(f"{origin:14}  {errors[0]:7.2f} {errors[1]:7.2f}{gains[-1]:11.0%}")
    assert train[-1] + timesteps + horizon - 1 < test[0]

print(f"from {min(gains):.0%} to {max(gains):.0%}, mean {np.mean(gains):.0%}")
assert max(gains) - min(gains) > 0.1
# --8<-- [end:rolling]


# --8<-- [start:shuffle]
def network_error(shuffle, seed):
    """Train on the first 80 % of the windows, return the test error."""
    x, y = windows(smooth_noise(seed))
    train, test = by_time(len(x), gap=timesteps + horizon)
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([layers.Dense(16, "tanh"), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.005), "mse")
    batches = {"batch_size": 32, "epochs": 10, "verbose": 0}
    model.fit(x[train], y[train], shuffle=shuffle, **batches)
    forecast = np.array(model(x[test]))[:, 0]
    return np.sqrt(np.mean((forecast - y[test]) ** 2))


errors = {}
for shuffle in (True, False):
    found = np.array([network_error(shuffle, seed) for seed in range(3)])
    errors[shuffle] = found
    print(f"shuffle={shuffle!s:6} test error", found.round(2))
assert (errors[True] < errors[False]).all()

order = np.random.default_rng(0).permutation(train)
x, y = windows(series)
assert np.isclose(
    rmse(linear, x, y, order, test), rmse(linear, x, y, train, test)
)
# --8<-- [end:shuffle]

# --8<-- [start:starter-people]
rng = np.random.default_rng(0)
person = np.repeat(np.arange(40), 25)  # 40 people, 25 measurements each
level = rng.normal(size=(40, 3))[person]  # what is particular to a person
features = level + 0.05 * rng.normal(size=(1000, 3))
health = rng.normal(size=40)[person]  # has nothing to do with the level
print(features.shape, health.shape)
# --8<-- [end:starter-people]

# --8<-- [start:solution-people]
mixed = at_random(1000, 0)
apart = np.flatnonzero(person < 32), np.flatnonzero(person >= 32)
for way, parts in (("rows at random", mixed), ("people apart", apart)):
    error = rmse(nearest, features, health, *parts)
    simple = rmse(mean, features, health, *parts)
    print(f"{way:15} nearest {error:.2f}  mean {simple:.2f}")

assert rmse(nearest, features, health, *mixed) < 0.5
assert rmse(nearest, features, health, *apart) > 0.9
# --8<-- [end:solution-people]

# --8<-- [start:starter-test]
x, y = windows(smooth_noise(7))
train, test = by_time(len(x), gap=timesteps + horizon)
# --8<-- [end:starter-test]

# --8<-- [start:solution-test]
used_in_training = set()
for start in train:
    used_in_training.update(range(start, start + timesteps + horizon))
used_in_test = set()
for start in test:
    used_in_test.update(range(start, start + timesteps + horizon))
shared = used_in_training & used_in_test
print("values in both parts:", len(shared))
assert not shared

train, test = by_time(len(x))
last = {v for s in train for v in range(s, s + timesteps + horizon)}
print("without the gap:", len(last & used_in_test))
assert len(last & used_in_test) == timesteps + horizon - 1
# --8<-- [end:solution-test]
