"""The lessons' own code: what their functions promise, and that their assertions catch a planted fault."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests import lessons
from tests.lessons import ROOT, Lesson

LSTM, SINE = Lesson("recurrent/lstm"), Lesson("recurrent/sine")


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
base, train, spread = None, lambda *_: None, lambda *_, **__: ""
lstm_error, linear_error = lambda _, parts: 1e6 * (parts is raw_parts), lambda _: 0
"""
TO_SCALER = ("imports", "series", "windows", "parts", NO_TRAINING, "scaling", "fitted-on")
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
    "a scaler that saw validation": (
        SINE,
        TO_SCALER,
        "level[:600].mean(), level[:600]",
        "level[:800].mean(), level[:800]",
    ),
}


@pytest.mark.parametrize(("lesson", "parts", "old", "new"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_fails_the_lesson(lesson, parts, old, new):
    execute(lesson, *parts)  # without the fault it passes
    with pytest.raises(AssertionError):
        execute(lesson, *parts, old=old, new=new)
    plt.close("all")


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


def test_every_lesson_is_fresh_or_was_just_run():
    for lesson in lessons.find_lessons():
        assert lessons.stale(lesson) is None


def test_a_lesson_runs_in_its_time():
    for lesson in lessons.find_lessons():
        record = json.loads((lesson.store / "run.json").read_text("utf-8"))
        assert sum(record["seconds"].values()) < 180, f"{lesson.name} takes longer than three minutes"


def test_no_word_is_typed_that_promises_too_much():
    words = ("simply", "obviously", "easily", "just ", "coming soon", "todo")
    for path in sorted((ROOT / "docs").rglob("*.md")):
        text = path.read_text("utf-8").lower()
        assert not [word for word in words if word in text], path
