"""The labs: exercise notebooks, committed as they ran, with a record of what went in.

    docs/labs/windows.ipynb    task, starter, checker, hints and solution, each code cell with its output

    python -m tests.labs stale       name the labs that must run again, and why
    python -m tests.labs verify      the same, as an error
    python -m tests.labs run [labs/windows ...] [--rerun]   execute what is stale (or named)

A run uses a fresh kernel in an empty folder; a cell that raises, warns or draws leaves the notebook as it was.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from tests.lessons import COMPUTING, ROOT, locked_versions

FOLDER = ROOT / "docs/labs"
SECONDS = 240  # for one cell
STRICT = "import warnings\n\nwarnings.simplefilter('error')", "warnings.resetwarnings()"  # around the lab's own cells


class LabError(Exception):
    """A fault of a lab; the message begins with the file."""


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def shown(path: Path) -> str:
    return path.relative_to(path.parents[2]).as_posix()  # docs/labs/windows.ipynb


def code_cells(book: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def digest(parts: list) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def inputs(book: nbformat.NotebookNode) -> dict:
    """All that decides the outputs; prose is not part of it."""
    return {"code": digest([cell.source for cell in code_cells(book)]), "packages": locked_versions(ROOT)}


def outputs(book: nbformat.NotebookNode) -> str:
    return digest([[output.get("text") for output in cell.outputs] for cell in code_cells(book)])


def stale(path: Path) -> str | None:
    """Why the stored outputs are not what the code would give, or None if they are."""
    book = read(path)
    record = book.metadata.get("lab", {}).get("record")
    if not record:
        return f"{shown(path)}:1: has not been run"
    now = inputs(book)
    for kind in now:
        if record["inputs"].get(kind) != now[kind]:
            return f"{shown(path)}:1: {kind} changed since it was run"
    return None if record["outputs"] == outputs(book) else f"{shown(path)}:1: an output was edited by hand"


def run(path: Path) -> float:
    """Execute a lab and store it with its outputs and record; return the seconds it took."""
    from nbclient import NotebookClient  # only to run: the build needs no kernel
    from nbclient.exceptions import CellExecutionError

    from tests.runner import ENVIRONMENT

    before, book = path.read_bytes(), read(path)
    taken, metadata = inputs(book), book.metadata
    for cell in code_cells(book):
        cell.outputs, cell.execution_count = [], None
    trial = nbformat.from_dict(book)
    first, last = (nbformat.v4.new_code_cell(source) for source in STRICT)
    trial.cells = [first, *trial.cells, last]
    os.environ.update(ENVIRONMENT)  # the kernel inherits it
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        options = {"timeout": SECONDS, "record_timing": False, "coalesce_streams": True}
        options |= {"resources": {"metadata": {"path": folder}}, "extra_arguments": ["--log-level=CRITICAL"]}
        client = NotebookClient(trial, **options)
        try:
            client.execute()
        except CellExecutionError as error:
            raise LabError(f"{shown(path)}:1: {error}") from None
    seconds = time.perf_counter() - start
    for cell, ran in zip(code_cells(book), code_cells(trial)[1:-1], strict=True):
        if wrong := [output for output in ran.outputs if output.output_type != "stream"]:
            raise LabError(f"{shown(path)}:1: cell '{cell.id}' does more than print: {wrong[0].output_type}")
        cell.outputs = [output for output in ran.outputs if output.name == "stdout"]  # not TensorFlow's start-up lines
        cell.execution_count = ran.execution_count - 1
    ran_on = {name: importlib.metadata.version(name) for name in COMPUTING}
    ran_on["python"] = ".".join(map(str, sys.version_info[:2]))
    record = {"inputs": taken, "outputs": outputs(book), "ran_on": ran_on, "seconds": round(seconds, 1)}
    if {**metadata.lab.get("record", {}), "seconds": 0} != {**record, "seconds": 0}:  # else leave the file untouched
        metadata.lab["record"] = record
        if path.read_bytes() != before:
            raise LabError(f"{shown(path)}:1: was edited while it ran; run it again")
        finished = path.with_suffix(".finished")
        finished.write_text(nbformat.writes(book) + "\n", "utf-8")
        finished.replace(path)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("stale", "verify", "run"))
    parser.add_argument("names", nargs="*", metavar="lab", help="such as labs/windows; the default is every lab")
    parser.add_argument("--rerun", action="store_true", help="execute also what is fresh")
    options = parser.parse_args()
    labs = [ROOT / "docs" / f"{name}.ipynb" for name in options.names] or sorted(FOLDER.glob("*.ipynb"))
    try:
        for path in labs:
            if not path.exists():
                raise LabError(f"{shown(path)}:1: there is no such lab")
        reasons = {path: stale(path) for path in labs}
        if options.command == "run":
            for path in labs:
                if options.rerun or options.names or reasons[path]:
                    print(f"{shown(path)}: {run(path):.1f} s")
            return 0
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    for reason in filter(None, reasons.values()):
        print(reason)
    return 1 if any(reasons.values()) and options.command == "verify" else 0


if __name__ == "__main__":
    sys.exit(main())
