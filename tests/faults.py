"""Faults to plant in the lessons' programs: each must fail an assertion of its lesson. See test_lessons.py."""

FIRST_DATA = """
import matplotlib.pyplot as plt
import numpy as np
x = np.linspace(0, 1, 50)[:, np.newaxis]
y = 2 * x + 1 + np.random.default_rng(0).normal(0, 0.2, x.shape)
"""

RANDOM_PICTURES = """
rng = np.random.default_rng(1)
x, y = rng.random((1440, 144), "float32"), rng.integers(10, size=1440)
x_new, y_new = rng.random((720, 144), "float32"), np.arange(720) % 10
z = rng.normal(size=(720, 10))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
"""

# Success in the tasks of 1997, and a mistake in a Reber string, on numbers chosen by hand.
CRITERION = """
errors = np.full(2000, 0.005)
assert solved(errors, 0.04, mean=0.01, fewer=1)
errors[7] = 0.04
assert not solved(errors, 0.04, mean=0.01, fewer=1)
assert solved(errors, 0.04, mean=0.01, fewer=2)
assert not solved(np.full(2000, 0.02), 0.04, mean=0.01, fewer=1)
"""
MISTAKES = """
outputs = np.array([[[3, 2, 1], [3, 1, 2], [1, 1, 0], [0, 9, 0]]])
possible = np.array([[[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]]]) == 1
net, compiled = None, lambda *_: lambda *_: tf.constant(outputs)
assert mistakes("LSTM", [], None, possible).tolist() == [[False, True, True, False]]
"""

# {lesson: {name: (what to run, old code, new code)}}
FAULTS = {
    "basics/gradients": {
        "the function, not its tape": (
            ("imports", "tape"),
            "tape.gradient(y, x).numpy()",
            "y.numpy()",
        ),
        "central differences over one step": (
            ("imports", "tape", "differences"),
            "(2 * h)",
            "h",
        ),
        "nothing stopped": (
            ("imports", "stop"),
            "tf.stop_gradient(w**2)",
            "tf.identity(w**2)",
        ),
        "the outer tape sees the value": (
            ("imports", "tape", "second"),
            "outer.gradient(first, x)",
            "outer.gradient(y, x)",
        ),
        "safe only outside": (
            ("imports", "where"),
            "harmless = tf.where(x > 0, x, 1.0)",
            "harmless = x",
        ),
        "rounded without the value": (
            ("imports", "starter-round", "solution-round"),
            "return w + tf.stop_gradient(tf.round(w) - w)",
            "return w",
        ),
    },
    "basics/loop": {
        "dropout sleeps in training": (
            ("imports", "task", "fit", "step", "loop", "apart", "same"),
            "output = model(x, training=True)",
            "output = model(x)",
        ),
        "the penalty forgotten": (
            ("imports", "task", "fit", "step", "loop", "apart", "same"),
            "loss = mse(y, output) + sum(model.losses)",
            "loss = mse(y, output)",
        ),
        "each batch counts once": (
            ("imports", "task", "fit", "step", "loop", "apart", "same"),
            "sample_weight=len(x_batch)",
            "sample_weight=1",
        ),
        "the mean goes on over epochs": (
            ("imports", "task", "fit", "step", "loop", "apart", "same"),
            "mean.reset_state()",
            "pass",
        ),
        "shapes that fit": (
            ("imports", "task", "step", "variants", "wrong"),
            "(output - y[:, 0]) ** 2",
            "(output - y) ** 2",
        ),
        "each number clipped alone": (
            ("imports", "inside"),
            "global_clipnorm=0.5",
            "clipvalue=0.5",
        ),
        "batch normalization looks away": (
            ("imports", "task", "normalize"),
            "normalize(5 + x[:32], training=True)",
            "normalize(5 + x[:32])",
        ),
        "four penalties": (
            ("imports", "task", "step", "apart", "starter-accumulate", "solution-accumulate"),
            "(mse(y[k : k + 8], output) + sum(gathered.losses)) / 4",
            "mse(y[k : k + 8], output) / 4 + sum(gathered.losses)",
        ),
        "one array of weights left out": (
            ("imports", "task", "step", "loop", "apart", "starter-accumulate", "starter-rates", "solution-rates"),
            "slow.apply(gradients[:3], weights[:3])",
            "slow.apply(gradients[:2], weights[:2])",
        ),
    },
    "basics/reproducibility": {
        "one generator of three": (
            ("imports", "generators"),
            "keras.utils.set_random_seed(seed)",
            "tf.random.set_seed(seed)",
        ),
        "built before the seed": (
            ("imports", "series", "bits"),
            "    keras.utils.set_random_seed(seed)\n    model = build(**settings)\n",
            "    model = build(**settings)\n    keras.utils.set_random_seed(seed)\n",
        ),
        "a program that is not seeded": (
            ("imports", "series", "observe", "calls"),
            "keras.utils.set_random_seed(0)",
            "tf.random.set_seed(0)",
        ),
        "an initializer that moves on": (
            ("imports", "initializers"),
            "glorot(seed=1)",
            "glorot(seed=keras.random.SeedGenerator(1))",
        ),
        "an integer for the generator": (
            ("imports", "stateless"),
            "seed=generator)",
            "seed=7)",
        ),
        "the sequence goes on": (
            ("imports", "op-seeds"),
            "    tf.random.set_seed(global_seed)\n",
            "",
        ),
        "a generator with a seed": (
            ("imports", "default-rng"),
            "default_rng()\n",
            "default_rng(0)\n",
        ),
        "not traced": (
            ("imports", "traced"),
            "@tf.function\n",
            "",
        ),
        "weights put back into a new model": (
            ("imports", "series", "solution-cell"),
            "    model.set_weights(start)\n",
            "    model = build()\n    model.set_weights(start)\n",
        ),
    },
    "basics/tensors": {
        "reshaped, not transposed": (
            ("imports", "reshape"),
            "tf.transpose(two_series)",
            "tf.reshape(two_series, (-1, 2))",
        ),
        "time before the batch": (
            ("imports", "stack"),
            "batch = np.stack([first, second], axis=1)",
            "batch = np.stack([first, second], axis=0)",
        ),
        "scaled without brackets": (
            ("imports", "starter-scale", "solution-scale"),
            "(x - mean) / std",
            "x - mean / std",
        ),
        "the last step, also where it is padding": (
            ("imports", "starter-last", "solution-last"),
            "tf.gather(padded, lengths - 1, batch_dims=1)",
            "padded[:, -1]",
        ),
    },
    "basics/variables": {
        "uphill": (
            ("imports", "descend"),
            "w.assign_sub(0.25",
            "w.assign_add(0.25",
        ),
        "a factor that is not tracked": (
            ("imports", "appended"),
            "if keras_way:",
            "if not keras_way:",
        ),
        "an average that only grows": (
            ("imports", "starter-average", "solution-average"),
            "keep * average + (1 - keep) * value",
            "keep * average + value",
        ),
        "a start of another length": (
            ("imports", "initializers", "lengths"),
            "h /= np.linalg.norm(h)",
            "h /= 10",
        ),
    },
    "data/lengths": {
        "zeros on the left": (
            ("imports", "pad"),
            '{"padding": "post"},',
            "{},",
        ),
        "integers again": (
            ("imports", "sequences", "integers"),
            'padding="post", dtype="float32")',
            'padding="post")',
        ),
        "a bucket without a lower border": (
            ("imports", "sequences", "picture"),
            "(lengths >= 15) & (lengths < 20)",
            "lengths < 20",
        ),
        "not sorted": (
            ("imports", "sequences", "integers", "padded-batch", "buckets", "count", "ways", "count-table"),
            "np.argsort(lengths)",
            "range(1000)",
        ),
        "the mask forgotten": (
            ("imports", "sequences", "ragged", "cure"),
            "together = lstm(x, mask=mask)",
            "together = lstm(x)",
        ),
        "divided by all steps": (
            ("imports", "sequences", "steps", "steps-verdict"),
            'mse(reduction="mean_with_sample_weight")',
            "mse()",
        ),
        "a padding value that the weights use": (
            ("imports", "sequences", "steps", "steps-dataset"),
            "padding_values=(-9.0, 0.0, 0.0)",
            "padding_values=(-9.0, 0.0, 1.0)",
        ),
        "one weight too many": (
            ("imports", "sequences", "steps", "starter-next", "solution-next"),
            "tf.ones(tf.shape(s)[0] - 1)",
            "tf.ones(tf.shape(s)[0])",
        ),
    },
    "data/pipelines": {
        "a buffer of one more": (
            ("imports", "places", "rule"),
            "shuffle(buffer_size, seed=seed)",
            "shuffle(buffer_size + 1, seed=seed)",
        ),
        "the last of the buffer lost": (
            ("imports", "by-hand"),
            "while buffer:",
            "while len(buffer) > 1:",
        ),
        "batches that are not mixed inside": (
            ("imports", "batches"),
            "mixed = np.concatenate(list(twelve.shuffle(12, seed=1).batch(4)))",
            "mixed = np.concatenate(list(twelve.batch(4)))",
        ),
        "a cache that keeps the order": (
            ("imports", "epochs"),
            "many.cache().shuffle(100)",
            "many.shuffle(100).cache()",
        ),
        "epochs that flow into each other": (
            ("imports", "epochs", "repeat"),
            "many.shuffle(100, seed=seed).repeat().take(100)",
            "many.repeat().shuffle(100, seed=seed).take(100)",
        ),
        "a seed without effect": (
            ("imports", "repeatable"),
            "shuffle(100, seed=seed)",
            "shuffle(100)",
        ),
        "a remainder that stays": (
            ("imports", "epochs", "steps"),
            "some, full = dataset.batch(32), dataset.batch(32, drop_remainder=True)",
            "some, full = dataset.batch(32), dataset.batch(32)",
        ),
        "a split that moves": (
            ("imports", "epochs", "leak"),
            "reshuffle_each_iteration=again",
            "reshuffle_each_iteration=True",
        ),
    },
    "data/scaling": {
        "a scale of the whole series": (
            ("imports", "series", "scaler", "proof"),
            "train.mean(), train.std()",
            "series.mean(), series.std()",
        ),
        "a scale that is not undone": (
            ("imports", "series", "scaler"),
            "values * deviation + mean",
            "values * deviation",
        ),
        "limits without the target leak nothing": (
            ("imports", "network", "rule"),
            "high = rows.max(axis=1, keepdims=True)",
            "high = 1 + rows.max(axis=1, keepdims=True)",
        ),
    },
    "data/splits": {
        "no gap before the test part": (
            ("imports", "series", "splits", "gap"),
            "order[: n * 4 // 5 - gap]",
            "order[: n * 4 // 5]",
        ),
        "a split by chance called by time": (
            ("imports", "series", "splits", "gap"),
            "order = np.arange(n)",
            "order = np.random.default_rng(0).permutation(n)",
        ),
    },
    "data/text": {
        "every unknown character becomes padding": (
            ("imports", "text", "characters", "unknown-character"),
            "id_of.get(character, 1)",
            "id_of.get(character, 0)",
        ),
        "copies left in": (
            ("imports", "text"),
            '"\\n\\n".join(topics.values()).split("\\n\\n")',
            'list(dict.fromkeys("\\n\\n".join(topics.values()).split("\\n\\n")))',
        ),
        "adapted on all data": (
            ("imports", "text", "characters", "words", "unknown"),
            "to_words.adapt([train_text])",
            "to_words.adapt([text])",
        ),
        "one-hot of the wrong row": (
            ("imports", "text", "characters", "one-hot"),
            'np.eye(V, dtype="float32")[ids]',
            'np.eye(V, dtype="float32")[ids - 1]',
        ),
        "targets are the inputs": (
            ("imports", "text", "characters", "windows"),
            "ids[1 : count * timesteps + 1]",
            "ids[: count * timesteps]",
        ),
        "windows at random called by position": (
            ("imports", "text", "split"),
            "lookup(text, at_random=False)",
            "lookup(text, at_random=True)",
        ),
        "nats called bits": (
            ("imports", "text", "characters", "windows", "counts"),
            "counts[k] = -np.log2(p)",
            "counts[k] = -np.log(p)",
        ),
        "no letter is masked": (
            ("imports", "zero"),
            "mask_zero=True",
            "mask_zero=False",
        ),
        "the exercise's targets are shifted": (
            ("imports", "text", "characters", "windows", "starter-zero", "solution-zero"),
            "y_new = ids[: count * timesteps].reshape",
            "y_new = np.roll(ids, -1)[: count * timesteps].reshape",
        ),
    },
    "data/windows": {
        "windows without their last": (
            ("imports", "function"),
            "(series, timesteps + horizon, axis=0)",
            "(series[:-1], timesteps + horizon, axis=0)",
        ),
        "a target that its window holds": (
            ("imports", "function"),
            "rows[:, :timesteps], rows[:, timesteps:]",
            "rows[:, 1 : timesteps + 1], rows[:, timesteps:]",
        ),
        "Keras' targets one place early": (
            ("imports", "function", "count = 7", "dataset"),
            "targets=numbers[timesteps:]",
            "targets=numbers[timesteps - 1 :]",
        ),
        "days glued before cutting": (
            ("imports", "function", "several"),
            "for day in (monday, tuesday)]",
            "for day in (together[:, 0],)]",
        ),
    },
    "introduction/course": {
        "a window lost": (
            ("imports", "holds"),
            "range(len(series) - timesteps)",
            "range(len(series) - timesteps - 1)",
        ),
        "the target inside its window": (
            ("imports", "holds"),
            "series[s + timesteps] for",
            "series[s + timesteps - 1] for",
        ),
        "the last step for every step": (
            ("imports", "output", "shapes"),
            "return_sequences=True",
            "return_sequences=False",
        ),
        "a mean lost": (
            ("imports", "starter-average", "solution-average"),
            "np.concatenate([[0.0], values])",
            "np.concatenate([values])",
        ),
        "a gate above one": (
            ("imports", "colours"),
            "1 / (1 + np.exp(-a))",
            "1 / (0.5 + np.exp(-a))",
        ),
    },
    "introduction/first": {
        "gradient without its factor": (
            (
                FIRST_DATA,
                "descent",
            ),
            "return 2 * np.mean(error * x), 2 *",
            "return np.mean(error * x), 2 *",
        ),
        "the height never moves": (
            (
                FIRST_DATA,
                "descent",
                "closed",
            ),
            "w - rate * g_w, b - rate * g_b",
            "w - rate * g_w, b",
        ),
        "least squares without the height": (
            (
                FIRST_DATA,
                "descent",
                "closed",
            ),
            "np.hstack([x, np.ones_like(x)])",
            "np.hstack([x, 0 * x])",
        ),
        "the gradient of slope and height swapped": (
            (
                FIRST_DATA,
                "descent",
            ),
            "2 * np.mean(error * x), 2 * np.mean(error)",
            "2 * np.mean(error), 2 * np.mean(error * x)",
        ),
    },
    "introduction/overview": {
        "the parameter multiplies the input too": (
            ("imports", "op", "gradient"),
            "tf.tanh(w * h + x_t)",
            "tf.tanh(w * (h + x_t))",
        ),
        "a one-sided difference": (
            ("imports", "op", "gradient"),
            "last_state_numpy(0.8 - step, inputs)",
            "last_state_numpy(0.8, inputs)",
        ),
        "a layer without its activation": (
            ("imports", "layer"),
            'layers.Dense(3, activation="tanh")',
            "layers.Dense(3)",
        ),
        "softplus by its formula": (
            ("imports", "starter-softplus", "solution-softplus"),
            "tf.math.softplus(x)",
            "tf.math.log(tf.exp(x) + 1)",
        ),
        "the outer tape differentiates the function": (
            ("imports", "starter-twice", "solution-twice"),
            "outer.gradient(first, a)",
            "outer.gradient(y, a)",
        ),
    },
    "introduction/setup": {
        "versions compared as text": (
            ("imports", "versions"),
            "tuple(int(part) for part in",
            "tuple(part for part in",
        ),
        "Python by its first number": (
            ("imports", "wheel"),
            "{sys.version_info.major}.{sys.version_info.minor}",
            "{sys.version_info.major}",
        ),
        "the shadow has another name": (
            ("imports", "shadow"),
            'tensorflow.py", "w"',
            'other.py", "w"',
        ),
    },
    "networks/activations": {
        "tanh's derivative without its square": (
            ("imports", "functions", "parity"),
            "1 - np.tanh(a) ** 2",
            "1 - np.tanh(a)",
        ),
        "the leak on the wrong side": (
            ("imports", "functions", "parity"),
            "np.where(a > 0, a, 0.2 * a)",
            "np.where(a > 0, 0.2 * a, a)",
        ),
        "the first layer's bias lost": (
            ("imports", "linear"),
            "(b1 @ W2 + b2)",
            "b2",
        ),
        "a gate on the content instead of the memory": (
            ("imports", "functions", "memory"),
            "gate(a_gate) * memory + content(a_content)",
            "memory + gate(a_gate) * content(a_content)",
        ),
        "tanh as sigmoid, without the shift": (
            ("imports", "functions", "starter-tanh", "solution-tanh"),
            "(d - V.sum(axis=0))",
            "d",
        ),
    },
    "networks/introduction": {
        "or in place of xor": (
            ("imports", "neuron", "xor"),
            "np.array([0, 1, 1, 0])",
            "np.array([0, 1, 1, 1])",
        ),
        "zeros counted as ones before the cut": (
            ("imports", "neuron", "xor", "clouds"),
            "np.cumsum(1 - ones) +",
            "np.cumsum(ones) +",
        ),
        "both units added": (
            ("imports", "neuron", "xor", "clouds", "by-hand"),
            "np.array([[5.0], [-5.0]])",
            "np.array([[5.0], [5.0]])",
        ),
        "the first bias lost on the way": (
            ("imports", "neuron", "xor", "clouds", "layer", "linear"),
            ", b1 @ W2 + b2",
            ", b2",
        ),
        "another activation in Keras": (
            ("imports", "neuron", "xor", "clouds", "by-hand", "keras"),
            'layers.Dense(units, "tanh")',
            'layers.Dense(units, "sigmoid")',
        ),
        "tanh without its derivative": (
            ("imports", "neuron", "xor", "clouds", "by-hand", "keras", "gradient"),
            "@ weights[2].T * (1 - hidden**2)",
            "@ weights[2].T",
        ),
        "a sum in place of the mean": (
            ("imports", "neuron", "xor", "clouds", "by-hand", "keras", "gradient"),
            "2 / len(x) *",
            "2 *",
        ),
        "steps up the slope": (
            ("imports", "neuron", "xor", "clouds", "by-hand", "keras", "gradient", "train"),
            "w - rate * g for",
            "w + rate * g for",
        ),
        "pulses at all places": (
            ("imports", "neuron", "xor", "clouds", "by-hand", "keras", "gradient", "train", "places"),
            "pulses(200, 0, 4, seed), before",
            "pulses(200, 0, 10, seed), before",
        ),
        "an answer that is not fed back": (
            ("imports", "neuron", "xor", "clouds", "by-hand", "feedback"),
            "[[answer, bit]]",
            "[[0.0, bit]]",
        ),
        "units that differ": (
            ("imports", "neuron", "xor", "clouds", "by-hand", "keras", "gradient", "train", "equal"),
            "[z + 0.5 for z in zeros]",
            "start(2, 8, seed=0)",
        ),
        "all three units alike": (
            (
                "imports",
                "neuron",
                "xor",
                "clouds",
                "by-hand",
                "keras",
                "gradient",
                "train",
                "starter-parity",
                "solution-parity",
            ),
            "[-5.0, -15.0, -25.0]",
            "[-5.0, -5.0, -5.0]",
        ),
    },
    "networks/losses": {
        "Huber without its half": (
            ("imports", "regression"),
            "0.5 * e**2, e - 0.5)",
            "0.5 * e**2, e)",
        ),
        "cross-entropy with the label's sign turned": (
            ("imports", "binary"),
            "- z * y + np.log1p",
            "+ z * y + np.log1p",
        ),
        "softmax over the batch": (
            ("imports", "classes"),
            "e.sum(axis=1, keepdims=True)",
            "e.sum(axis=0, keepdims=True)",
        ),
        "Adam without its correction": (
            ("imports", "optimizers", "same"),
            "rate = rate * np.sqrt(1 - keep[1] ** t) / (1 - keep[0] ** t)",
            "rate = 1 * rate",
        ),
        "momentum without its rate": (
            ("imports", "optimizers", "same"),
            'state.get("step", 0) - rate * g',
            'state.get("step", 0) - g',
        ),
        "the gradient without tanh's slope": (
            ("imports", "network"),
            "V * (1 - h**2)",
            "V",
        ),
    },
    "networks/overfitting": {
        "a window that holds its target": (
            ("imports", "task", "check"),
            "return rows[:, :4], rows[:, 4:]",
            "return rows[:, 1:], rows[:, 4:]",
        ),
        "a target two values later": (
            ("imports", "task", "check"),
            "return rows[:, :4], rows[:, 4:]",
            "return rows[:-1, :4], rows[1:, 4:]",
        ),
        "twice the noise": (
            ("imports", "task", "check"),
            "-np.sin(2 * values[-1]) + noise",
            "-np.sin(2 * values[-1]) + 2 * noise",
        ),
        "a dropout rate of one half": (
            ("imports", "dropout-rule"),
            "layers.Dropout(0.3)",
            "layers.Dropout(0.5)",
        ),
        "no weight decay": (
            ("imports", "decay-rule"),
            "Adam(0.01, weight_decay=0.5)",
            "Adam(0.01)",
        ),
    },
    "networks/saving": {
        "words in another order": (
            ("imports", "text"),
            "enumerate(dict.fromkeys(words))",
            "enumerate(sorted(set(words)))",
        ),
        "a word counted once": (
            ("imports", "text"),
            "row[vocabulary[word]] += 1",
            "row[vocabulary[word]] = 1",
        ),
        "a layer that forgets its argument": (
            ("imports", "custom"),
            'return {**super().get_config(), "factor": factor}',
            "return super().get_config()",
        ),
        "a plan for a copy": (
            ("imports", "model", "round-trip"),
            'loaded = keras.models.load_model(folder / "model.keras")',
            "loaded = keras.models.clone_model(model)",
        ),
    },
    "networks/simple": {
        "a hole filled with ink": (
            (
                "imports",
                "fonts",
                "pixels",
            ),
            "ink ^= Path",
            "ink |= Path",
        ),
        "the inner curves lost": (
            (
                "imports",
                "fonts",
            ),
            "path.to_polygons()]",
            "path.to_polygons()[:1]]",
        ),
        "no activation by hand": (
            (
                "imports",
                RANDOM_PICTURES,
                "three-ways",
                "same",
            ),
            "np.maximum(x @ W1 + b1, 0)",
            "(x @ W1 + b1)",
        ),
        "the hidden units have no bias": (
            (
                "imports",
                RANDOM_PICTURES,
                "three-ways",
                "count",
            ),
            "144 * 32 + 32",
            "144 * 32",
        ),
        "the wrong layer frozen": (
            (
                "imports",
                RANDOM_PICTURES,
                "three-ways",
                "count",
                "frozen",
            ),
            'functional.get_layer("hidden").trainable = False',
            'functional.get_layer("logits").trainable = False',
        ),
        "softmax over the batch": (
            (
                "imports",
                RANDOM_PICTURES,
                "three-ways",
                "train",
                "returns",
            ),
            "e / e.sum(axis=1, keepdims=True)",
            "e / e.sum(axis=0, keepdims=True)",
        ),
        "one column too far": (
            (
                "imports",
                RANDOM_PICTURES,
                "labels",
            ),
            "keras.utils.to_categorical(y_new, 10)",
            "np.roll(keras.utils.to_categorical(y_new, 10), 1, axis=1)",
        ),
        "two layers that read": (
            (
                "imports",
                RANDOM_PICTURES,
                "starter-pair",
                "solution-pair",
            ),
            "read(right)])",
            'layers.Dense(32, "relu")(right)])',
        ),
    },
    "recurrent/inside": {
        "the gates read as f, i": (
            ("imports", "task", "layer", "parity"),
            "i, f, c_tilde, o = np.split(a, 4",
            "f, i, c_tilde, o = np.split(a, 4",
        ),
        "a gate held after it was used": (
            ("imports", "task", "layer", "parity"),
            'hold("f", sigmoid(f))',
            "sigmoid(f)",
        ),
        "the cell read before the step": (
            ("imports", "task", "layer", "parity"),
            'c = hold("c", f * c + i * c_tilde)',
            'c = hold("c", c + i * c_tilde)',
        ),
        "depth with the wrong sign": (
            ("imports", "task"),
            '(symbols == "(") * 1 - (symbols == ")")',
            '(symbols == ")") * 1 - (symbols == "(")',
        ),
        "the last symbol, dots too": (
            ("imports", "task"),
            'np.where(symbols != "·", steps, -1)',
            "steps",
        ),
        "brackets close that were not open": (
            ("imports", "task"),
            "(u > 0.8) & (depth > 0)",
            "u > 0.8",
        ),
    },
    "recurrent/speed": {
        "a ratio upside down": (
            ("imports", "data", "race"),
            "min(times[name]) / min(times[base])",
            "min(times[base]) / min(times[name])",
        ),
        "the target inside its window": (
            ("imports", "data"),
            "x, y = windows[:, :-1, None]",
            "x, y = windows[:, 1:, None]",
        ),
        "a stand-in for the wrong kernel": (
            ("imports", "data", "fused"),
            "if isinstance(layer, layers.GRU)",
            "if not isinstance(layer, layers.GRU)",
        ),
        "no pretended GPU": (("imports", "data", "fused"), "return_value=True", "return_value=False"),
        "a mask padded on the left taken for right": (
            ("imports", "data", "fused", "mask"),
            '"padded on the right": [[1, 1, 0]',
            '"padded on the right": [[0, 1, 1]',
        ),
        "unroll forgotten": (("imports", "operations"), "layers.LSTM(4, unroll=unroll)", "layers.LSTM(4)"),
    },
    "recurrent/tasks": {
        "two marks at one place": (
            ("imports", "pairs", "pairs-check"),
            "two += two >= one",
            "two += 0",
        ),
        "marks later than in the paper": (
            ("imports", "pairs", "pairs-check"),
            "rng.integers(0, T // 2 - 2, n)",
            "rng.integers(0, T // 2 + 2, n)",
        ),
        "a target without its half": (
            ("imports", "pairs", "pairs-check"),
            "0.5 + (first + second) / 4",
            "(first + second) / 4",
        ),
        "a marked first value that counts": (
            ("imports", "pairs", "pairs-check"),
            "value[(one == 0) | (two == 0), 0] = 1 if product else 0",
            "pass",
        ),
        "the seed taken for the gain": (
            ("imports", "pairs", "cells", "training", "parity"),
            "Orthogonal(seed=seed)",
            "Orthogonal(seed)",
        ),
        "gradients that are not clipped": (
            ("imports", "pairs", "cells", "training", "parity"),
            "if clip:",
            "if False:",
        ),
        "an order that does not matter": (
            ("imports", "order"),
            "kind = 2 * kind + which",
            "kind = kind + which",
        ),
        "noise twice as wide": (
            ("imports", "noise"),
            "rng.normal(0, np.sqrt(0.2)",
            "rng.normal(0, 2 * np.sqrt(0.2)",
        ),
        "one value of three names the class": (
            ("imports", "noise"),
            "x[:, :N] =",
            "x[:, :1] =",
        ),
        "a string that ends on the other side": (
            ("imports", "reber"),
            'f"B{side}B{inner}E{side}E"',
            'f"B{side}B{inner}ETE"',
        ),
        "a criterion that forgives one": (("imports", "train", CRITERION), "errors >= tolerance", "errors > tolerance"),
        "a criterion without its mean": (("imports", "train", CRITERION), "errors.mean() < mean and", ""),
        "a tie that counts as right": (("imports", "reber-task", MISTAKES), "low <= np.where", "low < np.where"),
        "only the best symbol counts": (
            ("imports", "reber-task", MISTAKES),
            "out, np.inf).min(axis=2)",
            "out, -np.inf).max(axis=2)",
        ),
    },
    "recurrent/training": {
        "weights that no seed decides": (("imports", "build"), "random.seed(seed)", "random.seed()"),
        "a window that holds its target": (
            ("imports", "task", "check"),
            "series[:, -steps - 1 : -1, None]",
            "series[:, -steps:, None]",
        ),
        "a window that ends too early": (
            ("imports", "task", "check"),
            "series[:, -steps - 1 : -1, None], series",
            "series[:, -steps - 2 : -2, None], series",
        ),
        "twice the period": (
            ("imports", "task", "check"),
            "np.arange(41) / period + phase)",
            "np.arange(41) / (2 * period) + phase)",
        ),
        "a validation part from the middle": (
            ("imports", "watch"),
            "watched.fit(ten, ten, validation_split=0.3,",
            "watched.fit(ten, ten, validation_data=(ten[3:6], ten[3:6]),",
        ),
        "shuffled whatever is asked": (
            ("imports", "watch"),
            "shuffle=shuffle, **fixed)",
            "shuffle=True, **fixed)",
        ),
    },
    "recurrent/variants": {
        "the old cell's squashing left out": (
            ("imports", "vanilla", "no-forget", "peephole", "coupled", "projected", "normalized", "parity"),
            "h = sigmoid(a_o) * tanh(c / 2)",
            "h = sigmoid(a_o) * tanh(c)",
        ),
        "coupled gates that agree": (
            ("imports", "vanilla", "no-forget", "peephole", "coupled", "projected", "normalized", "parity"),
            "(1 - f) * tanh(a_c)",
            "f * tanh(a_c)",
        ),
        "the cell's blocks in another order": (
            ("imports", "vanilla", "no-forget", "peephole", "coupled", "projected", "normalized", "parity"),
            'blocks = "ifco"',
            'blocks = "fico"',
        ),
        "a peephole that sees the hidden state": (
            ("imports", "vanilla", "peephole", "peep"),
            "sigmoid(a_f + p_f * c)",
            "sigmoid(a_f + p_f * h)",
        ),
        "early and late swapped": (
            ("imports", "tasks"),
            "asked[row, t] = 1, late, 1",
            "asked[row, t] = 1, 1 - late, 1",
        ),
        "what is written now is left out": (
            (
                "imports",
                "vanilla",
                "no-forget",
                "peephole",
                "coupled",
                "projected",
                "normalized",
                "parity",
                "starter-parallel",
                "solution-parallel",
            ),
            "np.tri(30)",
            "np.tri(30, k=-1)",
        ),
    },
    "reference/migration": {
        "a line that works, shown as broken": (
            ("imports", "rate"),
            "SGD(lr=0.1))",
            "SGD(learning_rate=0.1))",
        ),
        "a reset that is forgotten": (
            ("imports", "batch-shape", "reset"),
            "stateful.layers[0].reset_state()",
            "pass",
        ),
    },
}
