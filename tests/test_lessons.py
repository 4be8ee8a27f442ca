"""The lessons' own code: what their functions promise, and that their assertions catch a planted fault."""

import json
from functools import cache

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests import faults, lessons
from tests.lessons import ROOT, Lesson

NAMES = "lstm sine rnn bptt gradients scratch memory shapes masking gru"
LSTM, SINE, RNN, BPTT, GRADIENTS, SCRATCH, MEMORY, SHAPES, MASKING, GRU = (
    Lesson(f"recurrent/{name}") for name in NAMES.split()
)


@pytest.fixture(autouse=True)
def _fresh_keras():
    """Undo what a lesson sets for its whole process: precision, dtype policy, open figures."""
    keras.utils.clear_session()
    keras.config.set_floatx("float32")
    yield
    plt.close("all")


def execute(lesson: Lesson, *parts: str, old: str = "", new: str = "") -> dict:
    """Run regions of a lesson (or code of our own) in this process, one piece replaced; return their namespace."""
    regions = lessons.read_regions(lesson)
    code = "\n".join(regions[part][1] if part in regions else part for part in parts)
    assert not old or code.count(old) == 1, f"{old!r} stands {code.count(old)} times in {lesson.shown}"
    namespace: dict = {"__name__": "lesson"}
    exec(compile(code.replace(old, new), lesson.shown, "exec", dont_inherit=True), namespace)
    return namespace


TO_PARITY = ("imports", "forgetting", "layer", "parity")
TO_STEP = ("imports", "forgetting", "by-hand", "step")
TO_SPLIT = (*TO_STEP, "split")
TO_CHECK = ("imports", "series", "windows", "parts", "check")
NO_TRAINING = """
noisy = sine + 0.1 * np.random.default_rng(0).normal(size=1000)
base, noisy_parts, train, spread = None, None, lambda *_: None, lambda *_, **__: ""
lstm_error, linear_error = lambda _, parts: 1e6 * (parts is raw_parts), lambda _: 0
"""
TO_SCALER = ("imports", "series", "windows", "parts", NO_TRAINING, "scaling", "fitted-on")
RNN_PARITY = ("imports", "layer", "parity")
TO_TAPE = ("imports", "by-hand", "forward", "backward", "network", "task", "tape")
TO_ADAM = ("imports", "by-hand", "forward", "backward", "network", "adam", "adam-parity")
GRU_PARITY = ("imports", "by-hand", "layer", "parity")
TO_GRADIENT = (*GRU_PARITY, "parameters", "backward")
TO_WINDOWS = ("imports", "forward", "backward", "numbers", "tape", "differences", "windows")
TO_CLIPPING = ("imports", "explode", "clip", "formulas")
TO_JACOBIAN = ("imports", "derivative", "tape")
TO_REACH = (*TO_JACOBIAN, "lstm-back", "biases", "half-life", "product", "chrono", "others-back", "reach", "reach-tape")
SPLIT = "np.split(series, [600, 800])"
FAULTS = {  # name: (lesson, what to run, old code, new code)
    "gates in another order": (LSTM, TO_PARITY, "i, f, c_tilde, o = np.split(a", "f, i, c_tilde, o = np.split(a"),
    "output and candidate swapped": (LSTM, TO_PARITY, "c_tilde, o = np.split(a", "o, c_tilde = np.split(a"),
    "cell state not squashed": (LSTM, TO_PARITY, "h = o * np.tanh(c)\n        steps", "h = o * c\n        steps"),
    "a sigmoid too steep": (LSTM, TO_PARITY, "np.tanh(0.5 * a)", "np.tanh(a)"),
    "no recurrence": (LSTM, TO_PARITY, "@ kernel + h @ recurrent_kernel +", "@ kernel +"),
    "no bias": (LSTM, TO_PARITY, "h @ recurrent_kernel + bias", "h @ recurrent_kernel"),
    "candidate without its gate": (LSTM, TO_PARITY, "+ i * c_tilde\n        h", "+ c_tilde\n        h"),
    "steps in reverse": (LSTM, TO_PARITY, "steps.append((h,", "steps.insert(0, (h,"),
    "gates swapped in the step": (LSTM, TO_STEP, "c = f * c + i * c_tilde\n    h", "c = i * c + f * c_tilde\n    h"),
    "[x, h] for [h, x]": (LSTM, TO_SPLIT, "([recurrent_kernel, kernel])", "([kernel, recurrent_kernel])"),
    "blocks read as f, i, c, o": (LSTM, TO_SPLIT, 'zip("ifco", blocks', 'zip("fico", blocks'),
    "parameters without bias": (LSTM, ("imports", "parameters"), " + features) + units)", " + features))"),
    "a window lost": (
        SINE,
        ("imports", "series", "windows"),
        "(series, timesteps + 1)",
        "(series[:-1], timesteps + 1)",
    ),
    "the target inside its window": (SINE, TO_CHECK, "rows[:, :-1, None]", "rows[:, 1:, None]"),
    "the target one step late": (SINE, TO_CHECK, "rows[:, :-1, None], rows", "rows[:-1, :-1, None], rows[1:]"),
    "a target for another window": (SINE, TO_CHECK, "rows[:, -1:]", "np.roll(rows[:, -1:], 1)"),
    "points shuffled": (SINE, TO_CHECK, SPLIT, "np.split(np.random.default_rng(0).permutation(series), [600, 800])"),
    "parts that overlap": (SINE, TO_CHECK, SPLIT, "(series[:600], series[590:800], series[790:])"),
    "a scaler fitted on all data": (SINE, TO_SCALER, "level[:600].mean(), level[:600]", "level.mean(), level"),
    "no way back in time": (RNN, RNN_PARITY, "@ kernel + h @ recurrent_kernel + bias", "@ kernel + bias"),
    "no squashing": (RNN, RNN_PARITY, "h = np.tanh(x[:, t]", "h = (x[:, t]"),
    "states in reverse": (RNN, RNN_PARITY, "states.append(h)  # (batch, units)", "states.insert(0, h)"),
    "time and batch mixed up": (
        RNN,
        ("imports", "starter-sensors", "solution-sensors"),
        "sensors.T.reshape(4, 10, 2)",
        "sensors.reshape(4, 10, 2)",
    ),
    "states not reset": (SHAPES, ("imports", "chunks"), "chunked.reset_state()", "pass"),
    "not stateful": (SHAPES, ("imports", "chunks"), "stateful=True", "stateful=False"),
    "backwards turned round twice": (
        SHAPES,
        ("imports", "backwards"),
        "forward(x[:, ::-1])",
        "forward(x[:, ::-1])[:, ::-1]",
    ),
    "a decoder without its state": (
        SHAPES,
        ("imports", "starter-cells", "solution-cells"),
        ", initial_state=state)\n    hidden",
        ")\n    hidden",
    ),
    "no gradient through h": (SCRATCH, TO_TAPE, "dh = dh_above[:, t] + dh_later", "dh = dh_above[:, t]"),
    "no gradient through c": (SCRATCH, TO_TAPE, "dc = dc_later + dh * o", "dc = dh * o"),
    "a wrong factor for f": (SCRATCH, TO_TAPE, "da_f = dc * c_before", "da_f = dc * c_tilde"),
    "gradients of the last step only": (SCRATCH, TO_TAPE, "drecurrent += h_before", "drecurrent = h_before"),
    "layers in the wrong order": (SCRATCH, TO_TAPE, "of_layer + gradients", "gradients + of_layer"),
    "a mean over the batch only": (SCRATCH, TO_TAPE, "2 * error / error.size", "2 * error / len(error)"),
    "epsilon inside the root": (SCRATCH, TO_ADAM, "(np.sqrt(v) + epsilon)", "np.sqrt(v + epsilon)"),
    "z the other way round": (
        GRU,
        GRU_PARITY,
        "h = z * h + (1 - z) * h_tilde\n        steps",
        "h = (1 - z) * h + z * h_tilde\n        steps",
    ),
    "z and r swapped": (GRU, GRU_PARITY, "x_z, x_r, x_h = np.split(x[:, t]", "x_r, x_z, x_h = np.split(x[:, t]"),
    "no reset after": (GRU, GRU_PARITY, "reset = r * h_h\n", "reset = h_h\n"),
    "no reset before": (GRU, GRU_PARITY, "(r * h) @ recurrent_kernel", "h @ recurrent_kernel"),
    "a gradient past the reset gate": (GRU, TO_GRADIENT, "[da_z, da_r, da_h * r]", "[da_z, da_r, da_h]"),
    "a gradient without its direct path": (GRU, TO_GRADIENT, "dh_later = dh * z + da_h", "dh_later = da_h"),
    "tanh derived at the wrong step": (BPTT, TO_WINDOWS, "(1 - h[:, t + 1] ** 2)", "(1 - h[:, t] ** 2)"),
    "a matrix not transposed": (BPTT, TO_WINDOWS, "delta[:, t] @ recurrent_kernel.T", "delta[:, t] @ recurrent_kernel"),
    "h of the wrong step": (BPTT, TO_WINDOWS, '"btk,btm->km", h[:, :-1], delta', '"btk,btm->km", h[:, 1:], delta'),
    "cut off one step early": (
        BPTT,
        TO_WINDOWS,
        "if window and t % window == 0:",
        "if window and (t + 1) % window == 0:",
    ),
    "clipped one by one": (GRADIENTS, TO_CLIPPING, "norm(full), 1) for g in full]", "norm([g]), 1) for g in full]"),
    "half a step": (GRADIENTS, TO_CLIPPING, "SGD(1.0, **options)", "SGD(0.5, **options)"),
    "no way out of the cell": (MEMORY, TO_JACOBIAN, "o_before * (1 - np.tanh(c_before) ** 2)", "o_before"),
    "c carried without its gate": (MEMORY, TO_REACH, "@ recurrent_kernel.T, dc * f", "@ recurrent_kernel.T, dc"),
    "the GRU's z the wrong way back": (MEMORY, TO_REACH, "dh = dh * z + da", "dh = dh * (1 - z) + da"),
    "a bias in the wrong block": (
        MEMORY,
        TO_REACH,
        "bias[units : 2 * units] = forget",
        "bias[2 * units : 3 * units] = forget",
    ),
    "chrono with the wrong sign": (MEMORY, TO_REACH, "-np.log(steps))(shape", "np.log(steps))(shape"),
    "a mask that is not used": (MASKING, ("imports", "pad", "equal"), "layer(batch, mask=mask)", "layer(batch)"),
    "padding on the other side": (MASKING, ("imports", "pad", "equal", "steps"), "padding=where", 'padding="pre"'),
    "a mask that was never there": (
        MASKING,
        ("imports", "pad", "equal", "steps", "survives", "survives-verdict"),
        "between(layers.Masking()(padded))",
        "between(padded)",
    ),
    "right padding not told from left": (
        MASKING,
        ("imports", "pad", "right-padded"),
        "right.all() and (counts > 0).all()",
        "right.all()",
    ),
    "a scaler that saw validation": (
        SINE,
        TO_SCALER,
        "level[:600].mean(), level[:600]",
        "level[:800].mean(), level[:800]",
    ),
}


@cache
def passes(lesson: Lesson, parts: tuple[str, ...]) -> None:
    """Without a fault the lesson's assertions hold."""
    execute(lesson, *parts)


ALL_FAULTS = FAULTS | {
    f"{name}: {what}": (Lesson(name), *fault) for name, found in faults.FAULTS.items() for what, fault in found.items()
}


@pytest.mark.parametrize(("lesson", "parts", "old", "new"), ALL_FAULTS.values(), ids=ALL_FAULTS)
def test_a_planted_fault_fails_the_lesson(lesson, parts, old, new):
    passes(lesson, parts)
    with pytest.raises(AssertionError):
        execute(lesson, *parts, old=old, new=new)


def test_a_race_goes_on_while_its_claim_fails_but_not_for_ever():
    race = execute(Lesson("recurrent/speed"), "imports", "data", "race")["race"]
    for claim, rounds in (
        (lambda times: True, 3),
        (lambda times: len(times["nothing"]) >= 5, 5),
        (lambda times: False, 12),
    ):
        first, times, results = race({"nothing": lambda: "done"}, claim=claim)
        assert len(times["nothing"]) == rounds
        assert first.keys() == results.keys() == {"nothing"}


def test_sample_and_hold_is_what_a_loop_says():
    sample_and_hold = execute(LSTM, "imports", "task")["sample_and_hold"]
    x, y = sample_and_hold(20, 60, seed=5)
    for sequence, held in zip(x, y[..., 0], strict=True):
        memory = None
        for (value, flag), wanted in zip(sequence, held, strict=True):
            memory = value if flag else memory
            assert wanted == memory
    assert 0.05 < x[:, 1:, 1].mean() < 0.15


def test_the_numpy_layer_takes_any_shape():
    lstm = execute(LSTM, "imports", "forgetting", "layer")["lstm"]
    rng = np.random.default_rng(0)
    for batch, timesteps, features, units in [(1, 1, 1, 1), (3, 1, 2, 4), (1, 9, 5, 2)]:
        weights = (
            rng.normal(size=(features, 4 * units)),
            rng.normal(size=(units, 4 * units)),
            rng.normal(size=4 * units),
        )
        states = lstm(rng.normal(size=(batch, timesteps, features)), *weights)
        assert states.shape == (6, batch, timesteps, units)
        assert np.isfinite(states).all()


def test_the_sigmoid_neither_overflows_nor_warns():
    sigmoid = execute(LSTM, "imports", "forgetting")["sigmoid"]
    a = np.array([-1e4, -50, 0, 50, 1e4], "float32")
    assert sigmoid(a).tolist() == [0, pytest.approx(0, abs=1e-7), 0.5, 1, 1]
    assert sigmoid(a).dtype == "float32"


def test_a_lesson_runs_in_its_time():
    """A minute or so each; the bounds leave room for a loaded machine."""
    seconds = {}
    for lesson in lessons.find_lessons():
        record = json.loads((lesson.store / "run.json").read_text("utf-8"))
        seconds[lesson.name] = sum(record["seconds"].values())
    longer = {"recurrent/tasks": 900, "recurrent/training": 300, "recurrent/variants": 300}
    assert not {name: taken for name, taken in seconds.items() if taken > longer.get(name, 180)}
    assert sum(seconds.values()) < 50 * 60


def test_no_word_is_typed_that_promises_too_much():
    words = ("simply", "obviously", "easily", "just ", "coming soon", "todo")
    for path in sorted((ROOT / "docs").rglob("*.md")):
        text = path.read_text("utf-8").lower()
        assert not [word for word in words if word in text], path
