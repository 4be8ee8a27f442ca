"""Execute one lesson's blocks in one namespace, in the current folder; `runner.py` starts one worker for each page.

Reads one JSON object a line from standard input, {"region", "code", "file", "line"}, and answers each with one line:
{"seconds", "error"}. What a block prints goes to `<region>.txt`, its open figure to `<region>.svg`.
"""

import io
import json
import linecache
import logging
import os
import queue
import re
import sys
import threading
import time
import traceback
import types
import warnings
from pathlib import Path

LIMIT = 1_000_000  # characters that one block may print: far beyond what a page can show
PROGRESS = re.compile(r"^(Epoch \d+/\d+|.*\d+/(\d+|Unknown) .*\d+(s|ms|us)\b.*)$")  # Keras' bars, which hold times
COLOUR = re.compile(r"--([a-z-]+):\s*(#[0-9a-f]{6})")
COLOURS = Path(__file__).resolve().parent.parent / "docs/assets/css/colors.css"


class Recorder(io.TextIOBase):
    """A standard output that remembers what is printed, and shows it live when a person watches."""

    def __init__(self, terminal):
        self.parts, self.size, self.terminal = [], 0, terminal

    def isatty(self):
        return self.terminal.isatty()

    def write(self, text):
        self.size += len(text)
        if self.size > LIMIT:
            raise RuntimeError(f"this block prints more than {LIMIT:,} characters")
        self.parts.append(text)
        if self.isatty():
            self.terminal.write(text)
        return len(text)

    def text(self):
        """What a page shows: each line as a terminal leaves it, without Keras' progress bars."""
        lines = (line.rsplit("\r", 1)[-1].replace("\b", "") for line in "".join(self.parts).split("\n"))
        lines = (re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip() for line in lines)
        return "\n".join(line for line in lines if not PROGRESS.match(line)).strip("\n")


class WarningsAreErrors(logging.Handler):
    """TensorFlow and Keras log some warnings instead of raising them with `warnings`."""

    def emit(self, record):
        raise RuntimeWarning(record.getMessage())


def follow_palette(svg: str) -> str:
    """Let one SVG serve light and dark pages: colours of colors.css become variables that follow the colour scheme."""
    light, dark = {}, {}
    for name, value in COLOUR.findall(COLOURS.read_text("utf-8")):
        (dark if name in light else light)[name] = value
    for name, value in light.items():
        svg = svg.replace(value, f"var(--{name})")
    used = [name for name in light if f"var(--{name})" in svg]
    rules = [";".join(f"--{name}:{colours[name]}" for name in used if name in colours) for colours in (light, dark)]
    style = f"<style>:root{{{rules[0]}}}@media (prefers-color-scheme:dark){{:root{{{rules[1]}}}}}</style>"
    return re.sub(r"(<svg [^>]*>)", lambda match: match[1] + style, svg, count=1)


def store_figure(region: str) -> None:
    """Save the figure that the block left open as `<region>.svg`, the same bytes for the same drawing."""
    plt = sys.modules.get("matplotlib.pyplot")
    numbers = plt.get_fignums() if plt else []
    if len(numbers) > 1:
        raise RuntimeError(f"this block leaves {len(numbers)} figures open; a block draws one")
    for number in numbers:
        text = io.StringIO()
        with plt.rc_context({"svg.hashsalt": region}):
            plt.figure(number).savefig(text, format="svg", metadata={"Date": None})
        Path(f"{region}.svg").write_text(follow_palette(text.getvalue()), "utf-8")
    if numbers:
        plt.close("all")


def execute(block: dict, namespace: dict, terminal) -> str | None:
    """Run one block; return the traceback of its error, from the block's own first frame on."""
    sys.stdout = recorder = Recorder(terminal)
    warnings.resetwarnings()
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")  # plt.show() on a machine with a screen
    try:
        # The blank lines give each statement the line number that it has in the program.
        exec(compile("\n" * (block["line"] - 1) + block["code"], block["file"], "exec", dont_inherit=True), namespace)
        store_figure(block["region"])
        if text := recorder.text():
            Path(f"{block['region']}.txt").write_text(text + "\n", "utf-8")
    except BaseException as error:  # also SystemExit: a lesson must not end its own run quietly
        linecache.checkcache()
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
        return "".join(["Traceback (most recent call last):\n", *traceback.format_list(frames)]) + "".join(
            traceback.format_exception_only(error)
        )
    return None


def main() -> None:
    # Keep the two ends of the conversation to ourselves: what a block or a library writes to descriptor 1 goes to
    # standard error, and a block that reads standard input finds it empty.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    questions = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    blocks: queue.Queue = queue.Queue()

    def listen():
        for line in questions:
            blocks.put(json.loads(line))
        os._exit(1)  # whoever started us is gone: stop at once, even inside a block

    threading.Thread(target=listen, daemon=True).start()
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).addHandler(WarningsAreErrors(logging.WARNING))
    page = sys.modules["__main__"] = types.ModuleType("__main__")
    terminal = sys.stderr
    while True:
        block = blocks.get()
        start = time.perf_counter()
        error = execute(block, page.__dict__, terminal)
        answers.write(json.dumps({"seconds": round(time.perf_counter() - start, 2), "error": error}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
