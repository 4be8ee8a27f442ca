# --8<-- [start:imports]
import warnings

import keras
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

SEEDS = range(5)
# --8<-- [end:imports]

# --8<-- [start:fonts]
styles = ("", "-Bold", "-Oblique", "-BoldOblique")
SEEN = [f"DejaVuSans{style}" for style in styles]
SEEN += [f"DejaVuSansMono{style}" for style in styles]
SEEN += [f"DejaVuSerif{s}" for s in ("", "-Bold", "-Italic", "-BoldItalic")]
NEW = [f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")]
NEW += ["cmr10", "cmb10", "cmss10", "cmti10", "cmtt10"]  # Computer Modern


def outlines(font, digit):
    """Closed curves (points, 2) of a digit: centred, eight pixels high."""
    file = f"{matplotlib.get_data_path()}/fonts/ttf/{font}.ttf"
    path = TextPath((0, 0), str(digit), prop=FontProperties(fname=file))
    low, high = path.get_extents().get_points()
    scale = 8 / (high[1] - low[1])
    return [(c - (low + high) / 2) * scale for c in path.to_polygons()]


print(len(SEEN), "fonts for training,", len(NEW), "new fonts")
print("curves of 0, 1 and 8:", [len(outlines(SEEN[0], d)) for d in (0, 1, 8)])
assert [len(outlines(SEEN[0], digit)) for digit in (0, 1, 8)] == [2, 1, 3]
# --8<-- [end:fonts]

# --8<-- [start:pixels]
half_pixels = np.arange(-5.75, 6, 0.5)  # 24 places along 12 pixels
POINTS = np.stack(np.meshgrid(half_pixels, -half_pixels), -1).reshape(-1, 2)


def pixels(curves, rng):
    """A picture (12, 12): the digit turned, sized and moved by chance."""
    angle, size = rng.uniform(-0.25, 0.25), rng.uniform(0.85, 1.15)
    cos, sin = size * np.cos(angle), size * np.sin(angle)
    shift = rng.uniform(-1, 1, size=2)
    ink = np.zeros(len(POINTS), bool)
    for curve in curves:  # a second curve inside the first cuts a hole
        moved = curve @ [[cos, sin], [-sin, cos]] + shift
        ink ^= Path(moved).contains_points(POINTS)
    return ink.reshape(12, 2, 12, 2).mean(axis=(1, 3))


def digits(fonts, copies, seed):
    """Pictures as rows of 144 numbers (count, 144), and their digits."""
    rng, x, y = np.random.default_rng(seed), [], []
    for font in fonts:
        for digit in range(10):
            curves = outlines(font, digit)
            x += [pixels(curves, rng).ravel() for _ in range(copies)]
            y += [digit] * copies
    return np.array(x, "float32"), np.array(y)


x, y = digits(SEEN, copies=12, seed=0)
x_fresh, y_fresh = digits(SEEN, copies=4, seed=1)  # same fonts
x_new, y_new = digits(NEW, copies=8, seed=2)  # fonts never seen
print("training     ", x.shape, y.shape)
print("new pictures ", x_fresh.shape, y_fresh.shape)
print("new fonts    ", x_new.shape, y_new.shape)
assert x.min() == 0
assert x.max() == 1
hole = x[y == 0].reshape(-1, 12, 12)[:, 5:7, 5:7].mean()
stroke = x[y == 1].reshape(-1, 12, 12)[:, 5:7, 5:7].mean()
assert hole < 0.3 < 0.5 < stroke
# --8<-- [end:pixels]

# --8<-- [start:show]
rows = {
    "DejaVu Sans": x[:120],
    "Serif, bold": x[1080:1200],
    "STIX, italic": x_new[160:240],
    "cmti10": x_new[560:640],
}
lines = []
for pictures in rows.values():
    one_of_each = pictures.reshape(10, -1, 12, 12)[:, 0]  # (10, 12, 12)
    lines.append(np.hstack(one_of_each))
plt.figure(figsize=(5.2, 2.1))
plt.imshow(np.vstack(lines), cmap="gray_r", interpolation="none")
plt.yticks(6 + 12 * np.arange(4), rows)
plt.xticks([])
plt.tick_params(length=0)
plt.grid(False)
plt.axhline(23.5, color="C1", linestyle="--")
plt.show()
# --8<-- [end:show]

# --8<-- [start:three-ways]
keras.utils.set_random_seed(0)

# 1. Sequential: a list of layers
sequential = keras.Sequential(
    [keras.Input((144,)), layers.Dense(32, "relu"), layers.Dense(10)]
)

# 2. Functional: follow a symbol from the input to the output
inputs = keras.Input((144,), name="pixels")
hidden = layers.Dense(32, "relu", name="hidden")(inputs)
logits = layers.Dense(10, name="logits")(hidden)
functional = keras.Model(inputs, logits, name="digits")


# 3. Subclassed: layers in __init__, and what to do with them in call
class Digits(keras.Model):
    """The same network: (batch, 144) -> logits (batch, 10)."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(32, "relu")
        self.logits = layers.Dense(10)

    def call(self, x):
        return self.logits(self.hidden(x))


subclassed = Digits()
subclassed(x[:1])  # the first call makes the weights
# --8<-- [end:three-ways]

# --8<-- [start:same]
rng = np.random.default_rng(0)
weights = [rng.normal(0, 0.1, w.shape) for w in sequential.get_weights()]
sequential.set_weights(weights)
functional.set_weights(weights)
subclassed.set_weights(weights)
W1, b1, W2, b2 = weights
print("weights:", *(w.shape for w in weights))

h = np.maximum(x @ W1 + b1, 0)  # (1440, 32)
z = h @ W2 + b2  # (1440, 10)
first = np.array(sequential(x))
print("largest difference from NumPy")
for name, model in (
    ("sequential", sequential),
    ("functional", functional),
    ("subclassed", subclassed),
):
    output = np.array(model(x))
    equal = np.array_equal(output, first)
    print(f"{name}  {abs(output - z).max():.0e}", end="   ")
    print("equal to the first to the bit" if equal else "differs")
    assert np.allclose(output, z, rtol=0, atol=1e-5)
    assert equal
# --8<-- [end:same]

# --8<-- [start:inside]
to_hidden = keras.Model(inputs, hidden)
print("hidden layer of the functional model:", to_hidden(x).shape)
assert np.allclose(to_hidden(x), h, rtol=0, atol=1e-5)

print("functional.input:", functional.input.shape)
print("subclassed.input:", hasattr(subclassed, "input"))
assert not hasattr(subclassed, "input")
# --8<-- [end:inside]

# --8<-- [start:summary]
functional.summary(line_length=54)
# --8<-- [end:summary]

# --8<-- [start:count]
in_hidden = 144 * 32 + 32  # a weight for each pair, a bias for each unit
in_logits = 32 * 10 + 10
print(in_hidden, "+", in_logits, "=", in_hidden + in_logits)
print(f"4 bytes each: {4 * (in_hidden + in_logits) / 1024:.2f} KB")
counted = [layer.count_params() for layer in functional.layers]
assert counted == [0, in_hidden, in_logits]
assert functional.count_params() == in_hidden + in_logits
assert len(sequential.layers) == 2  # the input is not listed

print("input", functional.input_shape, " output", functional.output_shape)
for batch in (1, 5, 1440):
    assert functional(x[:batch]).shape == (batch, 10)
# --8<-- [end:count]


# --8<-- [start:frozen]
def totals(model):
    """The lines of a summary below its table."""
    text = []
    model.summary(print_fn=text.append)
    return "\n".join(text).split("┘")[-1].strip("\n")


functional.get_layer("hidden").trainable = False
print(totals(functional))
trainable = sum(np.prod(w.shape) for w in functional.trainable_weights)
assert trainable == in_logits
assert functional.count_params() == in_hidden + in_logits
functional.get_layer("hidden").trainable = True
# --8<-- [end:frozen]

# --8<-- [start:unbuilt]
no_input = keras.Sequential([layers.Dense(32, "relu"), layers.Dense(10)])
no_input.summary(line_length=64)
assert no_input.weights == []

no_input(keras.Input((144,)))  # one call, with a symbol or with data
print("after a call:", no_input.count_params(), "parameters")
assert no_input.count_params() == functional.count_params()
# --8<-- [end:unbuilt]

# --8<-- [start:train]
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
adam = keras.optimizers.Adam(0.01)
returned = {}
returned["compile"] = functional.compile(adam, loss, metrics=["accuracy"])
returned["fit"] = functional.fit(
    x, y, batch_size=64, epochs=20, validation_data=(x, y), verbose=0
)
returned["evaluate"] = functional.evaluate(x_new, y_new, verbose=0)
returned["predict"] = functional.predict(x_new, verbose=0)
returned["model(x)"] = functional(x_new)
for name, value in returned.items():
    print(f"{name:9} {type(value).__name__}")
assert returned["compile"] is None
assert isinstance(returned["evaluate"], list)
named = functional.evaluate(x_new, y_new, verbose=0, return_dict=True)
assert sorted(named) == ["accuracy", "loss"]
assert isinstance(returned["predict"], np.ndarray)
assert not isinstance(returned["model(x)"], np.ndarray)
# --8<-- [end:train]

# --8<-- [start:returns]
history = returned["fit"].history
print("history:", {name: len(values) for name, values in history.items()})
print("steps in an epoch:", returned["fit"].params["steps"])

z = returned["predict"]  # logits (720, 10)
e = np.exp(z - z.max(axis=1, keepdims=True))
p = e / e.sum(axis=1, keepdims=True)  # softmax: probabilities (720, 10)
loss_by_hand = -np.mean(np.log(p[np.arange(len(p)), y_new]))
right_by_hand = np.mean(z.argmax(axis=1) == y_new)
print("             loss    accuracy")
print("evaluate   {:.4f}      {:.4f}".format(*returned["evaluate"]))
print(f"by hand    {loss_by_hand:.4f}      {right_by_hand:.4f}")
assert abs(returned["evaluate"][0] - loss_by_hand) < 1e-3
assert abs(returned["evaluate"][1] - right_by_hand) < 1e-5
assert np.array_equal(p.argmax(axis=1), z.argmax(axis=1))
assert np.allclose(z, returned["model(x)"], rtol=0, atol=1e-3)
assert returned["fit"].params["steps"] == np.ceil(len(x) / 64)
# --8<-- [end:returns]

# --8<-- [start:epochs]
print("accuracy on the training data")
print("epoch   during, by fit   after, by evaluate")
for epoch in (1, 2, 5, 10, 20):
    during = history["accuracy"][epoch - 1]
    after = history["val_accuracy"][epoch - 1]
    print(f"{epoch:5} {during:14.1%} {after:16.1%}")
assert history["val_accuracy"][0] > history["accuracy"][0] + 0.1
again = functional.evaluate(x, y, verbose=0)
assert np.isclose(again[1], history["val_accuracy"][-1])
# --8<-- [end:epochs]

# --8<-- [start:optimizer]
print(totals(functional))
weights_of_adam = sum(np.prod(v.shape) for v in adam.variables)
assert weights_of_adam == 2 * functional.count_params() + 2
# --8<-- [end:optimizer]


# --8<-- [start:models]
def most_frequent(x):
    """The baseline: the digit that training shows most often."""
    return np.full(len(x), np.bincount(y).argmax())


def nearest(pictures):
    """The digit of the most similar training picture."""
    distance = np.sum(x**2, axis=1) - 2 * pictures @ x.T  # + a constant
    return y[distance.argmin(axis=1)]


def trained(hidden, x, y, seed):
    """A network with these hidden layers, after 20 epochs."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((144,))])
    for units in hidden:
        model.add(layers.Dense(units, "relu"))
    model.add(layers.Dense(10))
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(x, y, batch_size=64, epochs=20, verbose=0)
    return model


# --8<-- [end:models]

# --8<-- [start:table]
sets = ((x, y), (x_fresh, y_fresh), (x_new, y_new))
linear = [trained([], x, y, seed) for seed in SEEDS]
networks = [trained([32], x, y, seed) for seed in SEEDS]
score, kept = {}, {"most frequent": 1, "nearest": x.size + y.size}
for name, rule in (("most frequent", most_frequent), ("nearest", nearest)):
    score[name] = [[np.mean(rule(a) == b) for a, b in sets]]
for name, models in (("linear", linear), ("network", networks)):
    kept[name] = models[0].count_params()
    score[name] = [
        [np.mean(np.argmax(model(a), axis=1) == b) for a, b in sets]
        for model in models
    ]

print("right answers in %, mean of 5 starts (least to most)")
print("model             kept     training   new pictures  new fonts")
for name, shares in score.items():
    print(f"{name:13} {kept[name]:8,}", end="")
    for share in 100 * np.array(shares).T:
        text = f"{share.mean():.0f}"
        if len(share) > 1:
            text += f" ({share.min():.0f}–{share.max():.0f})"
        print(f"   {text:12}", end="")
    print()
# --8<-- [end:table]

# --8<-- [start:verdict]
mean = {name: np.mean(shares, axis=0) for name, shares in score.items()}
assert mean["most frequent"][2] == 0.1
assert mean["nearest"][0] == 1  # it finds the picture itself
for name in ("nearest", "linear", "network"):
    assert mean[name][1] - mean[name][2] > 0.04  # new fonts are harder
assert mean["network"][1] > mean["linear"][1] + 0.02
assert mean["network"][2] > mean["linear"][2] + 0.02
ahead = mean["network"] - mean["nearest"]
assert abs(ahead[1]) < 0.03  # on new pictures about equal
assert 0 < ahead[2] < 0.1  # on new fonts a little ahead
# --8<-- [end:verdict]

# --8<-- [start:confusion]
answers = np.array([np.argmax(net(x_new), axis=1) for net in networks])
matrix = np.zeros((10, 10), int)  # rows: the digit, columns: the answer
for answer in answers:
    np.add.at(matrix, (y_new, answer), 1)
assert matrix.sum() == len(networks) * len(x_new)

plt.figure(figsize=(5.2, 4.7))
for digit, answer in np.argwhere(matrix):
    count = matrix[digit, answer]
    colour, full = ("C0", 360) if digit == answer else ("C1", 60)
    alpha = 0.45 * min(count / full, 1)
    plt.scatter(answer, digit, 560, color=colour, marker="s", alpha=alpha)
    plt.text(answer, digit, count, ha="center", va="center", fontsize=10)
plt.xticks(range(10))
plt.yticks(range(10))
plt.xlim(-0.5, 9.5)
plt.ylim(9.5, -0.5)
plt.grid(False)
plt.xlabel("answer of the network")
plt.ylabel("digit")
plt.show()
# --8<-- [end:confusion]

# --8<-- [start:worst]
wrong = matrix - np.diag(np.diag(matrix))
order = np.argsort(wrong.ravel(), kind="stable")[::-1]
pairs = [divmod(int(place), 10) for place in order[:5]]
print("digit  read as  times  the other way round")
for digit, answer in pairs:
    print(f"{digit:5} {answer:8} {wrong[digit, answer]:6}", end="")
    print(f"{wrong[answer, digit]:9}")
assert wrong[4, 1] > 2 * wrong[1, 4]

right = (answers == y_new).mean(axis=0).reshape(len(NEW), -1).mean(axis=1)
print("new font            right")
for place in np.argsort(right):
    print(f"{NEW[place]:18} {right[place]:6.0%}")
assert right.argmin() == NEW.index("cmti10")
# --8<-- [end:worst]

# --8<-- [start:misread]
fig, axes = plt.subplots(2, 4, figsize=(5.2, 3))
for (digit, answer), column in zip(pairs, axes.T):
    misread = (y_new == digit) * (answers == answer).sum(axis=0)
    for axis, place in zip(column, np.argsort(-misread, kind="stable")):
        picture = x_new[place].reshape(12, 12)
        axis.imshow(picture, cmap="gray_r", interpolation="none")
        axis.set(xticks=[], yticks=[])
        axis.set_xlabel(f"{misread[place]} of 5", fontsize=10)
    column[0].set_title(f"{digit} read as {answer}", fontsize=11)
plt.show()
# --8<-- [end:misread]


# --8<-- [start:pairings]
def cross_entropy(output, from_logits):
    """The loss of Keras on the new fonts; output (720, 10)."""
    function = keras.losses.SparseCategoricalCrossentropy(from_logits)
    return float(function(y_new, output))


perfect = np.eye(10)[y_new]  # probability 1 for the right digit
print("output         from_logits=True   False")
for name, output in (
    ("logits", z),
    ("probabilities", p),
    ("perfect", perfect),
):
    values = [cross_entropy(output, flag) for flag in (True, False)]
    print(f"{name:14} {values[0]:16.2f} {values[1]:7.2f}")
assert np.isclose(cross_entropy(z, True), cross_entropy(p, False), atol=0.05)
assert np.isclose(cross_entropy(perfect, True), np.log(1 + 9 / np.e))
# --8<-- [end:pairings]

# --8<-- [start:rescued]
softmax_last = keras.Sequential([functional, layers.Softmax()])
softmax_last.compile(loss=loss)  # from_logits=True
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    value = softmax_last.evaluate(x_new, y_new, verbose=0)
print(f"softmax in the model, from_logits=True: loss {value:.2f}")
message = str(caught[0].message)
print("…", message[message.index("but ") : message.index(" and")])
assert isinstance(value, float)  # the loss alone: there are no metrics
assert abs(value - cross_entropy(z, True)) < 1e-3
# --8<-- [end:rescued]

# --8<-- [start:silent]
print("logits without from_logits, 10 epochs: loss, right answers")
for seed in range(3):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input((144,)), layers.Dense(32, "relu"), layers.Dense(10)]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    model.fit(x, y, batch_size=64, epochs=10, verbose=0)
    value, share = model.evaluate(x, y, verbose=0)
    print(f"seed {seed}: {value:.2f}, {share:.0%}")
    assert share < 0.6
    assert value > 2
print(f"logarithm of 10: {np.log(10):.2f}")
# --8<-- [end:silent]


# --8<-- [start:labels]
def complaint(function, labels):
    """What a loss says about labels for the logits z."""
    try:
        function(labels, z)
    except Exception as error:
        return str(error).split("}} ")[-1].split(". ")[0]
    raise AssertionError("the loss took the labels")


one_hot = keras.utils.to_categorical(y_new, 10)  # (720, 10)
dense = keras.losses.CategoricalCrossentropy(from_logits=True)
print("y", y_new.shape, " one_hot", one_hot.shape, " z", z.shape)
print("1", complaint(dense, y_new))
print("2", complaint(loss, one_hot))
print("3", complaint(loss, y_new + 1))
assert np.isclose(float(dense(one_hot, z)), float(loss(y_new, z)))
# --8<-- [end:labels]

# --8<-- [start:built]
empty = Digits()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    empty.build((None, 144))
message = str(caught[0].message)
print("…", message[message.index("marked") : message.index(", which")])
print("built:", empty.built, " parameters:", empty.count_params())
assert empty.built
assert empty.count_params() == 0

empty = Digits()
empty(keras.Input((144,)))
print("after a call with a symbol:", empty.count_params())
assert empty.count_params() == functional.count_params()
# --8<-- [end:built]

# --8<-- [start:one]
try:
    functional(x_new[0])
except ValueError as error:
    expected = str(error).split("Expected ")[1].split(", but")[0]
    print("x_new[0]: ValueError, expected", expected)
else:
    raise AssertionError("a picture without a batch axis went through")
print("x_new[:1]:", functional(x_new[:1]).shape)
# --8<-- [end:one]

# --8<-- [start:accuracy]
nothing = np.zeros((720, 10), "float32")  # "it is none of the ten"
ten_questions = keras.metrics.BinaryAccuracy()
ten_questions.update_state(one_hot, nothing)
print(f"ten yes-or-no questions each: {float(ten_questions.result()):.0%}")
assert abs(float(ten_questions.result()) - 0.9) < 1e-6

yes_or_no = keras.losses.BinaryCrossentropy(from_logits=True)
sequential.compile(loss=yes_or_no, metrics=["accuracy"])  # never trained
share = sequential.evaluate(x_new, one_hot, verbose=0)[1]
print(f'untrained network, metrics=["accuracy"]: {share:.0%}')
by_hand = np.mean(np.argmax(sequential(x_new), axis=1) == y_new)
assert abs(share - by_hand) < 1e-5
# --8<-- [end:accuracy]

# --8<-- [start:starter-pair]
left, right = keras.Input((144,)), keras.Input((144,))
read = layers.Dense(32, "relu", name="read")
both = layers.Concatenate()([read(left), read(right)])
pair = keras.Model([left, right], layers.Dense(1)(both))
print("two pictures ->", pair([x[:5], x[5:10]]).shape)
parameters = 0  # your count
# --8<-- [end:starter-pair]

# --8<-- [start:solution-pair]
parameters = (144 * 32 + 32) + (64 * 1 + 1)  # `read` is there once
print(parameters, "by hand,", pair.count_params(), "in the model")
assert pair.count_params() == parameters
halves = keras.Model(pair.inputs, both)([x[:5], x[:5]])  # (5, 64)
assert np.array_equal(halves[:, :32], halves[:, 32:])
# --8<-- [end:solution-pair]

# --8<-- [start:starter-more]
few_fonts = digits(SEEN[:4], copies=12, seed=3)  # DejaVu Sans only
many_fonts = digits(SEEN, copies=4, seed=4)
print("pictures:", len(few_fonts[0]), "and", len(many_fonts[0]))
# --8<-- [end:starter-more]

# --8<-- [start:solution-more]
print("new fonts right   4 fonts, 12 copies   12 fonts, 4 copies")
shares = []
for seed in range(3):
    row = []
    for pictures, labels in (few_fonts, many_fonts):
        model = trained([32], pictures, labels, seed)
        row.append(np.mean(np.argmax(model(x_new), axis=1) == y_new))
    shares.append(row)
    print(f"seed {seed} {row[0]:24.0%} {row[1]:20.0%}")
few, many = np.mean(shares, axis=0)
assert many > few + 0.01
# --8<-- [end:solution-more]
