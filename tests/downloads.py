"""What a reader takes away: each lesson as an executed notebook and as a script, made from the page and its store.

    python -m tests.downloads

Nothing is executed: a prose edit refreshes the notebook in no time.
"""

import re
from functools import cache
from pathlib import Path

import nbformat

from tests.lessons import ROOT, Lesson, find_lessons, read_blocks, read_regions
from tests.worker import COLOUR


def script(lesson: Lesson) -> str:
    """The program without its region markers: the page's code from top to bottom."""
    return "\n\n".join(code for _, code in read_regions(lesson).values())


def site_url(root: Path) -> str:
    url = re.search(r'^site_url:.*?(https?://[^\s"\]]+)', (root / "mkdocs.yml").read_text("utf-8"), re.M)[1]
    return url.rstrip("/") + "/"


def absolute_links(text: str, lesson: Lesson) -> str:
    """Point the page's relative links at the published site."""

    def absolute(match: re.Match) -> str:
        target = (lesson.page.parent / match[2]).resolve().relative_to((lesson.root / "docs").resolve()).as_posix()
        target = re.sub(r"(^|/)index\.md$", r"\1", target)
        return f"{match[1]}({site_url(lesson.root)}{re.sub(r'[.]md$', '/', target)}{match[3]})"

    return re.sub(r"(\[[^\]]*\])\((?!https?:|#|mailto:)([^)#\s]+)([^)]*)\)", absolute, text)


def prose(text: str, lesson: Lesson) -> str:
    """A page's Markdown as a notebook understands it: no includes, plain titles for boxes, coloured equations."""
    store = f"docs/runs/{lesson.name}/"
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)  # front matter
    text = re.sub(rf'^```text title="Output"\n--8<-- "{store}.*"\n```$', "", text, flags=re.M)
    text = re.sub(rf"^!\[[^\]]*\]\([./]*runs/{lesson.name}/[^)]*[.]svg\).*$", "", text, flags=re.M)
    interactive = f"*Here [the page]({site_url(lesson.root)}{lesson.name}/) is interactive.*"
    text = re.sub(r"^<div>\n<lstm-.*?^</div>$", interactive, text, flags=re.M | re.S)
    text = re.sub(
        rf'^--8<-- "({store}[^"]*)"$', lambda m: (lesson.root / m[1]).read_text("utf-8").rstrip(), text, flags=re.M
    )
    text = re.sub(r"^/// \w+ \| (.*)(?:\n +\w+: .*)*$", r"**\1**\n", text, flags=re.M)
    text = re.sub(r"^///.*$|\{\.gate-\w+\}", "", text, flags=re.M)
    for macro, (light, _) in equation_colours(lesson.root).items():
        text = re.sub(rf"\\{macro}\{{((?:[^{{}}]|\{{[^{{}}]*\}})*)\}}", rf"{{\\color{{{light}}}{{\1}}}}", text)
    return absolute_links(text, lesson).strip()


@cache
def colours(root: Path = ROOT) -> dict[str, tuple[str, str]]:
    """{name: (light, dark)} of colors.css, which gives every colour that has a meaning."""
    found = COLOUR.findall((root / "docs/assets/css/colors.css").read_text("utf-8"))
    light: dict[str, tuple[str, str]] = {}
    for name, value in found:
        light[name] = (light[name][0], value) if name in light else (value, value)
    return light


def equation_colours(root: Path) -> dict[str, tuple[str, str]]:
    """The macros that colour a symbol in an equation, as docs/assets/js/math.js defines them."""
    gates = {
        "forget": "forget",
        "inp": "input",
        "cand": "candidate",
        "out": "output",
        "cell": "cell",
        "hidden": "hidden",
    }
    return {macro: colours(root)[gate] for macro, gate in gates.items()}


def light_figure(svg: str) -> str:
    """A figure for a notebook, which has a white page whatever the reader's system prefers."""
    for name, (light, _) in colours().items():
        svg = svg.replace(f"var(--{name})", light)
    return svg.replace("<svg ", '<svg style="background:#fff" ', 1)


def notebook(lesson: Lesson) -> nbformat.NotebookNode:
    """The page as an executed notebook: its prose, its code, and the stored outputs."""
    lines = lesson.page.read_text("utf-8").splitlines()
    cells, at = [], 0
    for count, block in enumerate(read_blocks(lesson), 1):
        cells.append(nbformat.v4.new_markdown_cell(prose("\n".join(lines[at : block.page_line - 2]), lesson)))
        shown = []
        if (text := lesson.store / f"{block.region}.txt").exists():
            shown.append(nbformat.v4.new_output("stream", name="stdout", text=text.read_text("utf-8")))
        for figure in sorted(lesson.store.glob(f"{block.region}.svg")):
            svg = light_figure(figure.read_text("utf-8"))
            shown.append(nbformat.v4.new_output("display_data", data={"image/svg+xml": svg, "text/plain": "<Figure>"}))
        cells.append(nbformat.v4.new_code_cell(block.code.rstrip("\n"), outputs=shown, execution_count=count))
        at = block.page_line + 1
    cells.append(nbformat.v4.new_markdown_cell(prose("\n".join(lines[at:]), lesson)))
    cells = [cell for cell in cells if cell.source]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # nbformat's default is random: the file would differ from build to build
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def write_downloads(lesson: Lesson) -> None:
    """Write the lesson's notebook and script beside its outputs, unless they already say the same."""
    stem = lesson.store / lesson.page.stem
    for suffix, text in ((".ipynb", nbformat.writes(notebook(lesson)) + "\n"), (".py", script(lesson))):
        path = stem.with_suffix(suffix)
        if not path.exists() or path.read_text("utf-8") != text:  # an unchanged file wakes no watcher
            path.write_text(text, "utf-8")


if __name__ == "__main__":
    for lesson in find_lessons():
        write_downloads(lesson)
