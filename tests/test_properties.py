"""The from-scratch functions of the lessons on inputs that nobody chose: equal to Keras, to GradientTape, to trying."""

import ast
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from tests.lessons import Lesson


def functions(name: str, *wanted: str) -> SimpleNamespace:
    """Some functions of a lesson's program, without its experiments."""
    lesson, namespace = Lesson(f"recurrent/{name}"), {}
    tree = ast.parse(lesson.program.read_text("utf-8"))
    imports = (ast.Import, ast.ImportFrom)
    tree.body = [part for part in tree.body if isinstance(part, imports) or getattr(part, "name", None) in wanted]
    exec(compile(tree, lesson.shown, "exec", dont_inherit=True), namespace)
    return SimpleNamespace(**{name: namespace[name] for name in wanted})


RNN = functions("rnn", "simple_rnn")
BPTT = functions("bptt", "forward", "backward")
LSTM = functions("lstm", "sigmoid", "lstm_step", "lstm")
GRU = functions("gru", "sigmoid", "gru", "gru_backward")
MEMORY = functions("memory", "sigmoid", "step_derivative", "size", "lstm_back", "simple_back", "gru_back")
SCRATCH = functions(
    "scratch",
    *("sigmoid", "lstm_forward", "lstm_backward", "network_forward", "network_backward", "loss_and_gradients"),
    *("keras_model", "adam_start", "adam_step"),
)


class Layer(NamedTuple):
    """A lesson's layer, and Keras' layer of the same kind."""

    kind: type
    blocks: int  # of columns in its kernels
    hidden: Callable  # x and weights -> h of all steps
    gradients: Callable | None = None  # gradient from above, x and weights -> gradients of x and weights
    options: tuple = ()
    rows: int = 1  # of biases


def bptt_gradients(above, x, *weights):
    found = BPTT.backward(x, BPTT.forward(x, *weights), above, *weights[:2])
    return [found[name] for name in ("input", "kernel", "recurrent_kernel", "bias")]


def scratch_gradients(above, x, *weights):
    return SCRATCH.lstm_backward(above, SCRATCH.lstm_forward(x, *weights)[1], x, *weights[:2])


LAYERS = {
    "rnn": Layer(layers.SimpleRNN, 1, RNN.simple_rnn),
    "bptt": Layer(layers.SimpleRNN, 1, lambda x, *w: BPTT.forward(x, *w)[:, 1:], bptt_gradients),
    "lstm": Layer(layers.LSTM, 4, lambda x, *w: LSTM.lstm(x, *w)[0]),
    "scratch": Layer(layers.LSTM, 4, lambda x, *w: SCRATCH.lstm_forward(x, *w)[0], scratch_gradients),
    "gru": Layer(layers.GRU, 3, lambda x, *w: GRU.gru(x, *w)[0], GRU.gru_backward, rows=2),
    "gru-reset-before": Layer(
        layers.GRU, 3, lambda x, *w: GRU.gru(x, *w, reset_after=False)[0], options=(("reset_after", False),)
    ),
}
with_gradients = [name for name, layer in LAYERS.items() if layer.gradients]
SIZES = [(1, 1), (3, 2), (2, 5)]  # features and units; few, because each needs graphs of Keras
VALUES, GRADIENTS = {"float32": 1e-6, "float64": 1e-12}, {"float32": 1e-4, "float64": 1e-9}  # bounds of the lessons


class Case(NamedTuple):
    """An input of a layer; `scale` is the size of x: 1e4 shuts or opens nearly every gate."""

    batch: int
    timesteps: int
    size: tuple[int, int]
    dtype: str
    scale: float
    seed: int

    def draw(self, layer: Layer) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
        """x, the three weights, and a gradient from above."""
        (features, units), rng = self.size, np.random.default_rng(self.seed)
        columns = layer.blocks * units
        kernel, bias = rng.normal(size=(features, columns)), rng.normal(size=(layer.rows, columns))
        recurrent_kernel = rng.normal(size=(units, columns)) / np.sqrt(units)
        weights = [kernel, recurrent_kernel, bias if layer.rows > 1 else bias[0]]
        x = self.scale * rng.normal(size=(self.batch, self.timesteps, features))
        above = rng.normal(size=(self.batch, self.timesteps, units))
        return x.astype(self.dtype), [weight.astype(self.dtype) for weight in weights], above.astype(self.dtype)


def cases(batch=(0, 3), timesteps=(1, 12), size=SIZES, dtype=("float32", "float64"), scale=(1, 1e-3, 30, 1e4)):
    """Inputs from the smallest on: no sequence, one sequence, one step."""
    drawn = {"batch": st.integers(*batch), "timesteps": st.integers(*timesteps), "seed": st.integers(0, 2**16)}
    chosen = {"size": size, "dtype": dtype, "scale": scale}
    return st.builds(Case, **drawn, **{name: st.sampled_from(values) for name, values in chosen.items()})


def examples(count: int, case: st.SearchStrategy, **others: st.SearchStrategy) -> Callable:
    """Run a test on `count` inputs, the same ones each time; a failure prints the smallest one that fails."""
    chosen = settings(max_examples=count, derandomize=True, deadline=None, database=None)
    return lambda test: chosen(given(case=case, **others)(test))


def set_precision(dtype: str) -> None:
    """Of Keras' layers, and of its losses and optimizers."""
    keras.config.set_dtype_policy(dtype)
    keras.config.set_floatx(dtype)


@pytest.fixture(autouse=True)
def _single_precision():
    yield
    set_precision("float32")


def close(ours, expected, bound: float) -> None:
    """Equal in shape, and in value up to `bound`, which grows with the values."""
    expected = np.asarray(expected)
    assert np.shape(ours) == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=0, atol=bound * max(1, abs(expected).max(initial=0)))


@cache
def keras_layer(layer: Layer, size: tuple[int, int], dtype: str) -> tuple[layers.Layer, Callable]:
    """Keras' layer, and a graph of it that takes any batch of any length: h, and gradients of x and the weights."""
    features, units = size
    built = layer.kind(units, return_sequences=True, return_state=True, dtype=dtype, **dict(layer.options))
    built.build((None, None, features))

    @tf.function(
        input_signature=[tf.TensorSpec((None, None, features), dtype), tf.TensorSpec((None, None, units), dtype)]
    )
    def run(x, above):
        with tf.GradientTape() as tape:
            tape.watch(x)
            h, *_ = built(x)
            loss = tf.reduce_sum(h * above)
        return h, tape.gradient(loss, [x, *(weight.value for weight in built.weights)])

    return built, run


def by_keras(layer: Layer, case: Case, x, weights, above) -> tuple[np.ndarray, list[np.ndarray]]:
    built, run = keras_layer(layer, case.size, case.dtype)
    built.set_weights(weights)
    return run(x, above)


every_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
every_gradient = pytest.mark.parametrize("layer", [LAYERS[name] for name in with_gradients], ids=with_gradients)


# ---------------------------------------------------------------- values


@every_layer
@examples(40, cases())
def test_a_layer_computes_what_keras_computes(layer, case):
    x, weights, above = case.draw(layer)
    expected, _ = by_keras(layer, case, x, weights, above)
    h = layer.hidden(x, *weights)
    close(h, expected, VALUES[case.dtype] * max(1, case.scale))  # a sum of large numbers is rounded in proportion
    assert h.dtype == case.dtype or layer is LAYERS["bptt"]  # which is in double precision


@every_layer
@examples(10, cases(size=[(1, 1)], scale=[1e30]))
def test_a_shut_gate_neither_overflows_nor_warns(layer, case):
    x, weights, above = case.draw(layer)
    expected, gradients = by_keras(layer, case, x, weights, above)
    close(layer.hidden(x, *weights), expected, VALUES[case.dtype])
    for ours, wanted in zip(layer.gradients(above, x, *weights) if layer.gradients else (), gradients, strict=False):
        close(ours, wanted, GRADIENTS[case.dtype])


@every_layer
def test_a_sequence_without_steps_is_refused_as_keras_refuses_it(layer):
    case = Case(batch=2, timesteps=0, size=(3, 2), dtype="float64", scale=1, seed=0)
    x, weights, above = case.draw(layer)
    with pytest.raises(tf.errors.InvalidArgumentError):
        by_keras(layer, case, x, weights, above)
    if layer is LAYERS["bptt"]:  # it also returns the state before the first step
        assert not BPTT.forward(x, *weights).any()
    else:
        with pytest.raises(ValueError, match="at least one array"):
            layer.hidden(x, *weights)


@every_layer
@examples(20, cases(batch=(1, 3)))
def test_neither_the_future_nor_another_sequence_matters(layer, case):
    x, weights, _ = case.draw(layer)
    together = layer.hidden(x, *weights)
    for step in {1, case.timesteps}:
        alone = layer.hidden(x[-1:, :step], *weights)
        close(alone, together[-1:, :step], VALUES[case.dtype] * max(1, case.scale))


@examples(20, cases(batch=(1, 3)))
def test_gates_states_and_candidates_keep_their_range(case):
    x, weights, _ = case.draw(LAYERS["lstm"])
    h, c, f, i, c_tilde, o = LSTM.lstm(x, *weights)
    for gate in (f, i, o):
        assert ((gate >= 0) & (gate <= 1)).all()
    assert abs(c_tilde).max() <= 1
    assert (abs(c) <= 1 + np.arange(case.timesteps)[:, None]).all()  # at most one is added at each step
    assert (abs(h) <= abs(o)).all()
    x, weights, _ = case.draw(LAYERS["gru"])
    h, *_, h_tilde = GRU.gru(x, *weights)
    before = np.pad(h[:, :-1], ((0, 0), (1, 0), (0, 0)))
    assert (h <= np.maximum(before, h_tilde) + 1e-6).all()  # between the old state and the candidate
    assert (h >= np.minimum(before, h_tilde) - 1e-6).all()


# ---------------------------------------------------------------- gradients


@every_gradient
@examples(40, cases())
def test_a_backward_pass_computes_what_the_tape_computes(layer, case):
    x, weights, above = case.draw(layer)
    _, taped = by_keras(layer, case, x, weights, above)
    for ours, wanted in zip(layer.gradients(above, x, *weights), taped, strict=True):
        close(ours, wanted, GRADIENTS[case.dtype] * max(1, case.scale))


@every_gradient
@examples(40, cases(batch=(1, 3), dtype=["float64"], scale=[1, 1e-3]))
def test_a_gradient_is_the_slope_that_a_small_step_finds(layer, case):
    x, weights, above = case.draw(layer)
    arrays, rng = [x, *weights], np.random.default_rng(case.seed + 1)
    for number, gradient in enumerate(layer.gradients(above, *arrays)):
        direction = rng.normal(size=gradient.shape)

        def loss(step, number=number, direction=direction):
            moved = [*arrays]
            moved[number] = arrays[number] + step * direction
            return np.sum(layer.hidden(*moved) * above)

        near, far = (loss(step) - loss(-step) for step in (1e-4, 2e-4))
        slope = (8 * near - far) / 12e-4  # its error shrinks with the fourth power of the step
        assert abs(slope - np.sum(gradient * direction)) < 1e-7 * max(1, abs(slope), np.linalg.norm(gradient))


@examples(25, cases(batch=(1, 3), dtype=["float64"], scale=[1]), window=st.integers(1, 14))
def test_a_window_cuts_the_gradient_where_stop_gradient_would(case, window):
    layer = LAYERS["bptt"]
    x, weights, above = case.draw(layer)
    built, _ = keras_layer(layer, case.size, case.dtype)
    built.set_weights(weights)
    state, total = tf.zeros((case.batch, case.size[1]), case.dtype), 0.0
    with tf.GradientTape() as tape:
        for first in range(0, case.timesteps, window):
            now = slice(first, first + window)
            h, state = built(x[:, now], initial_state=tf.stop_gradient(state))
            total += tf.reduce_sum(h * above[:, now])
    taped = tape.gradient(total, [weight.value for weight in built.weights])
    ours = BPTT.backward(x, BPTT.forward(x, *weights), above, *weights[:2], window)
    for name, wanted in zip(("kernel", "recurrent_kernel", "bias"), taped, strict=True):
        close(ours[name], wanted, GRADIENTS["float64"])


@cache
def keras_network(depth: int, dtype: str) -> tuple[keras.Model, Callable]:
    model = SCRATCH.keras_model(units=3, depth=depth, seed=0, dtype=dtype)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 2), dtype), tf.TensorSpec((None, None, 1), dtype)])
    def run(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        return loss, tape.gradient(loss, [weight.value for weight in model.trainable_variables])

    return model, run


@examples(30, cases(batch=(1, 4), size=[(2, 1)], scale=[1, 1e-3, 30]), depth=st.integers(1, 2))
def test_a_stack_of_layers_learns_from_the_gradients_of_keras(case, depth):
    set_precision(case.dtype)
    model, run = keras_network(depth, case.dtype)
    x, _, y = case.draw(LAYERS["scratch"])
    rng = np.random.default_rng(case.seed)
    weights = [rng.normal(0, 0.5, weight.shape).astype(case.dtype) for weight in model.get_weights()]
    model.set_weights(weights)
    loss, taped = run(x, y)
    our_loss, ours = SCRATCH.loss_and_gradients(x, y, weights)
    close(our_loss, loss, VALUES[case.dtype] * max(1, case.scale))
    for gradient, wanted in zip(ours, taped, strict=True):
        close(gradient, wanted, GRADIENTS[case.dtype] * max(1, case.scale))


# ---------------------------------------------------------------- what a state passes on (the lesson on memory)


def slopes(of: Callable, at: np.ndarray, step=1e-4) -> np.ndarray:
    """The derivatives (outputs, inputs) of a function of a batch of rows, by trying all of them at once."""
    moves = step * np.eye(len(at))
    one, back, two, further = np.split(of(np.concatenate([at + sign * moves for sign in (1, -1, 2, -2)])), 4)
    return ((8 * (one - back) - (two - further)) / (12 * step)).T


@examples(30, cases(batch=(1, 1), timesteps=(1, 1), dtype=["float64"], scale=[1, 1e-3]))
def test_the_derivative_of_a_step_is_the_slope_that_a_small_step_finds(case):
    x, (kernel, recurrent_kernel, bias), above = case.draw(LAYERS["lstm"])
    c_before, o_before = above[0, 0], LSTM.sigmoid(above[0, 0] + 1)
    split = zip("ifco", np.split(np.concatenate([recurrent_kernel, kernel]), 4, axis=1), strict=True)
    W, b = {gate: block.T for gate, block in split}, dict(zip("ifco", np.split(bias, 4), strict=True))

    def next_c(rows):
        return np.array([LSTM.lstm_step(x[0, 0], o_before * np.tanh(c), c, W, b)[1] for c in rows])

    f, whole = MEMORY.step_derivative(x[0, 0], o_before, c_before, (kernel, recurrent_kernel, bias))
    close(whole, slopes(next_c, c_before), 1e-8)
    h_before = (o_before * np.tanh(c_before))[None]
    close(f, LSTM.sigmoid(W["f"] @ np.concatenate([h_before[0], x[0, 0]]) + b["f"]), 1e-12)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
@examples(12, cases(batch=(1, 1), timesteps=(2, 12), dtype=["float64"], scale=[1]), data=st.data())
def test_the_reach_of_a_gradient_is_what_moving_a_state_of_keras_gives(name, case, data):
    layer, lag = LAYERS[name], data.draw(st.integers(1, case.timesteps - 1))
    x, weights, _ = case.draw(layer)
    built, _ = keras_layer(layer, case.size, case.dtype)
    built.set_weights(weights)
    _, *states = (np.asarray(state)[0] for state in built(x[:, :-lag]))  # h, or h and c

    def last(rows):  # (rows, states in one) -> the last states
        begin = [tf.constant(part) for part in np.split(rows, len(states), axis=1)]
        _, *end = built(np.repeat(x[:, -lag:], len(rows), axis=0), initial_state=begin)
        return np.concatenate(end, axis=1)

    units = case.size[1]
    jacobian = slopes(last, np.concatenate(states))
    if name != "lstm":
        back = {"rnn": MEMORY.simple_back, "gru": MEMORY.gru_back}[name]
        close(back(x[0], weights)[lag - 1], MEMORY.size(jacobian), 1e-8)
        return
    h, c = states
    of_h = h / np.tanh(c) * (1 - np.tanh(c) ** 2)  # h is made from c
    for start, rows in (("h", slice(0, units)), ("c", slice(units, None))):
        both, cell_only, _ = MEMORY.lstm_back(x[0], weights, start)
        by_c = jacobian[rows, units:] + jacobian[rows, :units] * of_h
        close(both[lag - 1], MEMORY.size(jacobian[rows]), 1e-8)
        close(cell_only[lag - 1], MEMORY.size(by_c), 1e-6)


# ---------------------------------------------------------------- the optimizer


@examples(
    25,
    cases(size=[(3, 2)]),
    steps=st.integers(1, 10),
    rate=st.sampled_from([0.01, 1e-4, 1.0]),
    epsilon=st.sampled_from([1e-7, 1e-3]),
)
def test_adam_moves_the_weights_as_keras_moves_them(case, steps, rate, epsilon):
    set_precision(case.dtype)
    _, weights, _ = case.draw(LAYERS["lstm"])
    variables = [keras.Variable(weight.copy()) for weight in weights]
    optimizer, state = keras.optimizers.Adam(rate, epsilon=epsilon), SCRATCH.adam_start(weights)
    rng = np.random.default_rng(case.seed)
    for _ in range(steps):
        gradients = [
            (case.scale * rng.normal(size=w.shape) * rng.integers(2, size=w.shape)).astype(w.dtype) for w in weights
        ]
        optimizer.apply([tf.constant(gradient) for gradient in gradients], variables)
        SCRATCH.adam_step(weights, gradients, state, rate, epsilon)
    for ours, wanted in zip(weights, variables, strict=True):
        assert ours.dtype == case.dtype
        close(ours, wanted, {"float32": 1e-4, "float64": 1e-10}[case.dtype] * rate * steps + VALUES[case.dtype])
