# --8<-- [start:imports]
import random

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view

timesteps = 10
# --8<-- [end:imports]


# --8<-- [start:generators]
def draw():
    """One number from each of the three generators."""
    tensor = tf.random.normal(())
    return random.random(), np.random.normal(), float(tensor)


drawn = []
print("seed   Python   NumPy  TensorFlow")
for seed in (0, 1, 0):
    keras.utils.set_random_seed(seed)
    drawn.append(draw())
    print(f"{seed:4}", "".join(f"{number:9.4f}" for number in drawn[-1]))
assert drawn[0] == drawn[2]
assert all(a != b for a, b in zip(drawn[0], drawn[1]))
# --8<-- [end:generators]


# --8<-- [start:series]
def windows(seed, count):
    """A noisy sine -> windows (count, timesteps, 1), targets (count, 1)."""
    noise = np.random.default_rng(seed).normal(size=count + timesteps)
    series = np.sin(0.3 * np.arange(count + timesteps)) + 0.1 * noise
    rows = sliding_window_view(series, timesteps + 1).astype("float32")
    return rows[:, :timesteps, np.newaxis], rows[:, timesteps:]


x, y = windows(seed=0, count=256)
x_test, y_test = windows(seed=1000, count=1000)


def build(dropout=0.1, **settings):
    """(batch, timesteps, 1) -> (batch, 1), compiled."""
    model = keras.Sequential(
        [
            keras.Input((timesteps, 1)),
            layers.LSTM(6),
            layers.Dropout(dropout),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", **settings)
    return model


# --8<-- [end:series]


# --8<-- [start:bits]
def trained(seed, epochs=3, **settings):
    """All weights in one vector: seed first, then build, then train."""
    keras.utils.set_random_seed(seed)
    model = build(**settings)
    model.fit(x, y, epochs=epochs, verbose=0)
    return np.concatenate([w.ravel() for w in model.get_weights()])


first, again, other = trained(0), trained(0), trained(1)
print("weights:", first.size)
print("equal to the bit, seed 0 and seed 0:", np.sum(first == again))
print("equal to the bit, seed 0 and seed 1:", np.sum(first == other))
assert np.array_equal(first, again)
assert np.mean(first == other) < 0.1
# --8<-- [end:bits]


# --8<-- [start:observe]
def fit_order():
    """The order in which `fit` takes the rows 0 to 7."""
    order = []

    def loss(y, output):
        order.extend(y.numpy()[:, 0].tolist())
        return keras.ops.mean(output)

    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", loss, run_eagerly=True)
    rows = np.arange(8)[:, np.newaxis]
    model.fit(rows, rows, batch_size=4, verbose=0)
    return order


def observe(extra):
    """What a seeded program draws after one extra call."""
    keras.utils.set_random_seed(0)
    extra()
    return {
        "weights": build().get_weights()[0],
        "dropout": layers.Dropout(0.5)(np.ones(50), training=True),
        "order": fit_order(),
        "NumPy": np.random.normal(size=3),
        "tf.random": tf.random.normal((3,)),
    }


# --8<-- [end:observe]

# --8<-- [start:calls]
calls = {
    "nothing": lambda: None,
    "random.random()": lambda: random.random(),
    "np.random.normal()": lambda: np.random.normal(),
    "tf.random.normal(())": lambda: tf.random.normal(()),
    "keras.random.normal(())": lambda: keras.random.normal(()),
    "layers.Dropout(0.1)": lambda: layers.Dropout(0.1),
    "tf.random.set_seed(1)": lambda: tf.random.set_seed(1),
}
usual = observe(calls["nothing"])
changed = {}
print(f"{'one call more':23}", *(f"{name:>9}" for name in usual))
for call, extra in calls.items():
    seen = observe(extra)
    equal = {n: np.array_equal(seen[n], usual[n]) for n in usual}
    changed[call] = {n for n in usual if not equal[n]}
    words = [f"{'same' if equal[n] else 'OTHER':>9}" for n in usual]
    print(f"{call:23}", *words)

assert changed["nothing"] == set()
assert changed["random.random()"] == {"weights", "dropout"}
assert changed["np.random.normal()"] == {"NumPy"}
assert changed["tf.random.normal(())"] == {"tf.random"}
assert changed["keras.random.normal(())"] == {"weights", "dropout"}
assert changed["layers.Dropout(0.1)"] == {"weights", "dropout"}
assert changed["tf.random.set_seed(1)"] == {"order", "tf.random"}
# --8<-- [end:calls]


# --8<-- [start:initializers]
def two_kernels(initializer):
    """The kernels of two layers which are given the same argument."""
    pair = [layers.Dense(2, kernel_initializer=initializer) for _ in "ab"]
    for layer in pair:
        layer.build((None, 3))
    return [layer.kernel.numpy() for layer in pair]


glorot = keras.initializers.GlorotUniform
initializers = {
    '"glorot_uniform"': "glorot_uniform",
    "GlorotUniform()": glorot(),
    "GlorotUniform(seed=1)": glorot(seed=1),
    "… seed=SeedGenerator(1)": glorot(seed=keras.random.SeedGenerator(1)),
}
equal = []
print("initializer of two layers   their kernels")
for text, initializer in initializers.items():
    equal.append(np.array_equal(*two_kernels(initializer)))
    print(f"{text:27}", "EQUAL" if equal[-1] else "different")
assert equal == [False, True, True, False]
# --8<-- [end:initializers]

# --8<-- [start:stateless]
number = [keras.random.normal((), seed=7) for _ in range(2)]
print("an integer        ", *(f"{n:8.4f}" for n in number))

number += [tf.random.stateless_normal((), seed=(7, 0)) for _ in range(2)]
print("TensorFlow's own  ", *(f"{n:8.4f}" for n in number[2:]))

generator = keras.random.SeedGenerator(7)
number += [keras.random.normal((), seed=generator) for _ in range(2)]
print("a SeedGenerator   ", *(f"{n:8.4f}" for n in number[4:]))
print("its state         ", generator.state.numpy())
assert len({float(n) for n in number[:5]}) == 1
assert number[5] != number[4]
# --8<-- [end:stateless]


# --8<-- [start:op-seeds]
pairs = []
print("global   of the operation       1st      2nd")
for global_seed, op_seed in ((0, None), (0, 7), (0, 7), (1, 7)):
    tf.random.set_seed(global_seed)
    pair = [float(tf.random.normal((), seed=op_seed)) for _ in range(2)]
    pairs.append(pair)
    print(f"{global_seed:6}   {op_seed!s:16}{pair[0]:9.4f}{pair[1]:9.4f}")
assert pairs[0] != pairs[1]
assert pairs[1] == pairs[2]
assert pairs[3] != pairs[2]
assert pairs[1][0] != pairs[1][1]
# --8<-- [end:op-seeds]

# --8<-- [start:digits]
print("(0.1 + 0.2) + 0.3 =", (0.1 + 0.2) + 0.3)
print("0.1 + (0.2 + 0.3) =", 0.1 + (0.2 + 0.3))
assert (0.1 + 0.2) + 0.3 != 0.1 + (0.2 + 0.3)

plain = trained(0, dropout=0.0, jit_compile=False)
xla = trained(0, dropout=0.0, jit_compile=True)
largest = np.abs(plain - xla).max()
print(f"weights with and without XLA: {np.sum(plain == xla)} equal,", end=" ")
print(f"largest difference {largest:.0e}")
assert 0 < largest < 1e-4


def seventh():
    """One random number from the seed 7."""
    return keras.random.normal((), seed=7)


compiled = tf.function(seventh, jit_compile=True)
print(f"seed 7: {seventh():.4f}, and compiled by XLA: {compiled():.4f}")
assert seventh() != compiled()
# --8<-- [end:digits]


# --8<-- [start:trainer]
def trainer(dropout):
    """A function that trains from given seeds and returns the test RMSE."""
    model = build(dropout)
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    empty = [variable.numpy() for variable in optimizer.variables]

    @tf.function(jit_compile=True)
    def run(x, y, batches):
        for rows in batches:  # (updates, batch)
            with tf.GradientTape() as tape:
                output = model(tf.gather(x, rows), training=True)
                loss = tf.reduce_mean((output - tf.gather(y, rows)) ** 2)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
        return tf.sqrt(tf.reduce_mean((model(x_test) - y_test) ** 2))

    def train(weights=0, order=0, masks=0, data=0):
        keras.utils.set_random_seed(weights)
        fresh = keras.models.clone_model(model)  # draws new weights
        model.set_weights(fresh.get_weights())
        model.layers[1].seed_generator.state.assign([masks, 0])
        for variable, value in zip(optimizer.variables, empty):
            variable.assign(value)
        rng = np.random.default_rng(order)
        epochs = [rng.permutation(256).reshape(-1, 32) for _ in range(10)]
        return float(run(*windows(data, 256), np.concatenate(epochs)))

    return train


train = trainer(dropout=0.1)
assert train(weights=3) == train(weights=3)
assert train(weights=3) != train(weights=4)
# --8<-- [end:trainer]


# --8<-- [start:sources]
def row(name, errors):
    """One row of a table: mean, standard deviation, least and most."""
    print(f"{name:22}{np.mean(errors):8.4f}", end="")
    if np.size(errors) > 1:
        deviation = f"{np.std(errors, ddof=1):9.4f}"
        print(deviation, f"{min(errors):8.4f} to {max(errors):.4f}", end="")
    print()


head = "                          mean    dev.   least to most"
print("test RMSE, 10 seeds\n" + head)
for source in ("weights", "order", "masks", "data"):
    errors = [train(**{source: seed}) for seed in range(10)]
    row("only " + source, errors)
    assert np.std(errors, ddof=1) > 0.0005
# --8<-- [end:sources]


# --8<-- [start:scores]
def scores(train, seeds):
    """The test RMSE of each seed; all train on the same series."""
    return np.array([train(seed, seed, seed) for seed in seeds])


A = scores(train, range(20))
B = scores(train, range(20, 40))
C = scores(trainer(dropout=0.05), range(20))

print(head)
row("A", A)
row("B", B)
row("C", C)
inputs, inputs_test = (np.c_[w[..., 0], np.ones(len(w))] for w in (x, x_test))
linear = inputs_test @ np.linalg.lstsq(inputs, y)[0]
baseline = np.sqrt(np.mean((linear - y_test) ** 2))
row("linear regression", baseline)
row("persistence", np.sqrt(np.mean((x_test[:, -1] - y_test) ** 2)))
assert abs(A.mean() - B.mean()) < 0.005
assert 0.001 < A.mean() - C.mean() < 0.01
assert baseline < min(A.mean(), B.mean(), C.mean())
# --8<-- [end:scores]

# --8<-- [start:dots]
plt.figure(figsize=(5.2, 2.8))
for place, (errors, marker) in enumerate(zip((A, B, C), "os^")):
    height = place + 0.2 * np.resize([-1, 0, 1], len(errors))
    plt.scatter(errors, height, s=24, marker=marker, color=f"C{place}")
    ends = [place - 0.4, place + 0.4]
    plt.plot([errors.mean()] * 2, ends, color="#1f2328", linewidth=3)
plt.yticks(range(3), ["A", "B", "C"])
plt.gca().invert_yaxis()
plt.grid(axis="y", visible=False)
plt.xlabel("test RMSE (less is better); bar: the mean")
plt.show()
# --8<-- [end:dots]

# --8<-- [start:single]
gain = A.mean() - C.mean()
gap = np.abs(B[:, np.newaxis] - A)  # (20, 20): every B with every A
print(f"C is better than A by {gain:.4f} on average")
print(f"one run of A, one of B: further apart in {np.mean(gap > gain):.0%}")

wrong_apart = np.mean(C[:, np.newaxis] > A)
wrong_paired = np.mean(C > A)
print(f"one run of A, one of C: A wins in {wrong_apart:.0%} of all pairs")
print(f"the same, with equal seeds: A wins in {wrong_paired:.0%}")
print(f"correlation of A and C over the seeds {np.corrcoef(A, C)[0, 1]:.2f}")
assert np.mean(gap > gain) > 0.5
assert 0.1 < wrong_apart < 0.45
assert wrong_paired < wrong_apart
assert np.corrcoef(A, C)[0, 1] > 0.25
# --8<-- [end:single]


# --8<-- [start:curve]
def wrong_winner(n, paired, trials=10_000):
    """How often the mean of n runs of A is less than that of n runs of C."""
    rng = np.random.default_rng(0)
    for_A = rng.integers(20, size=(trials, n))
    for_C = for_A if paired else rng.integers(20, size=(trials, n))
    return np.mean(A[for_A].mean(axis=1) < C[for_C].mean(axis=1))


numbers = [1, 2, 3, 5, 10, 20]
apart = [wrong_winner(n, paired=False) for n in numbers]
paired = [wrong_winner(n, paired=True) for n in numbers]
plt.figure(figsize=(5.2, 2.8))
plt.plot(numbers, apart, "-o", label="different seeds for A and C")
plt.plot(numbers, paired, "--s", label="the same seeds for both")
plt.xscale("log")
plt.xticks(numbers, numbers)
plt.minorticks_off()
plt.ylim(0, 0.5)
plt.xlabel("runs of each setting")
plt.ylabel("wrong winner")
plt.legend()
plt.show()
assert all(p < a + 0.02 for p, a in zip(paired, apart))
assert apart[0] > 0.1
assert apart[-1] < apart[0] / 2
assert max(paired) < apart[0]
assert paired[-2] < 0.1
# --8<-- [end:curve]


# --8<-- [start:flips]
def p_value(differences, flips=10_000):
    """(..., n) -> (...): how often chance alone goes at least as far."""
    n = differences.shape[-1]
    signs = np.random.default_rng(0).choice([-1, 1], size=(n, flips))
    by_chance = np.abs(differences @ signs) / n  # (..., flips)
    observed = np.abs(differences.mean(axis=-1, keepdims=True))
    # The small number keeps equal means equal in spite of rounding.
    as_far = np.sum(by_chance >= observed - 1e-12, axis=-1)
    return (1 + as_far) / (1 + flips)


print("               mean difference     p")
for name, other in (("B", B), ("C", C)):
    difference = A - other
    p = p_value(difference)
    print(f"A minus {name}     {difference.mean():16.4f}{p:9.4f}")
assert p_value(A - B) > 0.05
assert p_value(A - C) < 0.05
# --8<-- [end:flips]

# --8<-- [start:needed]
deviation = np.sqrt((A.var(ddof=1) + C.var(ddof=1)) / 2)
deviation_of_differences = (A - C).std(ddof=1)
n_apart = int(np.ceil(16 * (deviation / gain) ** 2))
n_paired = int(np.ceil(8 * (deviation_of_differences / gain) ** 2))
print("runs of each setting, different seeds:", n_apart)
print("runs of each setting, the same seeds: ", n_paired)
assert n_paired < n_apart

rng = np.random.default_rng(0)
found = {}
for n in (3, 5, n_paired, 2 * n_paired):
    drawn = rng.normal(gain, deviation_of_differences, size=(500, n))
    found[n] = np.mean(p_value(drawn) < 0.05)
    print(f"{n:3} pairs: p < 0.05 in {found[n]:.0%} of 500 comparisons")
assert found[3] == found[5] == 0
assert 0.5 < found[n_paired] < found[2 * n_paired]
# --8<-- [end:needed]

# --8<-- [start:report]
difference = A - C
rows = np.random.default_rng(0).integers(20, size=(10_000, 20))
low, high = np.quantile(difference[rows].mean(axis=1), [0.025, 0.975])
for name, errors in (("A, dropout 0.10", A), ("C, dropout 0.05", C)):
    print(f"{name}: RMSE {errors.mean():.4f}, deviation", end=" ")
    print(f"{errors.std(ddof=1):.4f} over {errors.size} seeds (0 to 19)")
print(f"A minus C: {difference.mean():.4f}, 95 % {low:.4f} to {high:.4f},")
print(f"pairs of equal seed, sign flips p = {p_value(difference):.4f}")
print(f"baseline, linear regression: {baseline:.4f}")
print("the seed decides weights, order and masks; one series, fixed")
print("TensorFlow", tf.__version__, "Keras", keras.__version__)
assert 0 < low < difference.mean() < high
# --8<-- [end:report]

# --8<-- [start:default-rng]
numbers = []
for _ in range(2):
    keras.utils.set_random_seed(0)
    own = np.random.default_rng()
    numbers.append((np.random.normal(), own.normal()))
print("np.random repeats:", numbers[0][0] == numbers[1][0])
print("default_rng() repeats:", numbers[0][1] == numbers[1][1])
assert numbers[0][0] == numbers[1][0]
assert numbers[0][1] != numbers[1][1]
# --8<-- [end:default-rng]


# --8<-- [start:traced]
@tf.function
def noise():
    """One random number, drawn in a graph."""
    return tf.random.normal(())


values = []
for seed in (42, 43):
    tf.random.set_seed(seed)
    values.append([float(noise()) for _ in range(2)])
    print(f"seed {seed}:", *(f"{value:8.4f}" for value in values[-1]))
assert values[0] == values[1]
# --8<-- [end:traced]

# --8<-- [start:starter-best]
pool = np.concatenate([A, B])  # one setting, 40 seeds
rng = np.random.default_rng(0)
mine = pool[rng.integers(40, size=10_000)]  # one run
runs = pool[rng.integers(40, size=(10_000, 10))]  # ten runs
print(mine.shape, runs.shape)
# --8<-- [end:starter-best]

# --8<-- [start:solution-best]
best = runs.min(axis=1)
wins = np.mean(best < mine)
print(f"the best of ten beats one run in {wins:.0%}")
print(f"and is better by {np.mean(mine - best):.4f} on average")
print(f"the mean of ten beats one run in {np.mean(runs.mean(1) < mine):.0%}")
assert wins > 0.75
assert np.mean(mine - best) > gain
assert 0.3 < np.mean(runs.mean(1) < mine) < 0.7
# --8<-- [end:solution-best]

# --8<-- [start:starter-cell]
model = build()
for _ in range(2):
    keras.utils.set_random_seed(0)
    history = model.fit(x, y, verbose=0).history
    print("loss", history["loss"][0])
# --8<-- [end:starter-cell]

# --8<-- [start:solution-cell]
losses = []
for _ in range(2):
    keras.utils.set_random_seed(0)
    model = build()
    losses += model.fit(x, y, verbose=0).history["loss"]
print("built after the seed:       ", losses[0] == losses[1])
assert losses[0] == losses[1]

model = build()
start = model.get_weights()  # initial ones
for _ in range(2):
    keras.utils.set_random_seed(0)
    model.set_weights(start)
    losses += model.fit(x, y, verbose=0).history["loss"]
print("only the weights put back:  ", losses[2] == losses[3])
assert losses[2] != losses[3]
# --8<-- [end:solution-cell]
