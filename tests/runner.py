"""Run the pages: pytest-markdown-docs finds the blocks, one fresh process a page runs them, the store keeps the result.

pytest --markdown-docs docs/recurrent/lstm.md
"""

import contextlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from markdown_it import MarkdownIt
from pytest_markdown_docs._runners import _Runner, get_runner, register_runner
from pytest_markdown_docs.plugin import MarkdownTextFile

from tests import lessons
from tests.lessons import COMPUTING, Lesson, LessonError

WORKER = Path(__file__).with_name("worker.py")
ENVIRONMENT = {
    "COLUMNS": "80",  # model.summary() is as wide as this
    "MATPLOTLIBRC": str(WORKER.with_name("matplotlibrc")),
    "MPLBACKEND": "agg",
    "PYTHONHASHSEED": "0",
    "PYTHONIOENCODING": "utf-8",
    "TF_CPP_MIN_LOG_LEVEL": "3",  # TensorFlow's start-up lines
    "CUDA_VISIBLE_DEVICES": "-1",  # the stored outputs are those of a processor
}


def lesson_of(page: Path) -> Lesson:
    """The lesson of a page; its root is the folder that holds docs/."""
    docs = next(parent for parent in page.parents if parent.name == "docs")
    return Lesson(page.relative_to(docs).with_suffix("").as_posix(), docs.parent)


class BlockError(Exception):
    """A block raised, ran too long, or took its process down; the message is all that is shown."""


class Run:
    """One page's run: a working folder, a lock, and a process that executes block after block."""

    def __init__(self, lesson: Lesson, limit: float):
        self.lesson, self.limit, self.seconds = lesson, limit, {}
        self.failure, self.late = None, False
        self.inputs = lessons.inputs(lesson)
        self.blocks = lessons.read_blocks(lesson)
        self.folder = lesson.root / ".runs" / lesson.name
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(self.folder.with_suffix(".lock"))
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            raise BlockError(f"docs/{lesson.name}.md:1: another run of this page is under way") from None
        lessons.recover(self.folder, lesson.store)
        self.folder.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=self.folder,
            env=os.environ | ENVIRONMENT,
            start_new_session=True,  # so that a time-out also ends what the block started
        )

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL) if hasattr(os, "killpg") else self.process.kill()

    def stop_late_block(self) -> None:
        self.late = True
        self.kill()

    def execute(self, block: lessons.Block) -> None:
        """Run one block to its end; raise BlockError with the page's line and the program's."""
        where = f"docs/{self.lesson.name}.md:{block.page_line}: block '{block.region}'"
        source = f"({self.lesson.shown}:{block.program_line})"
        question = {"region": block.region, "code": block.code, "line": block.program_line}
        timer = threading.Timer(self.limit, self.stop_late_block)
        timer.start()
        try:
            self.process.stdin.write(json.dumps(question | {"file": str(self.lesson.program)}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            timer.cancel()
        if not answer:
            end = f"ran longer than {self.limit:g} s and was stopped" if self.late else self.obituary()
            raise BlockError(f"{where} {end} {source}")
        answer = json.loads(answer)
        if answer["error"]:
            raise BlockError(f"{where} raised {source}\n" + answer["error"].replace(f"{self.lesson.root}{os.sep}", ""))
        self.seconds[block.region] = answer["seconds"]

    def obituary(self) -> str:
        code = self.process.wait()
        return f"ended its process with {f'signal {-code}' if code < 0 else f'exit status {code}'}"

    def finish(self) -> None:
        """Store a complete run; throw away any other."""
        self.kill()
        with self.process:  # waits, and closes the pipes
            pass
        if len(self.seconds) == len(self.blocks):
            ran_on = {name: importlib.metadata.version(name) for name in COMPUTING}
            ran_on["python"] = ".".join(map(str, sys.version_info[:2]))
            lessons.write_record(self.folder, self.inputs, ran_on, self.seconds)
            lessons.swap(self.folder, self.lesson.store)
            self.lesson.page.touch()  # `mkdocs serve --dirty` builds a page anew when the page is newer
        else:
            lessons.recover(self.folder, self.lesson.store)
        self.lock.release()


@register_runner(default=True)
class PageRunner(_Runner):
    """Runs each block of a page once, in order, in the page's own process."""

    run: Run | None = None
    limit = 300.0
    report = staticmethod(print)

    def runtest(self, test, args, **unused):
        lesson = lesson_of(test.source_path)
        if not self.run or self.run.lesson != lesson:
            self.finish()
            self.run = Run(lesson, self.limit)
        run = self.run
        if run.failure:
            pytest.skip(f"not run, because {run.failure}")
        index = next(i for i, block in enumerate(run.blocks) if block.page_line == test.start_line + 1)
        block = run.blocks[index]
        if index != len(run.seconds):
            raise BlockError(f"docs/{lesson.name}.md:{block.page_line}: the blocks before this one were not run")
        self.report(f"{lesson.name}: block {index + 1} of {len(run.blocks)} ({block.region}) …")
        try:
            run.execute(block)
        except BlockError as error:
            run.failure = str(error).splitlines()[0]
            raise
        if index + 1 == len(run.blocks):
            self.finish()
            self.report(f"{lesson.name}: {len(run.blocks)} blocks in {sum(run.seconds.values()):.1f} s\n")

    def finish(self):
        run, self.run = self.run, None
        if run:
            run.finish()

    def repr_failure(self, test, excinfo, style=None):
        return str(excinfo.value) if excinfo.errisinstance(BlockError) else str(excinfo.getrepr())


class PageParser(MarkdownIt):
    """Gives pytest-markdown-docs each block as the site shows it: with its include expanded."""

    page: Path

    def parse(self, src, env=None):
        tokens = super().parse(src, env)
        try:
            blocks = {block.page_line: block for block in lessons.read_blocks(lesson_of(self.page))}
        except LessonError as error:
            raise pytest.Collector.CollectError(str(error)) from None
        for token in tokens:
            if token.type == "fence" and token.map[0] + 2 in blocks:
                token.content = blocks[token.map[0] + 2].code
        return tokens


@pytest.hookimpl(tryfirst=True)
def pytest_markdown_docs_markdown_it():
    return PageParser("commonmark")


def pytest_collectstart(collector):
    if isinstance(collector, MarkdownTextFile):
        PageParser.page = collector.path


def pytest_addoption(parser):
    parser.addini("block_seconds", "how long one block of a lesson may run", default="300")


@pytest.hookimpl(trylast=True)  # after the terminal reporter
def pytest_configure(config):
    PageRunner.limit = float(config.getini("block_seconds"))
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal and terminal.isatty:
        PageRunner.report = staticmethod(lambda line: terminal.rewrite(line, erase=True))
    elif terminal:  # a log: one line a page
        PageRunner.report = staticmethod(lambda line: line.endswith("\n") and terminal.write_line(line.rstrip()))


def pytest_report_teststatus(report):
    if report.passed and report.when == "call" and ".md::" in report.nodeid:
        return "passed", "", "PASSED"  # the runner's own lines tell the progress
    return None


def pytest_sessionfinish():
    get_runner(None).finish()  # an interrupted run leaves the store as it was
