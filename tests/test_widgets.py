"""<lstm-cell> on the page recurrent/lstm: it shows TensorFlow's numbers, obeys the reader, and harms nothing."""

import json
import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import downloads, test_browser
from tests.conftest import PAGES
from tests.lessons import ROOT
from tests.test_browser import DESK, PHONE, wait_until

PAGE = "recurrent/lstm"
visit, browser_type_launch_args = test_browser.visit, test_browser.browser_type_launch_args  # fixtures
STORED = json.loads((ROOT / f"docs/runs/{PAGE}/explorer.json").read_text("utf-8"))
F, I, O, G, C, H, PREDICTION = range(2, 9)  # columns of the table, after value and flag  # noqa: E741
RESET = "Reset inputs and gates"
sizes = pytest.mark.parametrize("width", [PHONE, DESK])


def open_explorer(visit, **options):
    """The page and its explorer, once it is built and in view."""
    page = visit(PAGE, **options)
    explorer = page.locator("lstm-cell")
    explorer.scroll_into_view_if_needed()  # its code comes when it is near
    explorer.locator("table").wait_for()
    return page, explorer


def table(explorer) -> np.ndarray:
    """The numbers of the table, a row for each step."""
    rows = explorer.locator("tbody tr").evaluate_all("rows => rows.map(r => [...r.cells].map(c => c.textContent))")
    return np.array([[float(text.replace("−", "-")) for text in row[1:]] for row in rows])


def field(explorer, name: str):
    role = "slider" if "slider" in name else "spinbutton" if "number" in name else "combobox"
    return explorer.get_by_role(role, name=name, exact=True)


def button(explorer, name: str):
    return explorer.get_by_role("button", name=name, exact=True)


def press(explorer, name: str) -> None:
    button(explorer, name).click(force=True)  # Back is only aria-disabled at the first step


def difference(explorer) -> str:
    return explorer.locator(".explorer-difference").inner_text()


def worked(explorer) -> str:
    return explorer.locator(".explorer-worked").inner_text()


def note(explorer) -> str:
    return explorer.locator(".explorer-note").inner_text()


def current(explorer) -> int:
    """The step that the table marks; the slider and the legend say the same."""
    marked = explorer.locator("tr[aria-current=step] th").inner_text()
    assert explorer.locator("[name=step]").input_value() == marked
    assert explorer.locator("legend").first.inner_text() == f"Input at step {marked}"
    return int(marked)


def test_it_shows_tensorflows_numbers_for_every_unit(visit):
    _, explorer = open_explorer(visit)
    for unit in range(4):
        field(explorer, "Unit").select_option(str(unit + 1))
        shown = table(explorer)
        assert shown.shape == (10, 9)
        for column, name in ((C, "c"), (H, "h")):
            assert abs(shown[:, column] - np.array(STORED[name])[0, :, unit]).max() <= 0.0051
        assert abs(shown[:, PREDICTION] - np.array(STORED["prediction"])[0, :, 0]).max() <= 0.0051
        assert abs(shown[1:, C] - shown[1:, F] * shown[:-1, C] - shown[1:, I] * shown[1:, G]).max() < 0.03
    found = [float(number) for number in re.findall(r"\de-\d+", difference(explorer))]
    assert len(found) == 2, "in the series shown, and in all"
    assert max(found) < 1e-6
    assert f"{len(STORED['x'])} series" in difference(explorer)


def test_the_reader_steps_forward_and_back(visit):
    _, explorer = open_explorer(visit)
    assert current(explorer) == 1
    press(explorer, "Back")
    assert current(explorer) == 1
    for step in range(2, 11):
        press(explorer, "Next")
        assert current(explorer) == step
        row = table(explorer)[step - 1]
        shown = explorer.locator("[data-number]").evaluate_all(
            "all => all.map(e => [e.dataset.number, e.textContent.replaceAll('−', '-')])"
        )
        arrows = dict(shown)
        for name, column in zip("fiogch", (F, I, O, G, C, H), strict=True):
            assert float(arrows[name]) == row[column]
        assert [float(x) for x in arrows["x"].split(", ")] == row[:2].tolist()
        assert worked(explorer).startswith(f"c{step} = f · c{step - 1} + i · c̃ = ")
    press(explorer, "Next")
    assert current(explorer) == 10
    press(explorer, "Back")
    assert current(explorer) == 9
    explorer.locator("tbody tr").nth(3).click()
    assert current(explorer) == 4
    explorer.locator("[data-step='6'].pick").nth(1).click()
    assert current(explorer) == 7


def test_on_a_phone_the_reader_steps_while_the_table_is_in_view(visit):
    _, explorer = open_explorer(visit, width=PHONE)
    explorer.locator("tbody tr").nth(5).evaluate("row => row.scrollIntoView({ block: 'center' })")
    button(explorer, "Next").click(timeout=2_000)  # does not scroll: it is in view, and nothing lies on it
    assert current(explorer) == 2
    in_view = "row => row.getBoundingClientRect().top > 0 && row.getBoundingClientRect().bottom < innerHeight"
    assert explorer.locator("tbody tr").nth(5).evaluate(in_view)


def test_an_input_is_changed_by_slider_and_by_number(visit):
    page, explorer = open_explorer(visit)
    before = table(explorer)
    for _ in range(4):
        press(explorer, "Next")
    field(explorer, "value, slider").focus()
    page.keyboard.press("End")
    assert field(explorer, "value, number").input_value() == "1"
    field(explorer, "flag, number").fill("0.5")
    assert field(explorer, "flag, slider").input_value() == "0.5"
    after = table(explorer)
    assert (after[:4] == before[:4]).all(), "the past stays"
    assert after[4, :2].tolist() == [1, 0.5]
    assert abs(after[4:, PREDICTION] - before[4:, PREDICTION]).max() > 0.1
    assert "has not seen it" in difference(explorer)
    field(explorer, "value, number").fill("-100")
    assert np.isfinite(table(explorer)).all()
    press(explorer, RESET)
    assert (table(explorer) == before).all()
    assert "has not seen it" not in difference(explorer)
    assert "back" in note(explorer)
    press(explorer, "Back")
    assert note(explorer) == ""


def test_junk_does_no_harm(visit):
    page, explorer = open_explorer(visit, permissions=["clipboard-read", "clipboard-write"])
    number = field(explorer, "value, number")
    before = table(explorer)

    def refused(what):
        assert "stays at 0.70" in note(explorer), what
        assert (table(explorer) == before).all(), what
        assert "NaN" not in explorer.inner_text(), what
        number.blur()
        assert number.input_value() == "0.7", what

    for junk in ("", "e", "-", "--3", ".", "NaN", "one"):
        number.focus()
        page.keyboard.press("Control+A")
        page.keyboard.press("Delete")
        page.keyboard.type(junk)
        refused(junk)
    for junk in ("NaN", "a text", "1e", "1e999", "-1e5", "100.5", "12345678901234567890", "<b>1</b>e9"):
        page.evaluate("text => navigator.clipboard.writeText(text)", junk)
        number.focus()
        page.keyboard.press("Control+A")
        page.keyboard.press("Delete")
        page.keyboard.press("Control+V")
        refused(junk)
    number.fill("1e-2")
    assert table(explorer)[0, 0] == 0.01
    assert note(explorer) == ""


def test_a_held_gate_changes_what_is_remembered(visit):
    _, explorer = open_explorer(visit)
    before = table(explorer)
    flags = [t for t, (_, flag) in enumerate(STORED["x"][0]) if flag]
    assert len(flags) >= 2
    field(explorer, "forget f").select_option("at 1")
    shown = table(explorer)
    assert (shown[:, F] == 1).all()
    assert abs(shown[1:, C] - shown[:-1, C] - shown[1:, I] * shown[1:, G]).max() < 0.02, "nothing is lost"
    second = flags[1]
    value = STORED["x"][0][second][0]
    assert abs(before[second, PREDICTION] - value) < 0.25 < abs(shown[second, PREDICTION] - value), "nor replaced"
    assert (np.diff(shown[flags[2] :, PREDICTION]) > 0).all(), "what is written between flags adds up"
    assert "held at 1.000" in explorer.locator(".explorer-gates").inner_text()
    assert "has not seen it" in difference(explorer)
    field(explorer, "output o").select_option("at 0")
    assert (table(explorer)[:, H] == 0).all()
    field(explorer, "output o").select_option("as trained")
    field(explorer, "input i").select_option("at 0.5")
    assert (table(explorer)[:, I] == 0.5).all()
    press(explorer, RESET)
    assert (table(explorer) == before).all()
    chosen = [field(explorer, name).input_value() for name in ("forget f", "input i", "output o")]
    assert chosen == ["", "", ""]
    size = {2: abs(before[flags[0] : second, C])}
    field(explorer, "Unit").select_option("3")
    size[3] = abs(table(explorer)[flags[0] : second, C])
    assert (np.diff(size[2]) < 0).all(), "the lesson says that unit 2 loses"
    assert (np.diff(size[3]) > 0).all(), "what unit 3 gains"


def test_the_drawing_lights_what_the_step_uses(visit):
    _, explorer = open_explorer(visit)
    strengths = []
    for row in table(explorer)[:5]:
        strengths.append(
            {
                part: float(explorer.locator(f"#lstm-{part}").evaluate("e => parseInt(e.style.cssText.split(':')[1])"))
                for part in ("forget", "input", "output", "hidden")
            }
        )
        for part, column in zip(strengths[-1], (F, I, O, H), strict=True):
            assert abs(strengths[-1][part] - 30 - 70 * abs(row[column])) < 1
        press(explorer, "Next")
    flagged, between = strengths[0], strengths[1]
    assert flagged["forget"] < between["forget"]
    assert flagged["input"] > between["input"]


def test_a_gate_has_its_colour_everywhere(visit):
    for scheme in (0, 1):
        _, explorer = open_explorer(visit, scheme=("light", "dark")[scheme])
        palette = {}
        for name, pair in downloads.colours().items():
            red, green, blue = (int(pair[scheme][k : k + 2], 16) for k in (1, 3, 5))
            palette[name] = f"rgb({red}, {green}, {blue})"
        gates = ["forget", "input", "output", "candidate", "cell", "hidden"]
        color = "e => getComputedStyle(e).color"
        heads = explorer.locator("thead th span").evaluate_all(f"all => all.map({color})")
        assert heads == [palette[gate] for gate in gates]
        for gate in gates:
            lines = explorer.locator(f"path.gate-{gate}").evaluate_all(
                "all => all.map(e => getComputedStyle(e).stroke)"
            )
            assert lines == [palette[gate]]
            fill = explorer.locator(f".explorer-drawing .{gate} .number").first.evaluate(
                "e => getComputedStyle(e).fill"
            )
            assert fill == palette[gate]


def test_it_works_by_keyboard_alone(visit):
    page, explorer = open_explorer(visit, width=PHONE, scheme="dark")
    page.locator("#try-it").evaluate("heading => { heading.tabIndex = -1; heading.focus(); }")
    stops = []
    for _ in range(80):
        page.keyboard.press("Tab")
        stop = page.evaluate("""() => {
            const e = document.activeElement, box = e.getBoundingClientRect();
            return e.closest('lstm-cell') && [e.textContent.slice(0, 6) + (e.ariaLabel ?? e.name ?? ''),
                getComputedStyle(e).outlineStyle, box.width >= 24 && box.height >= 24];
        }""")
        if stop:
            stops.append(stop)
        elif stops:
            break
    assert [stop[1:] for stop in stops] == [["solid", True]] * len(stops)
    assert len(stops) == 13, [
        stop[0] for stop in stops
    ]  # 2 buttons, 2 of time and unit, 4 inputs, 3 gates, reset, table
    button(explorer, "Next").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert current(explorer) == 3
    explorer.locator("[name=step]").focus()
    page.keyboard.press("End")
    assert current(explorer) == 10
    button(explorer, "Next").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Next", "the focus stays at the last step"
    field(explorer, "forget f").focus()
    page.keyboard.type("at 1")
    assert (table(explorer)[:, F] == 1).all()
    button(explorer, RESET).focus()
    page.keyboard.press("Enter")
    assert not (table(explorer)[:, F] == 1).any()


def test_it_speaks_of_changes_only(visit):
    page, explorer = open_explorer(visit)
    page.evaluate("""() => {
        window.said = 0;
        new MutationObserver(() => said++).observe(document.querySelector('.explorer-worked'), { childList: true });
    }""")
    field(explorer, "value, number").focus()
    field(explorer, "value, number").blur()
    press(explorer, "Back")
    assert page.evaluate("said") == 0
    press(explorer, "Next")
    assert page.evaluate("said") == 1


@sizes
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_in_every_state(visit, width, scheme):
    page, explorer = open_explorer(visit, width=width, scheme=scheme)
    for change in (
        lambda: explorer.locator("[name=step]").fill("10"),
        lambda: field(explorer, "forget f").select_option("at 0"),
        lambda: field(explorer, "value, number").fill("99.99"),
        lambda: field(explorer, "flag, number").fill("-99.99"),
        lambda: field(explorer, "flag, number").fill(""),
    ):
        change()
        test_browser.settle(page)
        assert Axe().run(page, context="lstm-cell").response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    for control in explorer.locator("button, input, select").all():
        box = control.bounding_box()
        assert min(box["width"], box["height"]) >= 24


@sizes
def test_its_place_is_kept_before_it_is_built(browser, server, width):
    """Layout shift, as browsers count it, with the explorer in view while its numbers arrive late."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    held = []
    page.route("**/explorer.json", lambda route: held.append(route))
    page.goto(server + PAGES[PAGE], wait_until="load")
    page.locator(".arithmatex:not([data-rendered])").first.wait_for(state="detached")
    page.locator("lstm-cell").evaluate("e => scrollTo(0, scrollY + e.getBoundingClientRect().top - 300)")
    page.evaluate("""() => {
        window.shift = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => (shift += entry.value)))
            .observe({ type: 'layout-shift' });
    }""")
    wait_until(page, lambda: held)
    page.wait_for_timeout(600)
    before = page.locator("lstm-cell").bounding_box()["height"]
    held[0].continue_()
    page.locator("lstm-cell table").wait_for()
    page.wait_for_timeout(300)
    after = page.locator("lstm-cell").bounding_box()["height"]
    assert page.evaluate("shift") <= 0.05
    assert abs(after - before) <= 40, "the text below stays where it is"
    page.close()


def test_there_is_one_and_nothing_remains_when_the_reader_leaves(visit, server, browser):
    page, explorer = open_explorer(visit)
    page.evaluate("""() => {
        window.still = 'the same document';
        window.outside = [];  // listeners that the explorer puts on anything beyond itself
        const add = EventTarget.prototype.addEventListener;
        EventTarget.prototype.addEventListener = function (...given) {
            const own = this.closest?.('lstm-cell') || this instanceof AbortSignal;
            if (!own && /cell[.]js/.test(new Error().stack)) outside.push(String(this));
            return add.apply(this, given);
        };
    }""")
    field(explorer, "forget f").select_option("at 1")
    for _ in range(2):
        page.click("article a[href*='notation']")
        test_browser.arrive(page, server, "reference/notation")
        assert page.locator("lstm-cell").count() == 0
        page.go_back()
        test_browser.arrive(page, server, PAGE)
        explorer.locator("table").wait_for()
        assert page.locator("lstm-cell, lstm-cell table, lstm-cell .explorer-drawing svg").count() == 3
        assert not (table(explorer)[:, F] == 1).all(), "it begins anew"
        press(explorer, "Next")
        assert current(explorer) == 2
    assert page.evaluate("still") == "the same document"
    assert page.evaluate("outside") == []
    assert not [worker for worker in page.workers if "/assets/js/" in worker.url]


def test_its_code_is_fetched_where_it_stands_and_only_there(browser, server):
    page = browser.new_page()
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(server + PAGES["reference/notation"], wait_until="networkidle")
    parts = ("cell.js", "pictures.js", "unroll.js", "lstm.js", "explorer.json")
    assert not [url for url in fetched if url.endswith(parts)]
    page.click("article a[href*='recurrent/lstm']")
    page.locator("lstm-cell").wait_for()
    page.wait_for_load_state("networkidle")
    assert not [url for url in fetched if url.endswith(parts)], "a reader of the first screen pays for it"
    page.locator("lstm-cell").scroll_into_view_if_needed()
    page.locator("lstm-cell table").wait_for()
    assert {url.removeprefix(server) for url in fetched if url.endswith(parts)} == {
        *(f"assets/js/{name}" for name in parts[:4]),
        f"runs/{PAGE}/explorer.json",
    }
    page.close()


def test_with_reduced_motion_nothing_moves(visit):
    for motion, moves in (("no-preference", True), ("reduce", False)):
        _, explorer = open_explorer(visit, reduced_motion=motion)
        duration = explorer.locator("#lstm-forget").evaluate("e => getComputedStyle(e).transitionDuration")
        assert (duration != "0s") == moves


def test_without_its_numbers_figure_and_table_stay(browser, server):
    page = browser.new_page()
    page.route("**/explorer.json", lambda route: route.fulfill(status=404))
    page.goto(server + PAGES[PAGE], wait_until="networkidle")
    page.locator("lstm-cell").scroll_into_view_if_needed()
    page.get_by_text("The explorer could not be loaded").wait_for()
    assert page.locator("lstm-cell img").is_visible()
    assert page.locator("lstm-cell pre").is_visible()
    page.close()


@sizes
def test_without_javascript_figure_and_table_stand_in_its_place(visit, width):
    page = visit(PAGE, width=width, java_script_enabled=False)
    assert page.locator("lstm-cell img").is_visible()
    assert page.locator("lstm-cell pre").inner_text().count("\n") >= 10
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "what is wider scrolls in its own box"
    assert page.locator("lstm-cell").bounding_box()["height"] < 1200, "no room is kept for what will not come"


def test_on_paper_it_is_whole(visit):
    page, explorer = open_explorer(visit, width=718)
    page.emulate_media(media="print")
    assert not explorer.locator("button").first.is_visible()
    box = explorer.locator("table").bounding_box()
    assert box["x"] + box["width"] <= 718
