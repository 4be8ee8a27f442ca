"""The runner on tiny pages: what it stores, what it refuses, and that a failure loses nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import downloads, lessons
from tests.lessons import ROOT, Lesson, LessonError

GOOD = """\
# --8<-- [start:first]
total = 1 + 1
print("total", total)
# --8<-- [end:first]
# --8<-- [start:second]
with open("kept.txt", "w") as file:
    file.write(f"{total}")
print("again", total)
# --8<-- [end:second]
"""


class Course:
    """A course of one tiny lesson in a folder of its own."""

    def __init__(self, root: Path):
        self.root, self.lesson = root, Lesson("tiny/page", root)
        (root / "mkdocs.yml").write_text((ROOT / "mkdocs.yml").read_text("utf-8"), "utf-8")
        self.write(GOOD)

    def write(self, program: str, page: str | None = None) -> None:
        regions = re.findall(r"\[start:([a-z-]+)\]", program)
        blocks = (f'```python\n--8<-- "snippets/tiny/page.py:{region}"\n```\n' for region in regions)
        for path, text in (
            (self.lesson.program, program),
            (self.lesson.page, page or "# Tiny\n\n" + "\n".join(blocks)),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def command(self, *options: str) -> list[str]:
        return [
            *(sys.executable, "-m", "pytest", "-p", "tests.runner", "-p", "no:cacheprovider", "--markdown-docs", "-q"),
            *("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(self.root), *options, str(self.lesson.page)),
        ]

    def run(self, *options: str) -> str:
        done = subprocess.run(self.command(*options), cwd=ROOT, capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    def kept(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in sorted(self.lesson.store.rglob("*")) if p.is_file()}


@pytest.fixture
def course(tmp_path):
    return Course(tmp_path)


@pytest.fixture
def stored(course):
    """A course that has run once."""
    assert "2 passed" in course.run()
    return course


def block(body: str) -> str:
    return f"{GOOD}# --8<-- [start:third]\n{body}\n# --8<-- [end:third]\n"


def test_a_run_keeps_what_blocks_print_and_write_with_a_record(stored):
    kept = stored.kept()
    assert kept["first.txt"] == b"total 2\n"
    assert kept["second.txt"] == b"again 2\n"  # one namespace, each block once
    assert kept["kept.txt"] == b"2"
    assert sorted(json.loads(kept["run.json"])["outputs"]) == sorted(kept.keys() - {"run.json"})
    assert re.fullmatch(
        r"Ran on TensorFlow 2[\d.]+, Keras 3[\d.]+, .*Python 3\.\d+ in \d+ s\.\n", kept["run.txt"].decode()
    )
    assert lessons.stale(stored.lesson) is None


def test_a_second_run_changes_no_file(stored):
    before = {p: p.stat().st_mtime_ns for p in stored.lesson.store.iterdir()}
    assert "2 passed" in stored.run()
    assert before == {p: p.stat().st_mtime_ns for p in stored.lesson.store.iterdir()}


def test_a_run_makes_the_preview_build_the_page(course):
    os.utime(course.lesson.page, (0, 0))
    assert "2 passed" in course.run()
    assert course.lesson.page.stat().st_mtime > 0


def test_a_prose_edit_makes_nothing_stale_and_a_code_edit_does(stored):
    stored.lesson.page.write_text(stored.lesson.page.read_text("utf-8") + "\nMore prose.\n", "utf-8")
    assert lessons.stale(stored.lesson) is None
    stored.write(GOOD.replace("1 + 1", "1 + 2"))
    assert lessons.stale(stored.lesson) == "snippets/tiny/page.py:1: changed since it was run"


def test_a_program_edited_during_its_run_is_stale(course):
    touch = f"with open({str(course.lesson.program)!r}, 'a') as file:\n    file.write('\\n')"
    course.write(block(touch))
    assert "3 passed" in course.run()
    assert lessons.stale(course.lesson) == "snippets/tiny/page.py:1: changed since it was run"


def test_figures_are_the_same_bytes_and_follow_the_palette(course):
    draw = "import matplotlib.pyplot as plt\nplt.plot([1, 2], label='a')\nplt.legend()\nplt.show()"
    course.write(block(draw))
    assert "3 passed" in course.run()
    first = course.kept()["third.svg"]
    text = first.decode()
    assert "prefers-color-scheme:dark" in text
    assert "var(--ink)" in text
    light = {pair[0] for pair in downloads.colours().values()}
    drawn = set(re.findall(r"#[0-9a-f]{6}\b", text.split("</style>", 1)[1]))
    assert not drawn & light, "every colour of the palette became a variable"
    for path in course.lesson.store.iterdir():
        path.unlink()
    course.run()
    assert course.kept()["third.svg"] == first


def test_progress_bars_and_warnings_do_not_reach_the_page(course):
    bar = (
        r"import sys"
        "\n"
        r'sys.stdout.write("Epoch 1/2\n\r 1/31 ━━━ 0s 3ms/step\r31/31 ━━━ 1s 5ms/step - loss: 0.1\n")'
    )
    course.write(block(f"{bar}\nprint('┏━━━┓')\nprint('done')"))
    assert "3 passed" in course.run()
    assert course.kept()["third.txt"].decode() == "┏━━━┓\ndone\n"
    course.write(block("import warnings\nwarnings.warn('old spelling', DeprecationWarning)"))
    assert "DeprecationWarning: old spelling" in course.run()
    course.write(block("import logging\nlogging.getLogger('tensorflow').warning('retracing')"))
    assert "RuntimeWarning: retracing" in course.run()


FAILURES = {
    "raises": ("def inner():\n    return 1 / 0\n\ninner()", 'snippets/tiny/page.py", line 12, in inner'),
    "prints 50 MB": ("print('x' * 50_000_000)", "prints more than 1,000,000 characters"),
    "floods slowly": ("while True:\n    print('x' * 999)", "prints more than 1,000,000 characters"),
    "hangs": ("import time\ntime.sleep(60)", "ran longer than 3 s and was stopped"),
    "hangs in a child": ("import subprocess\nsubprocess.run(['sleep', '60'])", "ran longer than 3 s and was stopped"),
    "kills its process": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "ended its process with signal 9"),
    "exits": ("import os\nos._exit(3)", "ended its process with exit status 3"),
    "exits politely": ("raise SystemExit(0)", "SystemExit: 0"),
    "raises TypeError": ("open('runs.txt', 'a').write('x')\nlen(open('runs.txt').read()) + ''", "TypeError"),
    "leaves two figures": ("import matplotlib.pyplot as plt\nplt.figure()\nplt.figure()", "leaves 2 figures open"),
    "does not parse": ("def broken(:\n    pass", "SyntaxError"),
}


@pytest.mark.parametrize(("body", "message"), FAILURES.values(), ids=FAILURES)
def test_a_failing_block_names_its_place_and_the_store_stays(stored, body, message):
    before = stored.kept()
    stored.write(block(body) + "# --8<-- [start:fourth]\nprint('never')\n# --8<-- [end:fourth]\n")
    said = stored.run("-o", "block_seconds=3", "-rs")
    assert "docs/tiny/page.md:12: block 'third'" in said
    assert "(snippets/tiny/page.py:11)" in said
    assert message in said
    assert "2 passed, 1 skipped" in said.replace("1 failed, ", "")
    assert "not run, because docs/tiny/page.md:12" in said
    assert said.count("block 'third'") <= 3, "reported once, as the reason of the skip, and in the summary"
    assert stored.kept() == before
    assert not list((stored.root / ".runs/tiny").glob("page"))


REFUSALS = {
    "missing file": (
        '```python\n--8<-- "snippets/tiny/none.py:first"\n```',
        "page.md:4: a python block holds one include",
    ),
    "missing region": (
        '```python\n--8<-- "snippets/tiny/page.py:none"\n```',
        "page.md:4: Snippet section 'none' could not",
    ),
    "plain code": ("```python\nprint(1)\n```", "page.md:4: a python block holds one include"),
    "indented": (
        '!!! note\n\n    ```python\n    --8<-- "snippets/tiny/page.py:first"\n    ```',
        "page.md:5: this python fence",
    ),
    "in a list": (
        '- item\n\n  ```python\n  --8<-- "snippets/tiny/page.py:first"\n  ```',
        "page.md:5: this python fence",
    ),
    "braced": ('``` { .python }\n--8<-- "snippets/tiny/page.py:first"\n```', "page.md:3: this python fence"),
    "notest": ('```python notest\n--8<-- "snippets/tiny/page.py:first"\n```', "page.md:3: this python fence"),
    "wrong order": (
        '```python\n--8<-- "snippets/tiny/page.py:second"\n```',
        "page.md:4: shows region 'second', the program's next one",
    ),
    "never shown": (
        '```python\n--8<-- "snippets/tiny/page.py:first"\n```',
        "page.py:6: region 'second' is shown on no",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSALS.values(), ids=REFUSALS)
def test_a_page_that_would_not_show_what_runs_is_refused(course, text, message):
    course.write(GOOD, f"# Tiny\n\n{text}\n")
    said = course.run()
    assert message in said
    assert "1 error" in said
    assert "Traceback" not in said
    assert not course.lesson.store.exists()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("x = 1\n" + GOOD, "page.py:1: this line stands in no region"),
        (GOOD + GOOD, "page.py:10: region 'first' starts inside another, twice"),
        (GOOD.rsplit("#", 1)[0], "page.py:5: region 'second' never ends"),
        (GOOD.replace("[start:first]", "[start:run]"), "page.py:1: region 'run' starts"),
    ],
)
def test_a_program_whose_lines_are_not_all_in_one_region_is_refused(course, program, message):
    course.lesson.program.write_text(program, "utf-8")
    with pytest.raises(LessonError, match=re.escape(message)):
        lessons.read_regions(course.lesson)


def test_a_program_or_store_without_its_page_is_named(stored):
    stored.lesson.page.unlink()
    with pytest.raises(LessonError, match=r"snippets/tiny/page\.py:1: no page docs/tiny/page\.md"):
        lessons.find_lessons(stored.root)
    stored.lesson.program.unlink()
    with pytest.raises(LessonError, match=r"docs/runs/tiny/page/run\.json:1: no program made this store"):
        lessons.find_lessons(stored.root)


def test_a_damaged_store_is_named_by_file_and_runs_again(stored):
    store = stored.lesson.store
    good = (store / "run.json").read_text("utf-8")
    for damage, message in (
        (lambda: (store / "first.txt").write_text("total 3\n"), "docs/runs/tiny/page/first.txt:1: was edited by hand"),
        (lambda: (store / "first.txt").unlink(), "docs/runs/tiny/page/first.txt:1: is missing"),
        (lambda: (store / "extra.txt").write_text("x"), "docs/runs/tiny/page/extra.txt:1: was not made by the run"),
        (lambda: (store / "run.json").write_text(good[:100]), "docs/runs/tiny/page/run.json:"),
        (lambda: (store / "run.json").write_text("[]"), "docs/runs/tiny/page/run.json:1: corrupt record"),
        (lambda: (store / "run.json").write_text("{}"), "docs/runs/tiny/page/run.json:1: corrupt record"),
        (
            lambda: (store / "run.json").write_text('{"inputs": [], "outputs": {}}'),
            "docs/runs/tiny/page/run.json:1: corrupt record",
        ),
        (
            lambda: (store / "run.json").write_text('{"inputs": {"program": "", "executors": 3}, "outputs": {}}'),
            "docs/runs/tiny/page/run.json:1: corrupt record",
        ),
        (lambda: (store / "run.json").write_bytes(b"\xff\xfe"), "docs/runs/tiny/page/run.json:1: corrupt record"),
        (lambda: (store / "run.json").unlink(), "snippets/tiny/page.py:1: has not been run"),
        (
            lambda: (store / "run.json").write_text(re.sub(r'("keras": \[\s*")[^"]*', r"\g<1>3.0.0", good)),
            "docs/runs/tiny/page/run.json:1: keras changed since",
        ),
        (
            lambda: (store / "run.json").write_text(re.sub(r'("tests/worker.py": ")[^"]*', r"\g<1>0", good)),
            "docs/runs/tiny/page/run.json:1: tests/worker.py changed since",
        ),
    ):
        damage()
        assert lessons.stale(stored.lesson).startswith(message)
        assert "2 passed" in stored.run()
        assert lessons.stale(stored.lesson) is None


def start_and_wait(course: Course) -> subprocess.Popen:
    """Start a run whose third block never ends; return once it is in that block."""
    course.write(block("open('reached', 'w').close()\nimport time\ntime.sleep(50)"))
    process = subprocess.Popen(
        course.command(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    deadline = time.monotonic() + 30
    while not (course.root / ".runs/tiny/page/reached").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_the_store_and_no_process(stored, how):
    before = stored.kept()
    process = start_and_wait(stored)
    process.send_signal(how)
    process.communicate(timeout=10)
    assert stored.kept() == before
    for _ in range(100):
        left = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if works_in(pid, stored.root)]
        if not left:
            break
        time.sleep(0.05)
    assert not left
    stored.write(GOOD)
    assert "2 passed" in stored.run()


def works_in(pid: str, folder: Path) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd").startswith(str(folder))
    except OSError:
        return False


def test_an_interrupted_swap_is_undone(stored):
    before = stored.kept()
    folder = stored.root / ".runs/tiny/page"
    stored.lesson.store.rename(folder.with_suffix(".previous"))  # killed between the two renames
    folder.mkdir()
    lessons.recover(folder, stored.lesson.store)
    assert stored.kept() == before
    assert not folder.exists()


def test_two_runs_of_a_page_at_once_do_not_meet(stored):
    before = stored.kept()
    first = start_and_wait(stored)
    assert "docs/tiny/page.md:1: another run of this page is under way" in stored.run()
    assert (stored.root / ".runs/tiny/page/reached").exists(), "the first run was not disturbed"
    first.kill()
    first.communicate(timeout=10)
    assert stored.kept() == before


def test_a_part_of_a_page_is_not_stored(stored):
    before = stored.kept()
    stored.write(GOOD.replace("1 + 1", "2 + 2"))
    stored.run("-k", "line:3")
    assert stored.kept() == before
    assert "the blocks before this one were not run" in stored.run("-k", "line:7")
