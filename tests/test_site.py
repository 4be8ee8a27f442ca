"""The built site: what a reader gets is what ran, all of it is there, and it is sound. Needs no browser."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from itertools import combinations
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup

from tests import bench, downloads, lessons
from tests.conftest import BASE, PAGES, need
from tests.lessons import LINE, RECORD, ROOT, SECONDS, Lesson

LESSONS = {lesson.name: lesson for lesson in lessons.find_lessons()}
WRITTEN = [name for name in PAGES if Lesson(name).page.exists()]  # not the notebooks
PYTHON = re.compile(r"(language-|highlight-)?(i?py(thon|con|tb|i|w|x)?[0-9]?|sage|numpy)")  # Pygments' names for it
SCRIPTS = Path(sysconfig.get_path("scripts"))
THEME = "assets/javascripts"  # Material's own scripts
every_lesson = pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
every_page = pytest.mark.parametrize("name", WRITTEN)


def read(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / PAGES[name] / "index.html").read_text("utf-8"), "html.parser")


def python_blocks(page: BeautifulSoup) -> list[str]:
    """The text of everything that is highlighted as Python."""
    found = page.find_all(class_=lambda value: value and PYTHON.fullmatch(value))
    return [(block if block.name == "code" else block.find("code")).get_text() for block in found]


def code_of(lesson: Lesson) -> list[str]:
    return [block.code for block in lessons.read_blocks(lesson)]


def figures(page: BeautifulSoup) -> list[tuple[str, str]]:
    """(address, alternative text) of each picture in the text."""
    return [(image["src"], image.get("alt", "")) for image in page.select("article img")]


# ---------------------------------------------------------------- what is shown is what ran


@every_page
def test_readers_see_exactly_the_executed_code(site, name):
    assert python_blocks(read(site, name)) == code_of(Lesson(name))


@every_page
def test_each_block_is_followed_by_what_it_printed_and_drew(site, name):
    lesson, page, shown = Lesson(name), read(site, name), [[]]
    for code in page.select("article div.highlight"):
        if "language-python" in code["class"]:
            shown.append([code.code.get_text()])
        elif code.select_one(".filename") and code.select_one(".filename").get_text() == "Output":
            shown[-1].append(code.code.get_text())
    outputs = [lesson.store / f"{block.region}.txt" for block in lessons.read_blocks(lesson)]
    printed = [[output.read_text("utf-8")] if output.exists() else [] for output in outputs]
    assert shown == [[], *([code, *text] for code, text in zip(code_of(lesson), printed, strict=True))]
    folder = f"{'../' * name.count('/')}../runs/{name}/"
    drawn = {Path(source).name for source, _ in figures(page) if source.startswith(folder)}
    assert drawn == {path.name for path in lesson.store.glob("*.svg")}
    text = " ".join(page.article.get_text().split())
    for line in (LINE, SECONDS) if name in LESSONS else ():
        assert (lesson.store / line).read_text("utf-8").strip() in text


@every_page
def test_figures_exist_and_say_what_they_show(site, name):
    here = site / PAGES[name]
    for source, alternative in figures(read(site, name)):
        path, _, part = source.partition("#")
        assert (here / path).is_file(), source
        assert not part or f'id="{part}"' in (here / path).read_text("utf-8"), source
        assert len(alternative.split()) >= 8, f"{source}: “{alternative}” says too little"


def natural_size(svg: Path) -> list[int]:
    """Width and height of a drawing in CSS pixels; Matplotlib counts in points."""
    head = re.search(r"<svg[^>]*>", svg.read_text("utf-8"))[0]
    pixels = 4 / 3 if re.search(r'width="[\d.]+pt"', head) else 1
    return [round(float(value) * pixels) for value in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head).groups()]


@every_page
def test_nothing_moves_when_the_figure_of_the_first_screen_arrives(site, name):
    """Its size stands beside it in the page; further down a figure is there before the reader is."""
    for element in read(site, name).select("article :is(h2, p > img[src$='.svg'])"):
        if element.name == "h2":
            break
        size = [int(element.get(side, 0)) for side in ("width", "height")]
        assert size == natural_size(site / PAGES[name] / element["src"]), element["src"]


@every_lesson
def test_stored_outputs_are_those_of_the_present_inputs(lesson):
    assert lessons.stale(lesson) is None


@pytest.mark.parametrize("overview", sorted((ROOT / "docs").glob("*/index.md")), ids=lambda path: path.parent.name)
def test_an_overview_lists_its_lessons_in_order_with_their_reading_time(overview):
    listed = re.findall(r"^\| (\d+) \| \[.*\]\((\w+)\.md\) \|.*\| (\d+) \|$", overview.read_text("utf-8"), re.M)
    module = overview.parent.name
    told = [
        re.search(r"\*\*Reading\*\* (\d+) minutes", (overview.parent / f"{name}.md").read_text("utf-8"))[1]
        for _, name, _ in listed
    ]
    assert [minutes for *_, minutes in listed] == told
    assert [int(number) for number, *_ in listed] == list(range(1, len(listed) + 1))
    in_the_menu = [name for name in PAGES if name.startswith(f"{module}/")]
    assert [f"{module}/index", *(f"{module}/{name}" for _, name, _ in listed)] == in_the_menu


# ---------------------------------------------------------------- colours

PAPER = [("#ffffff", "#f5f5f5"), ("#1e2129", "#272a35")]  # page and code block: light, dark
GATES = [name for name in downloads.colours() if name != "ink"]
# How colour-blind readers see linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
SIGHT = {
    "usual": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
LMS = [[0.4122215, 0.5363325, 0.051446], [0.2119035, 0.6806995, 0.107397], [0.0883025, 0.2817188, 0.6299787]]
LAB = [[0.2104543, 0.7936178, -0.004072], [1.9779985, -2.4285922, 0.4505937], [0.025904, 0.7827718, -0.8086758]]


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    dark, light = sorted(linear(colour) @ [0.2126, 0.7152, 0.0722] + 0.05 for colour in (one, other))
    return light / dark


def oklab(rgb: np.ndarray) -> np.ndarray:
    return LAB @ np.cbrt(LMS @ np.clip(rgb, 0, 1))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_are_legible_and_stay_apart_for_every_reader(scheme):
    colours = {name: pair[scheme] for name, pair in downloads.colours().items()}
    for name, colour in colours.items():
        for paper in PAPER[scheme]:
            assert contrast(colour, paper) >= 4.5, (name, paper)
    for sight, matrix in SIGHT.items():
        seen = {name: oklab(matrix @ linear(colours[name])) for name in GATES}
        for one, other in combinations(GATES, 2):
            distance = np.linalg.norm(seen[one] - seen[other])
            assert distance >= (0.14 if sight == "usual" else 0.08), (sight, one, other)


def test_a_colour_means_the_same_wherever_it_is_used():
    palette, assets = downloads.colours(), ROOT / "docs/assets"
    light = {pair[0] for pair in palette.values()}
    math = (assets / "js/math.js").read_text("utf-8")
    pairs = re.findall(r'(\w+): "([a-z]+)"', re.search(r"Object\.entries\(\{(.*?)\}\)", math, re.S)[1])
    assert {macro: palette[gate] for macro, gate in pairs} == downloads.equation_colours(ROOT)
    rules = dict(re.findall(r"\.gate-(\w+) \{ color: var\(--(\w+)\)", (assets / "css/site.css").read_text("utf-8")))
    assert rules == {gate: gate for gate in GATES}
    cell = re.findall(r"var\(--([a-z]+), (#[0-9a-f]{6})\)", (assets / "cell.svg").read_text("utf-8"))
    drawn = {name: tuple(value for other, value in cell if other == name) for name, _ in cell}
    assert drawn == palette
    style = (ROOT / "tests/matplotlibrc").read_text("utf-8")
    assert {f"#{value}" for value in re.findall(r"\b(?=\w*\d)[0-9a-fA-F]{6}\b", style)} <= light
    for lesson in LESSONS.values():
        assert set(re.findall(r"#[0-9a-fA-F]{6}\b", lesson.program.read_text("utf-8"))) <= light, lesson.shown


# ---------------------------------------------------------------- the site as a whole


def test_internal_links_and_anchors_lead_somewhere(site, server, tmp_path):
    (tmp_path / BASE.strip("/")).symlink_to(site)  # so that absolute links must name the base path
    options = "--offline --no-progress --include-fragments --index-files index.html --extensions html --format json"
    command = [SCRIPTS / "lychee", *options.split(), "--exclude-path", r"/404\.html$", "--root-dir", tmp_path]
    command += ["--remap", f"{server} file://{tmp_path}{BASE}", tmp_path / BASE.strip("/")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    report = json.loads(done.stdout)
    assert not report["error_map"], done.stdout
    assert done.returncode == 0, done.stderr
    assert report["successful"] > 20 * len(PAGES)


VNU = "vnu-jar@26.9.27"
THEMES_HTML = (  # faults of Material's own templates …
    "Attribute “autocomplete” is only allowed when the input type is",
    "Bad value “” for attribute “tabindex” on element “label”",
    # … and of mkdocs-jupyter, which appends a style sheet of two brackets to a notebook
    "A “style” element in “body” must be the first child",
    "CSS: Parse Error",
)


def test_html_is_valid(site):
    need(shutil.which("npx") and shutil.which("java"), "Node or Java, for the HTML checker,")
    command = ["npx", "--yes", "--ignore-scripts", VNU]
    need(subprocess.run([*command, "--version"], capture_output=True, timeout=120).returncode == 0, VNU)
    command += ["--stdout", "--format", "json", "--errors-only", "--skip-non-html", str(site)]
    messages = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=120).stdout)["messages"]
    assert messages, "the theme's own faults are gone: empty THEMES_HTML"
    ours = [message for message in messages if not message["message"].startswith(THEMES_HTML)]
    assert not ours, "\n".join(f"{fault['url']}:{fault['lastLine']}: {fault['message']}" for fault in ours)


def test_nothing_is_loaded_from_another_origin(site, server):
    local = re.compile(r"(?!//|[a-z]+:)|data:|" + re.escape(server))
    loaded = []
    for path in sorted(site.rglob("*.html")):
        page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        links = page.select("link[href]:not([rel=canonical], [rel=prev], [rel=next])")
        loaded += [(path, link["href"]) for link in links]
        loaded += [(path, tag[key]) for key in ("src", "srcset", "poster", "data") for tag in page.select(f"[{key}]")]
    for path in sorted(site.rglob("*.*")):
        if path.suffix in (".html", ".css", ".svg"):
            text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.S)
            for mark in (
                r"url\(\s*['\"]?([^'\")]+)",
                r"@import\s+['\"]([^'\"]+)",
                r"<(?:image|use)[^>]*href=\"([^\"]+)",
            ):
                loaded += [(path, target) for target in re.findall(mark, text)]
        elif path.suffix in (".js", ".mjs") and THEME not in path.as_posix():  # the browser tests watch the theme's
            code = re.sub(r"^\s*//.*|/\*[\s\S]*?\*/", "", path.read_text("utf-8"), flags=re.M)
            loaded += [(path, target) for target in re.findall(r"https?://(?!www\.w3\.org/)[^\"'`\s)]+", code)]
    assert len(loaded) > 10 * len(PAGES)
    assert not [(str(path), target) for path, target in loaded if not local.match(target)]


def test_the_site_also_builds_without_material(site, tmp_path):
    """Zensical reads the same mkdocs.yml; it knows no notebooks."""
    for folder in ("docs", "snippets"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    config = (ROOT / "mkdocs.yml").read_text("utf-8")
    config = re.sub(r"^ +- mkdocs-jupyter:\n(?: {6,}.*\n)+", "", config, flags=re.M)
    config = re.sub(r"^ +- (Labs:|.*labs/.*)\n", "", config, flags=re.M)
    (tmp_path / "mkdocs.yml").write_text(config, "utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in WRITTEN:
        assert python_blocks(read(tmp_path / "site", name)) == python_blocks(read(site, name))


# ---------------------------------------------------------------- what a reader takes away


@every_lesson
def test_downloads_hold_the_pages_code_and_no_mark_of_the_site(site, lesson):
    stem = site / "runs" / lesson.name / lesson.page.stem
    book = nbformat.read(stem.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(book)
    assert [cell.source + "\n" for cell in book.cells if cell.cell_type == "code"] == code_of(lesson)
    for cell in book.cells:
        if cell.cell_type == "markdown":
            for mark in ("--8<--", "///", "{.gate-", "{ .", r"\forget{", r"\hidden{", "../"):
                assert mark not in re.sub("https?://", "", cell.source), (mark, cell.source)
    code = stem.with_suffix(".py").read_text("utf-8")
    compile(code, str(stem), "exec", dont_inherit=True)
    assert [line for line in code.splitlines() if line] == [
        line for line in "".join(code_of(lesson)).splitlines() if line
    ]


def test_the_preview_shows_a_saved_sentence(tmp_path):
    """A second on a quiet machine: `make bench` measures it. A build of all pages takes more than the bound."""
    bench.copy_tree(tmp_path)
    assert bench.reload_seconds(tmp_path) < 4


def running_time(lesson: Lesson) -> float:
    return sum(json.loads((lesson.store / RECORD).read_text("utf-8"))["seconds"].values())


@pytest.mark.slow
def test_a_downloaded_notebook_runs_in_an_empty_folder(site, tmp_path):
    """The quickest lesson stands for all: the test above finds the pages' executed code in every notebook."""
    lesson = min(LESSONS.values(), key=running_time)
    shutil.copy(site / "runs" / lesson.name / f"{lesson.page.stem}.ipynb", tmp_path)
    command = [SCRIPTS / "jupyter-execute", f"{lesson.page.stem}.ipynb", "--timeout=300"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr[-3000:]
