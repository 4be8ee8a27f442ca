# --8<-- [start:imports]
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

SEEDS = (0, 1, 2)
NOISE = 0.4
# --8<-- [end:imports]


# --8<-- [start:task]
def make_series(number, seed):
    """number values; each is a curve of the one before, plus noise."""
    rng = np.random.default_rng(seed)
    values = [0.5]
    for noise in NOISE * rng.normal(size=number - 1):
        values.append(-np.sin(2 * values[-1]) + noise)
    return np.array(values, "float32")


def make_windows(series):
    """Windows (n, 4) and the values that follow them (n, 1)."""
    rows = np.lib.stride_tricks.sliding_window_view(series, 5)
    return rows[:, :4], rows[:, 4:]


def rmse(forecast, target):
    """Root mean squared error of two arrays (n, 1)."""
    assert forecast.shape == target.shape
    return float(np.sqrt(np.mean((forecast - target) ** 2)))


series = make_series(6000, seed=0)
x_train, y_train = make_windows(series[:1004])  # 1000 windows
x_val, y_val = make_windows(series[1004:3008])  # 2000 windows
x_test, y_test = make_windows(series[3008:])
print("training", x_train.shape, y_train.shape)
print("validation", x_val.shape, "test", x_test.shape)
# --8<-- [end:task]

# --8<-- [start:check]
inputs, targets = make_windows(np.arange(20))
assert np.array_equal(inputs[0], np.arange(4))
assert np.array_equal(targets[:, 0], inputs[:, -1] + 1)  # the next value
assert len(inputs) == 20 - 4
unexplained = y_train[:, 0] + np.sin(2 * x_train[:, -1])  # the noise
assert abs(unexplained.std() - NOISE) < 0.03
# --8<-- [end:check]


# --8<-- [start:baselines]
def linear(number):
    """Validation error of linear regression on that many windows."""
    ones = np.ones((number, 1))
    x = np.hstack([x_train[:number], ones])  # (number, 5)
    weights, *_ = np.linalg.lstsq(x, y_train[:number])
    return rmse(np.hstack([x_val, np.ones((len(x_val), 1))]) @ weights, y_val)


floor = rmse(-np.sin(2 * x_val[:, -1:]), y_val)
print(f"always the mean        {y_val.std():.3f}")
print(f"linear, 60 windows     {linear(60):.3f}")
print(f"linear, 1000 windows   {linear(1000):.3f}")
print(f"the rule itself        {floor:.3f}")
assert linear(1000) > 1.3 * floor
# --8<-- [end:baselines]


# --8<-- [start:build]
def build(units=128, dropout=0.0, weight_decay=None):
    """A compiled network, (batch, 4) -> (batch, 1)."""
    model = keras.Sequential([keras.Input((4,))])
    for _ in range(2):
        model.add(layers.Dense(units, activation="relu"))
        model.add(layers.Dropout(dropout))
    model.add(layers.Dense(1))
    adam = keras.optimizers.Adam(0.005, weight_decay=weight_decay)
    model.compile(adam, "mse")
    return model


def restart(model, seed):
    """Draw new random weights, empty the optimizer, keep what is compiled."""
    keras.utils.set_random_seed(seed)
    model.set_weights(keras.models.clone_model(model).get_weights())
    for variable in model.optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(keras.ops.zeros_like(variable))


def train(model, seed, number=60, epochs=40, patience=None):
    """Train on the first windows; return the history of the epochs."""
    restart(model, seed)
    callbacks = []
    if patience is not None:
        stop = keras.callbacks.EarlyStopping(
            patience=patience, restore_best_weights=True
        )
        callbacks = [stop]
    return model.fit(
        x_train[:number],
        y_train[:number],
        validation_data=tf.data.Dataset.from_tensors((x_val, y_val)),
        batch_size=5,
        epochs=epochs,
        callbacks=callbacks,
        verbose=0,
    ).history


def error(model, x, y):
    """RMSE of a model, with dropout off."""
    return rmse(np.asarray(model(x)), y)


print(f"{build().count_params():,} parameters")
# --8<-- [end:build]

# --8<-- [start:curves]
model = build()
runs, weights = [], []
for seed in SEEDS:
    runs.append(train(model, seed))
    weights.append(model.get_weights())
seen = np.sqrt([run["loss"] for run in runs])  # (seeds, epochs)
unseen = np.sqrt([run["val_loss"] for run in runs])
best, turning = unseen.argmin(axis=1), unseen.min(axis=1)

print("        training     validation")
print("seed    at the end   at its best (epoch)   at the end")
for row, seed in enumerate(SEEDS):
    print(f"{seed:4} {seen[row, -1]:13.3f}", end="")
    print(f" {turning[row]:13.3f} ({best[row] + 1:3})", end="")
    print(f" {unseen[row, -1]:15.3f}")
assert (seen[:, -1] < floor).all()  # less error than the rule itself …
assert (unseen[:, -1] > 1.02 * turning).all()  # … and worse
# --8<-- [end:curves]

# --8<-- [start:figure]
plt.figure(figsize=(4.8, 3.8))
epochs = np.arange(1, 41)
plt.plot(epochs, seen.T, color="C0", alpha=0.8)
plt.plot(epochs, unseen.T, color="C1", alpha=0.8)
plt.plot([], color="C0", label="training")
plt.plot([], color="C1", label="validation")
plt.plot(best + 1, turning, "o", color="C1", label="best epoch")
plt.axhline(linear(60), linestyle="--", color="C3", label="linear")
plt.axhline(floor, linestyle=":", color="C2", label="the rule itself")
plt.xlabel("epoch")
plt.ylabel("RMSE")
plt.ylim(0.15, 0.75)
plt.figlegend(loc="outside upper center", ncols=2, fontsize=12)
plt.show()
# --8<-- [end:figure]


# --8<-- [start:capacity]
def update(model, seed, x, y, updates=400):
    """Train for a number of updates, in batches of ten."""
    restart(model, seed)
    batches = tf.data.Dataset.from_tensor_slices((x, y))
    batches = batches.shuffle(len(x), seed=seed).repeat().batch(10)
    model.fit(batches, steps_per_epoch=updates, shuffle=False, verbose=0)


numbers, sizes = (60, 200, 1000), (2, 16, 128)
table = np.zeros((3, 3, len(SEEDS), 2))
for row, units in enumerate(sizes):
    model = build(units)
    for column, size in enumerate(numbers):
        x, y = x_train[:size], y_train[:size]
        for number, seed in enumerate(SEEDS):
            update(model, seed, x, y)
            errors = error(model, x, y), error(model, x_val, y_val)
            table[row, column, number] = errors
# --8<-- [end:capacity]

# --8<-- [start:table]
print("RMSE, training and validation, mean of three seeds")
print("units  parameters", *(f"{n:6} windows" for n in numbers))
for row, units in enumerate(sizes):
    print(f"{units:5} {build(units).count_params():11,}", end="")
    for seen, unseen in table[row].mean(axis=1):
        print(f"   {seen:.3f}  {unseen:.3f}", end="")
    print()
print("linear           ", *(f"{linear(n):14.3f}" for n in numbers))

gap = (table[..., 1] - table[..., 0]).mean(axis=2)  # (sizes, numbers)
assert gap[2, 0] > 2 * gap[0, 0]  # more units, more overfitting
assert gap[2, 0] > gap[2, 1] > gap[2, 2]  # more data, less of it
assert gap[2, 0] > 5 * gap[2, 2]
validation = table[..., 1].mean(axis=2)
assert validation[2, 2] < validation[2, 0] - 0.03  # more data, less error
assert validation[2, 2] < 0.9 * validation[0, 2]  # 2 units are too few
# --8<-- [end:table]

# --8<-- [start:dropout-rule]
keras.utils.set_random_seed(0)
ones = np.ones((1, 10_000), "float32")
dropout = layers.Dropout(0.3)
dropped = np.asarray(dropout(ones, training=True))
print("in training:", np.unique(dropped).round(3))
print(f"set to zero: {np.mean(dropped == 0):.0%}, mean: {dropped.mean():.2f}")
print("afterwards: ", np.unique(np.asarray(dropout(ones))))
assert np.allclose(np.unique(dropped), [0, 1 / 0.7])
assert 0.27 < np.mean(dropped == 0) < 0.33
assert np.array_equal(dropout(ones), ones)
# --8<-- [end:dropout-rule]

# --8<-- [start:decay-rule]
weight = keras.Variable([1.0, -2.0])
adam = keras.optimizers.Adam(0.01, weight_decay=0.5)
for _ in range(3):
    adam.apply([np.zeros(2, "float32")], [weight])  # no gradient at all
    print(np.asarray(weight).round(5))
assert np.allclose(weight, np.array([1, -2]) * (1 - 0.01 * 0.5) ** 3)
# --8<-- [end:decay-rule]

# --8<-- [start:cures]
cures = {  # name: (arguments of build, arguments of train)
    "dropout 0.3": ({"dropout": 0.3}, {}),
    "weight decay 1": ({"weight_decay": 1.0}, {}),
    "early stopping": ({}, {"patience": 5}),
    "1000 windows": ({}, {"number": 1000, "epochs": 3}),
}


def all_errors(model, number=60):
    """RMSE on the windows it was trained on, validation and test part."""
    parts = (x_train[:number], y_train[:number]), (x_val, y_val)
    return [error(model, x, y) for x, y in (*parts, (x_test, y_test))]


results, lowest, lengths = (
    {"nothing": []},
    {"nothing": turning},
    {},
)
for kept in weights:  # trained above
    model.set_weights(kept)
    results["nothing"].append(all_errors(model))

for name, (of_build, of_train) in cures.items():
    model = build(**of_build)
    number = of_train.get("number", 60)
    results[name], lowest[name], lengths[name] = [], [], []
    for seed in SEEDS:
        history = train(model, seed, **of_train)
        results[name].append(all_errors(model, number))
        lowest[name].append(min(history["val_loss"]) ** 0.5)
        lengths[name].append(len(history["loss"]))
# --8<-- [end:cures]

# --8<-- [start:compare]
print("RMSE               seen  validation (best to worst)", end="")
print("  lowest  test")
means = {}
for name in results:
    columns = np.transpose(results[name])  # (3, seeds)
    means[name] = seen, unseen, unknown = columns.mean(axis=1)
    spread = f"({columns[1].min():.3f} to {columns[1].max():.3f})"
    print(f"{name:15} {seen:8.3f}  {unseen:.3f} {spread}", end="")
    print(f"      {np.mean(lowest[name]):.3f}   {unknown:.3f}")
print("early stopping ended after", lengths["early stopping"], "epochs")
gaps = {name: row[1] - row[0] for name, row in means.items()}
for name in cures:
    assert gaps[name] < gaps["nothing"]  # each closes a part of the gap
    assert means[name][0] > means["nothing"][0]  # at a price
    assert means[name][2] < means["nothing"][2]  # and helps on the test
for name in ("nothing", "dropout 0.3", "weight decay 1", "early stopping"):
    assert gaps["1000 windows"] < 0.5 * gaps[name]
for name in ("dropout 0.3", "weight decay 1"):  # lower, not only flatter
    assert np.mean(lowest[name]) < np.mean(lowest["nothing"]) - 0.01
assert max(lengths["early stopping"]) < 40
assert lengths["early stopping"][1] < best[1] + 1  # before its best epoch
# --8<-- [end:compare]

# --8<-- [start:starter-noise]
y_mixed = np.roll(y_train[:60], 30, axis=0)  # the target of another window
assert (y_mixed != y_train[:60]).all()
guess = rmse(np.full_like(y_mixed, y_mixed.mean()), y_mixed)
print(f"always the mean: {guess:.3f}")
# --8<-- [end:starter-noise]

# --8<-- [start:solution-noise]
model = build()
for seed in SEEDS:
    update(model, seed, x_train[:60], y_mixed)
    learnt = error(model, x_train[:60], y_mixed)
    unseen = error(model, x_val, y_val)
    print(f"seed {seed}: training {learnt:.3f}   validation {unseen:.3f}")
    assert learnt < 0.75 * guess
    assert unseen > y_val.std()
# --8<-- [end:solution-noise]

# --8<-- [start:starter-decay]
for rate in (0.1, 1.0, 10.0):
    kept = (1 - 0.005 * rate) ** 400
    print(f"weight decay {rate:4}: alone, it leaves {kept:.3f} of a weight")
# --8<-- [end:starter-decay]

# --8<-- [start:solution-decay]
means = {}
print("weight decay   training   validation")
for rate in (0.1, 1.0, 10.0):
    model = build(weight_decay=rate)
    rows = []
    for seed in SEEDS:
        update(model, seed, x_train[:60], y_train[:60])
        rows.append(all_errors(model)[:2])
    means[rate] = seen, unseen = np.mean(rows, axis=0)
    print(f"{rate:12} {seen:10.3f} {unseen:12.3f}")
assert means[0.1][1] > means[1.0][1] + 0.05  # overfits nearly as before:
without = table[2, 0].mean(axis=0)  # 128 units, 60 windows, no decay
assert means[0.1][1] - means[0.1][0] > 0.7 * (without[1] - without[0])
assert means[0.1][0] < means[1.0][0] < means[10.0][0]
assert means[10.0][1] > means[1.0][1] + 0.03  # underfitting
# --8<-- [end:solution-decay]
