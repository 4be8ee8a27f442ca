# --8<-- [start:imports]
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view

SEEDS = (0, 1, 2)
# --8<-- [end:imports]

# --8<-- [start:series]
days = np.arange(1200)
weather = np.random.default_rng(0).normal(size=1200)
# Passengers of an airline: growth, a yearly wave, noise.
series = 2000 + 2 * days + 300 * np.sin(2 * np.pi * days / 365)
series = series + 60 * weather
train, validation, test = np.split(series, [720, 960])

plt.figure(figsize=(5.2, 2.8))
names = ("training", "validation", "test")
for name, some in zip(names, np.split(days, [720, 960]), strict=True):
    plt.plot(some, series[some], label=name)
plt.axhline(train.max(), color="C3", linestyle="--")
plt.text(0, train.max() + 60, "largest training value")
plt.xlabel("day")
plt.ylabel("passengers")
plt.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
plt.show()
# --8<-- [end:series]

# --8<-- [start:scaler]
mean, deviation = train.mean(), train.std()


def scale(values):
    """Any shape -> the same shape, in units of the training part."""
    return (values - mean) / deviation


def unscale(values):
    """The inverse of scale."""
    return values * deviation + mean


for name, part in (("training", train), ("validation", validation)):
    scaled = scale(part)
    print(
        f"{name:10}  mean {scaled.mean():5.2f}  deviation {scaled.std():.2f}"
    )

assert np.allclose(unscale(scale(test)), test, rtol=1e-12)
assert (np.r_[validation, test] > train.max()).mean() > 0.95
assert abs(scale(train).mean()) < 1e-9
# --8<-- [end:scaler]

# --8<-- [start:keras]
layer = layers.Normalization(axis=None)
layer.adapt(train)
back = layers.Normalization(
    axis=None, mean=mean, variance=deviation**2, invert=True
)

assert np.allclose(layer(test), scale(test), atol=1e-5)
assert np.allclose(back(layer(test)), test, rtol=1e-5)
print(f"{float(layer(test[:1])[0]):.4f} = {scale(test[0]):.4f}")
# --8<-- [end:keras]


# --8<-- [start:proof]
def fit(series):
    """Mean and deviation of the training part."""
    return series[:720].mean(), series[:720].std()


def fit_everything(series):
    """Mean and deviation of all parts."""
    return series.mean(), series.std()


spoilt = np.concatenate([train, validation, 1e6 + test])
for fitted in (fit, fit_everything):
    before, after = fitted(series), fitted(spoilt)
    print(f"{fitted.__name__:15}", np.round(before, 1), end=" -> ")
    print(np.round(after, 1), "unchanged" if before == after else "LEAKS")
assert fit(series) == fit(spoilt) == (mean, deviation)
assert fit_everything(series) != fit_everything(spoilt)
# --8<-- [end:proof]


# --8<-- [start:network]
def windows(values, timesteps=10):
    """(n,) -> (n - timesteps, timesteps), (n - timesteps,)."""
    rows = sliding_window_view(values, timesteps + 1)
    return rows[:, :-1], rows[:, -1]


def rmse(x, y):
    """Root mean squared error of two arrays of one shape."""
    return float(np.sqrt(np.mean((x - y) ** 2)))


def forecasts(prepare, seed):
    """Train a small network on prepared windows; forecast the test part.

    prepare: windows (n, timesteps) -> (prepared windows, level, unit)
    """
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [layers.Dense(16, activation="tanh"), layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x, y = windows(train)
    prepared, level, unit = prepare(x)
    target = (y - level) / unit
    model.fit(prepared, target, batch_size=64, epochs=40, verbose=0)
    prepared, level, unit = prepare(windows(test)[0])
    return np.array(model(prepared))[:, 0] * unit + level


# --8<-- [end:network]

# --8<-- [start:compare]
everything = fit_everything(series)
moves = np.diff(train).std()
preparations = {
    "raw values": lambda x: (x, 0, 1),
    "scaled by the training part": lambda x: (scale(x), mean, deviation),
    "scaled by everything": lambda x: (
        (x - everything[0]) / everything[1],
        *everything,
    ),
    "last value subtracted": lambda x: (
        (x - x[:, -1:]) / moves,
        x[:, -1],
        moves,
    ),
}
x, y = windows(test)
fit_x, fit_y = windows(train)
weights = np.linalg.lstsq(np.c_[fit_x, np.ones(len(fit_x))], fit_y)[0]
results = {
    "persistence": [rmse(x[:, -1], y)],
    "linear regression": [rmse(np.c_[x, np.ones(len(x))] @ weights, y)],
}
for name, prepare in preparations.items():
    results[name] = [rmse(forecasts(prepare, seed), y) for seed in SEEDS]

print("error on the test part, passengers      least    most")
for name, errors in results.items():
    print(f"{name:36}{min(errors):9.0f}{max(errors):8.0f}")

beyond = {}  # how far the test part reaches beyond the training part
for name, (center, unit) in (
    ("scaled by the training part", (mean, deviation)),
    ("scaled by everything", everything),
):
    reach = [(part.max() - center) / unit for part in (train, test)]
    beyond[name] = reach[1] - reach[0]
    print(f"{name:28} up to {reach[0]:.1f} in training,", end=" ")
    print(f"{reach[1]:.1f} in the test: {beyond[name]:.1f} beyond")

persistence = results["persistence"][0]
assert min(results["raw values"]) > 0.9 * rmse(0, y)
assert min(results["scaled by the training part"]) > 3 * persistence
assert persistence < min(results["scaled by everything"])
assert max(results["scaled by everything"]) < 3 * persistence
assert x.min() > fit_x.max()  # the test part lies above all that was learnt
by_training, by_all = beyond.values()
assert by_training > 1.5 * by_all
subtracted = results["last value subtracted"]
assert max(subtracted) < persistence
assert results["linear regression"][0] < 1.1 * min(subtracted)
# --8<-- [end:compare]


# --8<-- [start:rule]
def by_own_range(rows):
    """(n, timesteps + 1) -> the same, each row from 0 to 1; its range."""
    low = rows.min(axis=1, keepdims=True)
    high = rows.max(axis=1, keepdims=True)
    return (rows - low) / (high - low), (high - low)[:, 0]


def read_off(x, guess):
    """Mend a guess (n,) for windows that were scaled with their target."""
    smallest, largest = x.min(axis=1), x.max(axis=1)
    guess = np.where(largest < 1, 1, guess)  # so the target was the largest
    return np.where(smallest > 0, 0, guess)  # or the smallest


wave = np.sin(0.1 * np.arange(2000))
kinds = {  # of series, and an honest guess for each
    "random walk, last value": (np.cumsum, lambda x: x[:, -1]),
    "noisy sine, last value": (lambda e: wave + 0.1 * e, lambda x: x[:, -1]),
    "noise, mean of window": (lambda e: e, lambda x: x.mean(axis=1)),
}
print("largest error, five seeds   honest   leaking scale")
for kind, (series_of, guess_of) in kinds.items():
    errors = []
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(size=2000)
        scaled, unit = by_own_range(sliding_window_view(series_of(noise), 11))
        x, y = scaled[:, :-1], scaled[:, -1]
        honest, lying = guess_of(x), read_off(x, guess_of(x))
        errors.append([rmse(g * unit, y * unit) for g in (honest, lying)])
    honest, lying = np.transpose(errors)
    print(f"{kind:25}{max(honest):9.2f}{max(lying):16.2f}")
    assert max(lying / honest) < 0.75
# --8<-- [end:rule]

# --8<-- [start:starter-column]
rng = np.random.default_rng(3)
table = rng.normal([20, 1013, 5], [8, 10, 2], size=(500, 3))
center, spread = table[:400].mean(axis=0), table[:400].std(axis=0)
scaled = (table - center) / spread  # (500, 3)
forecast = scaled[400:, 1]  # say a model gave the scaled pressure
print("columns: temperature, pressure, wind; forecast", forecast.shape)
# --8<-- [end:starter-column]

# --8<-- [start:solution-column]
pressure = forecast * spread[1] + center[1]
assert np.allclose(pressure, table[400:, 1])

try:
    forecast * spread + center
except ValueError as error:
    print(error)

wrong = forecast[:, None] * spread + center  # (100, 3): no error
print("wrong shape", wrong.shape, "right shape", pressure.shape)
assert np.allclose(wrong[:, 1], pressure)
# --8<-- [end:solution-column]

# --8<-- [start:starter-constant]
sensor = np.full(500, 4.0)  # broken in the training part …
sensor[450:] = 5.0  # … and mended later
deviation_of_sensor = sensor[:400].std()
print("deviation", deviation_of_sensor)
# --8<-- [end:starter-constant]

# --8<-- [start:solution-constant]
with np.errstate(divide="ignore", invalid="ignore"):
    naive = (sensor - sensor[:400].mean()) / deviation_of_sensor
print("divided by zero:", naive[[0, 499]])

tiny = 1e-9 * abs(sensor[:400].mean())  # rounding, no spread
unit = deviation_of_sensor if deviation_of_sensor > tiny else 1.0
cured = (sensor - sensor[:400].mean()) / unit
print("with a unit of one:", cured[[0, 499]])
assert np.isfinite(cured).all()
assert not np.isfinite(naive).any()

normalized = layers.Normalization(axis=None)
normalized.adapt(sensor[:400])
by_keras = np.array(normalized(sensor))[[0, 499]]
print("Keras:", by_keras)
assert np.isfinite(by_keras).all()
assert by_keras[1] > 1e6
# --8<-- [end:solution-constant]
