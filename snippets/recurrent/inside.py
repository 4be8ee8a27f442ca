# --8<-- [start:imports]
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

# --8<-- [end:imports]


# --8<-- [start:task]
def questions(symbols):
    """symbols (…, timesteps) -> depth, inside, closed, at each step."""
    symbols = np.asarray(symbols)
    depth = np.cumsum((symbols == "(") * 1 - (symbols == ")"), axis=-1)
    steps = np.arange(symbols.shape[-1])
    last = np.where(symbols != "·", steps, -1)
    last = np.maximum.accumulate(last, axis=-1)  # index of the last bracket
    last_symbol = np.take_along_axis(symbols, np.maximum(last, 0), axis=-1)
    return depth, last_symbol == "(", depth == 0


def brackets(sequences, timesteps, seed):
    """Symbols (sequences, timesteps); no bracket closes that is not open."""
    rng = np.random.default_rng(seed)
    symbols = np.full((sequences, timesteps), "·")
    depth = np.zeros(sequences, int)
    for t, u in enumerate(rng.random((timesteps, sequences))):
        opens, closes = u < 0.2, (u > 0.8) & (depth > 0)
        symbols[opens, t], symbols[closes, t] = "(", ")"
        depth += opens * 1 - closes
    return symbols


def one_hot(symbols):
    """(…, timesteps) -> (…, timesteps, 3), one feature for each symbol."""
    symbols = np.asarray(symbols)[..., None]
    return (symbols == ["·", "(", ")"]).astype("float32")


example = list("·((·)··)·()·")
depth, inside, closed = questions(example)
print("symbol ", *example)
print("depth  ", *depth)
print("inside ", *(inside * 1))
print("closed ", *(closed * 1))
assert "".join(map(str, depth)) == "012211100100"
assert "".join(map(str, inside * 1)) == "011100000100"
assert "".join(map(str, closed * 1)) == "100000011011"

train_symbols = brackets(2000, 40, seed=1)
test_symbols = brackets(500, 40, seed=2)
x_train, x_test = one_hot(train_symbols), one_hot(test_symbols)
assert x_test.shape == (500, 40, 3)
assert questions(test_symbols)[0].min() == 0  # depth is never negative
assert 0.5 < np.mean(test_symbols == "·") < 0.8
# --8<-- [end:task]


# --8<-- [start:layer]
def sigmoid(a):
    """Logistic function; written with tanh, it cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def read(x, weights, held=None):
    """x (batch, timesteps, features), weights = layer.get_weights().

    Returns f, i, c_tilde, o, c and h, each (batch, timesteps, units).
    held: for some of these six, a value for each unit (NaN: not held).
    """
    kernel, recurrent_kernel, bias = weights
    units = recurrent_kernel.shape[0]
    held = held or {}

    def hold(name, value):
        fixed = np.asarray(held.get(name, np.nan), value.dtype)
        return np.where(np.isnan(fixed), value, fixed)

    h = c = np.zeros((len(x), units), x.dtype)
    steps = []
    for t in range(x.shape[1]):
        a = x[:, t] @ kernel + h @ recurrent_kernel + bias
        i, f, c_tilde, o = np.split(a, 4, axis=1)  # (batch, units) each
        i, f = hold("i", sigmoid(i)), hold("f", sigmoid(f))
        c_tilde, o = hold("c_tilde", np.tanh(c_tilde)), hold("o", sigmoid(o))
        c = hold("c", f * c + i * c_tilde)
        h = hold("h", o * np.tanh(c))
        steps.append((f, i, c_tilde, o, c, h))
    names = ["f", "i", "c_tilde", "o", "c", "h"]
    return dict(zip(names, np.stack(steps, axis=2), strict=True))


# --8<-- [end:layer]

# --8<-- [start:parity]
keras.utils.set_random_seed(0)
layer = layers.LSTM(4, return_sequences=True, return_state=True)
layer.build((None, None, 3))
kernel, recurrent_kernel, bias = layer.get_weights()
bias += np.linspace(-1, 1, 16, dtype="float32")  # not only zeros and ones
weights = [kernel, recurrent_kernel, bias]


def difference(state, weights):
    """Largest difference of h at each step, and of c at the last one."""
    layer.set_weights(weights)
    h_keras, _, c_keras = map(np.asarray, layer(x_test))
    h, c = state["h"], state["c"]
    return [abs(h - h_keras).max(), abs(c[:, -1] - c_keras).max()]


state = read(x_test, weights)
layer_differs = difference(state, weights)
print(
    "off by, h at each step and last c:", *map("{:.0e}".format, layer_differs)
)
assert max(layer_differs) < 1e-5

# Hold the forget gate: in read(), and in Keras with weights that do it.
state = read(x_test, weights, held={"f": 0.9})
kernel[:, 4:8] = recurrent_kernel[:, 4:8] = 0  # x and h say nothing, and
bias[4:8] = np.log(0.9 / 0.1)  # the sigmoid of this is 0.9
held_differs = difference(state, weights)
print(
    "off by, forget gate held at 0.9:  ", *map("{:.0e}".format, held_differs)
)
assert max(held_differs) < 1e-5
assert abs(read(x_test, weights)["f"] - 0.9).max() < 1e-6
# --8<-- [end:parity]


# --8<-- [start:train]
_, inside_train, closed_train = questions(train_symbols)
depth, inside_test, closed_test = questions(test_symbols)


def network(units, outputs):
    """An LSTM layer, and one output for each question, at each step."""
    lstm = layers.LSTM(units, return_sequences=True)
    return keras.Sequential(
        [keras.Input((None, 3)), lstm, layers.Dense(outputs)]
    )


def train(units, answers, epochs, seeds):
    """Trained networks, one for each seed; compiled once for all of them."""
    answers = answers.astype("float32")
    model = network(units, answers.shape[-1])
    adam = keras.optimizers.Adam(0.05)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(adam, loss, jit_compile=True)
    trained = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        fresh = network(units, answers.shape[-1])
        model.set_weights(fresh.get_weights())
        for variable in adam.variables:
            if variable is not adam.learning_rate:
                variable.assign(keras.ops.zeros_like(variable))
        model.fit(x_train, answers, batch_size=64, epochs=epochs, verbose=0)
        fresh.set_weights(model.get_weights())
        trained.append(fresh)
    return trained


seeds = range(8)
latch = train(1, inside_train[..., None], 6, seeds)
count = train(1, closed_train[..., None], 12, seeds)
# --8<-- [end:train]


# --8<-- [start:score]
def score(model, right, state):
    """Share of right answers, for each question, if the layer has this h."""
    dense, offset = model.layers[1].get_weights()
    return ((state["h"] @ dense + offset > 0) == right).mean(axis=(0, 1))


def last_symbols(symbols, number):
    """A different integer for each series of the last symbols."""
    digits = np.pad(one_hot(symbols).argmax(-1), ((0, 0), (number - 1, 0)))
    view = np.lib.stride_tricks.sliding_window_view(digits, number, axis=1)
    return view @ 3 ** np.arange(number)


def table_score(number, right_train, right_test):
    """Answer with what was usual after the same last symbols."""
    known = last_symbols(train_symbols, number).ravel()
    usual = np.bincount(known, right_train.ravel(), 3**number)
    usual = usual > np.bincount(known, minlength=3**number) / 2
    return (usual[last_symbols(test_symbols, number)] == right_test).mean()


tasks = {  # question: (models, answers in training, in the test)
    "inside": (latch, inside_train, inside_test),
    "closed": (count, closed_train, closed_test),
}
print("share of right answers            inside     closed")
most = [max(right.mean(), 1 - right.mean()) for *_, right in tasks.values()]
print(f"always the same answer         {most[0]:9.3f}  {most[1]:9.3f}")
by_one = [table_score(1, *rights) for _, *rights in tasks.values()]
by_five = [table_score(5, *rights) for _, *rights in tasks.values()]
print(f"table of the last symbol       {by_one[0]:9.3f}  {by_one[1]:9.3f}")
print(f"table of the last five         {by_five[0]:9.3f}  {by_five[1]:9.3f}")

states, intact = {}, {}  # question: one for each seed
differences = []
for question, (models, _, right) in tasks.items():
    states[question], intact[question] = [], []
    for model in models:
        state = read(x_test, model.layers[0].get_weights())
        h_keras = np.asarray(model.layers[0](x_test))
        differences.append(abs(state["h"] - h_keras).max())
        states[question].append(state)
        intact[question].append(score(model, right[..., None], state)[0])
worst = [min(scores) for scores in intact.values()]
best = [max(scores) for scores in intact.values()]
print(f"LSTM(1), worst of 8 seeds      {worst[0]:9.3f}  {worst[1]:9.3f}")
print(f"LSTM(1), best of 8 seeds       {best[0]:9.3f}  {best[1]:9.3f}")
assert min(worst) > 0.96
assert worst[0] > by_five[0] + 0.01
assert worst[1] > by_five[1] + 0.1
print(f"h read, h of the Keras layers: off by {max(differences):.0e} at most")
assert max(differences) < 1e-3
# --8<-- [end:score]

# --8<-- [start:maps]
shown = list("·((··(·)·))···(···)·((·))·")
rows = {  # name: (what read() calls it, colour as in the equations)
    "forget f": ("f", "#cc2200"),
    "input i": ("i", "#0867e7"),
    "candidate c̃": ("c_tilde", "#20754f"),
    "output o": ("o", "#992ba5"),
    "cell c": ("c", "#5f2f00"),
    "hidden h": ("h", "#00475b"),
}

fig, axes = plt.subplots(2, 1, figsize=(5.2, 6.2))
for axis, (question, (models, *_)) in zip(axes, tasks.items()):
    state = read(one_hot([shown]), models[0].layers[0].get_weights())
    lines = np.array([state[key][0, :, 0] for key, _ in rows.values()])
    largest = abs(lines[4]).max()
    lines[4] /= largest
    image = axis.imshow(lines, "RdBu_r", vmin=-1, vmax=1, aspect="auto")
    axis.set_xticks(range(len(shown)), shown)
    axis.set_yticks(range(6), rows)
    for label, (_, colour) in zip(axis.get_yticklabels(), rows.values()):
        label.set_color(colour)
    axis.tick_params(length=0)
    axis.grid(False)
    title = f"{question}? (cell divided by {largest:.1f})"
    axis.set_title(title, loc="left")
bar = fig.colorbar(image, ax=axes, orientation="horizontal", aspect=30)
bar.set_ticks([-1, 0, 1])
bar.set_label("value")
plt.show()
# --8<-- [end:maps]

# --8<-- [start:means]
print(f"{'':7}{'forget gate':>20}{'input gate':>20}{'written, i·c̃':>21}")
print("seed   " + 3 * f"   {'·':>5} {'(':>5} {')':>5}")
usual = {question: [] for question in tasks}  # no star? One for each seed
at_dots = []  # does the counter write at dots, against an opening bracket?
for question, of_seeds in states.items():
    print(question)
    for seed, state in enumerate(of_seeds):
        written = state["i"] * state["c_tilde"]
        f, i, w = (
            [value[test_symbols == s].mean() for s in "·()"]
            for value in (state["f"], state["i"], written)
        )
        # Opposite signs at the two brackets, and neither near 0.
        least = min(abs(w[1]), abs(w[2]))
        plain = w[1] * w[2] < 0 and least > 0.5
        if question == "inside":
            plain = plain and max(f[1:]) < 0.3
            assert not plain or (least > 0.8 and f[0] > 0.6)
        else:
            assert i[0] < i[1] - 0.2
            at_dots.append(w[0] * w[1] < 0 and abs(w[0]) > 0.15)
            assert not at_dots[-1] or f[1] < 0.85
        usual[question].append(plain)
        print(f"{seed:4d}   ", end="")
        for means in (f, i, w):
            print("  ", *(f"{mean:5.2f}" for mean in means), end="")
        print("" if plain else "  *")
    assert sum(usual[question]) >= 5
# --8<-- [end:means]

# --8<-- [start:cell]
print("correlation of the cell state with   the depth   the answer inside")
knows = {question: [] for question in tasks}  # abs(r_inside), by seed
for question, of_seeds in states.items():
    for seed, state in enumerate(of_seeds):
        c = state["c"].ravel()
        r_depth = np.corrcoef(c, depth.ravel())[0, 1]
        r_inside = np.corrcoef(c, inside_test.ravel())[0, 1]
        knows[question].append(abs(r_inside))
        star = " " if usual[question][seed] else "*"
        print(f"{question}, seed {seed} {star}", end="")
        print(f"{r_depth:27.2f} {r_inside:14.2f}")
        if question == "closed":
            assert abs(r_depth) > 0.85 > abs(r_inside)
assert min(np.array(knows["inside"])[usual["inside"]]) > 0.65
# --8<-- [end:cell]

# --8<-- [start:hold]
print("share of right answers, one gate held at its mean")
print("                   intact   forget    input   output")
held = {question: [] for question in tasks}  # (seeds, 3)
for question, (models, _, right) in tasks.items():
    for seed, model in enumerate(models):
        weights = model.layers[0].get_weights()
        scores = []
        for gate in ("f", "i", "o"):
            mean = states[question][seed][gate].mean(axis=(0, 1))
            changed = read(x_test, weights, held={gate: mean})
            scores.append(score(model, right[..., None], changed)[0])
        held[question].append(scores)
        row = [intact[question][seed], *scores]
        star = " " if usual[question][seed] else "*"
        print(f"{question}, seed {seed} {star}", *(f"{v:8.3f}" for v in row))
print(f"inside, table of the last symbol      {by_one[0]:.3f}")
print(f"closed, table of the last symbol      {by_one[1]:.3f}")
# --8<-- [end:hold]

# --8<-- [start:hold-verdict]
whole, part = np.array(intact["inside"]), np.array(held["inside"])
forget, input_, output = (whole[:, None] - part).T  # lost, each (seeds,)
latches = np.array(usual["inside"])  # those without a star
assert input_[latches].max() < 0.02  # they can do without the input gate …
assert forget[latches].min() > 0.12  # … and not without the forget gate
assert output[latches].max() < 0.05
assert abs(part[latches, 0] - by_one[0]).max() < 0.12

whole, part = np.array(intact["closed"]), np.array(held["closed"])
forget, input_, output = (whole[:, None] - part).T
assert input_.min() > 0.08  # no counter can do without its input gate …
assert forget.min() > 0.03  # … or its forget gate
assert (input_ > output).all()
assert (forget > input_)[at_dots].all()
assert sum(at_dots) >= 2
# --8<-- [end:hold-verdict]

# --8<-- [start:odd]
odd = int(np.argmin(np.array(held["inside"])[:, 2]))
assert not usual["inside"][odd]
assert knows["inside"][odd] < 0.5
o, c = states["inside"][odd]["o"][..., 0], states["inside"][odd]["c"][..., 0]
print(
    f"seed {odd}              output gate   |cell state| at step 10, 20, 40"
)
for answer, name in ((True, "inside"), (False, "not inside")):
    means = [c[inside_test[:, t] == answer, t].mean() for t in (9, 19, 39)]
    print(f"{name:12} {o[inside_test == answer].mean():17.2f}", end="   ")
    means = [abs(mean) for mean in means]
    print(*(f"{mean:8.1f}" for mean in means))
    assert means[0] < means[1] < means[2]
gap = o[inside_test].mean() - o[~inside_test].mean()
assert abs(gap) > 0.5
assert held["inside"][odd][2] < most[0] + 0.05

# Cut the way from the hidden state to the output gate.
kernel, recurrent_kernel, bias = latch[odd].layers[0].get_weights()
recurrent_kernel[:, 3] = 0
cut = read(x_test, [kernel, recurrent_kernel, bias])
cut_score = score(latch[odd], inside_test[..., None], cut)[0]
print(f"right without the way from h to the output gate: {cut_score:.3f}")
assert cut_score < 0.85
# --8<-- [end:odd]


# --8<-- [start:influence]
def influence(layer, x):
    """Size of the derivative of the last h by x, at each step of x."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        last_h = layer(x)[:, -1]  # (batch, 1)
    assert last_h.shape[-1] == 1  # of more units, gradient() takes the sum
    return np.linalg.norm(tape.gradient(last_h, x), axis=-1)


is_bracket = test_symbols != "·"
later = is_bracket[:, ::-1].argmax(axis=1)  # steps after the last bracket
before = np.arange(40) < 39 - later[:, None]  # steps before that bracket
enough = is_bracket.sum(axis=1) >= 4

print("share of the influence that comes from before the last bracket")
print("seed     ", *(f"{seed:6d}" for seed in seeds))
share = {}
for question, (models, *_) in tasks.items():
    sizes = [influence(model.layers[0], x_test) for model in models]
    share[question] = [
        np.mean((size * before).sum(1)[enough] / size.sum(1)[enough])
        for size in sizes
    ]
    print(f"{question:9}", *(f"{value:6.2f}" for value in share[question]))
assert max(share["inside"]) < 0.3 < 0.4 < min(share["closed"])
# --8<-- [end:influence]

# --8<-- [start:connectivity]
fig, axes = plt.subplots(2, 1, figsize=(5.2, 8.8))
steps = len(shown)
for axis, (question, (models, *_)) in zip(axes, tasks.items()):
    # One row for each length: the influence on the last h of the prefix.
    matrix = np.full((steps, steps), np.nan)
    for t in range(steps):
        prefix = one_hot([shown[: t + 1]])
        size = influence(models[0].layers[0], prefix)[0]
        matrix[t, : t + 1] = size / size.max()
    image = axis.imshow(matrix, "viridis", vmin=0, vmax=1)
    axis.set_xticks(range(steps), shown)
    axis.set_yticks(range(steps), shown, fontsize=8)
    axis.tick_params(length=0)
    axis.grid(False)
    axis.set_title(f"{question}?", loc="left")
    axis.set_xlabel("symbol that is changed a little")
    axis.set_ylabel("hidden state after this symbol")
bar = fig.colorbar(image, ax=axes, orientation="horizontal", aspect=30)
bar.set_label("influence, divided by the largest of the row")
plt.show()
# --8<-- [end:connectivity]

# --8<-- [start:both]
rights = np.stack([inside_test, closed_test], axis=-1)  # (500, 40, 2)
answers = np.stack([inside_train, closed_train], axis=-1)
both = train(2, answers, 12, range(5))
# --8<-- [end:both]

# --8<-- [start:units]
latch_units, closed_left = [], []  # what is right with that unit's c held
print("            correlation of c with     right, cell held at its mean")
print("seed unit     depth   inside           inside    closed")
for seed, model in enumerate(both):
    weights = model.layers[0].get_weights()
    state = read(x_test, weights)
    whole = score(model, rights, state)
    print(f"{seed:4d} intact {whole[0]:33.3f} {whole[1]:9.3f}")
    lost_by_unit = []
    for unit in range(2):
        c = state["c"][..., unit]
        r_depth = np.corrcoef(c.ravel(), depth.ravel())[0, 1]
        r_inside = np.corrcoef(c.ravel(), inside_test.ravel())[0, 1]
        only = np.where(np.arange(2) == unit, c.mean(), np.nan)
        part = score(model, rights, read(x_test, weights, held={"c": only}))
        lost_by_unit.append(whole - part)
        print(f"{unit + 1:9d} {r_depth:9.2f} {r_inside:8.2f}", end="")
        print(f"{part[0]:17.3f} {part[1]:9.3f}")
    counter = np.argmin([by_inside for by_inside, _ in lost_by_unit])
    assert lost_by_unit[counter][0] < 0.02 < 0.2 < lost_by_unit[counter][1]
    assert lost_by_unit[1 - counter][0] > 0.1  # the other unit latches
    left = whole - lost_by_unit[counter]
    assert left[1] < most[1] + 0.05
    latch_units.append(1 - counter)
    closed_left.append((whole - lost_by_unit[1 - counter])[1])
# --8<-- [end:units]

# --8<-- [start:ways]
mixed = int(np.argmin(closed_left))  # where closed needs the latch most
weights = both[mixed].layers[0].get_weights()
free = read(x_test, weights)
is_latch = np.arange(2) == latch_units[mixed]
only = np.where(is_latch, free["c"].mean(axis=(0, 1)), np.nan)
still = read(x_test, weights, held={"c": only})
seen = {  # who sees the latch held: hidden states (500, 40, 2)
    "nobody": free["h"],
    "all": still["h"],
    "Dense": np.where(is_latch, still["h"], free["h"]),
    "the counter's gates": np.where(is_latch, free["h"], still["h"]),
}
print(f"seed {mixed}, the latch held is seen by   inside    closed")
ways = {
    name: score(both[mixed], rights, {"h": h}) for name, h in seen.items()
}
for name, part in ways.items():
    print(f"{name:30} {part[0]:9.3f} {part[1]:9.3f}")
assert ways["Dense"][1] < 0.85 < 0.9 < ways["the counter's gates"][1]
assert ways["the counter's gates"][0] > 0.95
# --8<-- [end:ways]

# --8<-- [start:shapes]
weights = latch[0].layers[0].get_weights()
print("weights:", *(w.shape for w in weights))
print("gate f: ", read(x_test, weights)["f"].shape)
print("gate f of the first five symbols", *test_symbols[0, :5], end=": ")
print(read(x_test, weights)["f"][0, :5, 0].round(2))
assert read(x_test, weights)["f"].shape == (*test_symbols.shape, 1)
# --8<-- [end:shapes]

# --8<-- [start:starter-four]
[four] = train(4, inside_train[..., None], 6, seeds=[0])
weights = four.layers[0].get_weights()
state = read(x_test, weights)
right = inside_test[..., None]
print(f"four units, intact: {score(four, right, state)[0]:.3f}")
# --8<-- [end:starter-four]

# --8<-- [start:solution-four]
scores = []
for unit in range(4):
    c = state["c"][..., unit]
    r = np.corrcoef(c.ravel(), inside_test.ravel())[0, 1]
    only = np.where(np.arange(4) == unit, c.mean(), np.nan)
    without = read(x_test, weights, held={"c": only})
    scores.append(score(four, right, without)[0])
    print(f"unit {unit + 1}: r = {r:5.2f}, held: {scores[-1]:.3f}")
    assert abs(r) > 0.7  # each cell goes with the answer
everything = read(x_test, weights, held={"c": state["c"].mean(axis=(0, 1))})
print(f"all four held: {score(four, right, everything)[0]:.3f}")
assert min(scores) > 0.7  # no unit carries it alone
assert score(four, right, everything)[0] < 0.6
# --8<-- [end:solution-four]

# --8<-- [start:starter-high]
nested = list("(" * 5 + ")" * 5)
right = questions(nested)[2]
for seed, model in enumerate(count):
    said = np.asarray(model(one_hot([nested])))[0, :, 0] > 0
    print(f"seed {seed}: {np.mean(said == right):.0%} of ten steps right")
# --8<-- [end:starter-high]

# --8<-- [start:solution-high]
print("                    c after 20   20 pairs: says closed after")
print("seed   right up to     opening        so many closing brackets")
reached = []
for seed, model in enumerate(count):
    good = 0
    while good < 40:
        nested = list("(" * (good + 1) + ")" * (good + 1))
        said = np.asarray(model(one_hot([nested])))[0, :, 0] > 0
        if (said != questions(nested)[2]).any():
            break
        good += 1
    nested = list("(" * 20 + ")" * 20)
    c = read(one_hot([nested]), model.layers[0].get_weights())["c"]
    said = np.asarray(model(one_hot([nested])))[0, 20:, 0] > 0
    early = np.argmax(said) + 1
    star = " " if usual["closed"][seed] else "*"
    print(f"{seed:4d} {star} {good:11d} {c[0, 19, 0]:11.1f} {early:27d}")
    assert 1 <= good < 20
    assert abs(c[0, 19, 0]) < 20
    assert said[early - 1]
    assert early < 20
    reached.append(good)
assert not usual["closed"][np.argmin(reached)]
depths = questions(train_symbols)[0]  # (strings, steps)
closed_again = [
    row[: np.flatnonzero(row == 0)[-1]].max(initial=0)
    for row in depths
    if (row == 0).any()
]
print("training: largest depth", depths.max(), end=", ")
print("largest that was closed again", max(closed_again))
assert max(closed_again) < max(reached) < depths.max()
# --8<-- [end:solution-high]

# --8<-- [start:starter-replace]
lost_bracket = test_symbols.copy()
position = 39 - later  # of the last bracket
lost_bracket[np.arange(500), position] = "·"
model = latch[0]
said = np.asarray(model(x_test))[:, -1, 0] > 0
says = np.asarray(model(one_hot(lost_bracket)))[:, -1, 0] > 0
print(
    f"without the last bracket: {np.mean(said != says):.0%} of answers change"
)
# --8<-- [end:starter-replace]

# --8<-- [start:solution-replace]
print("brackets back     1     2     3     4")
for question, (models, *_) in tasks.items():
    said = np.asarray(models[0](x_test))[enough, -1, 0] > 0
    changes = []
    for back in range(4):
        altered = test_symbols[enough].copy()
        for row in altered:
            row[np.flatnonzero(row != "·")[-1 - back]] = "·"
        says = np.asarray(models[0](one_hot(altered)))[:, -1, 0] > 0
        changes.append(np.mean(said != says))
    print(f"{question:14}", *(f"{change:5.0%}" for change in changes))
    if question == "inside":
        assert changes[0] > 0.3
        assert max(changes[1:]) < 0.02
    else:
        assert min(changes) > 0.1
# --8<-- [end:solution-replace]
