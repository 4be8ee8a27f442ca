# --8<-- [start:imports]
import re
import tempfile
import textwrap
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(4, 10, 3)).astype("float32")
folder = Path(tempfile.mkdtemp())


def complaint(action):
    """Run what fails today; print and return the kind of the error."""
    with warnings.catch_warnings(action="error"):
        try:
            action()
        except Exception as error:
            said = " ".join(str(error).split())
            said = re.sub(r"\x1b\[\d+m", "", said)  # colours of a terminal
            said = said.replace(str(folder), "folder")
            said = f"{type(error).__name__}: {said}"
            said = textwrap.shorten(said, 200, placeholder=" …")
            print(textwrap.fill(said, 72))
            return type(error)
    raise AssertionError("this works today: take it off the page")


# --8<-- [end:imports]

# --8<-- [start:input-shape]
error = complaint(lambda: layers.LSTM(5, input_shape=(10, 3)))
assert error is UserWarning

model = keras.Sequential([keras.Input((10, 3)), layers.LSTM(5)])
assert model.output_shape == (None, 5)
# --8<-- [end:input-shape]

# --8<-- [start:batch-shape]
error = complaint(
    lambda: layers.LSTM(5, batch_input_shape=(4, 10, 3), stateful=True)
)
assert error is ValueError

stateful = keras.Sequential(
    [keras.Input(batch_shape=(4, 10, 3)), layers.LSTM(5, stateful=True)]
)
first, second = np.array(stateful(x)), np.array(stateful(x))
assert not np.allclose(first, second)  # it goes on where it stopped
# --8<-- [end:batch-shape]

# --8<-- [start:reset]
error = complaint(lambda: stateful.reset_states())
assert error is AttributeError

stateful.layers[0].reset_state()
assert np.allclose(stateful(x), first, atol=1e-6)
# --8<-- [end:reset]

# --8<-- [start:time-major]
error = complaint(lambda: layers.LSTM(5, time_major=True))
assert error is ValueError

time_first = x.transpose(1, 0, 2)  # (timesteps, batch, features)
assert layers.LSTM(5)(time_first.transpose(1, 0, 2)).shape == (4, 5)
# --8<-- [end:time-major]

# --8<-- [start:initial]
cell_layer = layers.LSTM(5)
error = complaint(lambda: cell_layer.get_initial_state(inputs=x))
assert error is TypeError

state = cell_layer.get_initial_state(batch_size=4)
assert [s.shape for s in state] == [(4, 5), (4, 5)]
# --8<-- [end:initial]

# --8<-- [start:ragged]
sequences = tf.ragged.constant([[1.0, 2.0, 3.0], [4.0]])
error = complaint(lambda: layers.LSTM(5)(sequences[..., None]))
assert error is ValueError

padded = keras.utils.pad_sequences(
    [[1.0, 2.0, 3.0], [4.0]], padding="post", dtype="float32"
)
lengths = np.array([3, 1])
mask = np.arange(3) < lengths[:, None]
layer = layers.LSTM(5)
out = layer(padded[..., None], mask=mask)
alone = layer(padded[1:, :1, None])  # the short one, without its padding
assert np.allclose(out[1], alone[0], atol=1e-6)
# --8<-- [end:ragged]

# --8<-- [start:rate]
error = complaint(lambda: keras.optimizers.SGD(lr=0.1))
assert error is ValueError

sgd = keras.optimizers.SGD(learning_rate=0.1)
assert abs(float(sgd.learning_rate) - 0.1) < 1e-6
# --8<-- [end:rate]

# --8<-- [start:decay]
error = complaint(lambda: keras.optimizers.Adam(0.01, decay=1e-3))
assert error is UserWarning

falling = keras.optimizers.schedules.InverseTimeDecay(0.01, 1, 1e-3)
assert abs(float(falling(1000)) - 0.005) < 1e-8  # what decay did
# --8<-- [end:decay]

# --8<-- [start:weights]
error = complaint(lambda: model.save_weights(folder / "model.h5"))
assert error is ValueError
checkpoint = keras.callbacks.ModelCheckpoint
error = complaint(lambda: checkpoint("a.h5", save_weights_only=True))
assert error is ValueError

# When Keras 3.15 saves, it calls NumPy in a way that NumPy deprecates.
warnings.filterwarnings("ignore", "__array__", DeprecationWarning)
model.save_weights(folder / "model.weights.h5")
model.load_weights(folder / "model.weights.h5")
# --8<-- [end:weights]

# --8<-- [start:save]
error = complaint(lambda: model.save(folder / "model"))
assert error is ValueError

warnings.filterwarnings("ignore", "__array__", DeprecationWarning)
model.save(folder / "model.keras")
again = keras.models.load_model(folder / "model.keras")
assert np.array_equal(again(x), model(x))
# --8<-- [end:save]

# --8<-- [start:cudnn]
error = complaint(lambda: layers.CuDNNLSTM(5))
assert error is AttributeError

assert layers.LSTM(5).use_cudnn == "auto"  # fused where there is a GPU
# --8<-- [end:cudnn]

# --8<-- [start:fit-generator]
model.compile("adam", "mse")
data = tf.data.Dataset.from_tensors((x, np.zeros((4, 5)))).repeat()
error = complaint(lambda: model.fit_generator(data, steps_per_epoch=2))
assert error is AttributeError

history = model.fit(data, steps_per_epoch=2, shuffle=False, verbose=0)
assert len(history.history["loss"]) == 1
# --8<-- [end:fit-generator]

# --8<-- [start:length]
error = complaint(lambda: layers.Embedding(100, 8, input_length=10))
assert error in (UserWarning, ValueError)

words = keras.Sequential([keras.Input((10,)), layers.Embedding(100, 8)])
assert words.output_shape == (None, 10, 8)
# --8<-- [end:length]

# --8<-- [start:tensors]
symbolic = keras.Input((10, 3))
error = complaint(lambda: tf.reduce_mean(symbolic, axis=1))
assert error is ValueError

outputs = keras.ops.mean(symbolic, axis=1)
mean = keras.Model(symbolic, outputs)
assert np.allclose(mean(x), x.mean(axis=1), atol=1e-6)
# --8<-- [end:tensors]


# --8<-- [start:starter]
def old_model():
    """As it was written for Keras 2: three things fail today, one warns."""
    model = keras.Sequential()
    model.add(layers.LSTM(8, batch_input_shape=(1, 10, 3), stateful=True))
    model.add(layers.Dense(1))
    model.compile(keras.optimizers.SGD(lr=0.1, decay=1e-3), "mse")
    model.reset_states()
    return model


complaint(old_model)
# --8<-- [end:starter]


# --8<-- [start:solution]
def new_model():
    """The same model today."""
    model = keras.Sequential([keras.Input(batch_shape=(1, 10, 3))])
    model.add(layers.LSTM(8, stateful=True))
    model.add(layers.Dense(1))
    rate = keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 1e-3)
    model.compile(keras.optimizers.SGD(learning_rate=rate), "mse")
    model.layers[0].reset_state()
    return model


with warnings.catch_warnings(action="error"):
    repaired = new_model()
repaired.fit(x[:1], np.zeros((1, 1)), batch_size=1, verbose=0)
print("parameters", repaired.count_params())
assert repaired.count_params() == 4 * (8 * (8 + 3) + 8) + 9
# --8<-- [end:solution]
