"""The labs: what a reader sees ran, the starter says what to do, and every typical mistake gets its own sentence."""

import ast
import gzip
import re
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest

from tests import downloads, labs
from tests.conftest import PAGES
from tests.lessons import COMPUTING, ROOT, read_config
from tests.test_site import python_blocks, read

LABS = {f"labs/{path.stem}": path for path in sorted(labs.FOLDER.glob("*.ipynb"))}
every_lab = pytest.mark.parametrize("name", LABS)
WELL = "All checks passed"


@cache
def cells(name: str) -> dict[str, str]:
    """{cell's name: its code}."""
    return {cell.id: cell.source for cell in labs.code_cells(labs.read(LABS[name]))}


@cache
def checker(name: str) -> dict:
    """What a reader has defined before he writes his answer."""
    namespace: dict = {}
    exec(cells(name)["imports"] + "\n" + cells(name)["checker"] + "\n" + cells(name)["starter"], namespace)
    return namespace


def sentence(name: str, answer: str) -> str:
    """What the checker says about an answer."""
    code, call = re.fullmatch(r"(.*?)\n+print\((.*?)\)(?:\nprint\(.*)?", answer, re.S).groups()
    namespace = dict(checker(name)) | {"states": {}}  # for an answer that keeps what it should not keep
    exec(code, namespace)
    return eval(call, namespace)


# ---------------------------------------------------------------- the answers of the checkers

WRONG = {  # {lab: {mistake: (what the solution says, what the wrong answer says, part of the checker's sentence)}}
    "labs/windows": {
        "the last window lost": ("- timesteps):", "- timesteps - 1):", "one window is lost"),
        "an index too far": ("y.append(series[end : end + 1])", "y.append(series[end + 1])", "raises IndexError"),
        "a target without a value": (
            "return np.array(x), np.array(y)",
            "x, y = np.array([*x, x[0]]), np.array([*y, y[0]])\n    return x, y",
            "no value behind them",
        ),
        "no axis for the features": ("series[start:end, None]", "series[start:end]", "is missing"),
        "time steps before windows": (
            "return np.array(x),",
            "return np.array(x).swapaxes(0, 1),",
            "windows come before",
        ),
        "no overlap": ("range(len(series) - timesteps)", "range(0, len(series) - timesteps, timesteps)", "overlap"),
        "the target as part of the window": (
            "series[start:end, None]",
            "series[start : end + 1, None]",
            "does not belong",
        ),
        "always three steps": ("end = start + timesteps", "end = start + 3", "should hold 5 values"),
        "targets without their axis": ("np.array(y)", "np.array(y)[:, 0]", "y has the shape (7,)"),
        "the last value as target": ("series[end : end + 1]", "series[end - 1 : end]", "a leak"),
        "one step left out": ("series[end : end + 1]", "np.roll(series, -1)[end : end + 1]", "one step is left out"),
        "backwards": ("series[start:end, None]", "series[start:end][::-1, None]", "backwards"),
        "values of another time": (
            "series[start:end, None]",
            "np.roll(series, 1)[start:end, None]",
            "do not follow one another",
        ),
        "shuffled": (
            "return np.array(x), np.array(y)",
            "order = np.random.default_rng(0).permutation(len(x))\n    return np.array(x)[order], np.array(y)[order]",
            "not in the order of time",
        ),
        "targets of other windows": ("np.array(y)\n\n", "np.array(y)[::-1]\n\n", "belongs to another window"),
        "one array": ("return np.array(x), np.array(y)", "return np.array(x)", "one ndarray, not two"),
        "lists": ("return np.array(x), np.array(y)", "return x, y", "not NumPy arrays"),
        "whole numbers": ("return np.array(x),", "return np.array(x, int),", "fractions are lost"),
        "a series changed": ("    x, y = [], []\n", "    x, y = [], []\n    series -= 1\n", "changes the series"),
    },
    "labs/scaling": {
        "the mean of all rows": ("series[:first].mean", "series.mean", "Your mean is that of all rows"),
        "the deviation of all rows": ("series[:first].std", "series.std", "Your scale is that of all rows"),
        "the mean of two parts": ("series[:first].mean", "series[:second].mean", "Your mean is that of the first two"),
        "the mean of the test part": ("series[:first].mean", "series[second:].mean", "Your mean is that of the test"),
        "one mean for all": (".mean(axis=0)", ".mean()", "one number for all features"),
        "a mean for each row": (".mean(axis=0)", ".mean(axis=1)", "raises ValueError"),
        "the variance": ("series[:first].std", "series[:first].var", "variance"),
        "the range": ("series[:first].std(axis=0)", "np.ptp(series[:first], axis=0)", "is the range"),
        "the smallest value": ("series[:first].mean", "series[:first].min", "smallest value"),
        "a division by nothing": ("    scale = np.where(scale == 0, 1.0, scale)\n", "", "gives nan"),
        "a division by next to nothing": ("np.where(scale == 0, 1.0, scale)", "scale + 1e-8", "not 1e-08"),
        "a scale of one at least": ("np.where(scale == 0, 1.0, scale)", "np.maximum(scale, 1)", "Your scale is ["),
        "nan turned into a number": (
            "    scale = np.where(scale == 0, 1.0, scale)\n    scaled = (series - mean) / scale",
            "    scaled = np.nan_to_num((series - mean) / scale, posinf=0)",
            "its scale is 1, not 0.0",
        ),
        "an axis kept": (".mean(axis=0)", ".mean(axis=0, keepdims=True)", "leave keepdims out"),
        "not scaled": ("np.split(scaled,", "np.split(series,", "training part is not scaled"),
        "not divided": ("(series - mean) / scale", "series - mean", "not divided by scale"),
        "no brackets": ("(series - mean) / scale", "series / scale - mean", "needs brackets"),
        "shuffled": (
            "    mean =",
            "    series = np.random.default_rng(1).permutation(series)\n    mean =",
            "without shuffling",
        ),
        "backwards in time": (
            "np.split(scaled, [first, second])",
            "[part[::-1] for part in np.split(scaled, [first, second])]",
            "another order than that of time",
        ),
        "parts that overlap": (
            "np.split(scaled, [first, second])",
            "(scaled[:first], scaled[first - 10 : second], scaled[second - 10 :])",
            "they overlap",
        ),
        "rows lost": (
            "np.split(scaled, [first, second])",
            "(scaled[: first - 1], scaled[first : second - 1], scaled[second:])",
            "rows are lost",
        ),
        "other borders": ("[first, second]", "[second, 90]", "they begin at"),
        "each part by itself": (
            "np.split(scaled, [first, second])",
            "[(p - p.mean(axis=0)) / scale for p in np.split(series, [first, second])]",
            "validation part is scaled by its own mean",
        ),
        "the series changed": (
            "scaled = (series - mean) / scale",
            "series -= mean\n    scaled = series / scale",
            "(-=, /=)",
        ),
        "two parts": ("[first, second]", "[first]", "you return 2"),
        "nothing returned": ("    return", "    answer =", "Return this"),
    },
    "labs/layer": {
        "input and forget swapped": ("a_i, a_f, a_c, a_o =", "a_f, a_i, a_c, a_o =", "take the blocks for f, i, c, o"),
        "the order of Keras 1": ("a_i, a_f, a_c, a_o =", "a_i, a_c, a_f, a_o =", "take the blocks for i, c, f, o"),
        "every fourth column": (
            "np.split(a, 4, axis=1)",
            "(a[:, k::4] for k in range(4))",
            "You take every fourth column",
        ),
        "no bias": (" + bias", "", "The bias is missing"),
        "no recurrence": (" + h @ recurrent_kernel", "", "The old h is missing"),
        "c forgotten": ("c = f * c + i * c_tilde", "c = i * c_tilde", "The old c is lost"),
        "no forget gate": ("c = f * c + i * c_tilde", "c = c + i * c_tilde", "The forget gate does not multiply"),
        "no input gate": ("c = f * c + i * c_tilde", "c = f * c + c_tilde", "The input gate does not multiply"),
        "no output gate": ("h = o * np.tanh(c)", "h = np.tanh(c)", "The output gate does not multiply"),
        "no last tanh": ("h = o * np.tanh(c)", "h = o * c", "The last tanh is missing"),
        "output gate inside": ("h = o * np.tanh(c)", "h = np.tanh(o * c)", "stands inside the tanh"),
        "candidate through sigmoid": ("np.tanh(a_c)", "sigmoid(a_c)", "goes through sigmoid"),
        "candidate as it is": ("np.tanh(a_c)", "a_c", "does not go through tanh"),
        "gates through tanh": (
            "sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)",
            "np.tanh(a_i), np.tanh(a_f), np.tanh(a_o)",
            "go through tanh, not sigmoid",
        ),
        "gates as they are": ("sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)", "a_i, a_f, a_o", "do not go through sigmoid"),
        "a sigmoid too steep": (
            "def lstm(",
            "def sigmoid(a):\n    return 0.5 + 0.5 * np.tanh(a)\n\n\ndef lstm(",
            "too steep",
        ),
        "a sigmoid that overflows": (
            "def lstm(",
            "def sigmoid(a):\n    return 1 / (1 + np.exp(-a))\n\n\ndef lstm(",
            "cannot overflow",
        ),
        "steps in reverse": ("steps.append(h)", "steps.insert(0, h)", "come out in reverse"),
        "read from the end": ("x[:, t] @", "x[:, -1 - t] @", "from its end"),
        "the last h only": ("return np.stack(steps, axis=1)", "return h", "the last h only"),
        "steps before sequences": ("axis=1)\n\n", "axis=0)\n\n", "the steps come first"),
        "a list": ("return np.stack(steps, axis=1)", "return steps", "returns a list"),
        "another shape": (
            "return np.stack(steps, axis=1)",
            "return np.hstack(steps)",
            "(batch, timesteps, units) here",
        ),
        "h before c": (
            "        c = f * c + i * c_tilde\n        h = o * np.tanh(c)",
            "        h = o * np.tanh(c)\n        c = f * c + i * c_tilde",
            "Already the first step",
        ),
        "h handed on by half": ("steps.append(h)", "steps.append(h)\n        h = 0.5 * h", "Step 0 is right, step 1"),
        "double precision": (", x.dtype)", ")", "h is float64"),
        "a weight changed": ("    steps = []", "    bias += 1\n    steps = []", "(+=)"),
        "a state that stays": (
            "    h = c = np.zeros((len(x), units), x.dtype)\n",
            "    h = c = states.setdefault(units, np.zeros((len(x), units)))\n    h += 1\n",
            "A second call",
        ),
        "a product that does not fit": ("x[:, t] @ kernel", "x[t] @ kernel", "raises ValueError"),
    },
}
ANSWERS = [(name, mistake) for name, mistakes in WRONG.items() for mistake in mistakes]


@every_lab
def test_the_starter_fails_and_the_solution_passes(name):
    starter, solution = cells(name)["starter"], cells(name)["solution"]
    assert WELL not in sentence(name, starter)
    assert sentence(name, solution).startswith(WELL)
    stored = {cell.id: cell.outputs[0].text for cell in labs.code_cells(labs.read(LABS[name])) if cell.outputs}
    assert stored["starter"] == sentence(name, starter) + "\n"  # what the reader sees first
    assert set(stored["solution"].splitlines()) == {sentence(name, solution)}


def test_what_the_reader_sees_first_says_what_to_do():
    first = {name: sentence(name, cells(name)["starter"]) for name in LABS}
    assert "there are no windows yet; there should be 7" in first["labs/windows"]
    assert "the test part leaks into the training" in first["labs/scaling"]
    assert "compute it from x[:, t], the old h and c" in first["labs/layer"]


@pytest.mark.parametrize(("name", "mistake"), ANSWERS, ids=[mistake for _, mistake in ANSWERS])
def test_a_typical_mistake_is_named(name, mistake):
    old, new, expected = WRONG[name][mistake]
    solution = cells(name)["solution"]
    assert solution.count(old) == 1, f"{old!r} stands {solution.count(old)} times in the solution"
    said = sentence(name, solution.replace(old, new))
    assert expected in said
    assert said[-1] in ".?" or " raises " in said, "a sentence, or the error with its own words"
    others = [part for other, (*_, part) in WRONG[name].items() if other != mistake and part in said]
    assert set(others) <= {expected}, "this answer could be that of another mistake"


def test_a_loop_and_a_view_are_both_right():
    source = cells("labs/windows")["solution"].replace(
        "check_windows(make_windows)", "check_windows(make_windows_at_once)", 1
    )
    assert sentence("labs/windows", source).startswith(WELL)


def test_each_lab_names_at_least_ten_mistakes():
    assert WRONG.keys() == LABS.keys()
    assert min(map(len, WRONG.values())) >= 10


# ---------------------------------------------------------------- notebook and page


@every_lab
def test_stored_outputs_are_those_of_the_present_code(name):
    assert labs.stale(LABS[name]) is None


@every_lab
def test_a_notebook_is_sound_and_needs_only_what_a_reader_has(name):
    book = labs.read(LABS[name])
    nbformat.validate(book)
    counts = [cell.execution_count for cell in labs.code_cells(book)]
    assert counts == list(range(1, len(counts) + 1)), "run from top to bottom"
    assert [cell.id for cell in labs.code_cells(book)][:4] == ["imports", "checker", "starter", "solution"]
    for cell in labs.code_cells(book):
        assert all(len(line) <= 78 for line in cell.source.splitlines())
        tree = ast.parse(cell.source)
        for node in ast.walk(tree):
            used = [part.name for part in node.names] if isinstance(node, ast.Import) else []
            used += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {module.split(".")[0] for module in used} <= {*COMPUTING, *sys.stdlib_module_names}
    for cell in book.cells:
        assert cell.cell_type == "code" or "../" not in cell.source, "a relative link is dead in the download"


@every_lab
def test_readers_see_exactly_the_executed_code_and_its_output(site, name):
    page, book = read(site, name), labs.read(LABS[name])
    assert python_blocks(page) == [cell.source + "\n" for cell in labs.code_cells(book)]
    shown = [block.code.get_text() for block in page.select("div.language-text") if block.select_one(".filename")]
    assert shown == [output.text for cell in labs.code_cells(book) for output in cell.outputs]
    for cell in labs.code_cells(book):
        folded = cell.metadata.get("tags") in (["checker"], ["solution"])
        block = next(code for code in page.select("div.language-python") if code.get_text() == cell.source + "\n")
        assert (block.parent.name == "details") == folded


@every_lab
def test_the_page_offers_the_notebook_that_ran(site, name):
    path, page = LABS[name], read(site, name)
    links = [link["href"] for link in page.select("article a[download]")]
    assert set(links) == {path.name}
    assert (site / PAGES[name] / path.name).read_bytes() == path.read_bytes()


@every_lab
def test_a_lab_weighs_no_more_than_a_lesson(site, name):
    """JupyterLab's style sheets and scripts, 124 KB, stay out: see mkdocs_html/notebook.html.j2."""
    html = (site / PAGES[name] / "index.html").read_bytes()
    assert len(gzip.compress(html)) < 20_000
    assert b"jp-" not in html
    assert b"mathjax" not in html.lower()
    assert [part.get_text(strip=True) for part in read(site, name).article.select("script, style")] == ["[]"]


@every_lab
def test_equations_have_the_colours_of_the_site(site, name):
    text = (site / PAGES[name] / "index.html").read_text("utf-8")
    assert r"\color" not in text
    template = (ROOT / "mkdocs_html/notebook.html.j2").read_text("utf-8")
    table = dict(re.findall(r'"(\w+)": "(#[0-9a-f]{6})"', template))
    assert table == {macro: light for macro, (light, _) in downloads.equation_colours(ROOT).items()}


def test_a_build_executes_no_notebook_and_publishes_no_error():
    (options,) = (plugin["mkdocs-jupyter"] for plugin in read_config()["plugins"] if isinstance(plugin, dict))
    assert options["execute"] is False
    assert options["allow_errors"] is False


# ---------------------------------------------------------------- running


def lab(folder: Path, *sources: str) -> Path:
    path = folder / "docs/labs/small.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    code = [nbformat.v4.new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)]
    prose = nbformat.v4.new_markdown_cell("# A lab", id="prose")
    book = nbformat.v4.new_notebook(cells=[prose, *code], metadata={"kernelspec": kernel, "lab": {"lesson": "x/"}})
    path.write_text(nbformat.writes(book), "utf-8")
    return path


def test_a_run_keeps_what_was_printed_and_its_record(tmp_path):
    path = lab(tmp_path, "value = 6 * 7", "print(value)\nimport os\nprint(os.listdir())")
    assert "has not been run" in labs.stale(path)
    labs.run(path)
    assert labs.stale(path) is None
    book = labs.read(path)
    assert book.cells[2].outputs[0].text == "42\n[]\n"  # in an empty folder
    before = path.read_bytes()
    labs.run(path)
    assert path.read_bytes() == before, "the same result leaves the file as it is"

    def edited(place, change):
        book = labs.read(path)
        change(book.cells[place])
        changed = path.with_name("edited.ipynb")
        nbformat.write(book, changed)
        return labs.stale(changed)

    assert edited(0, lambda cell: cell.update(source="# Another title")) is None
    assert "code changed" in edited(1, lambda cell: cell.update(source="value = 43"))
    assert "by hand" in edited(2, lambda cell: cell.outputs[0].update(text="43\n[]\n"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import warnings\nwarnings.warn('careful')", "careful"),
        ("'a value that is shown'", "does more than print"),
    ],
)
def test_a_cell_that_fails_or_warns_leaves_the_notebook_as_it_was(tmp_path, source, said):
    path = lab(tmp_path, "value = 6 * 7", source)
    before = path.read_bytes()
    with pytest.raises(labs.LabError, match=f"^docs/labs/small.ipynb:1:[^$]*{said}"):
        labs.run(path)
    assert path.read_bytes() == before
