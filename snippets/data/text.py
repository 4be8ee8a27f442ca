# --8<-- [start:imports]
from collections import Counter
from pydoc_data.topics import topics

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

# --8<-- [end:imports]

# --8<-- [start:text]
paragraphs = "\n\n".join(topics.values()).split("\n\n")
text = "\n\n".join(dict.fromkeys(paragraphs))  # each paragraph once
border = text.index("\n\n", len(text) * 9 // 10)  # end of a paragraph
train_text, test_text = text[:border], text[border:]

copies = 1 - len(set(paragraphs)) / len(paragraphs)
print(f"{copies:.0%} of {len(paragraphs)} paragraphs were copies")
print(f"{len(train_text)} characters for training, {len(test_text)} for test")
print(paragraphs[1])
assert copies > 0.05
assert train_text + test_text == text
# --8<-- [end:text]

# --8<-- [start:characters]
characters = ["", "�", *sorted(set(train_text))]
id_of = {character: i for i, character in enumerate(characters)}
V = len(characters)


def encode(text):
    """n characters -> ids (n,); 1 stands for every unknown character."""
    return np.array([id_of.get(character, 1) for character in text])


def decode(ids):
    """Ids (n,) -> text."""
    return "".join(characters[i] for i in ids)


print(V, "entries, the first:", characters[:8])
print("for x in y ->", encode("for x in y"))
assert decode(encode(train_text)) == train_text
assert encode("for x in y").max() < V
# --8<-- [end:characters]

# --8<-- [start:unknown-character]
ids = encode("Erdős")
print("Erdős ->", ids, "->", decode(ids))
strange = np.sum(encode(test_text) == 1)
print(f"unknown characters in the test part: {strange} of {len(test_text)}")
assert decode(ids) == "Erd�s"
assert strange < len(test_text) / 1000
# --8<-- [end:unknown-character]

# --8<-- [start:words]
to_words = layers.TextVectorization()
to_words.adapt([train_text])  # reads the training part, and nothing else
vocabulary = to_words.get_vocabulary()
train_ids = np.array(to_words([train_text]))[0]  # (words,)
test_ids = np.array(to_words([test_text]))[0]

times = np.bincount(train_ids, minlength=len(vocabulary))
print(len(vocabulary), "entries")
print("id  entry   times in the training part")
for i in range(7):
    print(f"{i:2}  {vocabulary[i]:7} {times[i]:5}")
assert vocabulary[:2] == ["", "[UNK]"]
assert times[0] == times[1] == 0
assert (np.diff(times[2:]) <= 0).all()  # the most frequent first
once = [word for word, n in zip(vocabulary, times) if n == 1]
assert once == sorted(once, reverse=True)  # ties: from z to a
# --8<-- [end:words]

# --8<-- [start:standardize]
pairs = {
    "It's": "its",
    "None": "none",
    "d[key]": "dkey",
    "__init__()": "init",
    "[START]": "start",
}
reader = layers.TextVectorization(vocabulary=list(pairs.values()))
for written, read in pairs.items():
    print(f"{written:11} is read as {read}")
assert np.array(reader(list(pairs)))[:, 0].tolist() == [2, 3, 4, 5, 6]
# --8<-- [end:standardize]

# --8<-- [start:length]
fixed = layers.TextVectorization(
    vocabulary=vocabulary[2:], output_sequence_length=6
)
lines = [
    "the value of a name",
    "the quokka",
    "if the name is not in the list",
]
rows = np.array(fixed(lines))  # (batch, timesteps)
print(rows)
for row in rows:
    print(" ".join(vocabulary[i] for i in row))
assert rows.shape == (3, 6)
assert rows[1].tolist() == [2, 1, 0, 0, 0, 0]
# --8<-- [end:length]

# --8<-- [start:split-characters]
to_characters = layers.TextVectorization(
    standardize=None, split="character", vocabulary=characters[2:]
)
line = "d[key] = Erdős"
print(np.array(to_characters([line]))[0])
assert np.array_equal(to_characters([line])[0], encode(line))
# --8<-- [end:split-characters]


# --8<-- [start:unknown]
def unknown(ids, size):
    """The share of words that the first `size` entries do not hold."""
    return np.mean((ids == 1) | (ids >= size))


full = len(vocabulary)
shares = {s: unknown(test_ids, s) for s in (100, 300, 1000, 3000, full)}
print("entries   unknown in training   in the test part")
for size, share in shares.items():
    print(f"{size:7} {unknown(train_ids, size):21.1%} {share:18.1%}")

small = layers.TextVectorization(max_tokens=1000)
small.adapt([train_text])
assert np.mean(small([test_text]) == 1) == shares[1000]
assert 0.35 < shares[100] < 0.65
assert 0.08 < shares[1000] < 0.25
assert shares[full] > 0.03
assert unknown(train_ids, full) == 0
# --8<-- [end:unknown]

# --8<-- [start:figure]
sizes = np.geomspace(30, full, 20).astype(int)
plt.figure(figsize=(5.2, 3))
for name, ids, style in (
    ("words, test part", test_ids, "C1-o"),
    ("words, training part", train_ids, "C0--s"),
):
    percent = [100 * unknown(ids, size) for size in sizes]
    plt.plot(sizes, percent, style, markersize=4, label=name)
plt.plot(V, 0, "C2*", markersize=13, label="characters")
plt.xscale("log")
plt.xticks([100, 300, 1000, 3000], [100, 300, "1,000", "3,000"])
plt.minorticks_off()
plt.ylim(-4, 84)
plt.xlabel("entries in the vocabulary")
plt.ylabel("unknown [%]")
plt.legend()
plt.show()
# --8<-- [end:figure]

# --8<-- [start:lengths]
ratio = len(test_text) / len(test_ids)
print(f"the test part: {len(test_ids)} words, {len(test_text)} characters")
print(f"a sequence of characters is {ratio:.1f} times as long")
assert 5 < ratio < 12
# --8<-- [end:lengths]

# --8<-- [start:one-hot]
table = layers.Embedding(V, 4)
ids = encode("for")
vectors = np.array(table(ids))  # (3, 4)
matrix = table.get_weights()[0]  # (V, 4)
one_hot = np.eye(V, dtype="float32")[ids]  # (3, V)

print("one-hot", one_hot.shape, "  embedding", vectors.shape)
assert np.array_equal(one_hot @ matrix, vectors)
assert np.array_equal(matrix[ids], vectors)
# --8<-- [end:one-hot]

# --8<-- [start:gradient]
with tf.GradientTape() as tape:
    loss = tf.reduce_sum(table(encode("banana")) ** 2)
gradient = tape.gradient(loss, table.trainable_variables)[0]
print(type(gradient).__name__, "with", len(gradient.values), "rows")

dense = tf.convert_to_tensor(gradient).numpy()  # (V, 4)
touched = np.flatnonzero(dense.any(axis=1))
print(f"{len(touched)} of {len(dense)} rows have a gradient:", end=" ")
print(list(decode(touched)))
assert decode(touched) == "abn"
a = id_of["a"]
assert np.allclose(dense[a], 3 * 2 * matrix[a])  # once for each a
# --8<-- [end:gradient]

# --8<-- [start:windows]
timesteps = 32


def windows(ids):
    """Ids (n,) -> inputs and targets (count, timesteps), one step apart."""
    count = (len(ids) - 1) // timesteps
    inputs = ids[: count * timesteps].reshape(count, timesteps)
    targets = ids[1 : count * timesteps + 1].reshape(count, timesteps)
    return inputs, targets


x, y = windows(encode(train_text))
x_test, y_test = windows(encode(test_text))
print("training", x.shape, y.shape, "  test", x_test.shape)
print("inputs ", repr(decode(x[2])))
print("targets", repr(decode(y[2])))
for t in range(3):
    print(f"step {t} has read {decode(x[2, : t + 1])!r:6}", end="")
    print(" and is to say", repr(decode(y[2, t : t + 1])))

assert np.array_equal(y[:, :-1], x[:, 1:])  # one step apart
assert np.array_equal(y[:-1, -1], x[1:, 0])  # also at the end of a window
assert decode(y.flatten()) == train_text[1 : y.size + 1]  # each once
# --8<-- [end:windows]


# --8<-- [start:split]
def lookup(text, at_random):
    """Share of test windows whose last character a lookup gets right."""
    rows = [text[i : i + 33] for i in range(0, len(text) - 32, 8)]
    order = np.arange(len(rows))
    if at_random:
        order = np.random.default_rng(0).permutation(order)
    border = len(rows) * 9 // 10
    found = {}
    for i in order[: border - 4]:  # none reaches over the border
        for k in range(16, 33):
            found[rows[i][k - 16 : k]] = rows[i][k]
    tests = [rows[i] for i in order[border:]]
    return np.mean([found.get(row[16:32]) == row[32] for row in tests])


right = {
    "windows at random": lookup(text, at_random=True),
    "by position": lookup(text, at_random=False),
    "by position, copies left in": lookup("\n\n".join(paragraphs), False),
}
for way, share in right.items():
    print(f"{way:28} {share:4.0%} right")
assert right["windows at random"] > 0.85
assert right["by position"] < 0.2
assert right["by position, copies left in"] > 1.2 * right["by position"]
# --8<-- [end:split]

# --8<-- [start:counts]
weight = 4  # how many observations the shorter context stands for
places = range(border + 1, border + 1 + y_test.size)  # of the targets
p = np.full(y_test.size, 1 / V)
counts = {"uniform": -np.log2(p)}
print("characters before   bits per character   never seen")
print(f"uniform{np.log2(V):31.2f}")
for k in range(6):
    starts = range(border - k)
    contexts = Counter(train_text[i : i + k] for i in starts)
    pairs = Counter(train_text[i : i + k + 1] for i in starts)
    n_context = np.array([contexts[text[i - k : i]] for i in places])
    n_pair = np.array([pairs[text[i - k : i + 1]] for i in places])
    p = (n_pair + weight * p) / (n_context + weight)
    counts[k] = -np.log2(p)
    print(f"{k:7}{counts[k].mean():31.2f}{np.mean(n_pair == 0):13.1%}")

bits = {k: b.mean() for k, b in counts.items()}
assert bits["uniform"] - 1 > bits[0] > 4
assert bits[0] - 0.8 > bits[1] > bits[2] + 0.5
assert min(bits, key=bits.get) in (3, 4)
# --8<-- [end:counts]

# --8<-- [start:softmax]
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def trained(build, rate, seed):
    """A model (batch, timesteps) -> (batch, timesteps, V), two epochs."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(build())
    model.compile(keras.optimizers.Adam(rate), cross_entropy)
    model.fit(x, y, batch_size=64, epochs=2, verbose=0)
    return model


def bits_of(model):
    """Bits for each target of the test part, (count, timesteps)."""
    logits = model.predict(x_test, verbose=0)
    nats = keras.losses.sparse_categorical_crossentropy(
        y_test, logits, from_logits=True
    )
    return np.array(nats) / np.log(2)


def softmax():
    """The id chooses a row of V numbers: the logits of the next one."""
    return [layers.Embedding(V, V, embeddings_initializer="zeros")]


model = trained(softmax, rate=0.1, seed=0)
loss = model.evaluate(x_test, y_test, verbose=0)
print(f"loss {loss:.3f} nats = {loss / np.log(2):.3f} bits")
print(f"counts, one character before: {bits[1]:.3f} bits")
assert np.isclose(bits_of(model).mean(), loss / np.log(2), rtol=1e-3)
assert abs(loss / np.log(2) - bits[1]) < 0.15
assert (model.get_weights()[0][:2] == 0).all()  # padding and unknown
# --8<-- [end:softmax]


# --8<-- [start:gru]
def gru():
    """Reads all characters of the window so far."""
    return [
        layers.Embedding(V, 16),
        layers.GRU(64, return_sequences=True),
        layers.Dense(V),
    ]


SEEDS = range(3)
by_step = {
    "softmax": [bits_of(trained(softmax, 0.1, seed)) for seed in SEEDS],
    "GRU": [bits_of(trained(gru, 0.02, seed)) for seed in SEEDS],
}
print("bits per character      mean  least  most")
print(f"{'uniform':22} {bits['uniform']:5.2f}")
for k in (0, 1, 2, 4):
    print(f"{f'counts, {k} before':22} {bits[k]:5.2f}")
for name, runs in by_step.items():
    b = [run.mean() for run in runs]
    print(f"{name:22} {np.mean(b):5.2f}  {min(b):5.2f} {max(b):5.2f}")

score = [run.mean() for run in by_step["GRU"]]
assert max(score) < bits[1] - 0.3
assert min(score) > bits[4] + 0.15
# --8<-- [end:gru]

# --8<-- [start:steps]
groups = [(0, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 32)]
per_seed = np.array(
    [[run[:, a:b].mean() for a, b in groups] for run in by_step["GRU"]]
)  # (seeds, groups)
read = [(a + 1 + b) / 2 for a, b in groups]
plt.figure(figsize=(5.2, 3))
plt.fill_between(
    read, per_seed.min(axis=0), per_seed.max(axis=0), color="C0", alpha=0.25
)
plt.plot(read, per_seed.mean(axis=0), "C0-o", label="GRU, mean of 3 seeds")
plt.plot(range(1, 6), [bits[k] for k in range(1, 6)], "C1--s", label="counts")
plt.xscale("log")
plt.xticks([1, 2, 3, 5, 10, 24], [1, 2, 3, 5, 10, 24])
plt.minorticks_off()
plt.xlabel("characters read")
plt.ylabel("bits per character")
plt.legend()
plt.show()

assert (per_seed[:, 0] > bits[1]).all()
first, later = -np.diff(per_seed[:, [0, 2, 5]]).T  # the gain in bits
assert (first > 0.5).all()
assert (later < first / 2).all()
# --8<-- [end:steps]

# --8<-- [start:place]
body = keras.Sequential(
    [layers.Embedding(full, 8, mask_zero=True), layers.GRU(4)]
)
whole = keras.Sequential([keras.Input((), dtype="string"), fixed, body])

pipeline = tf.data.Dataset.from_tensor_slices(lines).batch(3).map(fixed)
ids = next(iter(pipeline))
print("pipeline: the model reads", ids.dtype.name, ids.shape)
print("inside:   the model reads", whole.input_shape, whole.inputs[0].dtype)
assert np.allclose(body(ids), whole(tf.constant(lines)), atol=1e-6)
# --8<-- [end:place]

# --8<-- [start:everything]
greedy = layers.TextVectorization()
greedy.adapt([text])  # training and test part
extra = greedy.vocabulary_size() - full
gone = np.mean(greedy([test_text]) == 1)
print(f"unknown in the test part: {gone:.0%} instead of {shares[full]:.1%}")
print(extra, "rows of the embedding table are never trained")
assert gone == 0
assert extra == len(set(greedy.get_vocabulary()) - set(vocabulary)) > 100
# --8<-- [end:everything]

# --8<-- [start:lost]
other = ["", "�", *sorted(set(train_text + "\t"))]
ids = encode("return None")
print(f"written {decode(ids)!r}", end=", ")
print("read", repr("".join(other[i] for i in ids)))
assert len(other) == V + 1
assert all(other[i] != characters[i] for i in ids)
# --8<-- [end:lost]

# --8<-- [start:rows]
for rows in (full, full - 1):
    try:
        with tf.device("CPU"):
            layers.Embedding(rows, 8)(np.array([full - 1]))
        print("Embedding with", rows, "rows: ok")
    except tf.errors.InvalidArgumentError as error:
        message = str(error)[str(error).index("indices") :]
        print("Embedding with", rows, "rows:", message[:36], "…")
        failed = rows
assert failed == full - 1
# --8<-- [end:rows]

# --8<-- [start:zero]
keras.utils.set_random_seed(0)
real = {"n": 0, "o": 1, "t": 2, "e": 3}  # 0 is a letter
reader = keras.Sequential(
    [layers.Embedding(4, 8, mask_zero=True), layers.GRU(4)]
)
answers = {
    word: np.array(reader(np.array([[real[letter] for letter in word]])))
    for word in ("note", "ote", "toe")
}
for word, answer in answers.items():
    same = np.allclose(answer, answers["note"], atol=1e-6)
    print(f"{word:5} reads like note: {same}")
assert np.allclose(answers["note"], answers["ote"], atol=1e-6)
assert not np.allclose(answers["note"], answers["toe"], atol=1e-4)
# --8<-- [end:zero]

# --8<-- [start:roll]
rolled = np.roll(x, -1, axis=1)
wrong = (rolled != y).mean(axis=0)
print(f"wrong targets: {wrong[:-1].max():.0%} before the last step, ", end="")
print(f"{wrong[-1]:.0%} in the last step")
assert wrong[:-1].max() == 0
assert wrong[-1] > 0.7
# --8<-- [end:roll]


# --8<-- [start:starter-zero]
def pair_bits(x, y):
    """Bits per character of counts over pairs (input, target)."""
    pairs = np.zeros((V, V))
    np.add.at(pairs, (x, y), 1)
    p = pairs / np.maximum(pairs.sum(axis=1, keepdims=True), 1)
    return -np.log2(p[x, y]).mean()


ids = encode(train_text)
count = len(ids) // timesteps
x_new = ids[: count * timesteps].reshape(count, timesteps)
y_new = ids[: count * timesteps].reshape(count, timesteps)
print(f"{abs(pair_bits(x_new, y_new)):.2f} bits per character")
# --8<-- [end:starter-zero]

# --8<-- [start:solution-zero]
same = np.mean(x_new == y_new), np.mean(x == y)
print(f"target equals input: {same[0]:.0%}, shifted {same[1]:.0%}")
print(f"shifted: {pair_bits(x, y):.2f} bits per character")
assert same[0] == 1
assert same[1] < 0.3
assert np.isclose(pair_bits(x_new, y_new), 0)
assert pair_bits(x, y) > 3
# --8<-- [end:solution-zero]

# --8<-- [start:starter-signs]
to_signs = layers.TextVectorization()
to_signs.adapt([train_text])
print(np.array(to_signs(["__init__ init None none"]))[0])
# --8<-- [end:starter-signs]


# --8<-- [start:solution-signs]
def spaced(text):
    """Put a space on both sides of every sign but _, which \\w includes."""
    return tf.strings.regex_replace(text, r"([^\w\s])", r" \1 ")


print("standardize   entries  unknown in the test part")
print(f"{'the default':12} {full:8} {shares[full]:10.1%}")
cost = {}
for standardize in (None, spaced):
    layer = layers.TextVectorization(standardize=standardize)
    layer.adapt([train_text])
    share = np.mean(layer([test_text]) == 1)
    name = "None" if standardize is None else "spaced"
    cost[name] = layer.vocabulary_size(), share
    print(f"{name:12} {cost[name][0]:8} {share:10.1%}")
ids = np.array(layer(["__init__ init None none"]))[0]
print(ids)
assert len(set(ids)) == 4  # all are told apart
assert cost["None"][0] > 1.3 * full > cost["spaced"][0]
assert cost["None"][1] > shares[full] + 0.02 > cost["spaced"][1]
# --8<-- [end:solution-signs]
