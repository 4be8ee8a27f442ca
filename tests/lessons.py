"""What a lesson is: its page, its program, and the store of what the program printed and drew.

    docs/recurrent/lstm.md        the page: prose, and one include for each region of the program
    snippets/recurrent/lstm.py    the program: named regions, in running order
    docs/runs/recurrent/lstm/     the store: outputs of the last good run, and run.json, its record

Nothing here executes a lesson or imports TensorFlow; `runner.py` runs lessons, through pytest.

    python -m tests.lessons stale       name the lessons that must run again, and why
    python -m tests.lessons verify      the same, as an error
    python -m tests.lessons run [recurrent/lstm ...] [--rerun]   execute what is stale (or named)
"""

import argparse
import hashlib
import json
import re
import shutil
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from markdown import Markdown
from markdown_it import MarkdownIt
from pymdownx.snippets import SnippetMissingError, SnippetPreprocessor

ROOT = Path(__file__).resolve().parent.parent
COMPUTING = ("tensorflow", "keras", "numpy", "matplotlib")  # what can change a lesson's outputs
EXECUTORS = ("tests/worker.py", "tests/matplotlibrc", "docs/assets/css/colors.css")  # likewise
RECORD, LINE, SECONDS = "run.json", "run.txt", "run-seconds.txt"

MARKER = re.compile(r"\s*# --8<-- \[(start|end):([a-z][a-z0-9-]*)\]\s*")
INCLUDE = re.compile(r'--8<-- "(?P<file>[^":]+):(?P<region>[a-z][a-z0-9-]*)"\n')
FENCE = re.compile(r"[\s>]*(?:```+|~~~+)\s*\{?[\s.]*(?:py|python|python3)\b")  # in any disguise
PYTHON = (["py"], ["python"], ["python3"])  # the first word of a fence that pytest-markdown-docs collects


class LessonError(Exception):
    """A fault of a lesson; the message begins with `file:line:`, both relative to the root."""


@dataclass(frozen=True)
class Block:
    """One region of a program as a page shows it; lines count from 1, at the code's first line."""

    region: str
    code: str
    page_line: int
    program_line: int


@dataclass(frozen=True)
class Lesson:
    """A lesson by its name, such as `recurrent/lstm`; `root` holds docs/ and snippets/."""

    name: str
    root: Path = ROOT

    @property
    def page(self) -> Path:
        return self.root / "docs" / f"{self.name}.md"

    @property
    def program(self) -> Path:
        return self.root / "snippets" / f"{self.name}.py"

    @property
    def store(self) -> Path:
        return self.root / "docs" / "runs" / self.name

    @property
    def shown(self) -> str:
        return f"snippets/{self.name}.py"


def find_lessons(root: Path = ROOT) -> list[Lesson]:
    """All lessons below `root`: whatever has a program; raise for a program or a store that has no page."""
    programs = sorted((root / "snippets").rglob("*.py"))
    lessons = [Lesson(p.relative_to(root / "snippets").with_suffix("").as_posix(), root) for p in programs]
    for lesson in lessons:
        if not lesson.page.exists():
            raise LessonError(f"{lesson.shown}:1: no page docs/{lesson.name}.md shows this program")
    stores = {lesson.store for lesson in lessons}
    for record in sorted((root / "docs" / "runs").rglob(RECORD)):
        if record.parent not in stores:
            raise LessonError(f"{record.relative_to(root)}:1: no program made this store; delete it")
    return lessons


# ---------------------------------------------------------------- the program and the page


def read_regions(lesson: Lesson) -> dict[str, tuple[int, str]]:
    """Return {region: (first line, code)} in the program's order; raise where a line is in no region or in two."""
    regions, name, start = {}, None, 0
    lines = lesson.program.read_text("utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        where = f"{lesson.shown}:{number}"
        if not (marker := MARKER.fullmatch(line)):
            if name is None and line.strip():
                raise LessonError(f"{where}: this line stands in no region, so no page can show it")
        elif marker[1] == "start":
            if name or marker[2] in regions or f"{marker[2]}.txt" in (LINE, SECONDS):
                raise LessonError(f"{where}: region '{marker[2]}' starts inside another, twice, or is a reserved name")
            name, start = marker[2], number
        else:
            if marker[2] != name:
                raise LessonError(f"{where}: region '{marker[2]}' ends here but never started")
            regions[name] = (start + 1, "\n".join(lines[start : number - 1]).rstrip() + "\n")
            name = None
    if name:
        raise LessonError(f"{lesson.shown}:{start}: region '{name}' never ends")
    return regions


def read_config(root: Path = ROOT) -> dict:
    """mkdocs.yml, without the values that MkDocs computes (!ENV and the like)."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, tag, node: None)
    return yaml.load((root / "mkdocs.yml").read_text("utf-8"), Loader)


@cache
def snippets(root: Path) -> SnippetPreprocessor:
    """The site's own include mechanism, with the options that mkdocs.yml gives it."""
    extensions = read_config(root)["markdown_extensions"]
    options = next(e["pymdownx.snippets"] for e in extensions if isinstance(e, dict) and "pymdownx.snippets" in e)
    options = options | {"base_path": [str(root / base) for base in options["base_path"]]}
    markdown = Markdown(extensions=["pymdownx.snippets"], extension_configs={"pymdownx.snippets": options})
    return markdown.preprocessors["snippet"]


def read_blocks(lesson: Lesson) -> list[Block]:
    """The page's Python blocks in order; raise unless they are exactly the program's regions in the program's order."""
    text = lesson.page.read_text("utf-8")
    page = f"docs/{lesson.name}.md"
    fences = [token for token in MarkdownIt("commonmark").parse(text) if token.type == "fence"]
    collected = [f for f in fences if not f.level and f.info.split()[:1] in PYTHON and "notest" not in f.info.split()]
    # The lines inside a fence of another language are an example, not code.
    inside = {line for f in fences for line in range(f.map[0] + 2, f.map[1])} | {f.map[0] + 1 for f in collected}
    for number, line in enumerate(text.splitlines(), 1):
        if number not in inside and FENCE.match(line):
            raise LessonError(f"{page}:{number}: this python fence would not be run: indented, braced or marked notest")

    regions = read_regions(lesson) if lesson.program.exists() else {}
    blocks = []
    for fence in collected:
        line = fence.map[0] + 2
        include = INCLUDE.fullmatch(fence.content)
        if not include or include["file"] != lesson.shown:
            raise LessonError(f"{page}:{line}: a python block holds one include of a region of {lesson.shown}, no more")
        try:
            code = "\n".join(snippets(lesson.root).run([fence.content.rstrip()])).rstrip() + "\n"
        except SnippetMissingError as error:
            raise LessonError(f"{page}:{line}: {error}") from None
        expected = list(regions)[len(blocks)] if len(blocks) < len(regions) else "none"
        if include["region"] != expected:
            raise LessonError(
                f"{page}:{line}: shows region '{include['region']}', the program's next one is '{expected}'"
            )
        blocks.append(Block(expected, code, line, regions[expected][0]))
    for region in list(regions)[len(blocks) :]:
        raise LessonError(f"{lesson.shown}:{regions[region][0]}: region '{region}' is shown on no page")
    return blocks


# ---------------------------------------------------------------- the store and its record


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def locked_versions(root: Path) -> dict[str, list[str]]:
    """The locked versions of the packages that compute; several where Python versions need different ones."""
    versions: dict[str, list[str]] = {name: [] for name in COMPUTING}
    for package in tomllib.loads((root / "uv.lock").read_text("utf-8"))["package"]:
        if package["name"] in versions:
            versions[package["name"]].append(package["version"])
    return versions


def inputs(lesson: Lesson) -> dict:
    """All that decides a lesson's outputs. The page's prose is not part of it, nor are linters."""
    return {
        "program": digest(lesson.program),
        "executors": {name: digest(ROOT / name) for name in EXECUTORS},
        "packages": locked_versions(ROOT),
    }


def outputs(folder: Path) -> dict[str, str]:
    """{file: digest} of what a run left in `folder`; the record and the derived downloads are no outputs."""
    derived = {RECORD, f"{folder.name}.ipynb", f"{folder.name}.py"}
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    return {p.relative_to(folder).as_posix(): digest(p) for p in files if p.name not in derived}


def stale(lesson: Lesson) -> str | None:
    """Why the store is not what the lesson's program would give, or None if it is; names the file at fault."""
    record_file = lesson.store / RECORD
    shown = record_file.relative_to(lesson.root).as_posix()
    if not record_file.exists():
        return f"{lesson.shown}:1: has not been run: there is no {shown}"
    try:
        record = json.loads(record_file.read_text("utf-8"))
        then, kept = record["inputs"], dict(record["outputs"])
        then = {"program": then["program"]} | {kind: dict(then[kind]) for kind in ("executors", "packages")}
    except (ValueError, KeyError, TypeError) as error:
        line = getattr(error, "lineno", 1)
        return f"{shown}:{line}: corrupt record ({type(error).__name__}: {error})"
    now = inputs(lesson)
    if then["program"] != now["program"]:
        return f"{lesson.shown}:1: changed since it was run"
    for kind in ("executors", "packages"):
        for name, value in now[kind].items():
            if then[kind].get(name) != value:
                return f"{shown}:1: {name} changed since {lesson.shown} was run"
    found = outputs(lesson.store)
    for name in sorted(kept.keys() | found.keys()):
        if kept.get(name) != found.get(name):
            made = "was edited by hand" if name in kept else "was not made by the run"
            fault = made if name in found else "is missing"
            return f"{shown.removesuffix(RECORD)}{name}:1: {fault}"
    return None


def write_record(folder: Path, taken: dict, ran_on: dict[str, str], seconds: dict[str, float]) -> None:
    """Complete a run's `folder` with its record and the two lines that pages include.

    `taken` are the inputs as they were before the first block: a file edited during the run makes the result stale.
    """
    total = sum(seconds.values())
    spelling = {"tensorflow": "TensorFlow", "numpy": "NumPy"}
    names = ", ".join(f"{spelling.get(name, name.title())} {version}" for name, version in ran_on.items())
    (folder / LINE).write_text(f"Ran on {names} in {total:.0f} s.\n", "utf-8")
    (folder / SECONDS).write_text(f"{total:.0f} seconds\n", "utf-8")
    record = {"inputs": taken, "ran_on": ran_on, "seconds": seconds, "outputs": outputs(folder)}
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def same_result(folder: Path, store: Path) -> bool:
    """Whether a new run agrees with the stored one in all but the time it took."""
    try:
        records = [json.loads((place / RECORD).read_text("utf-8")) for place in (folder, store)]
        found = [outputs(place) for place in (folder, store)]
        for entry in records:
            entry["seconds"] = sorted(entry["seconds"])
            del entry["outputs"]
        for files in found:
            del files[LINE], files[SECONDS]
        return records[0] == records[1] and found[0] == found[1]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def swap(folder: Path, store: Path) -> None:
    """Put a finished run in the store's place. Killed half-way, `recover` completes or undoes it."""
    if same_result(folder, store):  # then leave the store untouched: a second run changes no file
        shutil.rmtree(folder)
        return
    previous = folder.with_suffix(".previous")
    store.parent.mkdir(parents=True, exist_ok=True)
    if store.exists():
        store.rename(previous)
    folder.rename(store)
    shutil.rmtree(previous, ignore_errors=True)


def recover(folder: Path, store: Path) -> None:
    """Clear what an interrupted run left behind; bring back a store that was moved aside."""
    previous = folder.with_suffix(".previous")
    if previous.exists() and not store.exists():
        previous.rename(store)
    shutil.rmtree(previous, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("stale", "verify", "run"))
    parser.add_argument(
        "names", nargs="*", metavar="lesson", help="such as recurrent/lstm; the default is every lesson"
    )
    parser.add_argument("--rerun", action="store_true", help="execute also what is fresh")
    options = parser.parse_args()
    try:
        lessons = [Lesson(name) for name in options.names] or find_lessons()
        for lesson in lessons:
            if not lesson.program.exists():
                raise LessonError(f"{lesson.shown}:1: there is no such lesson")
        reasons = {lesson: stale(lesson) for lesson in lessons}
        if options.command == "run":
            chosen = [lesson for lesson in lessons if options.rerun or options.names or reasons[lesson]]
            if not chosen:
                print(f"Nothing to run: {len(lessons)} lessons are fresh.")
                return 0
            import pytest  # only to run: reading the site needs no pytest

            return pytest.main(["--markdown-docs", "-q", "--no-header", *(str(lesson.page) for lesson in chosen)])
        for reason in filter(None, reasons.values()):
            print(reason)
        return 1 if any(reasons.values()) and options.command == "verify" else 0
    except LessonError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
