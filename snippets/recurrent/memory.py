# --8<-- [start:imports]
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers


def sigmoid(a):
    """Logistic function; written with tanh, it cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


# --8<-- [end:imports]


# --8<-- [start:derivative]
def step_derivative(x, o_before, c_before, weights):
    """The direct path (units,) and the whole dc[t]/dc[t-1] (units, units)."""
    kernel, recurrent_kernel, bias = weights
    h_before = o_before * np.tanh(c_before)
    a = x @ kernel + h_before @ recurrent_kernel + bias
    a_i, a_f, a_c, _ = np.split(a, 4)
    i, f, c_tilde = sigmoid(a_i), sigmoid(a_f), np.tanh(a_c)

    U_i, U_f, U_c, _ = np.split(recurrent_kernel.T, 4)  # (units, units)
    through_f = c_before * f * (1 - f)
    through_i = c_tilde * i * (1 - i)
    through_c = i * (1 - c_tilde**2)
    by_h = through_f[:, None] * U_f
    by_h += through_i[:, None] * U_i
    by_h += through_c[:, None] * U_c
    h_by_c = o_before * (1 - np.tanh(c_before) ** 2)
    return f, np.diag(f) + by_h * h_by_c


keras.utils.set_random_seed(0)
units, features = 3, 2
cell = layers.LSTMCell(units, dtype="float64")
cell.build((1, features))
weights = cell.get_weights()

rng = np.random.default_rng(0)
x, c_before = rng.normal(size=features), rng.normal(size=units)
o_before = rng.uniform(0, 1, units)
f, whole = step_derivative(x, o_before, c_before, weights)
print("forget gate:", f.round(3))
print("dc[t]/dc[t-1]:")
print(whole.round(3))
# --8<-- [end:derivative]

# --8<-- [start:tape]
c_variable = tf.Variable(c_before)
with tf.GradientTape() as tape:
    h_before = o_before * tf.tanh(c_variable)
    _, (_, c_next) = cell(x[None], [h_before[None], c_variable[None]])
    c_next = c_next[0]  # (units,)
by_tape = tape.jacobian(c_next, c_variable).numpy()  # (units, units)
print(f"largest difference: {abs(whole - by_tape).max():.0e}")
assert abs(whole - by_tape).max() < 1e-12
# --8<-- [end:tape]


# --8<-- [start:lstm-back]
def size(derivative):
    """Root of the mean squared singular value of a (units, …) array."""
    return np.sqrt((derivative**2).sum() / len(derivative))


def lstm_back(x, weights, start="h"):
    """Derivatives of the last h or c by the states k = 1, 2, … steps back.

    x (timesteps, features) -> sizes of d/d[h, c], of d/dc, forget gates.
    """
    kernel, recurrent_kernel, bias = weights
    units = len(recurrent_kernel)
    h = c = np.zeros(units)
    steps = []
    for x_t in x:
        a = x_t @ kernel + h @ recurrent_kernel + bias
        i, f, c_tilde, o = np.split(a, 4)
        i, f, o, c_tilde = (
            sigmoid(i),
            sigmoid(f),
            sigmoid(o),
            np.tanh(c_tilde),
        )
        c_before, c = c, f * c + i * c_tilde
        h = o * np.tanh(c)
        steps.append((i, f, c_tilde, o, c_before, np.tanh(c)))

    one, zero = np.eye(units), np.zeros((units, units))
    dh, dc = (one, zero) if start == "h" else (zero, one)
    both, cell_only, gates = [], [], []
    for i, f, c_tilde, o, c_before, tanh_c in reversed(steps):
        dc = dc + dh * o * (1 - tanh_c**2)  # h[t] is made from c[t]
        if gates:
            cell_only.append(size(dc))  # the whole derivative by c
        da_i = dc * c_tilde * i * (1 - i)
        da_f = dc * c_before * f * (1 - f)
        da_c = dc * i * (1 - c_tilde**2)
        da_o = dh * tanh_c * o * (1 - o)
        da = np.concatenate([da_i, da_f, da_c, da_o], axis=1)
        dh, dc = da @ recurrent_kernel.T, dc * f  # one step back
        both.append(size(np.concatenate([dh, dc], axis=1)))
        gates.append(f)
    return np.array(both), np.array(cell_only), np.array(gates)


# --8<-- [end:lstm-back]


# --8<-- [start:biases]
def gate_biases(forget, input=0.0):
    """An initializer for the bias of an LSTM: input, forget, others 0."""

    def initialize(shape, dtype=None):
        bias = np.zeros(shape)
        units = shape[0] // 4
        bias[:units] = input
        bias[units : 2 * units] = forget
        return keras.ops.convert_to_tensor(bias, dtype)

    return initialize


def lstm_layer(units, initialize, **options):
    """An LSTM whose bias is what we ask for."""
    return layers.LSTM(
        units, bias_initializer=initialize, unit_forget_bias=False, **options
    )


layer = lstm_layer(2, gate_biases(3), dtype="float64")
layer.build((1, 1, 1))
print("input, forget, candidate, output:", layer.get_weights()[2])
assert layer.get_weights()[2].tolist() == [0, 0, 3, 3, 0, 0, 0, 0]
# --8<-- [end:biases]


# --8<-- [start:half-life]
def half_life(b_f):
    """Steps until a forget gate that stands at σ(b_f) has halved the cell."""
    return np.log(0.5) / np.log(sigmoid(b_f))


print("b_f   gate   half-life in steps")
for b_f in (0, 1, 3, 5):
    print(f"{b_f:3d} {sigmoid(b_f):6.3f} {half_life(b_f):12.1f}")
assert half_life(1) < 3
assert half_life(5) > 100
# --8<-- [end:half-life]


# --8<-- [start:product]
def symbols(sequences, timesteps, seed, kinds=4):
    """Random symbols (sequences, timesteps), and the same one-hot."""
    rng = np.random.default_rng(seed)
    s = rng.integers(kinds, size=(sequences, timesteps))
    return s, np.eye(kinds, dtype="float32")[s]


seeds, units = range(5), 32
x = symbols(5, 200, seed=0)[1].astype("float64")  # one sequence for each seed


def geometric_mean(sizes):
    """Mean over the seeds (first axis) of numbers of many magnitudes."""
    return np.exp(np.log(sizes).mean(axis=0))


lags = np.array([1, 10, 20, 40, 60])
print("                  lag", *(f"{lag:8d}" for lag in lags))
for b_f in (0, 1, 3, 5):
    direct, whole = [], []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        layer = lstm_layer(units, gate_biases(b_f), dtype="float64")
        layer.build((1, None, 4))
        _, by_c, gates = lstm_back(x[seed], layer.get_weights(), start="c")
        product = np.cumprod(gates, axis=0)  # (lags, units)
        direct.append([size(product[lag - 1]) for lag in lags])
        whole.append(by_c[lags - 1])
    direct, whole = geometric_mean(direct), geometric_mean(whole)
    for name, row in (("product of gates", direct), ("whole", whole)):
        print(f"{b_f}  {name:18}", *(f"{value:8.1e}" for value in row))
    first = 4 if b_f else 3  # up to lag 40; a gate near 0.5 only up to 20
    near = direct[:first] / sigmoid(b_f) ** lags[:first]
    assert 0.5 < near.min() <= near.max() < 2
    assert whole[-1] > 1.5 * direct[-1]  # the detours carry more
    if b_f == 1:  # Keras' default
        assert direct[-1] < 0.01 * whole[-1] < 1e-4
assert direct[-1] > 0.5  # b_f = 5: most of it is left after 60 steps
assert whole.min() > 0.5  # and with the detours it does not fall
# --8<-- [end:product]


# --8<-- [start:chrono]
def chrono(longest):
    """Biases for memories of 1 to about `longest` steps."""

    def initialize(shape, dtype=None):
        steps = np.random.uniform(1, longest - 1, shape[0] // 4)
        return gate_biases(np.log(steps), -np.log(steps))(shape, dtype)

    return initialize


keras.utils.set_random_seed(1)
layer = lstm_layer(6, chrono(200), dtype="float64")
layer.build((1, 1, 1))
b_i, b_f, *_ = np.split(layer.get_weights()[2], 4)
steps = np.exp(b_f)
print("u           ", steps.round(1))
print("forget bias ", b_f.round(2))
print("forget gate ", sigmoid(b_f).round(4))
print("input gate  ", sigmoid(b_i).round(4))
print("half-life   ", half_life(b_f).round(1))
assert np.allclose(b_i, -b_f)
assert np.allclose(sigmoid(b_f), 1 - 1 / (1 + steps))  # loses 1 / (1 + u)
# --8<-- [end:chrono]


# --8<-- [start:others-back]
def simple_back(x, weights):
    """Sizes of the derivatives of the last h by the h k = 1, 2, … back."""
    kernel, recurrent_kernel, bias = weights
    h, states = np.zeros(len(recurrent_kernel)), []
    for x_t in x:
        h = np.tanh(x_t @ kernel + h @ recurrent_kernel + bias)
        states.append(h)
    dh, sizes = np.eye(len(h)), []
    for h in reversed(states):
        dh = (dh * (1 - h**2)) @ recurrent_kernel.T
        sizes.append(size(dh))
    return np.array(sizes)


def gru_back(x, weights):
    """The same for a GRU of Keras: z keeps, r resets, n is new."""
    kernel, recurrent_kernel, (bias, recurrent_bias) = weights
    h, states = np.zeros(len(recurrent_kernel)), []
    for x_t in x:
        x_z, x_r, x_n = np.split(x_t @ kernel + bias, 3)
        h_z, h_r, h_n = np.split(h @ recurrent_kernel + recurrent_bias, 3)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        n = np.tanh(x_n + r * h_n)
        states.append((h, z, r, n, h_n))
        h = z * h + (1 - z) * n
    dh, sizes = np.eye(len(h)), []
    for h, z, r, n, h_n in reversed(states):
        da_n = dh * (1 - z) * (1 - n**2)
        da_z = dh * (h - n) * z * (1 - z)
        da_r = da_n * h_n * r * (1 - r)
        da = np.concatenate([da_z, da_r, da_n * r], axis=1)
        dh = dh * z + da @ recurrent_kernel.T
        sizes.append(size(dh))
    return np.array(sizes)


# --8<-- [end:others-back]

# --8<-- [start:reach]
double = {"dtype": "float64"}
cells = {  # name: (how to make a layer, how to go back through it)
    "SimpleRNN": (lambda: layers.SimpleRNN(units, **double), simple_back),
    "GRU": (lambda: layers.GRU(units, **double), gru_back),
    "LSTM (Keras)": (lambda: layers.LSTM(units, **double), lstm_back),
}
for b_f in (0, 3, 5):
    cells[f"LSTM, b_f = {b_f}"] = (
        lambda b_f=b_f: lstm_layer(units, gate_biases(b_f), **double),
        lstm_back,
    )
cells["LSTM, chrono"] = (
    lambda: lstm_layer(units, chrono(200), **double),
    lstm_back,
)

reach = {}  # name: (seeds, lags)
for name, (make, back) in cells.items():
    reach[name] = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        layer = make()
        layer.build((1, None, 4))
        sizes = back(x[seed], layer.get_weights())
        reach[name].append(sizes[0] if back is lstm_back else sizes)
    reach[name] = np.array(reach[name])

lags = np.array([1, 10, 20, 40, 100, 199])
print("lag           ", *(f"{lag:8d}" for lag in lags))
for name, sizes in reach.items():
    row = geometric_mean(sizes)[lags - 1]
    print(f"{name:14}", *(f"{value:8.1e}" for value in row))
# --8<-- [end:reach]

# --8<-- [start:reach-tape]
lag = 10
for name in ("SimpleRNN", "GRU", "LSTM, chrono"):
    keras.utils.set_random_seed(0)
    layer = cells[name][0]()
    layer.return_state = True
    _, *states = layer(x[:1, :-lag])  # [h], or [h, c] for an LSTM
    states = [tf.Variable(state) for state in states]
    with tf.GradientTape() as tape:
        last = layer(x[:1, -lag:], initial_state=states)[0][0]
    by_tape = tape.jacobian(last, states)
    by_tape = size(np.concatenate(by_tape, axis=-1))
    assert abs(reach[name][0, lag - 1] / by_tape - 1) < 1e-9
# --8<-- [end:reach-tape]

# --8<-- [start:reach-verdict]
at = {name: geometric_mean(sizes) for name, sizes in reach.items()}
assert at["SimpleRNN"][19] > 2 * at["LSTM (Keras)"][19]  # lag 20
assert at["LSTM (Keras)"][19] > 20 * at["GRU"][19]
assert at["LSTM (Keras)"][99] < 1e-5  # lag 100
assert min(at["LSTM, b_f = 5"][99], at["LSTM, chrono"][99]) > 0.01
for name in ("LSTM, b_f = 3", "LSTM, b_f = 5", "LSTM, chrono"):
    assert (at[name][19:] > at["SimpleRNN"][19:]).all()
# --8<-- [end:reach-verdict]

# --8<-- [start:reach-figure]
drawn = {
    "SimpleRNN": ("C1", "--"),
    "GRU": ("C3", ":"),
    "LSTM (Keras)": ("C0", "-"),
    "LSTM, b_f = 5": ("C2", "-"),
    "LSTM, chrono": ("C4", "-."),
}
steps_back = np.arange(1, 201)
plt.figure(figsize=(5.2, 3.8))
for name, (color, style) in drawn.items():
    low, high = reach[name].min(axis=0), reach[name].max(axis=0)
    label = name.replace("b_f", "$b_f$")
    plt.fill_between(steps_back, low, high, color=color, alpha=0.2)
    plt.plot(steps_back, at[name], color=color, ls=style, label=label)
plt.yscale("log")
plt.ylim(1e-14, 30)
plt.xlim(0, 150)
plt.xlabel("lag: steps back")
plt.ylabel("size of the gradient")
plt.legend(loc="lower center", bbox_to_anchor=(0.45, 1), ncols=2)
plt.show()
# --8<-- [end:reach-figure]


# --8<-- [start:recall-task]
def first_symbol(sequences, timesteps, seed):
    """One-hot symbols (sequences, timesteps, 4), and which one was first."""
    s, one_hot = symbols(sequences, timesteps, seed)
    return one_hot, s[:, 0]


x_shown, y_shown = first_symbol(3, 10, seed=1)
for row, first in zip(x_shown.argmax(axis=2), y_shown):
    print("symbols", *row, "  target", first)
# --8<-- [end:recall-task]

# --8<-- [start:recall]
lengths, seeds = (10, 20, 40), (0, 1, 2)
kinds = {
    "SimpleRNN": lambda length: layers.SimpleRNN(32),
    "GRU": lambda length: layers.GRU(32),
    "LSTM (Keras)": lambda length: layers.LSTM(32),
    "LSTM, b_f = 5": lambda length: lstm_layer(32, gate_biases(5)),
    "LSTM, chrono": lambda length: lstm_layer(32, chrono(length)),
}


def network(layer):
    """One recurrent layer, and a score for each of the four symbols."""
    return keras.Sequential([keras.Input((None, 4)), layer, layers.Dense(4)])


models = {}  # one for each class of layer: its seeds and biases share it
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
fast = {"jit_compile": True, "steps_per_execution": 25}
for kind in (layers.SimpleRNN, layers.GRU, layers.LSTM):
    models[kind] = network(kind(32))
    models[kind].compile(keras.optimizers.Adam(0.01), loss, **fast)


def share_right(make, length, seed):
    """Share of right answers after training with fresh weights and Adam."""
    keras.utils.set_random_seed(seed)
    layer = make(length)
    model = models[type(layer)]
    model.set_weights(network(layer).get_weights())
    for variable in model.optimizer.variables:
        if variable is not model.optimizer.learning_rate:
            variable.assign(keras.ops.zeros_like(variable))
    model.fit(*first_symbol(4000, length, seed=1), epochs=3, verbose=0)
    x_test, y_test = first_symbol(500, length, seed=2)
    answers = np.asarray(model(x_test)).argmax(axis=1)
    return np.mean(answers == y_test)


recall = {}  # name: shares of right answers (lengths, seeds)
for name, make in kinds.items():
    shares = [[share_right(make, n, seed) for seed in seeds] for n in lengths]
    recall[name] = np.array(shares)
# --8<-- [end:recall]

# --8<-- [start:recall-table]
print("length        ", *(f"{length:>6}            " for length in lengths))
print(f"{'guess':14}", *(f"{1 / 4:6.2f}            " for _ in lengths))
for name, shares in recall.items():
    low, high, mean = shares.min(1), shares.max(1), shares.mean(1)
    columns = [
        f"{m:6.2f} ({a:.2f}–{b:.2f})" for m, a, b in zip(mean, low, high)
    ]
    print(f"{name:14}", *columns)

at_20, at_40 = ({n: r[i] for n, r in recall.items()} for i in (1, 2))
assert min(shares[0].min() for shares in recall.values()) > 0.9
simple, default = "SimpleRNN", "LSTM (Keras)"
assert (at_20[simple] + at_40[simple]).mean() > (
    at_20[default] + at_40[default]
).mean()
assert at_20["GRU"].max() < 0.4
assert at_40["GRU"].max() < 0.4
assert at_40[default].max() < 0.4
assert min(at_20["LSTM, chrono"].min(), at_20["LSTM, b_f = 5"].min()) > 0.9
assert at_40["LSTM, b_f = 5"].min() > 0.9
assert at_40["LSTM, chrono"].mean() > 0.6
# --8<-- [end:recall-table]

# --8<-- [start:recall-figure]
plt.figure(figsize=(5.2, 3.8))
shift = dict(zip(recall, np.linspace(-0.16, 0.16, len(recall))))
for name, shares in recall.items():
    color, style = drawn[name]
    places = np.arange(len(lengths)) + shift[name]
    label = name.replace("b_f", "$b_f$")
    plt.plot(places, shares.mean(axis=1), color=color, ls=style, label=label)
    plt.plot(places, shares, "o", color=color, alpha=0.5)
plt.axhline(0.25, linestyle=":", alpha=0.6, label="guess")
plt.xticks(range(len(lengths)), lengths)
plt.xlabel("length of the sequence")
plt.ylabel("share of right answers")
plt.legend(loc="lower center", bbox_to_anchor=(0.45, 1), ncols=2)
plt.show()
# --8<-- [end:recall-figure]

# --8<-- [start:recall-more]
more = [share_right(kinds[simple], 40, seed) for seed in (3, 4, 5)]
print("SimpleRNN at length 40, three other seeds:", np.round(more, 2))
assert min(more) < 0.5 < max(more)
# --8<-- [end:recall-more]

# --8<-- [start:thread]
printed = """
0.3665247  0.26928115 0.1976515  0.14535545 0.10950759 0.08470534
0.06685485 0.05372887 0.04372946 0.03605935 0.03003456 0.02522282
0.0212584  0.0179563  0.01519926 0.01289501 0.01096781 0.00932435
0.00791104 0.00670664"""
derivative = np.array(printed.split(), float)
step = derivative[1:] / derivative[:-1]
print("each step keeps", step[:3].round(3), "… at last", step[-1].round(3))
print(f"a gate with bias 1 keeps {sigmoid(1):.3f}")
left = derivative[-1] / derivative[0], sigmoid(1) ** 19
print("left after 19 steps: {:.4f}; by the gate alone {:.4f}".format(*left))
assert abs(step[:3] - sigmoid(1)).max() < 0.01
assert step[-5:].min() > step[:3].max() + 0.1
# --8<-- [end:thread]

# --8<-- [start:replaced]
layer = layers.LSTM(2, bias_initializer=gate_biases(5, -5))  # the default
layer.build((1, 1, 1))
print("input, forget, candidate, output:", layer.get_weights()[2])
assert layer.get_weights()[2].tolist() == [0, 0, 1, 1, -5, 5, 0, 0]

layer = lstm_layer(2, gate_biases(5, -5))  # unit_forget_bias=False
layer.build((1, 1, 1))
print("input, forget, candidate, output:", layer.get_weights()[2])
assert layer.get_weights()[2].tolist() == [-5, -5, 5, 5, 0, 0, 0, 0]
# --8<-- [end:replaced]

# --8<-- [start:starter-half]
steps = np.array([10, 100, 1000])  # half of the cell is to survive these
print("b_f = 5 survives for", half_life(5).round(), "steps")
# --8<-- [end:starter-half]

# --8<-- [start:solution-half]
f = 0.5 ** (1 / steps)  # the gate that halves after so many steps
b_f = np.log(f / (1 - f))
print("b_f =", b_f.round(2))
print("ln(steps / ln 2) =", np.log(steps / np.log(2)).round(2))
assert np.allclose(half_life(b_f), steps)
assert abs(b_f - np.log(steps / np.log(2))).max() < 0.05
# --8<-- [end:solution-half]

# --8<-- [start:starter-keep]
keras.utils.set_random_seed(0)
gru = layers.GRU(units, **double)
gru.build((1, None, 4))
kernel, recurrent_kernel, bias = gru.get_weights()
print("bias", bias.shape, " units", units)
# --8<-- [end:starter-keep]

# --8<-- [start:solution-keep]
print("keep bias    gradient at lag 10, 40, 100")
at_40 = {}
for keep in (0, 3, 5):
    kept = bias.copy()
    kept[0, :units] = keep  # blocks z, r, n; the first row meets the input
    sizes = gru_back(x[0], [kernel, recurrent_kernel, kept])
    print(
        f"{keep:9d}   ", *(f"{sizes[lag - 1]:8.1e}" for lag in (10, 40, 100))
    )
    at_40[keep] = sizes[39]
assert at_40[0] < 1e-6
assert at_40[5] > 0.3
# --8<-- [end:solution-keep]
