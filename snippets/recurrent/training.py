# --8<-- [start:imports]
import random
from time import perf_counter

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

SEEDS = (0, 1, 2)
# --8<-- [end:imports]


# --8<-- [start:task]
def sines(number, seed, noise=0.1):
    """Noisy sines (number, 41), each with its own period and phase."""
    rng = np.random.default_rng(seed)
    period = rng.uniform(5, 30, (number, 1))  # in steps
    phase = rng.uniform(0, 2 * np.pi, (number, 1))
    clean = np.sin(2 * np.pi * np.arange(41) / period + phase)
    noisy = clean + noise * rng.normal(size=clean.shape)
    return noisy.astype("float32"), period


def windows(series, steps):
    """The last values (n, steps, 1) before the target (n, 1)."""
    return series[:, -steps - 1 : -1, None], series[:, -1:]


train_series, train_period = sines(1000, seed=1)
val_series, _ = sines(1000, seed=2)
test_series, _ = sines(2000, seed=3)
x, y = windows(train_series, steps=10)
print("inputs", x.shape, "targets", y.shape)
# --8<-- [end:task]

# --8<-- [start:check]
counted = np.arange(41)[None]  # a series that shows its own indices
for steps in (5, 10, 20, 40):
    inputs, target = windows(counted, steps)
    assert inputs.shape == (1, steps, 1)
    assert target[0, 0] == 40  # the same target for each length …
    assert inputs[0, -1, 0] == 39  # … and it follows the window

clean, period = sines(100, seed=4, noise=0)
rule = 2 * np.cos(2 * np.pi / period[:, 0]) * clean[:, -2] - clean[:, -3]
assert abs(rule - clean[:, -1]).max() < 1e-5  # two values are enough …
factor = 2 * np.cos(2 * np.pi / np.array([5, 30]))
print("factor of the last value, period 5 and 30:", factor.round(2))
assert factor[1] > 2 * factor[0]  # … if you know the period
# --8<-- [end:check]


# --8<-- [start:baselines]
def rmse(forecast, target):
    """Root mean squared error of two arrays (n, 1)."""
    assert forecast.shape == target.shape
    return float(np.sqrt(np.mean((forecast - target) ** 2)))


def linear(series, steps):
    """Forecasts (n, 1) by least squares, fitted to the training part."""

    def table(x):
        return np.pad(x[..., 0], ((0, 0), (0, 1)), constant_values=1)

    x_train, y_train = windows(train_series, steps)
    weights, *_ = np.linalg.lstsq(table(x_train), y_train)  # (steps + 1, 1)
    return table(windows(series, steps)[0]) @ weights


# --8<-- [end:baselines]


# --8<-- [start:informed]
def informed(series, steps, noise=0.1):
    """Forecasts (n, 1) of one who knows how the sines were made."""
    period, phase = np.meshgrid(
        np.linspace(5, 30, 500, dtype="float32"),
        np.linspace(0, 2 * np.pi, 80, endpoint=False, dtype="float32"),
    )
    t = np.arange(-steps, 1, dtype="float32")[:, None]  # 0 is the target
    curves = np.sin(2 * np.pi * t / period.ravel() + phase.ravel())
    past, future = curves[:-1], curves[-1:]  # (steps, 40000), (1, 40000)

    forecasts = []
    for x in np.array_split(windows(series, steps)[0][..., 0], 20):
        fit = (x @ past - (past**2).sum(axis=0) / 2) / noise**2
        weight = np.exp(fit - fit.max(axis=1, keepdims=True))
        forecasts.append(weight @ future.T / weight.sum(axis=1)[:, None])
    return np.concatenate(forecasts)


# --8<-- [end:informed]

# --8<-- [start:rows]
y_val = val_series[:, -1:]
print(f"repeat the last value     {rmse(val_series[:, -2:-1], y_val):.3f}")
line, best = {}, {}
for steps in (5, 10, 20, 40):
    line[steps] = rmse(linear(val_series, steps), y_val)
    best[steps] = rmse(informed(val_series, steps), y_val)
    print(f"{steps:2} steps: linear {line[steps]:.3f}", end="")
    print(f"   informed {best[steps]:.3f}")
assert line[40] > 1.8 * best[40]  # a weighted sum is not enough
assert line[5] > line[10] > line[20]
assert best[5] > best[10] > best[20]
assert line[20] - line[40] < line[10] - line[20]  # longer pays less
assert best[20] - best[40] < best[10] - best[20]
# --8<-- [end:rows]


# --8<-- [start:build]
def build(
    units=32,
    num_layers=1,
    dropout=0.0,
    input_dropout=0.0,
    recurrent_dropout=0.0,
    norm=False,
):
    """An untrained model, (batch, timesteps, 1) -> (batch, 1)."""
    model = keras.Sequential([keras.Input((None, 1))])
    for number in range(num_layers):
        lstm = layers.LSTM(
            units,
            dropout=input_dropout,
            recurrent_dropout=recurrent_dropout,
            return_sequences=number < num_layers - 1,
        )
        model.add(lstm)
    if norm:
        model.add(layers.LayerNormalization())
    model.add(layers.Dropout(dropout))
    model.add(layers.Dense(1))
    return model


def restart(model, seed):
    """Draw new random weights, empty the optimizer, keep what is compiled."""
    random.seed(seed)  # what Keras' initialisers draw their seeds from
    model.set_weights(keras.models.clone_model(model).get_weights())
    for variable in model.optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(keras.ops.zeros_like(variable))


model = build()
model.compile("adam", "mse")
starts = []
for seed in (0, 0, 1):
    restart(model, seed)
    starts.append(model.get_weights()[0])
assert (starts[0] == starts[1]).all()  # the seed alone decides …
assert (starts[0] != starts[2]).any()  # … and another one differs
print(f"{model.count_params():,} parameters")
# --8<-- [end:build]


# --8<-- [start:train]
def train(
    seeds=SEEDS,
    steps=10,
    epochs=20,
    batch_size=64,
    learning_rate=0.01,
    decay=False,
    weight_decay=None,
    clip=None,
    patience=None,
    series=train_series,
    **architecture,
):
    """Train once for each seed: models' weights, errors, seconds, size."""
    x, y = windows(series, steps)
    x_val, _ = windows(val_series, steps)
    if decay:
        updates = epochs * int(np.ceil(len(x) / batch_size))
        schedule = keras.optimizers.schedules.CosineDecay
        learning_rate = schedule(learning_rate, updates)
    model = build(**architecture)
    adam = keras.optimizers.Adam(
        learning_rate, weight_decay=weight_decay, global_clipnorm=clip
    )
    # Python is asked after 16 batches: the same numbers, a little sooner.
    model.compile(adam, "mse", steps_per_execution=16)
    callbacks, validation = [], None
    if patience is not None:
        stop = keras.callbacks.EarlyStopping(
            patience=patience, restore_best_weights=True
        )
        callbacks = [stop]
        validation = tf.data.Dataset.from_tensors((x_val, y_val))

    run = {"weights": [], "errors": [], "epochs": []}
    data = tf.data.Dataset.from_tensor_slices((x, y))
    start = perf_counter()
    for seed in seeds:
        restart(model, seed)
        history = model.fit(
            data.shuffle(len(x), seed).batch(batch_size).prefetch(16),
            shuffle=False,  # the dataset does, on another core
            epochs=epochs,
            validation_data=validation,
            callbacks=callbacks,
            verbose=0,
        )
        run["weights"].append(model.get_weights())
        run["errors"].append(rmse(np.asarray(model(x_val)), y_val))
        run["epochs"].append(len(history.epoch))
    run["seconds"] = (perf_counter() - start) / len(seeds)
    run["parameters"] = model.count_params()
    run["steps"] = steps
    run["model"] = model
    return run


# --8<-- [end:train]


# --8<-- [start:base]
def report(name):
    """Print one row: parameters, seconds, error and its spread."""
    run = runs[name]
    errors = run["errors"]
    print(f"{name:17} {run['parameters']:6,} {run['seconds']:6.1f}", end="")
    print(f"  {np.mean(errors):.3f} ({min(errors):.3f} to ", end="")
    print(f"{max(errors):.3f})  {line[run['steps']]:.3f}", end="")
    print(f"   {best[run['steps']]:.3f}")


def header():
    """Print the names of the columns."""
    print("setting           params   sec.  RMSE (best to worst)", end="")
    print("    linear informed")


def mean(name):
    """Mean error of a setting over its seeds."""
    return np.mean(runs[name]["errors"])


runs = {"base": train(seeds=range(6))}
header()
report("base")
base, base_range = mean("base"), np.ptp(runs["base"]["errors"])
assert best[10] < base < 0.8 * line[10]
# --8<-- [end:base]


# --8<-- [start:length]
def compare(settings):
    """Train each setting and print its row, after that of the base."""
    header()
    report("base")
    for name, setting in settings.items():
        runs[name] = train(**setting)
        report(name)


compare(
    {
        "5 steps": {"steps": 5},
        "20 steps": {"steps": 20},
        "40 steps": {"steps": 40},
    }
)
assert mean("5 steps") > base + base_range
assert mean("20 steps") < base - base_range
assert mean("40 steps") > mean("20 steps") - 0.015
# --8<-- [end:length]

# --8<-- [start:capacity]
compare(
    {
        "8 units": {"units": 8},
        "128 units": {"units": 128},
        "2 layers": {"num_layers": 2},
        "layer norm": {"norm": True},
    }
)
assert runs["128 units"]["parameters"] > 15 * runs["base"]["parameters"]
assert mean("8 units") > base + 0.01
assert mean("layer norm") > base
assert np.ptp(runs["layer norm"]["errors"]) > base_range
for name in ("128 units", "2 layers"):
    assert abs(mean(name) - base) < 0.02
# --8<-- [end:capacity]

# --8<-- [start:speed]
compare(
    {
        "rate 0.001": {"learning_rate": 0.001},
        "rate 0.1": {"learning_rate": 0.1},
        "cosine decay": {"decay": True},
        "clipping": {"clip": 1.0},
        "batch 256": {"batch_size": 256},
    }
)
assert mean("rate 0.001") > max(base + 0.05, line[10])
assert mean("batch 256") > base + 0.03
assert mean("cosine decay") > base + 0.01
for name in ("clipping", "rate 0.1"):
    assert abs(mean(name) - base) < 0.03
# --8<-- [end:speed]

# --8<-- [start:updates]
runs["batch 16, 5"] = train(batch_size=16, epochs=5)
runs["batch 256, 80"] = train(batch_size=256, epochs=80)
rows = [  # (name, batch size, epochs)
    ("batch 16, 5", 16, 5),
    ("base", 64, 20),
    ("batch 256", 256, 20),
    ("batch 256, 80", 256, 80),
]
print("batch  epochs  updates  seconds  RMSE (best to worst)")
for name, batch_size, epochs in rows:
    updates = epochs * int(np.ceil(1000 / batch_size))
    errors, seconds = runs[name]["errors"], runs[name]["seconds"]
    print(f"{batch_size:5} {epochs:7} {updates:8} {seconds:8.1f}", end="")
    print(f"  {np.mean(errors):.3f} ({min(errors):.3f} to {max(errors):.3f})")
assert mean("batch 256, 80") < base < mean("batch 256") - 0.03
assert mean("batch 16, 5") > base + 0.01
# --8<-- [end:updates]

# --8<-- [start:regular]
compare(
    {
        "dropout": {"dropout": 0.3},
        "recurrent dropout": {"recurrent_dropout": 0.3},
        "input dropout": {"input_dropout": 0.3},
        "weight decay": {"weight_decay": 0.1},
        "early stopping": {"patience": 5, "epochs": 45},
    }
)
print("epochs until it stopped:", runs["early stopping"]["epochs"])
x, y = windows(train_series, steps=10)
seen = []
for weights in runs["base"]["weights"]:
    runs["base"]["model"].set_weights(weights)
    seen.append(rmse(np.asarray(runs["base"]["model"](x)), y))
print(f"base, training part: {np.mean(seen):.3f}")
assert np.mean(seen) > 0.85 * base  # little overfitting
assert min(runs["input dropout"]["errors"]) > base + 0.04
assert abs(mean("input dropout") - line[10]) < 0.03
assert mean("recurrent dropout") > base
assert mean("early stopping") < base - 0.004
assert min(runs["early stopping"]["epochs"]) > 20
for name in ("dropout", "weight decay"):
    assert abs(mean(name) - base) < 0.03
# --8<-- [end:regular]

# --8<-- [start:effects]
shown = [name for name in runs if "," not in name]
low, high = min(runs["base"]["errors"]), max(runs["base"]["errors"])
plt.figure(figsize=(5.2, 6.4))
plt.axvspan(low, high, alpha=0.2, label="range of the base")
for row, name in enumerate(shown):
    errors, steps = runs[name]["errors"], runs[name]["steps"]
    rows = [row] * len(errors)
    dots = plt.plot(errors, rows, "o", color="C1", alpha=0.7)
    bars = plt.plot(line[steps], row, "|", color="C0", markersize=13)
    ends = plt.plot(best[steps], row, "|", color="C2", markersize=13)
dots[0].set_label("LSTM, one seed each")
bars[0].set_label("linear, same window")
ends[0].set_label("informed, same window")
plt.yticks(range(len(shown)), shown)
plt.gca().invert_yaxis()
plt.xlabel("RMSE, validation part")
plt.figlegend(loc="outside upper center", ncols=2)
plt.show()

sides = {"better": [], "worse": [], "in the range or across its edge": []}
for name in shown[1:]:
    errors = runs[name]["errors"]
    if max(errors) < low:
        sides["better"].append(name)
    elif min(errors) > high:
        sides["worse"].append(name)
    else:
        sides["in the range or across its edge"].append(name)
for side, names in sides.items():
    print(f"{side}:")
    for start in range(0, len(names), 4):
        print("  ", ", ".join(names[start : start + 4]))
assert {"20 steps", "40 steps"} <= set(sides["better"])
far = {"5 steps", "rate 0.001", "batch 256", "input dropout"}
assert far <= set(sides["worse"])
assert "rate 0.001" in sorted(shown, key=mean)[-2:]
# --8<-- [end:effects]

# --8<-- [start:again]
runs["rate 0.1, again"] = train(seeds=(3, 4, 5), learning_rate=0.1)
header()
for name in ("base", "rate 0.1", "rate 0.1, again"):
    report(name)
assert mean("rate 0.1") < base + 0.005
assert abs(mean("rate 0.1, again") - base) < 0.02
# --8<-- [end:again]

# --8<-- [start:losses]
model = build(dropout=0.3)
adam = keras.optimizers.Adam(0.01)
model.compile(adam, "mse", steps_per_execution=16)
x, y = windows(train_series, steps=20)
x_val, _ = windows(val_series, steps=20)
losses = {epoch: [] for epoch in (1, 2, 5, 20)}
for seed in SEEDS:
    keras.utils.set_random_seed(seed)  # here fit shuffles
    restart(model, seed)
    done = 0
    for epoch in losses:
        new = {"epochs": epoch - done, "batch_size": 64, "verbose": 0}
        history, done = model.fit(x, y, **new).history, epoch
        dropped = np.asarray(model(x, training=True))
        kept, unseen = np.asarray(model(x)), np.asarray(model(x_val))
        row = [history["loss"][-1], rmse(dropped, y) ** 2]
        row += [rmse(kept, y) ** 2, rmse(unseen, y_val) ** 2]
        losses[epoch].append(row)

print("       training part                             validation")
print("epoch  as reported  at its end  dropout off      dropout off")
for epoch, rows in losses.items():
    values = np.mean(rows, axis=0)  # over the seeds
    print(f"{epoch:5}", *(f"{value:12.4f}" for value in values[:3]), end="")
    print(f" {values[3]:16.4f}")
reported, at_end, off, unseen = np.mean(losses[1], axis=0)
assert reported > 1.2 * at_end  # the epoch's mean is old news …
assert reported - at_end > 0.6 * (reported - unseen) > 0  # … most of the gap
reported, at_end, off, unseen = np.mean(losses[20], axis=0)
assert at_end > 1.2 * off  # dropout makes training harder …
assert at_end - off > reported - unseen > 0  # … more than all of the gap
assert unseen > off
# --8<-- [end:losses]


# --8<-- [start:watch]
class Watched(keras.Sequential):
    """A model that writes down which inputs it gets."""

    def train_step(self, data):
        trained_on.append(data[0].numpy().ravel().astype(int).tolist())
        return super().train_step(data)

    def test_step(self, data):
        validated_on.append(data[0].numpy().ravel().astype(int).tolist())
        return super().test_step(data)


keras.utils.set_random_seed(0)
ten = np.arange(10.0)[:, None]  # ten examples with the numbers 0 to 9
for shuffle in (True, False):
    trained_on, validated_on = [], []
    watched = Watched([keras.Input((1,)), layers.Dense(1)])
    watched.compile("sgd", "mse", run_eagerly=True)
    fixed = {"epochs": 2, "batch_size": 4, "verbose": 0}
    watched.fit(ten, ten, validation_split=0.3, shuffle=shuffle, **fixed)
    print(f"shuffle={shuffle}: trained on", *trained_on)
    print(f"{'':13}  validated on", *validated_on)
    first_epoch = trained_on[0] + trained_on[1]
    assert sorted(first_epoch) == list(range(7))
    assert validated_on == [[7, 8, 9]] * 2
    assert (first_epoch == list(range(7))) != shuffle
    assert trained_on[:2] == trained_on[2:]  # a seed is set: the same order

seven = tf.data.Dataset.from_tensor_slices((ten[:7], ten[:7])).shuffle(7)
trained_on = []
watched.fit(seven.batch(4), epochs=2, shuffle=False, verbose=0)
print("tf.data:       trained on", *trained_on)
assert sorted(trained_on[0] + trained_on[1]) == list(range(7))
assert trained_on[:2] != trained_on[2:]
# --8<-- [end:watch]

# --8<-- [start:sorted]
by_period = np.argsort(train_period[:, 0])
last = train_period[by_period[-200:]]
print(f"the last 200 periods: {last.min():.0f} to {last.max():.0f} steps")
assert last.min() > 20

x, y = (part[by_period] for part in windows(train_series, steps=10))
x_val, _ = windows(val_series, steps=10)
model = runs["base"]["model"]
errors = []
for seed in SEEDS:
    restart(model, seed)
    model.fit(x, y, shuffle=False, epochs=20, batch_size=64, verbose=0)
    errors.append(rmse(np.asarray(model(x_val)), y_val))
print(f"sorted, shuffle=False   {min(errors):.3f} to {max(errors):.3f}")
print(f"base                    {low:.3f} to {high:.3f}")
assert min(errors) > high + 3 * base_range
# --8<-- [end:sorted]

# --8<-- [start:recipe]
recipe = {"steps": 20, "learning_rate": 0.02, "decay": True, "epochs": 40}
runs["recipe"] = train(**recipe)
runs["no decay"] = train(steps=20, epochs=40)


def test_errors(name):
    """Errors of the trained models of a setting on the test part."""
    run = runs[name]
    x_test, y_test = windows(test_series, run["steps"])
    errors = []
    for weights in run["weights"]:
        run["model"].set_weights(weights)
        errors.append(rmse(np.asarray(run["model"](x_test)), y_test))
    return errors


y_test = test_series[:, -1:]
print("test part               seconds  RMSE (best to worst)")
tested = {}
for name in ("base", "20 steps", "no decay", "recipe"):
    tested[name] = errors = test_errors(name)
    print(f"{name:23} {runs[name]['seconds']:7.1f}", end="")
    print(f"  {np.mean(errors):.3f} ({min(errors):.3f} to {max(errors):.3f})")
of_line = rmse(linear(test_series, 20), y_test)
of_best = rmse(informed(test_series, 20), y_test)
print(f"linear, 20 steps                 {of_line:.3f}")
print(f"informed, 20 steps               {of_best:.3f}")
assert max(tested["recipe"]) < min(tested["base"]) - 0.01
assert max(tested["recipe"]) < min(tested["20 steps"])
assert np.mean(tested["recipe"]) < np.mean(tested["no decay"])
mean_of = {name: np.mean(errors) for name, errors in tested.items()}
spread_of = {name: np.ptp(errors) for name, errors in tested.items()}
assert spread_of.pop("recipe") < min(spread_of.values())
gained = mean_of["base"] - mean_of["recipe"]
assert gained > 0.5 * (mean_of["base"] - of_best)
by_window = mean_of["base"] - mean_of["20 steps"]
by_rate = mean_of["no decay"] - mean_of["recipe"]
assert min(by_window, by_rate) > 0.1 * gained  # both have a part in it
for name in ("128 units", "2 layers", "dropout", "clipping"):
    assert mean("recipe") < mean(name) - 0.01
assert 1.03 * of_best < np.mean(tested["recipe"]) < 0.6 * of_line
# --8<-- [end:recipe]

# --8<-- [start:restored]
x, y = windows(train_series, steps=10)
x_val, _ = windows(val_series, steps=10)
stop = keras.callbacks.EarlyStopping(patience=9, restore_best_weights=True)
model = runs["base"]["model"]
restart(model, seed=0)
history = model.fit(
    x,
    -y,  # wrong targets: the error on the true ones soon rises
    validation_data=(x_val, y_val),
    epochs=4,
    callbacks=[stop],
    verbose=0,
).history
print("val_loss:", np.round(history["val_loss"], 3))
kept = rmse(np.asarray(model(x_val)), y_val) ** 2
print(f"of the weights that are left: {kept:.3f}")
assert len(history["val_loss"]) == 4  # it was never stopped …
assert abs(kept - min(history["val_loss"])) < 1e-4  # … and yet restored
assert history["val_loss"][-1] > 1.02 * kept
# --8<-- [end:restored]

# --8<-- [start:starter-data]
many_series, _ = sines(4000, seed=5)
print("as many updates as the base, four times the data:")
print(f"base           {base:.3f}")
print("4000 sines, ? epochs: ?")
# --8<-- [end:starter-data]

# --8<-- [start:solution-data]
runs["4000 sines"] = train(series=many_series, epochs=5)
header()
for name in ("base", "4000 sines", "128 units"):
    report(name)
assert abs(mean("4000 sines") - base) < 0.03
# --8<-- [end:solution-data]

# --8<-- [start:starter-clip]
model = build()
model.compile(keras.optimizers.Adam(0.01), "mse")
x, y = windows(train_series, steps=10)
with tf.GradientTape() as tape:
    loss = tf.reduce_mean((model(x[:64]) - y[:64]) ** 2)
gradients = tape.gradient(loss, model.trainable_variables)
print("arrays of gradients:", len(gradients))
# --8<-- [end:starter-clip]

# --8<-- [start:solution-clip]
norms = np.zeros((len(SEEDS), 320))
for number, seed in enumerate(SEEDS):
    restart(model, seed)
    rng = np.random.default_rng(seed)

    @tf.function
    def step(x, y):
        """One update; returns the norm of all gradients together."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        return tf.linalg.global_norm(gradients)

    for update in range(320):
        batch = rng.choice(1000, 64, replace=False)
        norms[number, update] = step(x[batch], y[batch])
print("median norm:", np.median(norms).round(3))
print("updates with a norm above 1:", (norms > 1).sum(axis=1), "of 320")
assert np.median(norms) < 0.5
assert (norms > 1).mean() < 0.05
# --8<-- [end:solution-clip]
