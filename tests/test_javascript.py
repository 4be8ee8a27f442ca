"""The scripts of the interactive parts, run by Node: against the stored numbers, and against Keras on new inputs."""

import json
import shutil
import subprocess

import keras
import numpy as np
import pytest
from keras import layers

from tests.conftest import need
from tests.lessons import ROOT

SUITES = sorted((ROOT / "tests/js").glob("*.test.mjs"))
EXPLORER = ROOT / "docs/runs/recurrent/lstm/explorer.json"


def node(*arguments: str, **options) -> str:
    """What Node prints; raises with everything it says if it fails."""
    need(shutil.which("node"), "Node, which runs the scripts of the interactive parts,")
    done = subprocess.run(["node", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.name)
def test_the_scripts_pass_their_own_tests(suite):
    assert "# pass 0\n" not in node("--test", "--test-reporter=tap", str(suite))


@pytest.fixture(scope="module")
def stored() -> dict:
    return json.loads(EXPLORER.read_text("utf-8"))


def in_keras(stored: dict, x: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hidden states, cell states and predictions of the stored model, computed by Keras."""
    *of_layer, dense, offset = (
        np.array(stored[name]) for name in ("kernel", "recurrent_kernel", "bias", "dense", "offset")
    )
    cell, head = layers.LSTMCell(of_layer[1].shape[0], dtype=dtype), layers.Dense(1, dtype=dtype)
    cell.build((None, x.shape[-1]))
    head.build((None, len(dense)))
    cell.set_weights(of_layer)
    head.set_weights([dense, offset])
    x = x.astype(dtype)
    state, steps = cell.get_initial_state(batch_size=len(x)), []
    for t in range(x.shape[1]):
        _, state = cell(x[:, t], state)
        steps.append([*state, head(state[0])])
    return tuple(np.stack([np.asarray(step[k]) for step in steps], axis=1) for k in range(3))


def test_keras_gives_the_stored_numbers_again(stored):
    again = in_keras(stored, np.array(stored["x"]), "float64")
    for name, values in zip(("h", "c", "prediction"), again, strict=True):
        assert abs(values - np.array(stored[name])).max() < 1e-12, name


def test_the_explorer_equals_keras_on_inputs_that_nobody_chose(stored):
    rng = np.random.default_rng(0)
    sizes = 10 ** rng.uniform(-2, 2, (50, 1, 2))  # from tiny to far beyond the training range: gates saturate
    x = (sizes * rng.uniform(-1, 1, (50, 10, 2))).astype("float32")
    code = """
        import { readFileSync } from "node:fs";
        import { readModel, unroll } from "./docs/assets/js/unroll.js";
        const { stored, x } = JSON.parse(readFileSync(0)), model = readModel(stored);
        const numbers = ({ h, c, prediction }) => [[...h], [...c], [prediction]];
        console.log(JSON.stringify(x.map((series) => unroll(model, series).map(numbers))));
    """
    question = json.dumps({"stored": stored, "x": x.tolist()})
    answer = json.loads(node("--input-type=module", "--eval", code, input=question))
    explorer = [np.array([[step[k] for step in series] for series in answer]) for k in range(3)]
    for dtype, bound in (("float64", 1e-12), ("float32", 1e-6)):
        for ours, theirs in zip(explorer, in_keras(stored, x, dtype), strict=True):
            assert ours.shape == theirs.shape
            assert (abs(ours - theirs) <= bound * np.maximum(1, abs(theirs))).all(), dtype
    assert abs(explorer[0]).max() > 0.99, "some are saturated"
    keras.utils.clear_session()
