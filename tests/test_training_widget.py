"""<lstm-train> on the page recurrent/scratch: it trains as TensorFlow does, obeys the reader, and harms nothing."""

import gzip
import json

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import test_browser
from tests.lessons import ROOT
from tests.test_browser import wait_until

PAGE = "recurrent/scratch"
STORED = ROOT / f"docs/runs/{PAGE}/training.json"
visit, browser_type_launch_args = test_browser.visit, test_browser.browser_type_launch_args  # fixtures


def open_training(visit, **options):
    """The page and its widget, once the widget is built and in view."""
    page = visit(PAGE, **options)
    widget = page.locator("lstm-train")
    widget.scroll_into_view_if_needed()  # its code comes when it is near
    widget.locator("form").wait_for()
    return page, widget


def button(widget, name: str):
    return widget.get_by_role("button", name=name, exact=True)


def finish(widget) -> str:
    """Wait for the last step; return what the widget says then."""
    button(widget, "Train again").wait_for(timeout=60_000)
    return widget.get_by_role("status").inner_text()


def trainers(page) -> int:
    """How many workers train; the theme's search has one of its own."""
    return sum("train-worker" in worker.url for worker in page.workers)


def lines(widget, kind: str) -> list[np.ndarray]:
    """The points of a kind of line in each of the two charts."""
    drawn = [path.get_attribute("d") or "" for path in widget.locator(f"figure .{kind}").all()]
    return [np.array(path.replace("M", "").replace("L", " ").split(), float).reshape(-1, 2) for path in drawn]


def test_it_trains_as_tensorflow_did(visit):
    page, widget = open_training(visit)
    assert "settings are those of TensorFlow" in widget.get_by_role("status").inner_text()
    assert not trainers(page), "a page that is only read trains nothing"
    widget.get_by_label("Full speed").check()
    button(widget, "Start").click()
    said = finish(widget)
    assert "Step 320 of 320" in said
    digits, power = said.split("lie within ")[1].split(" of TensorFlow")[0].split(" · 10⁻")
    assert float(digits) * 10.0 ** -int(power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))) < 1e-5
    for ours, theirs in zip(lines(widget, "yours"), lines(widget, "theirs"), strict=True):
        assert len(ours) >= 100
        assert abs(ours - theirs).max() <= 0.5, "drawn on each other"


def test_the_reader_starts_stops_and_resets_by_keyboard_alone(visit):
    page, widget = open_training(visit, width=test_browser.PHONE, scheme="dark")
    widget.get_by_label("Task").focus()
    names = []
    while names[-1:] != ["fast"]:
        names.append(page.evaluate("document.activeElement.name"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Tab")
    wanted = ["task", "units", "timesteps", "forgetBias", "learningRate", "defaults", "start", "reset", "fast"]
    assert names == wanted
    button(widget, "Start").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('lstm-train .yours').getAttribute('d')?.length > 50")
    page.keyboard.press("Space")
    button(widget, "Go on").wait_for()
    count = len(lines(widget, "yours")[0])
    page.wait_for_timeout(300)
    assert len(lines(widget, "yours")[0]) <= count + 1, "it stopped"
    page.keyboard.press("Enter")
    assert len(lines(widget, "yours")[0]) >= count, "it goes on where it was"
    wait_until(page, lambda: len(lines(widget, "yours")[0]) > count + 1)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    button(widget, "Start").wait_for()
    assert [len(line) for line in lines(widget, "yours")] == [0, 0]
    page.wait_for_timeout(200)
    assert [len(line) for line in lines(widget, "yours")] == [0, 0], "no late answer of the worker is drawn"


def test_it_stops_when_the_page_is_left_and_is_there_again_on_return(visit, server):
    page, widget = open_training(visit)
    page.evaluate("window.still = 'the same document'")
    for _ in range(2):
        button(widget, "Start").click()
        page.wait_for_function("document.querySelector('lstm-train .yours').getAttribute('d')?.length > 50")
        assert trainers(page) == 1
        page.click(".md-sidebar--primary a[href$='lstm/']")
        test_browser.arrive(page, server, "recurrent/lstm")
        wait_until(page, lambda: not trainers(page))
        page.go_back()
        test_browser.arrive(page, server, PAGE)
        button(widget, "Start").wait_for()
    assert page.evaluate("window.still") == "the same document"


def test_junk_does_no_harm(visit):
    _, widget = open_training(visit)
    fields = {"Units": "2.7", "Sequence length": "-4", "Forget-gate bias": "", "Learning rate": "1e300"}
    for label, junk in fields.items():
        widget.get_by_label(label).fill(junk)
        widget.get_by_label(label).blur()
    assert [widget.get_by_label(label).input_value() for label in fields] == ["3", "2", "1", "1"]
    said = widget.get_by_role("status").inner_text()
    assert said.startswith("Learning rate: a number from 0.00001 to 1, please."), "the limit is told, not only kept"
    assert "other settings" in said
    widget.get_by_label("Full speed").check()
    button(widget, "Start").click()
    said = finish(widget)
    assert "NaN" not in said
    assert "Infinity" not in said
    assert all(np.isfinite(line).all() for line in lines(widget, "yours"))
    button(widget, "Default settings").click()
    assert [widget.get_by_label(label).input_value() for label in fields] == ["16", "10", "1", "0.01"]


def test_the_forget_bias_decides_whether_the_first_symbol_is_remembered(visit):
    page, widget = open_training(visit)
    widget.get_by_label("Task").select_option("remember the first symbol")
    widget.get_by_label("Full speed").check()
    right = {}
    for bias in ("0", "5"):
        widget.get_by_label("Forget-gate bias").fill(bias)
        page.keyboard.press("Enter")
        right[bias] = int(finish(widget).split(" of 100 answers")[0].split(", ")[-1])
    assert right["0"] < 40
    assert right["5"] > 60
    assert all(len(line) == 1600 for line in lines(widget, "earlier")), "the first run stays in the picture"


@pytest.mark.parametrize("width", [test_browser.PHONE, test_browser.DESK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_while_it_shows_a_training(visit, width, scheme):
    page, widget = open_training(visit, width=width, scheme=scheme)
    widget.get_by_label("Full speed").check()
    button(widget, "Start").click()
    finish(widget)
    assert Axe().run(page, context="lstm-train").response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for control in widget.locator("button, input, select").all():
        target = control if control.get_attribute("type") != "checkbox" else control.locator("..")
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= 24
    assert all(len(svg.get_attribute("aria-label").split()) >= 3 for svg in widget.locator("svg[role=img]").all())


def test_it_speaks_seldom_and_moves_nothing_below_it(visit):
    page, widget = open_training(visit)
    height = widget.bounding_box()["height"]
    page.evaluate("""() => {
        window.said = [];
        const status = document.querySelector('lstm-train [role=status]');
        new MutationObserver(() => said.push(performance.now())).observe(status, { childList: true });
    }""")
    button(widget, "Start").click()
    assert "begins" in widget.get_by_role("status").inner_text()
    page.wait_for_function("said.length >= 3")
    pauses = np.diff(page.evaluate("said"))
    assert 1_000 < min(pauses) <= max(pauses) < 4_000
    assert abs(widget.bounding_box()["height"] - height) < 1


@pytest.mark.parametrize("width", [test_browser.PHONE, test_browser.DESK])
def test_its_place_is_kept_before_it_is_built(browser, server, width):
    """Layout shift, as browsers count it, with the widget in view while its numbers arrive late."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    held = []
    page.route("**/training.json", lambda route: held.append(route))
    page.goto(server + test_browser.PAGES[PAGE], wait_until="load")
    page.locator(".arithmatex:not([data-rendered])").first.wait_for(state="detached")
    page.locator("lstm-train").evaluate("e => scrollTo(0, scrollY + e.getBoundingClientRect().top - 300)")
    page.evaluate("""() => {
        window.shift = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => (shift += entry.value)))
            .observe({ type: 'layout-shift' });
    }""")
    wait_until(page, lambda: held)
    page.wait_for_timeout(600)
    held[0].continue_()
    page.locator("lstm-train form").wait_for()
    page.wait_for_timeout(300)
    assert page.evaluate("shift") <= 0.05
    page.close()


def test_with_reduced_motion_it_draws_once_an_epoch(visit):
    page, widget = open_training(visit, reduced_motion="reduce")
    page.evaluate("""() => {
        window.drawn = new Set();
        const line = document.querySelector('lstm-train .yours');
        const count = () => drawn.add(line.getAttribute('d').split('L').length);
        new MutationObserver(count).observe(line, { attributes: true });
    }""")
    button(widget, "Start").click()
    finish(widget)
    assert set(page.evaluate("[...drawn]")) <= {1, *range(32, 321, 32)}


def test_without_its_numbers_the_figure_stays(browser, server):
    page = browser.new_page()
    page.route("**/training.json", lambda route: route.fulfill(status=404))
    page.goto(server + test_browser.PAGES[PAGE], wait_until="networkidle")
    page.locator("lstm-train").scroll_into_view_if_needed()
    page.get_by_text("The training could not be loaded").wait_for()
    assert page.locator("lstm-train img").is_visible()
    page.close()


def test_without_javascript_the_figure_stands_in_its_place(visit):
    page = visit(PAGE, java_script_enabled=False)
    assert page.locator("lstm-train img").is_visible()
    assert page.locator("lstm-train").bounding_box()["height"] < 800, "no room is kept for what will not come"


def test_it_works_under_a_strict_content_policy(visit, site):
    _, widget = open_training(visit, policy=test_browser.content_policy(site))
    widget.get_by_label("Full speed").check()
    button(widget, "Start").click()
    assert "Step 320 of 320" in finish(widget)


@pytest.mark.filterwarnings("default")
def test_tensorflow_gives_the_stored_numbers_again():
    import keras

    stored = json.loads(STORED.read_text("utf-8"))
    assert len(gzip.compress(STORED.read_bytes(), 9)) <= 30_000
    layers = [keras.layers.LSTM(16, dtype="float32"), keras.layers.Dense(1, dtype="float32")]
    model = keras.Sequential([keras.Input((10, 1)), *layers])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.set_weights([np.array(weight) for weight in stored["start"]])
    series = np.sin(0.1 * np.arange(1034)).astype("float32")
    windows = np.stack([series[k : k + 11] for k in range(1024)])[419 * np.arange(1024) % 1024]
    losses = []
    for epoch, forecast in enumerate(stored["forecasts"]):
        known = list(series[:10])
        for _ in range(100):
            known.append(float(model.predict_on_batch(np.reshape(known[-10:], (1, 10, 1)).astype("float32"))[0, 0]))
        assert abs(np.array(known[10:]) - forecast).max() < 1e-2, f"epoch {epoch}"
        if epoch < 10:
            for batch in np.split(windows, 32):
                losses.append(float(model.train_on_batch(batch[:, :-1, None], batch[:, -1:])))
    assert abs(np.array(losses) - stored["losses"]).max() < 1e-5
