# --8<-- [start:imports]
import re

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
x = rng.normal(size=(2, 12, 3))  # (batch, timesteps, features)


def lstm(**options):
    """An LSTM of 4 units in float64, so that equal means equal."""
    return layers.LSTM(4, dtype="float64", **options)


def apart(one, other):
    """Largest difference of two arrays."""
    return float(abs(np.asarray(one) - np.asarray(other)).max())


# --8<-- [end:imports]

# --8<-- [start:options]
for sequences in (False, True):
    for state in (False, True):
        layer = lstm(return_sequences=sequences, return_state=state)
        arrays = layer(x) if state else [layer(x)]
        print(
            f"return_sequences={sequences!s:5} return_state={state!s:5}",
            end="",
        )
        print("  ", *[tuple(array.shape) for array in arrays])
# --8<-- [end:options]

# --8<-- [start:contents]
layer = lstm(return_sequences=True, return_state=True)
y, h, c = layer(x)
assert apart(y[:, -1], h) == 0  # the last output is the hidden state
assert apart(h, c) > 0.1  # the cell state is something else

for kind in (layers.SimpleRNN, layers.GRU, layers.LSTM):
    y_last, *states = kind(4, return_state=True)(x)
    assert len(states) == (2 if kind is layers.LSTM else 1)
    assert apart(y_last, states[0]) == 0
# --8<-- [end:contents]

# --8<-- [start:continue]
first, second = x[:, :5], x[:, 5:]
y_first, *state = layer(first)  # state is [h, c]
starts = {
    "the state after the first part": state,
    "zeros": layer.get_initial_state(batch_size=2),
    "that state, h and c swapped": state[::-1],
}
off = []
for name, start in starts.items():
    y_second, *_ = layer(second, initial_state=start)
    off.append(apart(np.concatenate([y_first, y_second], axis=1), y))
    print(f"from {name:32} off by {off[-1]:.2f}")
assert off[0] < 1e-12  # as if it had read all 12 steps in one go
assert min(off[1:]) > 0.01  # wrong, and no error
# --8<-- [end:continue]

# --8<-- [start:chunks]
print("            chunks of 1       3       4")
for kind in (layers.SimpleRNN, layers.GRU, layers.LSTM):
    whole = kind(4, return_sequences=True, dtype="float64")
    once = whole(x)  # 12 steps in one call
    chunked = kind(4, return_sequences=True, stateful=True, dtype="float64")
    chunked.build(x.shape)
    chunked.set_weights(whole.get_weights())
    print(f"{kind.__name__:14}", end="")
    for size in (1, 3, 4):
        chunked.reset_state()
        parts = [chunked(x[:, t : t + size]) for t in range(0, 12, size)]
        joined = np.concatenate(parts, axis=1)
        assert apart(joined, once) < 1e-12
        print(f"{apart(joined, once):9.0e}", end="")
    print()
# --8<-- [end:chunks]

# --8<-- [start:reset]
short = x[:, :3]  # few steps: an untrained LSTM soon forgets its start
plain, memory = lstm(), lstm(stateful=True)
print(f"stateless, second call:      {apart(plain(short), plain(short)):.2f}")

fresh = memory(short)  # the first call starts from zeros
print(f"stateful, second call:       {apart(memory(short), fresh):.2f}")
memory.reset_state()
print(f"stateful, after reset_state: {apart(memory(short), fresh):.2f}")
assert apart(plain(short), plain(short)) == 0
assert apart(memory(short), fresh) > 0.01
memory.reset_state()
assert apart(memory(short), fresh) == 0

changed = short.copy()
changed[0] += 1  # another first sequence, which the second does not see
assert apart(plain(changed)[0], plain(short)[0]) > 0.01
assert apart(plain(changed)[1], plain(short)[1]) == 0
# --8<-- [end:reset]

# --8<-- [start:fit]
model = keras.Sequential(
    [keras.Input((3, 3), batch_size=2), layers.LSTM(4, stateful=True)]
)
memory = model.layers[0]
model.compile(keras.optimizers.SGD(0.0), "mse")  # the weights stay


def after(read):
    """The hidden state after `read`, which starts from zeros."""
    memory.reset_state()
    read()
    return np.asarray(memory.states[0])


def fit(epochs):
    model.fit(short, np.zeros((2, 4)), 2, epochs, verbose=0, shuffle=False)


once, twice = (
    after(lambda: model(short)),
    after(lambda: (model(short), model(short))),
)
one_epoch, two_epochs = after(lambda: fit(1)), after(lambda: fit(2))
print(f"1 epoch against one reading:   {apart(one_epoch, once):.2f}")
print(f"2 epochs against one reading:  {apart(two_epochs, once):.2f}")
print(f"2 epochs against two readings: {apart(two_epochs, twice):.2f}")
continued = after(lambda: (model(short), fit(1)))
print(f"a call and an epoch against two: {apart(continued, twice):.2f}")


def predict():
    return model.predict(short, verbose=0)


predicted = after(lambda: (predict(), predict()))
print(f"2 predicts against two readings: {apart(predicted, twice):.2f}")
assert apart(continued, twice) < 1e-5
assert apart(one_epoch, once) < 1e-5
assert apart(two_epochs, twice) < 1e-5
assert apart(predicted, twice) < 1e-5
assert apart(once, twice) > 0.005
assert not hasattr(model, "reset_state")  # the layers have it
# --8<-- [end:fit]


# --8<-- [start:cut]
def cut(series, batch, timesteps):
    """(n, features) -> (chunks, batch, timesteps, features).

    Row i of a chunk goes on in row i of the next chunk.
    """
    chunks = len(series) // (batch * timesteps)
    rows = series[: chunks * batch * timesteps]
    rows = rows.reshape(batch, chunks, timesteps, -1)
    return rows.swapaxes(0, 1)


chunks = cut(np.arange(26)[:, np.newaxis], batch=2, timesteps=4)
for number, (top, bottom) in enumerate(chunks[..., 0]):
    print(f"chunk {number}: row 0 {top}   row 1 {bottom}")
assert (chunks[1:, :, 0] == chunks[:-1, :, -1] + 1).all()

naive = np.arange(24).reshape(3, 2, 4, 1)  # the order of the series
assert not (naive[1:, :, 0] == naive[:-1, :, -1] + 1).any()
# --8<-- [end:cut]


# --8<-- [start:task]
def sample_and_hold(sequences, timesteps, seed):
    """x (sequences, timesteps, 2): value and flag; y (…, 1): what to hold."""
    rng = np.random.default_rng(seed)
    value = rng.uniform(-1, 1, (sequences, timesteps))
    flag = rng.random((sequences, timesteps)) < 0.1
    flag[:, 0] = True
    y, held = np.empty_like(value), np.zeros(sequences)
    for t in range(timesteps):
        held = np.where(flag[:, t], value[:, t], held)
        y[:, t] = held
    x = np.stack([value, flag], axis=2)
    return x.astype("float32"), y[..., np.newaxis].astype("float32")


def build(batch_size=None, stateful=False):
    """One unit; the batch size is needed only for a stateful layer."""
    return keras.Sequential(
        [
            keras.Input((None, 2), batch_size=batch_size),
            layers.LSTM(1, return_sequences=True, stateful=stateful),
            layers.Dense(1),
        ]
    )


x_train, y_train = sample_and_hold(2000, 40, seed=1)
x_stream, y_stream = sample_and_hold(50, 200, seed=2)
# --8<-- [end:task]

# --8<-- [start:train]
trained = []
for seed in range(4):
    keras.utils.set_random_seed(seed)
    model = build()
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.fit(x_train, y_train, batch_size=64, epochs=15, verbose=0)
    trained.append(model)
# --8<-- [end:train]

# --8<-- [start:stream]
streaming = build(batch_size=50, stateful=True)
memory = streaming.layers[0]


def read(size, keep):
    """Read the streams in chunks that begin from the kept state or zeros."""
    memory.reset_state()
    parts = []
    for t in range(0, 200, size):
        parts.append(streaming(x_stream[:, t : t + size]))
        if not keep:
            memory.reset_state()
    return np.concatenate(parts, axis=1)


def mse(prediction):
    """Mean squared error on the streams."""
    return float(np.mean((np.asarray(prediction) - y_stream) ** 2))


rows = {"one call": [], "chunks of 10, kept": [], "chunks of 10, reset": []}
for model in trained:
    streaming.set_weights(model.get_weights())
    whole, kept = np.asarray(model(x_stream)), read(10, keep=True)
    assert apart(kept, whole) < 1e-4
    for errors, read_so in zip(rows.values(), (whole, kept, read(10, False))):
        errors.append(mse(read_so))

single = read(1, keep=True)  # step by step, with the last model
assert apart(single, whole) < 1e-4
rows["always zero"] = [mse(0)]
rows["repeat the value"] = [mse(x_stream[..., :1])]
print("                      mean squared error (best to worst)")
for name, errors in rows.items():
    spread = f"({min(errors):.4f} to {max(errors):.4f})" if errors[1:] else ""
    print(f"{name:20} {np.mean(errors):9.4f}   {spread}")
# --8<-- [end:stream]

# --8<-- [start:verdict]
whole, kept, reset = list(rows.values())[:3]
zero = rows["always zero"][0]
assert np.allclose(whole, kept, atol=1e-4)
assert max(whole) < 0.1 * zero
assert min(reset) > 20 * max(kept)
assert max(reset) > zero  # worse than no network
# --8<-- [end:verdict]

# --8<-- [start:saw]
HIDDEN = "#00475b"

fig, axes = plt.subplots(2, 1, figsize=(5.2, 4.2), sharex=True, sharey=True)
best = trained[int(np.argmin(rows["one call"]))]
streaming.set_weights(best.get_weights())
shown, steps = 1, np.arange(60)
titles = {"state kept from chunk to chunk": True, "state reset": False}
for axis, (title, keep) in zip(axes, titles.items()):
    for border in range(10, 60, 10):
        axis.axvline(border - 0.5, linestyle=":", alpha=0.6)
    axis.plot(
        steps, y_stream[shown, :60], linewidth=6, alpha=0.3, label="target"
    )
    output = read(10, keep)[shown, :60]
    axis.plot(steps, output, ".-", color=HIDDEN, label="output")
    axis.set_title(title, loc="left")
axis.set_xlabel("time step; a dotted line begins a chunk")
fig.legend(
    *axis.get_legend_handles_labels(), loc="outside upper right", ncols=2
)
plt.show()
# --8<-- [end:saw]

# --8<-- [start:dense]
y = lstm(return_sequences=True)(x)  # (2, 12, 4)
dense = layers.Dense(2, dtype="float64")
wrapped = layers.TimeDistributed(dense, dtype="float64")  # same weights
print("Dense", dense(y).shape, " TimeDistributed", wrapped(y).shape)
print("parameters:", dense.count_params())
assert apart(dense(y), wrapped(y)) < 1e-12
assert dense.count_params() == 4 * 2 + 2  # no number of steps in it

frames = np.zeros((2, 12, 8, 8, 1))  # 12 images of 8 × 8 pixels each
convolve = layers.TimeDistributed(layers.Conv2D(4, 3))
flatten = layers.TimeDistributed(layers.Flatten())
print("frames", frames.shape, "->", flatten(convolve(frames)).shape)
# --8<-- [end:dense]

# --8<-- [start:repeat]
h = lstm()(x)  # (2, 4)
repeated = layers.RepeatVector(5, dtype="float64")(h)
print(h.shape, "->", repeated.shape)
assert apart(repeated, np.repeat(np.asarray(h)[:, None], 5, axis=1)) == 0
# --8<-- [end:repeat]

# --8<-- [start:backwards]
forward = lstm(return_sequences=True)
backward = lstm(return_sequences=True, go_backwards=True)
forward.build(x.shape)
backward.build(x.shape)
backward.set_weights(forward.get_weights())
assert apart(backward(x), forward(x[:, ::-1])) < 1e-12


y = np.asarray(backward(x))
reached = {}
for step in (11, 0):
    changed = x.copy()
    changed[:, step] += 1
    moved = abs(np.asarray(backward(changed)) - y).max(axis=(0, 2))
    reached[step] = np.flatnonzero(moved).tolist()
    print(f"input {step:2d} reaches the outputs {reached[step]}")
assert reached[11] == list(range(12))  # it is read first
assert reached[0] == [11]  # it is read last
# --8<-- [end:backwards]

# --8<-- [start:bidirectional]
every = layers.Bidirectional(lstm(return_sequences=True), dtype="float64")
last = layers.Bidirectional(lstm(), dtype="float64")
every.build(x.shape)
last.build(x.shape)
last.set_weights(every.get_weights())
y, y_last = np.asarray(every(x)), np.asarray(last(x))
print("every step", y.shape, " last", y_last.shape)

ahead = np.asarray(every.forward_layer(x))
back = np.asarray(every.backward_layer(x))[:, ::-1]  # back to time order
assert apart(y, np.concatenate([ahead, back], axis=2)) < 1e-12

# The last output: the forward half of step 11, the backward half of step 0.
assert apart(y_last[:, :4], y[:, 11, :4]) < 1e-12
assert apart(y_last[:, 4:], y[:, 0, 4:]) < 1e-12
assert apart(y_last[:, 4:], y[:, 11, 4:]) > 0.01
# --8<-- [end:bidirectional]

# --8<-- [start:seen]
changed = x.copy()
changed[:, :11] += 1  # all steps but the last
columns = {
    "y[:, -1]": (y[:, -1], np.asarray(every(changed))[:, -1]),
    "last output": (y_last, np.asarray(last(changed))),
}
print("all inputs but the last one changed   forward half  backward half")
for name, (before, now) in columns.items():
    ahead, back = (
        apart(before[:, :4], now[:, :4]),
        apart(before[:, 4:], now[:, 4:]),
    )
    print(f"{name:37} {ahead:12.2f} {back:14.2f}")
    assert ahead > 0.01
    assert (back == 0) == (name == "y[:, -1]")  # it has read one step only
# --8<-- [end:seen]

# --8<-- [start:static]
series, static = keras.Input((12, 3)), keras.Input((2,))

joined = layers.Concatenate()([layers.LSTM(4)(series), static])
repeated = layers.RepeatVector(12)(static)  # (batch, 12, 2)
at_each = layers.LSTM(4)(layers.Concatenate()([series, repeated]))
start = [layers.Dense(4)(static), layers.Dense(4)(static)]  # h and c
begun = layers.LSTM(4)(series, initial_state=start)

ways = {"after": joined, "at each step": at_each, "as first state": begun}
series_x, static_x = x.astype("float32"), np.ones((2, 2), "float32")
for name, before in ways.items():
    model = keras.Model([series, static], layers.Dense(1)(before))
    print(f"{name:15} {before.shape} -> {model.output_shape}", end="   ")
    print(f"{model.count_params()} parameters")
    out = model([series_x, static_x])
    assert apart(model([series_x + 1, static_x]), out) > 1e-4
    assert apart(model([series_x, static_x + 1]), out) > 1e-4
# --8<-- [end:static]

# --8<-- [start:cheat-sheet]
CALLS = """
LSTM(4)(x)
LSTM(4, return_sequences=True)(x)
LSTM(4, return_state=True)(x)
LSTM(4, return_sequences=True, return_state=True)(x)
GRU(4, return_sequences=True, return_state=True)(x)
Bidirectional(LSTM(4))(x)
Bidirectional(LSTM(4, return_sequences=True))(x)
Bidirectional(LSTM(4), merge_mode='sum')(x)
Bidirectional(LSTM(4, return_state=True))(x)
Dense(2)(LSTM(4, return_sequences=True)(x))
TimeDistributed(Flatten())(images)
RepeatVector(5)(LSTM(4)(x))
LSTM(4, return_sequences=True)(RepeatVector(5)(LSTM(4)(x)))
"""
names = dict(vars(layers))
names["x"], names["images"] = keras.Input((12, 3)), keras.Input((12, 8, 8))
print("x is (None, 12, 3), images (None, 12, 8, 8); None is the batch")
for call in CALLS.split("\n")[1:-1]:
    result = eval(call, names)  # what is printed is what runs
    arrays = result if isinstance(result, tuple) else [result]
    print(f"{call}\n   ", *[array.shape for array in arrays])
# --8<-- [end:cheat-sheet]

# --8<-- [start:mistakes]
MISTAKES = """
LSTM(4)(LSTM(4)(x))
LSTM(4)(LSTM(4, return_sequences=True)(x))

LSTM(4)(images)
LSTM(4)(TimeDistributed(Flatten())(images))

h, c = LSTM(4, return_state=True)(x)
y, h, c = LSTM(4, return_state=True)(x)

Sequential([LSTM(4, return_state=True), Dense(1)])(x)
Dense(1)(LSTM(4, return_state=True)(x)[0])

LSTM(4)(x, initial_state=[h])
LSTM(4)(x, initial_state=[h, c])

Bidirectional(LSTM(4))(x, initial_state=[h, c])
Bidirectional(LSTM(4))(x, initial_state=[h, c, h, c])

LSTM(4, stateful=True)(Input((12, 3)))
LSTM(4, stateful=True)(Input((12, 3), batch_size=2))

memory(x[:1])
copied(x[:1])

LSTM(4, batch_input_shape=(2, 12, 3))
LSTM(4, stateful=True)(Input(batch_shape=(2, 12, 3)))

LSTM(4, time_major=True)(steps_first)
LSTM(4)(steps_first.swapaxes(0, 1))

model.reset_states()
model.layers[0].reset_state()

RepeatVector(5)(x)
RepeatVector(5)(LSTM(4)(x))

Concatenate()([x, static])
Concatenate()([x, RepeatVector(12)(static)])

LSTM(4)(ragged)
LSTM(4)(Masking()(ragged.to_tensor()))
"""
# --8<-- [end:mistakes]

# --8<-- [start:cures]
HELPFUL = "|".join(  # the parts of the messages that say what is wrong
    [
        r"expected ndim=., found ndim=.",
        r"too many values.*",
        r"expects 1 input.*received . input tensors",
        r"list index out of range",
        r"the batch size must be static",
        r"(?:Expected|Received) batch size: .",
        r"Unrecognized keyword arguments",
        r"object has no attribute '\w+'",
        r"requires inputs with matching shapes",
        r"Cannot index into an inner ragged dimension",
    ]
)
memory = layers.LSTM(4, stateful=True)
memory(x)  # it now has a state for two sequences
copied = layers.LSTM(4, stateful=True)
copied.build((1, 12, 3))  # … and this one for one sequence
copied.set_weights(memory.get_weights())
model = keras.Sequential([keras.Input((12, 3), batch_size=2), memory])
names = vars(layers) | {"Sequential": keras.Sequential, "Input": keras.Input}
names |= {"x": x.astype("float32"), "images": np.zeros((2, 12, 8, 8))}
names |= {"memory": memory, "copied": copied, "model": model}
names["steps_first"] = names["x"].swapaxes(0, 1)
names["static"] = np.zeros((2, 2), "float32")
names["ragged"] = tf.ragged.constant([[[1.0]], [[2.0], [3.0]]], ragged_rank=1)

for pair in MISTAKES.strip().split("\n\n"):
    mistake, cure = pair.split("\n")
    try:
        exec(mistake, names)
        raise AssertionError(f"{mistake} raises nothing")
    except (ValueError, IndexError, AttributeError) as error:
        kind, told = type(error).__name__, re.findall(HELPFUL, str(error))
    exec(cure, names)  # raises nothing
    print(f"{mistake}\n    {kind}: {', '.join(told)}\n    -> {cure}\n")
    assert told
# --8<-- [end:cures]

# --8<-- [start:starter-cells]
layer = lstm(return_sequences=True, return_state=True)
y, h, c = layer(x)
print("h at every step", y.shape, " c at the last step", c.shape)
# --8<-- [end:starter-cells]

# --8<-- [start:solution-cells]
state, hidden, cells = layer.get_initial_state(batch_size=2), [], []
for t in range(12):
    _, *state = layer(x[:, t : t + 1], initial_state=state)
    hidden.append(state[0])
    cells.append(state[1])
cells = np.stack(cells, axis=1)
print("c at every step", cells.shape)
assert apart(np.stack(hidden, axis=1), y) < 1e-12
assert apart(cells[:, -1], c) < 1e-12
# --8<-- [end:solution-cells]

# --8<-- [start:starter-nested]
inner = keras.Sequential(
    [keras.Input((None, 3), batch_size=2), layers.LSTM(4, stateful=True)]
)
both = layers.Bidirectional(layers.LSTM(4, stateful=True))
series = keras.Input((None, 3), batch_size=2)
nested = keras.Model(
    series, layers.Concatenate()([inner(series), both(series)])
)
before, again = nested(short), nested(short)
print(f"second call: off by {apart(before, again):.2f}")
# --8<-- [end:starter-nested]


# --8<-- [start:solution-nested]
def reset(model):
    """Reset every stateful layer, also in models inside the model."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            reset(layer)
        elif getattr(layer, "stateful", False):
            layer.reset_state()


reset(nested)
print(f"after reset: off by {apart(before, nested(short)):.2f}")
assert apart(before, again) > 0.01
assert apart(before, nested(short)) > 0.01  # a third call without a reset
reset(nested)
assert apart(before, nested(short)) == 0
# --8<-- [end:solution-nested]
