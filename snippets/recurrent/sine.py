# --8<-- [start:imports]
import random
from time import perf_counter

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view

SEEDS = (0, 1, 2)
# --8<-- [end:imports]


# --8<-- [start:series]
def legend_above(ncols):
    """A legend above the axes, out of the way of the data."""
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1)}
    plt.legend(**place, ncols=ncols, columnspacing=1)


t = np.linspace(0, 100, 1000)  # (1000,)
sine = np.sin(t)  # (1000,)
names = ("training", "validation", "test")
borders = ((0, 600), (600, 800), (800, 1000))

plt.figure(figsize=(5.4, 2.6))
for name, (first, last) in zip(names, borders):
    label = f"{name}: {last - first}"
    plt.plot(t[first:last], sine[first:last], label=label)
plt.xlabel("time")
plt.ylabel("value")
legend_above(ncols=3)
plt.show()
# --8<-- [end:series]

# --8<-- [start:count]
numbers, length = np.arange(10), 3

for i in range(len(numbers) - length):
    lost = i >= len(numbers) - length - 1
    window, target = numbers[i : i + length], numbers[i + length]
    print(window, "->", target, "   lost by - 1" if lost else "")

assert len(range(len(numbers) - length - 1)) == 6
assert len(range(len(numbers) - length)) == 7
assert target == numbers[-1]  # the last number is a target
# --8<-- [end:count]

# --8<-- [start:windows]
timesteps = 10


def make_windows(series, timesteps):
    """(n,) -> windows (n - timesteps, timesteps, 1), targets (…, 1)."""
    rows = sliding_window_view(series, timesteps + 1)  # (…, timesteps + 1)
    return rows[:, :-1, None], rows[:, -1:]


x, y = make_windows(sine, timesteps)
print("windows", x.shape, " targets", y.shape)

assert len(x) == len(y) == 990
assert np.array_equal(y[:, 0], sine[10:])  # all points but the first ten
# --8<-- [end:windows]


# --8<-- [start:parts]
def make_parts(series, timesteps):
    """(n,) -> three pairs (windows, targets), cut inside each part."""
    parts = np.split(series, [600, 800])  # training, validation, test
    return [make_windows(part, timesteps) for part in parts]


parts = make_parts(sine, timesteps)
(x_train, y_train), (x_val, y_val), (x_test, y_test) = parts

index_parts = make_parts(np.arange(1000), timesteps)  # the points' indices
target_train, target_val, target_test = (y[:, 0] for _, y in index_parts)
for name, index in zip(names, (target_train, target_val, target_test)):
    print(f"{name:10}", len(index), "windows, targets", end=" ")
    print(index[0], "to", index[-1])
print("together  ", sum(len(y) for _, y in parts), "of 990")
# --8<-- [end:parts]

# --8<-- [start:check]
assert [len(x) for x, _ in parts] == [590, 190, 190]

# in the order of time, nothing shuffled, nothing shared
assert np.array_equal(target_train, np.arange(10, 600))
assert np.array_equal(target_val, np.arange(610, 800))
assert np.array_equal(target_test, np.arange(810, 1000))

for (x, y), (x_index, y_index) in zip(parts, index_parts):
    assert (np.diff(x_index[:, :, 0], axis=1) == 1).all()  # ten in a row
    assert np.array_equal(x_index[:, -1] + 1, y_index)  # and the next one
    assert np.array_equal(x, sine[x_index])  # with the values of the sine
    assert np.array_equal(y, sine[y_index])
# --8<-- [end:check]

# --8<-- [start:model]
keras.utils.set_random_seed(SEEDS[0])
model = keras.Sequential(
    [
        keras.Input((timesteps, 1)),  # (batch, timesteps, features)
        layers.LSTM(50, return_sequences=True),  # (batch, timesteps, 50)
        layers.LSTM(50),  # (batch, 50)
        layers.Dense(1),  # (batch, 1)
    ]
)
model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.01), loss="mse")
model.summary()

first, second, dense = 4 * (50 * 51 + 50), 4 * (50 * 100 + 50), 51
assert model.count_params() == first + second + dense == 30_651
# --8<-- [end:model]

# --8<-- [start:fit]
history = model.fit(
    x_train,
    y_train,
    validation_data=(x_val, y_val),
    epochs=15,
    batch_size=64,
    callbacks=[
        keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)
    ],
    verbose=0,
).history
sine_weights = model.get_weights()

best = int(np.argmin(history["val_loss"]))
print(len(history["loss"]), "epochs, the best one is epoch", best + 1)
assert history["val_loss"][best] < 0.01 * history["val_loss"][0]
# --8<-- [end:fit]

# --8<-- [start:curves]
epoch = np.arange(1, len(history["loss"]) + 1)
plt.figure(figsize=(5.4, 3.2))
plt.semilogy(epoch, history["loss"], "o-", label="training")
plt.semilogy(epoch, history["val_loss"], "s-", label="validation")
plt.axvline(best + 1, color="C2", linestyle=":", label="weights kept")
plt.gca().xaxis.get_major_locator().set_params(integer=True)
plt.xlabel("epoch")
plt.ylabel("mean squared error")
legend_above(ncols=3)
plt.show()
# --8<-- [end:curves]

# --8<-- [start:predict]
predictions = model.predict(x_test, verbose=0)  # (190, 1)
target_times = t[target_test]  # (190,)
assert len(predictions) == len(target_times) == len(y_test) == 190

plt.figure(figsize=(5.4, 4.4))
plt.subplot(2, 1, 1)
plt.plot(t[800:], sine[800:], label="sine")
plt.plot(target_times, predictions[:, 0], "--", label="LSTM, one step ahead")
plt.ylabel("value")
legend_above(ncols=2)
plt.subplot(2, 1, 2)
plt.plot(target_times, 1000 * (predictions - y_test)[:, 0], color="C1")
plt.xlim(79, 101)
plt.xlabel("time")
plt.ylabel("error · 1000")
plt.show()
# --8<-- [end:predict]


# --8<-- [start:linear]
def rmse(forecasts, targets):
    """Root mean squared error of two arrays of the same shape."""
    assert forecasts.shape == targets.shape
    return float(np.sqrt(np.mean((forecasts - targets) ** 2)))


def fit_linear(x, y):
    """Windows (n, timesteps, 1), targets (n, 1) -> (timesteps + 1, 1)."""
    values_and_one = np.column_stack([x[:, :, 0], np.ones(len(x))])
    return np.linalg.lstsq(values_and_one, y)[0]  # least squares


def predict_linear(coefficients, x):
    """(timesteps + 1, 1), windows (n, timesteps, 1) -> forecasts (n, 1)."""
    return x[:, :, 0] @ coefficients[:-1] + coefficients[-1]


assert rmse(np.zeros(4), np.array([1, -1, 1, -1])) == 1
# --8<-- [end:linear]

# --8<-- [start:baselines]
linear = fit_linear(x_train, y_train)
scores = {
    "persistence": rmse(x_test[:, -1], y_test),  # the window's last value
    "LSTM": rmse(predictions, y_test),
    "linear regression": rmse(predict_linear(linear, x_test), y_test),
}
for name, score in scores.items():
    print(f"{name:18} {score:.1e}")
print(linear.size, "coefficients against", model.count_params())

assert 0.06 < scores["persistence"] < 0.08
assert scores["LSTM"] < scores["persistence"] / 5
assert scores["linear regression"] < 1e-10
# --8<-- [end:baselines]

# --8<-- [start:rule]
dt = t[1] - t[0]
rule = 2 * np.cos(dt) * sine[1:-1] - sine[:-2]  # the forecast of sine[2:]
print(f"2 cos(dt) = {2 * np.cos(dt):.6f}")
print(f"largest error {np.abs(rule - sine[2:]).max():.0e}")
print(f"one period is {2 * np.pi / dt:.1f} steps")
assert np.allclose(rule, sine[2:], rtol=0, atol=1e-12)
# --8<-- [end:rule]


# --8<-- [start:train]
def restart(model, seed):
    """Draw new random weights, empty the optimizer, keep what is compiled."""
    random.seed(seed)  # what Keras' initialisers draw their seeds from
    model.set_weights(keras.models.clone_model(model).get_weights())
    for variable in model.optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(keras.ops.zeros_like(variable))


def fit(model, x, y, batch_size, **options):
    """`model.fit`, but the dataset shuffles: faster. Returns the history."""
    pairs = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=0)
    options |= {"shuffle": False, "verbose": 0}
    pairs = pairs.batch(batch_size).prefetch(10)  # ahead, on another core
    return model.fit(pairs, **options).history


def train(model, parts, seed, epochs=15, batch_size=64):
    """Train from new weights, keep those of the best validation epoch."""
    restart(model, seed)
    stop = keras.callbacks.EarlyStopping(
        patience=5, restore_best_weights=True
    )
    validation = tf.data.Dataset.from_tensors(parts[1])  # one batch, faster
    options = {"validation_data": validation, "callbacks": [stop]}
    fit(model, *parts[0], batch_size, epochs=epochs, **options)


restart(model, seed=1)
assert model.optimizer.iterations == 0
assert rmse(model.get_weights()[0], sine_weights[0]) > 0.01  # new weights
model.set_weights(sine_weights)
# --8<-- [end:train]


# --8<-- [start:errors]
def lstm_error(model, parts, last=0):
    """RMSE on the last test targets; 0 means all: part[-0:] is the whole."""
    x, y = (part[-last:] for part in parts[2])
    return rmse(keras.ops.convert_to_numpy(model(x)), y)


def linear_error(parts, last=0):
    """The same for linear regression, fitted on the training part."""
    x, y = (part[-last:] for part in parts[2])
    return rmse(predict_linear(fit_linear(*parts[0]), x), y)


def spread(values, digits=3):
    """'smallest to largest' over the seeds."""
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


assert np.isclose(lstm_error(model, parts), scores["LSTM"], rtol=0.01)
# --8<-- [end:errors]


# --8<-- [start:free-run]
def free_run(predict_next, x, steps):
    """Windows (batch, timesteps, 1) -> forecasts (batch, steps)."""
    forecasts = []
    for _ in range(steps):
        forecasts.append(predict_next(x))  # (batch, 1)
        x = np.concatenate([x[:, 1:], forecasts[-1][:, None]], axis=1)
    return np.concatenate(forecasts, axis=1)


def horizon_error(forecasts, y):
    """Forecasts (starts, steps), targets (n, 1) -> RMSE (steps,)."""
    truth = sliding_window_view(y[:, 0], forecasts.shape[1])
    return np.sqrt(np.mean((forecasts - truth) ** 2, axis=0))


window = np.arange(10.0).reshape(1, 10, 1)  # 0 to 9
check = free_run(lambda x: x[:, -1] + 1, window, 3)  # "last value plus one"
assert np.array_equal(check, [[10, 11, 12]])
# --8<-- [end:free-run]

# --8<-- [start:seeds]
steps, starts = 100, 91  # 91 test windows are followed by 100 known values
x_start = x_test[:starts]
by_horizon = {"persistence": [], "LSTM": [], "linear": []}
one_step = []
for seed in SEEDS:
    if seed != SEEDS[0]:  # the first seed is trained already
        train(model, parts, seed)
    one_step.append(lstm_error(model, parts))
    forecasts = free_run(model.predict_on_batch, x_start, steps)
    by_horizon["LSTM"].append(horizon_error(forecasts, y_test))

forecasts = free_run(lambda x: predict_linear(linear, x), x_start, steps)
by_horizon["linear"].append(horizon_error(forecasts, y_test))
forecasts = np.repeat(x_start[:, -1], steps, axis=1)  # the last value, kept
by_horizon["persistence"].append(horizon_error(forecasts, y_test))
print("one step ahead, LSTM:", spread(one_step, digits=4))
assert max(one_step) < 0.02
# --8<-- [end:seeds]


# --8<-- [start:horizon]
def draw_by_horizon(by_horizon, digits):
    """Draw each error against the horizon; print four horizons."""
    print(f"{'RMSE at horizon':15}", *[f"{h:>13}" for h in (1, 10, 50, 100)])
    for number, (name, errors) in enumerate(by_horizon.items()):
        cells = []
        for h in (1, 10, 50, 100):
            cell = spread([error[h - 1] for error in errors], digits)
            several = cell.replace(" to ", "–")
            cells.append(several if errors[1:] else cell.split()[0])
        print(f"{name:15}", *[f"{cell:>13}" for cell in cells])
        style = {"color": f"C{(2 - number) % 4}", "alpha": 0.8}
        lines = plt.plot(range(1, steps + 1), np.transpose(errors), **style)
        lines[0].set_label(name)
    plt.xlabel("horizon (steps ahead)")
    plt.ylabel("RMSE")


plt.figure(figsize=(5.4, 3.4))
draw_by_horizon(by_horizon, digits=4)
plt.loglog()
legend_above(ncols=3)
plt.show()

repeated, exact = by_horizon["persistence"][0], by_horizon["linear"][0]
print(f"persistence, smallest: {repeated.min():.4f}", end="   ")
print(f"after {1 + repeated.argmin()} steps")
print(f"linear, largest of all: {exact.max():.0e}")
assert repeated.argmin() == 62  # nearly right after one period …
assert repeated[62] < 0.3 * repeated[0]  # … more so than one step ahead
at_63 = np.mean([error[62] for error in by_horizon["LSTM"]])
assert 0.2 < repeated[62] / at_63 < 5
assert exact.max() < 1e-9
for error in by_horizon["LSTM"]:
    assert error[49] > 1.5 * error[0]  # feeding back costs accuracy
# --8<-- [end:horizon]

# --8<-- [start:noisy]
noise = 0.1 * np.random.default_rng(0).normal(size=1000)
noisy = sine + noise  # (1000,)
noisy_parts = make_parts(noisy, timesteps)
x_noisy, y_noisy = noisy_parts[2]  # the test part

x_start = x_noisy[:starts]
noisy_horizon = {"persistence": [], "LSTM": [], "linear": []}
last = 150  # these test targets exist for windows of up to 50 values, too
noisy_one_step, on_last, seconds = [], [], []
for seed in SEEDS:
    start = perf_counter()
    train(model, noisy_parts, seed)
    noisy_one_step.append(lstm_error(model, noisy_parts))
    on_last.append(lstm_error(model, noisy_parts, last))  # for exercise 2
    seconds.append(perf_counter() - start)
    forecasts = free_run(model.predict_on_batch, x_start, steps)
    noisy_horizon["LSTM"].append(horizon_error(forecasts, y_noisy))

persistence, line = rmse(x_noisy[:, -1], y_noisy), linear_error(noisy_parts)
floor = rmse(sine[target_test, None], y_noisy)  # knowing the sine itself
print(f"persistence        {persistence:.3f}")
print(f"LSTM               {spread(noisy_one_step)}")
print(f"linear regression  {line:.3f}")
print(f"the sine itself    {floor:.3f}")

assert 0.9 < np.mean(noisy_one_step) / line < 1.2  # a tie
for error in (line, *noisy_one_step):
    assert floor < error < persistence
# --8<-- [end:noisy]

# --8<-- [start:noisy-horizon]
noisy_linear = fit_linear(*noisy_parts[0])
forecasts = free_run(
    lambda x: predict_linear(noisy_linear, x), x_start, steps
)
noisy_horizon["linear"].append(horizon_error(forecasts, y_noisy))
forecasts = np.repeat(x_start[:, -1], steps, axis=1)
noisy_horizon["persistence"].append(horizon_error(forecasts, y_noisy))

known = sliding_window_view(sine[target_test], steps)[:starts]
noisy_horizon["sine itself"] = [horizon_error(known, y_noisy)]

plt.figure(figsize=(5.4, 3.4))
draw_by_horizon(noisy_horizon, digits=3)
legend_above(ncols=4)
plt.show()

at_1 = [error[0] for error in noisy_horizon["LSTM"]]
at_50 = [error[49] for error in noisy_horizon["LSTM"]]
assert max(at_50) / min(at_50) > max(at_1) / min(at_1)  # seeds drift apart
assert np.mean(at_50) > noisy_horizon["linear"][0][49]
least = {}  # error after one whole period; of the LSTM, that of the best seed
for name, errors in noisy_horizon.items():
    least[name] = min(error[62] for error in errors)
assert least["persistence"] < min(least["LSTM"], least["linear"])
# --8<-- [end:noisy-horizon]


# --8<-- [start:build]
def build(units=50, dropout=0.0, l2=0.0):
    """A compiled model, (batch, timesteps, 1) -> (batch, 1)."""
    penalty = keras.regularizers.L2(l2)
    on = {"kernel_regularizer": penalty, "recurrent_regularizer": penalty}
    model = keras.Sequential(
        [
            keras.Input((None, 1)),  # any number of steps
            layers.LSTM(units, **on),
            layers.Dropout(dropout),
            layers.Dense(1),
        ]
    )
    adam = keras.optimizers.Adam(learning_rate=0.01)
    # Ten steps for each call from Python: a little faster, the same numbers.
    fast = {"steps_per_execution": 10}
    model.compile(optimizer=adam, loss="mse", metrics=["mse"], **fast)
    return model


base = build()
print(f"{base.count_params():,} parameters")
# --8<-- [end:build]

# --8<-- [start:overfit]
rough = sine + 3 * noise
few = make_windows(rough[500:600], timesteps)  # 90 windows
rough_val = make_windows(rough[600:800], timesteps)
rough_val = tf.data.Dataset.from_tensors(rough_val)

variants = {
    "nothing": base,
    "dropout 0.5": build(dropout=0.5),
    "L2 penalty": build(l2=0.01),
}
fixed = {"validation_data": rough_val, "epochs": 60}
overfit = {name: [] for name in variants}
for name, variant in variants.items():
    for seed in SEEDS[:2]:
        restart(variant, seed)
        overfit[name].append(fit(variant, *few, batch_size=18, **fixed))
# --8<-- [end:overfit]

# --8<-- [start:overfit-curves]
plt.figure(figsize=(5.4, 3.4))
print(f"{'RMSE':12}{'training':>15}{'validation':>15}{'at its best':>15}")
ends, bests = {}, {}
for number, (name, runs) in enumerate(overfit.items()):
    plt.subplot(1, 3, number + 1)
    curves = {}
    for colour, part in (("C0", "mse"), ("C1", "val_mse")):
        curves[part] = np.sqrt([run[part] for run in runs])  # (seeds, epochs)
        plt.plot(curves[part].T, color=colour, alpha=0.8)
    plt.ylim(0, 0.7)
    plt.title(name)
    plt.xlabel("epoch")
    end = curves["mse"][:, -5:].mean(axis=1)  # of the last five epochs
    ends[name] = curves["val_mse"][:, -5:].mean(axis=1)
    bests[name] = curves["val_mse"].min(axis=1)
    print(f"{name:12}", end="")
    for values in (end, ends[name], bests[name]):
        print(f"{spread(values, digits=2):>15}", end="")
    print()
plt.subplot(1, 3, 1)
plt.ylabel("RMSE")
for name, colour in (("training", "C0"), ("validation", "C1")):
    plt.plot([], color=colour, label=name)
plt.figlegend(loc="outside upper center", ncols=2)
plt.show()

ends = {name: values.mean() for name, values in ends.items()}
bests = {name: values.mean() for name, values in bests.items()}
assert ends["nothing"] > 1.05 * bests["nothing"]  # overfitted
assert max(ends["dropout 0.5"], ends["L2 penalty"]) < ends["nothing"]
assert bests["nothing"] < 1.05 * min(bests.values())  # stopping does as well
for run in overfit["L2 penalty"]:  # the loss includes the penalty
    assert np.subtract(run["val_loss"], run["val_mse"]).min() > 0
# --8<-- [end:overfit-curves]

# --8<-- [start:scaling]
level = 500 + 100 * noisy  # the noisy sine in other units
mean, scale = level[:600].mean(), level[:600].std()  # of the training part
raw_parts = make_parts(level, timesteps)
scaled_parts = make_parts((level - mean) / scale, timesteps)

raw, scaled = [], []
for seed in SEEDS[:2]:
    train(base, raw_parts, seed)
    raw.append(lstm_error(base, raw_parts))
    train(base, scaled_parts, seed)
    scaled.append(scale * lstm_error(base, scaled_parts))  # in the same units
print("LSTM, raw         ", spread(raw, digits=1))
print("LSTM, scaled      ", spread(scaled, digits=1))
print(f"linear, raw        {linear_error(raw_parts):.1f}")
assert min(raw) > 10 * max(scaled)
in_units = 100 * linear_error(noisy_parts)
assert np.isclose(linear_error(raw_parts), in_units)  # needs no scaling
# --8<-- [end:scaling]

# --8<-- [start:fitted-on]
(x, y), *_ = scaled_parts
train_values = np.append(x[0, :, 0], y[:, 0])  # the 600 training points
assert abs(train_values.mean()) < 1e-9
assert abs(train_values.std() - 1) < 1e-9

changed = np.concatenate([level[:800], 3 * level[800:]])  # another future
print("fitted on          mean, scale     mean, scale with another future")
for name, end in (("training part", 600), ("all data", 1000)):
    now, then = level[:end], changed[:end]
    print(f"{name:15} {now.mean():7.1f} {now.std():7.1f}", end="")
    print(f" {then.mean():7.1f} {then.std():7.1f}")
assert (mean, scale) == (changed[:600].mean(), changed[:600].std())
assert changed.std() > 2 * level.std()
# --8<-- [end:fitted-on]


# --8<-- [start:leak]
def error_after(limits):
    """RMSE of linear regression on windows scaled to their own limits."""
    scaled = []
    for x, y in noisy_parts:
        low, high = limits(x[:, :, 0], y)  # (n, 1) each
        x = (x[:, :, 0] - low) / (high - low)  # (n, timesteps)
        scaled.append((x[:, :, None], (y - low) / (high - low)))
    forecasts = predict_linear(fit_linear(*scaled[0]), scaled[2][0])
    return rmse(forecasts * (high - low) + low, y)  # of the test part


def of_window(x, y):
    """Smallest and largest value of each window, (n, 1) each."""
    return x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)


def with_target(x, y):
    """The same of window and target together: the leak."""
    return of_window(np.hstack([x, y]), y)


honest, leaking = error_after(of_window), error_after(with_target)
print(f"limits of the window        {honest:.3f}")
print(f"limits of window and target {leaking:.3f}")
assert 0.7 < leaking / honest < 0.8
assert leaking < 0.9 * linear_error(noisy_parts)
# --8<-- [end:leak]

# --8<-- [start:shuffled]
x_index, y_index = make_windows(np.arange(1000), timesteps)
order = np.random.default_rng(0).permutation(990)
seen = np.unique(x_index[order[:590]])  # points in the training windows
shared = np.isin(y_index[order[-190:]], seen).mean()
by_time = np.isin(target_test, index_parts[0][0]).mean()
print(f"shuffled, then split: {shared:.0%} of the test targets are inputs")
print(f"split by time:        {by_time:.0%}")
assert shared > 0.95
assert by_time == 0
# --8<-- [end:shuffled]

# --8<-- [start:lengths]
lengths = {}
for length in (3, 10, 30):
    length_parts = make_parts(noisy, length)
    assert np.array_equal(length_parts[2][1][-last:], y_noisy[-last:])
    results, start = [], perf_counter()
    for seed in SEEDS:
        train(base, length_parts, seed)
        results.append(lstm_error(base, length_parts, last))
    lengths[length] = results, (perf_counter() - start) / len(SEEDS)
# --8<-- [end:lengths]

# --8<-- [start:lengths-figure]
lines = {n: linear_error(make_parts(noisy, n), last) for n in range(2, 51)}

plt.figure(figsize=(5.4, 3.2))
plt.plot(lines.keys(), lines.values(), label="linear regression")
for length, (results, _) in lengths.items():
    dots = plt.plot([length] * len(results), results, "o", color="C1")
    print(f"{length:2} steps  LSTM {spread(results)}", end="")
    print(f"  linear {lines[length]:.3f}")
dots[0].set_label("LSTM, one seed each")
noise_error = rmse(sine[-last:, None], y_noisy[-last:])
plt.axhline(noise_error, color="C3", linestyle=":", label="noise")
plt.xlabel("sequence length (steps)")
plt.ylabel("RMSE")
legend_above(ncols=3)
plt.show()

assert min(lengths[3][0]) > max(lengths[10][0])
assert np.mean(lengths[10][0]) > np.mean(lengths[30][0]) > lines[30]
assert lines[3] > lines[10] > lines[30]
# --8<-- [end:lengths-figure]

# --8<-- [start:lag]
walk = np.cumsum(np.random.default_rng(0).normal(size=1000))  # pure chance
walk_parts = make_parts(walk, timesteps)
x_walk, y_walk = walk_parts[2]
persistence, line = rmse(x_walk[:, -1], y_walk), linear_error(walk_parts)
walk_forecast = predict_linear(fit_linear(*walk_parts[0]), x_walk)
copy = np.corrcoef(walk_forecast[:, 0], x_walk[:, -1, 0])[0, 1]
print(f"persistence {persistence:.3f}, linear regression {line:.3f}")
print(f"correlation of the forecast with the last value: {copy:.4f}")
assert line > 0.99 * persistence
assert copy > 0.999
# --8<-- [end:lag]

# --8<-- [start:keras-windows]
ten = np.arange(10)
for name, data in [("data[:-3]", ten[:-3]), ("all of data", ten)]:
    dataset = keras.utils.timeseries_dataset_from_array(
        data, ten[3:], sequence_length=3, batch_size=None
    )
    pairs = list(dataset.as_numpy_iterator())
    print(f"{name:12} {len(pairs)} windows, last:", *pairs[-1])
assert len(pairs) == 7
assert pairs[-1][1] == 9
# --8<-- [end:keras-windows]

# --8<-- [start:cosine-start]
cosine = np.cos(t)
cosine_parts = make_parts(cosine, timesteps)
x_cosine, y_cosine = cosine_parts[2]
print("cosine, test part:", x_cosine.shape, y_cosine.shape)
print(f"persistence {rmse(x_cosine[:, -1], y_cosine):.4f}")
print("LSTM        ?")
# --8<-- [end:cosine-start]

# --8<-- [start:cosine]
train(model, cosine_parts, SEEDS[0])
cosine_forecast = model.predict_on_batch(x_cosine)  # (190, 1)
of_cosine = rmse(cosine_forecast, y_cosine)
model.set_weights(sine_weights)  # the model of step 4 again
of_sine = lstm_error(model, cosine_parts)
line = rmse(predict_linear(linear, x_cosine), y_cosine)
print(f"trained on the cosine         {of_cosine:.4f}")
print(f"trained on the sine           {of_sine:.4f}")
print(f"linear regression of the sine {line:.0e}")

plt.figure(figsize=(5.4, 2.6))
plt.plot(t[800:], cosine[800:], label="cosine")
plt.plot(t[target_test], cosine_forecast, "--", label="LSTM, one step ahead")
plt.xlabel("time")
plt.ylabel("value")
legend_above(ncols=2)
plt.show()

rule = 2 * np.cos(dt) * cosine[1:-1] - cosine[:-2]
assert np.allclose(rule, cosine[2:], rtol=0, atol=1e-12)
assert max(of_cosine, of_sine) < 0.02
# --8<-- [end:cosine]

# --8<-- [start:tuning-start]
start = perf_counter()
train(base, noisy_parts, seed=SEEDS[0])
error = lstm_error(base, noisy_parts, last)
print(f"1 layer of 50 units, batch 64, 10 steps: RMSE {error:.3f}")
print("other settings, other seeds, linear regression, time: ?")
# --8<-- [end:tuning-start]

# --8<-- [start:tuning]
table = {
    "1 layer of 50": lengths[10],
    "3 steps": lengths[3],
    "30 steps": lengths[30],
    "2 layers": (on_last, np.mean(seconds)),  # of the fair setting
}
for name, variant, batch_size in [
    ("8 units", build(units=8), 64),
    ("batch 256", base, 256),
]:
    results, start = [], perf_counter()
    for seed in SEEDS:
        train(variant, noisy_parts, seed, batch_size=batch_size)
        results.append(lstm_error(variant, noisy_parts, last))
    table[name] = results, (perf_counter() - start) / len(SEEDS)
# --8<-- [end:tuning]

# --8<-- [start:tuning-table]
plt.figure(figsize=(5.4, 4))
print(f"{'setting':14} {'RMSE, LSTM':15} linear  seconds")
for row, (name, (results, took)) in enumerate(table.items()):
    line = lines[{"3 steps": 3, "30 steps": 30}.get(name, 10)]
    print(f"{name:14} {spread(results):15}  {line:.3f}   {took:.1f}")
    dots = plt.plot(results, [row] * len(results), "o", color="C1")
    bars = plt.plot(line, row, "|", color="C0", markersize=16)
    assert min(results) > line - 0.01  # no setting is far ahead of linear
dots[0].set_label("LSTM, one seed each")
bars[0].set_label("linear, same window")
plt.yticks(range(len(table)), table.keys())
plt.gca().invert_yaxis()
plt.xlabel("RMSE on the noisy sine")
legend_above(ncols=2)
plt.show()

means = {name: np.mean(results) for name, (results, _) in table.items()}
too_short = means.pop("3 steps") - means["1 layer of 50"]
del means["30 steps"]
for value in means.values():
    assert abs(value - means["1 layer of 50"]) < 0.3 * too_short
# --8<-- [end:tuning-table]

# --8<-- [start:counting-start]
counting = np.arange(1, 101)[:, None] + np.arange(11)  # (100, 11)
x_counting = counting[:, :10, None] / 110  # scaled to at most 1
y_counting = counting[:, 10:] / 110

far = np.array([[50], [100], [200], [1000]]) + np.arange(11)  # (4, 11)
x_far = far[:, :10, None] / 110
print("training, first and last:", counting[0], counting[-1], sep="\n")
print("then:", far[:, 9], "-> ?")
# --8<-- [end:counting-start]

# --8<-- [start:counting]
off = []
for seed in SEEDS:
    restart(base, seed)
    fit(base, x_counting, y_counting, batch_size=20, epochs=40)
    off.append(110 * base.predict_on_batch(x_far)[:, 0] - far[:, 10])
off = np.transpose(off)  # (4, seeds)
by_line = predict_linear(fit_linear(x_counting, y_counting), x_far)
off_line = np.abs(110 * by_line[:, 0] - far[:, 10])

print("first number   LSTM is off by     linear is off by")
for number, values, value in zip(far[:, 0], off, off_line):
    print(f"{number:12}   {spread(values, digits=1):17}  {value:.0e}")
kernel, bias = base.layers[-1].get_weights()  # of the output layer
largest = 110 * (np.abs(kernel).sum() + bias[0])
print(f"the last LSTM can never return more than {largest:.0f}")

huge = base.predict_on_batch(np.full((1, 10, 1), 1e6))
assert 110 * huge[0, 0] <= largest
assert np.abs(off[:2]).max() < 3  # inside the training range
assert off[2].max() < -8  # outside
assert off[3].max() < -400
assert off_line.max() < 1e-6
# --8<-- [end:counting]


# --8<-- [start:relative]
def relative(numbers):
    """(n, 11) -> windows (n, 10, 1), targets (n, 1), minus the last value."""
    difference = (numbers - numbers[:, 9:10]) / 10
    return difference[:, :10, None], difference[:, 10:]


first = np.random.default_rng(0).integers(1, 101, size=(200, 1))
step = np.repeat([1, 2, 3, 4, 5], 40)[:, None]  # (200, 1)
rising = first + step * np.arange(11)  # (200, 11)
tests = [(200, 1), (1000, 1), (1_000_000, 3), (200, 5), (200, 10), (200, 20)]
x_new, y_new = relative(np.array([a + b * np.arange(11) for a, b in tests]))
# --8<-- [end:relative]

# --8<-- [start:steps]
off = []
for seed in SEEDS:
    restart(base, seed)
    fit(base, *relative(rising), batch_size=40, epochs=30)
    off.append(10 * (base.predict_on_batch(x_new) - y_new)[:, 0])
off = np.transpose(off)  # (6, seeds)
by_line = predict_linear(fit_linear(*relative(rising)), x_new)
off_line = np.abs(10 * (by_line - y_new)[:, 0])

print("first number  step   LSTM is off by     linear is off by")
for (number, step), values, value in zip(tests, off, off_line):
    print(f"{number:12}  {step:4}   {spread(values, 2):17}  {value:.0e}")
assert np.abs(off[:4]).max() < 0.5  # any level
assert off[4].max() < -0.5  # but no step outside the training range
assert off[5].max() < -4
assert off_line.max() < 1e-6
# --8<-- [end:steps]
