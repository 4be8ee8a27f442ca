"""The lessons' own code: what their functions promise, and that their assertions catch a planted fault."""

import json

import numpy as np
import pytest

from tests import lessons
from tests.lessons import ROOT, Lesson

LSTM, SINE = Lesson("recurrent/lstm"), Lesson("recurrent/sine")


def execute(lesson: Lesson, *names: str, old: str = "", new: str = "") -> dict:
    """Run regions of a lesson in this process, with one piece of code replaced; return their namespace."""
    regions = lessons.read_regions(lesson)
    code = "\n".join(regions[name][1] for name in names)
    assert not old or code.count(old) == 1, f"{old!r} stands {code.count(old)} times in {lesson.shown}"
    namespace: dict = {"__name__": "lesson"}
    exec(compile(code.replace(old, new), lesson.shown, "exec", dont_inherit=True), namespace)
    return namespace


TO_PARITY = ("imports", "forgetting", "layer", "parity")
TO_STEP = ("imports", "forgetting", "by-hand", "step")
TO_SPLIT = (*TO_STEP, "split")
TO_CHECK = ("imports", "series", "windows", "parts", "check")
FAULTS = {
    "gates in another order": (LSTM, TO_PARITY, "i, f, c_tilde, o = np.split(a", "f, i, c_tilde, o = np.split(a"),
    "output gate and candidate swapped": (LSTM, TO_PARITY, "i, f, c_tilde, o = np.split(a", "i, f, o, c_tilde = np.split(a"),
    "cell state not squashed": (LSTM, TO_PARITY, "h = o * np.tanh(c)\n        steps", "h = o * c\n        steps"),
    "a sigmoid too steep": (LSTM, TO_PARITY, "0.5 + 0.5 * np.tanh(0.5 * a)", "0.5 + 0.5 * np.tanh(a)"),
    "no recurrence": (LSTM, TO_PARITY, " + h @ recurrent_kernel + bias  #", " + bias  #"),
    "no bias": (LSTM, TO_PARITY, "h @ recurrent_kernel + bias  #", "h @ recurrent_kernel  #"),
    "candidate without its gate": (LSTM, TO_PARITY, "c = f * c + i * c_tilde\n        h", "c = f * c + c_tilde\n        h"),
    "h one step late": (LSTM, TO_PARITY, "steps.append((h,", "steps.insert(0, (h,"),
    "wrong gate in the step": (LSTM, TO_STEP, "c = f * c + i * c_tilde\n    h", "c = i * c + f * c_tilde\n    h"),
    "[x, h] for [h, x]": (LSTM, TO_SPLIT, "np.concatenate([recurrent_kernel, kernel])", "np.concatenate([kernel, recurrent_kernel])"),
    "blocks read as f, i, c, o": (LSTM, TO_SPLIT, 'zip("ifco", blocks', 'zip("fico", blocks'),
    "a parameter formula without bias": (LSTM, ("imports", "parameters"), " + features) + units)", " + features))"),
    "a window lost": (SINE, ("imports", "series", "windows"), "series, timesteps + 1\n", "series[:-1], timesteps + 1\n"),
    "the target inside its window": (SINE, TO_CHECK, "both[:, :-1, None]", "both[:, 1:, None]"),
    "the target one step late": (SINE, TO_CHECK, "both[:, :-1, None], both[:, -1:]", "both[:-1, :-1, None], both[1:, -1:]"),
    "windows shuffled before the split": (SINE, TO_CHECK, "np.split(series, [600, 800])", "np.split(np.random.default_rng(0).permutation(series), [600, 800])"),
    "parts that overlap": (SINE, TO_CHECK, "np.split(series, [600, 800])", "(series[:600], series[590:800], series[790:])"),
    "a scaler fitted on all data": (SINE, ("imports", "series", "windows", "parts"), "", ""),
}


@pytest.mark.parametrize(("lesson", "names", "old", "new"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_fails_the_lesson(lesson, names, old, new):
    execute(lesson, *names)  # without the fault it passes
    with pytest.raises(AssertionError):
        execute(lesson, *names, old=old, new=new)


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
        weights = rng.normal(size=(features, 4 * units)), rng.normal(size=(units, 4 * units)), rng.normal(size=4 * units)
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
        assert sum(record["seconds"].values()) < 120, f"{lesson.name} takes longer than two minutes"


def test_no_word_is_typed_that_promises_too_much():
    words = ("simply", "obviously", "easily", "just ", "coming soon", "todo")
    for path in sorted((ROOT / "docs").rglob("*.md")):
        text = path.read_text("utf-8").lower()
        assert not [word for word in words if word in text], path
