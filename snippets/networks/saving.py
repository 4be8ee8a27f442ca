# --8<-- [start:imports]
import json
import os
import subprocess
import sys
import tempfile
import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

temporary = tempfile.TemporaryDirectory()  # removed at the end of the page
folder = Path(temporary.name)


@contextmanager
def muted():
    """Without the notice of NumPy 2.4 whenever TensorFlow 2.21 saves."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")
        yield


# --8<-- [end:imports]

# --8<-- [start:model]
rng = np.random.default_rng(0)
t = np.arange(1000) / 10
series = np.sin(t) + 0.1 * rng.normal(size=1000)
rows = np.lib.stride_tricks.sliding_window_view(series.astype("float32"), 11)
x, y = rows[:640, :10], rows[:640, 10:]  # windows of ten, the value after
x_val, y_val = rows[700:, :10], rows[700:, 10:]


def build(seed=0, dropout=0.1):
    """A compiled network, (batch, 10) -> (batch, 1)."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((10,)),
            layers.Dense(32, activation="tanh"),
            layers.Dropout(dropout, seed=seed),
            layers.Dense(1),
        ]
    )
    decay = keras.optimizers.schedules.CosineDecay(0.01, decay_steps=120)
    model.compile(keras.optimizers.Adam(decay), "mse")
    return model


model = build()
model.fit(x, y, epochs=3, batch_size=64, verbose=0)
print(f"validation loss {model.evaluate(x_val, y_val, verbose=0):.4f}")
# --8<-- [end:model]


# --8<-- [start:round-trip]
def same(one, other):
    """Are two lists of arrays equal, to the last bit?"""
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def optimizer_state(model):
    """The optimizer's numbers: step count, running means, …"""
    return [np.asarray(variable) for variable in model.optimizer.variables]


with muted():
    model.save(folder / "model.keras")
loaded = keras.models.load_model(folder / "model.keras")
assert loaded is not model
assert same(loaded.get_weights(), model.get_weights())
assert same(optimizer_state(loaded), optimizer_state(model))
assert np.array_equal(loaded(x), model(x))
print("parameters:", loaded.count_params())
print("updates so far:", int(loaded.optimizer.iterations))
assert int(loaded.optimizer.iterations) == 3 * 10
# --8<-- [end:round-trip]

# --8<-- [start:inside]
with zipfile.ZipFile(folder / "model.keras") as archive:
    for part in archive.infolist():
        print(f"{part.filename:18} {part.file_size:7,} bytes")
    config = json.loads(archive.read("config.json"))
for layer in config["config"]["layers"]:
    print(layer["class_name"], layer["config"].get("units", ""))
print("compiled with", config["compile_config"]["loss"])
# --8<-- [end:inside]

# --8<-- [start:weights]
with muted():
    model.save_weights(folder / "model.weights.h5")
(folder / "model.json").write_text(model.to_json())


def load_weights(model):
    """Load the weights; print the beginning of each warning."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.load_weights(folder / "model.weights.h5")
    for warning in told:
        print("warning:", str(warning.message).strip()[:57], "…")


new = build(seed=1)  # the program that builds it must be at hand
load_weights(new)
ready = build(seed=1)
ready.optimizer.build(ready.trainable_variables)  # with room for its numbers
load_weights(ready)
from_json = keras.models.model_from_json((folder / "model.json").read_text())

print("file                                bytes   weights  optimizer")
for name, note, other in (
    ("model.keras", "", loaded),
    ("model.weights.h5", "new optimizer", new),
    ("model.weights.h5", "built optimizer", ready),
    ("model.json", "", from_json),
):
    size = (folder / name).stat().st_size
    weights = same(other.get_weights(), model.get_weights())
    updates = int(other.optimizer.iterations)
    print(f"{name:17} {note:15} {size:7,}   ", end="")
    print("kept   " if weights else "lost   ", end="  ")
    print("kept" if updates == 30 else "lost")
assert same(new.get_weights(), model.get_weights())
assert int(new.optimizer.iterations) == 0  # nothing but weights …
assert same(optimizer_state(ready), optimizer_state(model))  # … and all
assert not same(from_json.get_weights(), model.get_weights())
# --8<-- [end:weights]

# --8<-- [start:session]
script = """
import sys, keras, numpy as np
model = keras.models.load_model(sys.argv[1])
output = model(np.load(sys.argv[2]))
np.savez(sys.argv[3], output, *model.get_weights())
"""


def in_new_session(script, *arguments):
    """Run a script in a new Python process; return what it prints."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


np.save(folder / "x.npy", x_val)
files = [folder / name for name in ("model.keras", "x.npy", "y.npz")]
in_new_session(script, *files)
with np.load(files[2]) as arrays:
    there, *weights_there = arrays.values()
equal = same(weights_there, model.get_weights())
difference = abs(there - np.asarray(model(x_val))).max()
print("weights equal to the bit:", equal)
print("outputs differ by at most", difference)
assert equal
assert difference < 1e-6  # computed anew, so up to rounding
# --8<-- [end:session]


# --8<-- [start:hooks]
class Diary(keras.callbacks.Callback):
    """Count the calls; keep the loss of each epoch."""

    def on_train_begin(self, logs=None):
        self.calls, self.losses = {"epochs": 0, "batches": 0}, []

    def on_train_batch_end(self, batch, logs=None):
        self.calls["batches"] += 1

    def on_epoch_end(self, epoch, logs=None):
        self.calls["epochs"] += 1
        self.losses.append(logs["val_loss"])


diary = Diary()
best = keras.callbacks.ModelCheckpoint(
    folder / "best.keras", monitor="val_loss", save_best_only=True
)
model = build()
with muted():
    model.fit(
        x,
        y,
        validation_data=(x_val, y_val),
        epochs=12,
        batch_size=64,
        callbacks=[diary, best],
        verbose=0,
    )
print(diary.calls)
kept = keras.models.load_model(folder / "best.keras")
of_kept = kept.evaluate(x_val, y_val, batch_size=64, verbose=0)
print(f"best of 12 epochs  {min(diary.losses):.5f}")
print(f"the file's model   {of_kept:.5f}")
print(f"after 12 epochs    {diary.losses[-1]:.5f}")
assert diary.calls == {"epochs": 12, "batches": 12 * 10}
assert abs(of_kept - min(diary.losses)) < 1e-6
# --8<-- [end:hooks]


# --8<-- [start:resume]
def epochs_of(model, first, last):
    """Train; the order of the windows depends on the epoch's number only."""
    losses = []
    for epoch in range(first, last):
        order = np.random.default_rng(epoch).permutation(len(x))
        history = model.fit(
            x[order],
            y[order],
            batch_size=64,
            shuffle=False,
            verbose=0,
        )
        losses += history.history["loss"]
    return losses


def dropout_state(model):
    """Two integers: which random numbers the dropout layer draws next."""
    return model.layers[1].seed_generator.state


whole = build()
losses = {"never stopped": epochs_of(whole, 0, 12)}

stopped = build()
before = epochs_of(stopped, 0, 6)
assert before == losses["never stopped"][:6]
np.save(folder / "dropout.npy", dropout_state(stopped))
with muted():
    stopped.save(folder / "half.keras")

resumed = keras.models.load_model(folder / "half.keras")
print("dropout layer, when stopped:", np.asarray(dropout_state(stopped)))
print("dropout layer, loaded:      ", np.asarray(dropout_state(resumed)))
assert int(dropout_state(stopped)[1]) == 60  # one draw for each update
assert int(dropout_state(resumed)[1]) == 0
losses[".keras"] = before + epochs_of(resumed, 6, 12)

exact = keras.models.load_model(folder / "half.keras")
dropout_state(exact).assign(np.load(folder / "dropout.npy"))
losses[".keras, dropout"] = before + epochs_of(exact, 6, 12)

only_weights = build()  # with a new optimizer
only_weights.set_weights(stopped.get_weights())
losses["weights only"] = before + epochs_of(only_weights, 6, 12)

print("epoch ", *(f"{name:>15}" for name in losses))
for epoch in (5, 6, 7, 8, 11):
    row = (f"{run[epoch]:15.5f}" for run in losses.values())
    print(f"{epoch + 1:5} ", *row)
print("equal to the bit:")
whole_weights = whole.get_weights()
for name, other in ((".keras", resumed), (".keras, dropout", exact)):
    print(f"  {name:16}", same(other.get_weights(), whole_weights))
assert same(exact.get_weights(), whole_weights)
assert not same(resumed.get_weights(), whole_weights)
assert losses["weights only"][6] > 1.1 * losses["never stopped"][6]
assert min(losses, key=lambda name: losses[name][-1]) == "weights only"
# --8<-- [end:resume]

# --8<-- [start:resume-figure]
fig, (above, below) = plt.subplots(2, 1, figsize=(4.8, 5), sharex=True)
strokes = (
    {"linewidth": 7, "alpha": 0.3},
    {"marker": "o"},
    {"linestyle": "--", "marker": "."},
    {"linestyle": "-."},
)
for (name, run), stroke in zip(losses.items(), strokes):
    above.plot(range(1, 13), run, label=name, **stroke)
    if name != "weights only":
        farther = np.subtract(run, losses["never stopped"])
        below.plot(range(1, 13), farther, **stroke)
above.set_title("training loss", loc="left")
below.set_title("the same, minus that of never stopped", loc="left")
below.set_xlabel("epoch (stopped and resumed after 6)")
for axis in (above, below):
    axis.axvline(6.5, color="C4", linestyle=":")
fig.legend(loc="outside upper center", ncols=2, fontsize=12)
plt.show()
# --8<-- [end:resume-figure]

# --8<-- [start:text]
good = ["good", "fine", "great", "warm", "bright", "calm"]
bad = ["bad", "poor", "awful", "cold", "dark", "loud"]
things = ["room", "meal", "film", "book", "street", "voice", "day", "view"]


def make_texts(number, seed):
    """Sentences such as "the room was warm", and 1 for good, 0 for bad."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, number)
    texts = []
    for label in labels:
        word = rng.choice(good if label else bad)
        texts.append(f"the {rng.choice(things)} was {word}")
    return texts, labels.astype("float32")[:, None]


def make_vocabulary(texts):
    """Number the words in the order in which they first appear."""
    words = " ".join(texts).split()
    return {word: number for number, word in enumerate(dict.fromkeys(words))}


def count_words(texts, vocabulary):
    """How often each word of the vocabulary stands in each text."""
    counts = np.zeros((len(texts), len(vocabulary)), "float32")
    for row, text in zip(counts, texts):
        for word in text.split():
            row[vocabulary[word]] += 1
    return counts


texts, labels = make_texts(400, seed=0)
new_texts, new_labels = make_texts(400, seed=1)
vocabulary = make_vocabulary(texts)
print(texts[0], "->", count_words(texts[:1], vocabulary)[0].astype(int))
assert make_vocabulary(["b a", "a c"]) == {"b": 0, "a": 1, "c": 2}
assert count_words(["b a b"], {"b": 0, "a": 1}).tolist() == [[2, 1]]
assert (count_words(texts, vocabulary).sum(axis=1) == 4).all()
# --8<-- [end:text]


# --8<-- [start:text-model]
def accuracy(model, inputs):
    """Part of the new texts that the model gets right."""
    said = np.asarray(model(inputs)) > 0.5
    return float(np.mean(said == new_labels))


keras.utils.set_random_seed(0)
reader = keras.Sequential(
    [
        keras.Input((len(vocabulary),)),
        layers.Dense(1, activation="sigmoid"),
    ]
)
reader.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
reader.fit(count_words(texts, vocabulary), labels, epochs=15, verbose=0)
with muted():
    reader.save(folder / "reader.keras")
inputs = count_words(new_texts, vocabulary)
print(f"new texts, this session: {accuracy(reader, inputs):.0%} right")
assert accuracy(reader, inputs) == 1
# --8<-- [end:text-model]

# --8<-- [start:forgotten]
again = keras.models.load_model(folder / "reader.keras")
rebuilt = make_vocabulary(new_texts)  # from the texts that are at hand
assert set(rebuilt) == set(vocabulary)  # the same words …
assert rebuilt != vocabulary  # … with other numbers
wrong = accuracy(again, count_words(new_texts, rebuilt))
print(f"vocabulary built again:  {wrong:.0%} right, and no error")
for word in ("good", "bad", "warm", "cold"):
    print(f"  {word:5} was number {vocabulary[word]:2}, is {rebuilt[word]:2}")
assert same(again.get_weights(), reader.get_weights())
assert wrong < 0.8

(folder / "vocabulary.json").write_text(json.dumps(vocabulary))
read = json.loads((folder / "vocabulary.json").read_text())
right = accuracy(again, count_words(new_texts, read))
print(f"vocabulary from a file:  {right:.0%} right")
assert right == 1
# --8<-- [end:forgotten]

# --8<-- [start:inside-model]
split = layers.TextVectorization(output_mode="count")
split.adapt(texts)
whole_reader = keras.Sequential(
    [
        keras.Input((1,), dtype="string"),
        split,
        layers.Dense(1, activation="sigmoid"),
    ]
)
whole_reader.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
strings = tf.constant(texts)[:, None]  # (400, 1)
whole_reader.fit(strings, labels, epochs=15, verbose=0)
with muted():
    whole_reader.save(folder / "whole.keras")
whole_again = keras.models.load_model(folder / "whole.keras")
new_strings = tf.constant(new_texts)[:, None]
print(
    f"vocabulary in the model: {accuracy(whole_again, new_strings):.0%} right"
)
first = whole_again.layers[0].get_vocabulary()[:4]
print("its first words:", *first)
assert accuracy(whole_again, new_strings) == 1
# --8<-- [end:inside-model]

# --8<-- [start:hash]
script = "print(*set('the room was warm'.split()))"
for seed in ("1", "2"):
    command = [sys.executable, "-c", script]
    changed = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(
        command, env=changed, capture_output=True, text=True
    )
    print(f"session {seed}:", done.stdout.strip())
# --8<-- [end:hash]


# --8<-- [start:custom]
class Scale(layers.Layer):
    """Multiply by a number, or each feature by one of its own."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor


def try_to_load(layer, **how):
    """Save and load a model with this layer; say what happens."""
    model = keras.Sequential([keras.Input((2,)), layer])
    place = folder / "custom.keras"
    try:
        with muted():
            model.save(place)
        loaded = keras.models.load_model(place, **how)
    except Exception as error:
        said = " ".join(str(error).split())
        start = max(said.find("Could not locate"), 0)
        said = said[start:].partition(".")[0][:52]
        return f"{type(error).__name__}: {said} …"
    return f"loaded, f(1, 1) = {np.asarray(loaded(np.ones((1, 2))))[0]}"


said = {"unknown": try_to_load(Scale(3.0))}
said["named"] = try_to_load(Scale(3.0), custom_objects={"Scale": Scale})
register = keras.saving.register_keras_serializable(package="course")
register(Scale)  # or @register above the class
said["registered"] = try_to_load(Scale(3.0))
factors = np.array([3.0, 4.0])
said["registered, an array"] = try_to_load(Scale(factors))


@register
class GoodScale(Scale):
    """The same; get_config makes a list of the array for the file."""

    def get_config(self):
        factor = np.asarray(self.factor).tolist()
        return {**super().get_config(), "factor": factor}


said["an array, get_config"] = try_to_load(GoodScale(factors))
for case, result in said.items():
    print(f"{case}:\n  {result}")
assert "Could not locate" in said["unknown"]
assert said["named"] == said["registered"] == "loaded, f(1, 1) = [3. 3.]"
assert "NotImplementedError" in said["registered, an array"]
assert said["an array, get_config"] == "loaded, f(1, 1) = [3. 4.]"
# --8<-- [end:custom]

# --8<-- [start:names]
for call in (
    lambda: model.save_weights(folder / "model.h5"),
    lambda: model.save(folder / "model"),
):
    try:
        call()
    except ValueError as error:
        print(str(error)[:60], "…")
    else:
        raise AssertionError("this name is not allowed")
# --8<-- [end:names]

# --8<-- [start:starter-scale]
raw = 500 + 100 * series.astype("float32")  # the sine in other units
rows = np.lib.stride_tricks.sliding_window_view(raw, 11)
x_raw, y_raw = rows[:640, :10], rows[:640, 10:]
x_raw_val, y_raw_val = rows[700:, :10], rows[700:, 10:]
mean, scale = x_raw.mean(), x_raw.std()

scaled = build()
scaled.fit(
    (x_raw - mean) / scale,
    (y_raw - mean) / scale,
    epochs=12,
    batch_size=64,
    verbose=0,
)
with muted():
    scaled.save(folder / "scaled.keras")
forecast = mean + scale * np.asarray(scaled((x_raw_val - mean) / scale))
off = {"scaler at hand": np.sqrt(np.mean((forecast - y_raw_val) ** 2))}
print(f"RMSE, scaler at hand {off['scaler at hand']:6.1f}")
# --8<-- [end:starter-scale]

# --8<-- [start:solution-scale]
scaled = keras.models.load_model(folder / "scaled.keras")
without = np.asarray(scaled(x_raw_val))

into = layers.Normalization(axis=None)
into.adapt(x_raw)
back = layers.Rescaling(scale, offset=mean)
complete = keras.Sequential([keras.Input((10,)), into, *scaled.layers, back])
with muted():
    complete.save(folder / "complete.keras")
complete = keras.models.load_model(folder / "complete.keras")
inside = np.asarray(complete(x_raw_val))
for name, values in (("without scaler", without), ("scaler inside", inside)):
    off[name] = np.sqrt(np.mean((values - y_raw_val) ** 2))
    print(f"RMSE, {name:14} {off[name]:6.1f}")
assert off["without scaler"] > 10 * off["scaler inside"]
assert np.allclose(inside, forecast, atol=0.01)  # rounding at 500
# --8<-- [end:solution-scale]


# --8<-- [start:starter-cut]
class PowerCut(keras.callbacks.Callback):
    """Interrupt training at the end of the sixth epoch."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 5:
            raise KeyboardInterrupt


def fit(model, callbacks):
    """Train 12 epochs, always in the same order; return the losses."""
    with muted():
        history = model.fit(
            x,
            y,
            batch_size=64,
            epochs=12,
            shuffle=False,
            callbacks=callbacks,
            verbose=0,
        )
    return history.history["loss"]


whole = build()
print(f"never interrupted: last loss {fit(whole, [])[-1]:.6f}")
# --8<-- [end:starter-cut]

# --8<-- [start:solution-cut]
for dropout in (0.1, 0.0):
    whole = build(dropout=dropout)
    fit(whole, [])
    place = folder / f"backup-{dropout}"

    cut = build(dropout=dropout)
    try:
        fit(cut, [keras.callbacks.BackupAndRestore(place), PowerCut()])
    except KeyboardInterrupt:
        updates = int(cut.optimizer.iterations)

    again = build(dropout=dropout)  # as in a new session
    rest = fit(again, [keras.callbacks.BackupAndRestore(place)])
    equal = same(again.get_weights(), whole.get_weights())
    print(f"dropout {dropout}: {updates} updates,", end=" ")
    print(f"then {len(rest)} epochs, last loss {rest[-1]:.6f},", end=" ")
    print("equal" if equal else "not equal")
    assert len(rest) == 6
    assert equal == (dropout == 0)

temporary.cleanup()
# --8<-- [end:solution-cut]
