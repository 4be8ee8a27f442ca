"""The site in a real browser: phone and desk, light and dark, without JavaScript, by keyboard, on paper."""

import base64
import hashlib
import io
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from matplotlib.image import imread
from playwright.sync_api import expect

from tests import downloads, lessons
from tests.bench import download_sizes
from tests.conftest import PAGES, chromium_options

LESSON = "recurrent/lstm"
DESK, TABLET, PHONE = 1280, 768, 360
every_page = pytest.mark.parametrize("name", PAGES)
# What axe finds in Material's own templates: (rule, part of the selector).
THEMES_AXE = (("landmark-unique", ".md-code__nav"),)
# The animations that end by themselves; others follow the reader's scrolling.
TIMED = "document.getAnimations().filter(({ timeline }) => timeline === document.timeline)"

# What scrolls sideways can take the focus: the theme and scroll.js see to it some frames after a change of width.
MARKED = """[...document.querySelectorAll(".md-typeset :is(pre > code, .md-typeset__scrollwrap, div.arithmatex)")]
    .every((box) => box.hasAttribute("tabindex") || box.scrollWidth <= box.offsetWidth
        || !box.checkVisibility({ contentVisibilityAuto: true }))"""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return browser_type_launch_args | chromium_options()


@pytest.fixture
def visit(browser, server):
    """Open a page like a new reader; whatever the test looks at, nothing may fail, warn or come from elsewhere."""
    contexts, faults = [], []

    def failed(request):
        # A widget gives up what it has asked for when the reader goes on, also by a link within the page.
        if (request.resource_type, request.failure) != ("fetch", "net::ERR_ABORTED"):
            faults.append(f"{request.url}: {request.failure}")

    def go(name, width=DESK, scheme="light", policy="", **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        if policy:

            def guard(route):
                answer = route.fetch()
                route.fulfill(response=answer, headers=answer.headers | {"content-security-policy": policy})

            context.route("**/*", guard)
        page = context.new_page()
        page.on("console", lambda said: said.type in ("error", "warning") and faults.append(said.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("requestfailed", failed)
        page.on("response", lambda answer: answer.status >= 400 and faults.append(f"{answer.url}: {answer.status}"))
        page.on("request", lambda request: request.url.startswith((server, "data:")) or faults.append(request.url))
        page.goto(server + PAGES[name], wait_until="networkidle")
        return page

    yield go
    for context in contexts:
        context.unroute_all(behavior="wait")  # an answer still on its way would raise in the next test
        context.close()
    assert not faults


def equations(page) -> int:
    """How many equations the page shows; raises unless each is drawn once, without an error or raw TeX."""
    # Not wait_for_function: it evaluates a string again and again, and a content policy forbids that.
    page.locator(".arithmatex:not([data-rendered])").first.wait_for(state="detached", timeout=10_000)
    found = page.evaluate("""() => {
        const all = [...document.querySelectorAll('.arithmatex')];
        const drawn = all.map((e) => e.querySelectorAll('.katex').length);
        const prose = document.querySelector('.md-content article').cloneNode(true);
        prose.querySelectorAll('pre, code, .katex').forEach((e) => e.remove());
        const wrong = document.querySelectorAll('.katex-error, [mathcolor="#cc0000"]').length;
        return { drawn, wrong, raw: prose.textContent.match(/\\\\[([a-z]+|\\$/g) };
    }""")
    assert set(found["drawn"]) <= {1}
    assert found["wrong"] == 0
    assert found["raw"] is None
    return len(found["drawn"])


def settle(page) -> None:
    """Wait until the fading colours of a page stand still."""
    page.evaluate(f"Promise.all({TIMED}.map((animation) => animation.finished))")


def wait_until(page, found) -> None:
    """Wait for what the page itself does not know, ten seconds at most."""
    for _ in range(200):
        if found():
            return
        page.wait_for_timeout(50)
    raise TimeoutError(found)


def reach(page) -> None:
    """Press Tab, and wait until it reaches everything: with the first Tab all code gets its buttons."""
    page.keyboard.press("Tab")
    page.wait_for_function("""[...document.querySelectorAll("article .highlight")]
        .every((block) => !block.checkVisibility() || block.querySelector(".md-code__button"))""")


@every_page
def test_a_page_is_whole_and_accessible_at_every_width_in_both_palettes(visit, name):
    page = visit(name, PHONE)
    equations(page)
    page.evaluate("document.querySelectorAll('details').forEach((box) => (box.open = true))")
    reach(page)  # axe asks what the keyboard can reach
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    for palette, scheme, width, axe in (
        ("light", "default", PHONE, True),
        ("light", "default", TABLET, False),  # axe takes seconds, and would find here what it finds at the two others
        ("light", "default", DESK, True),
        ("dark", "slate", DESK, True),  # other colours, the same places
        ("dark", "slate", TABLET, False),
        ("dark", "slate", PHONE, True),
    ):
        page.emulate_media(color_scheme=palette)
        page.locator(f"body[data-md-color-scheme={scheme}]").wait_for(state="attached")
        page.set_viewport_size({"width": width, "height": 900})
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if not axe:
            continue
        page.wait_for_function(MARKED)
        violations = [
            (palette, width, violation["id"], node["target"], node["failureSummary"])
            for violation in Axe().run(page).response["violations"]
            for node in violation["nodes"]
            if not any(violation["id"] == rule and part in str(node["target"]) for rule, part in THEMES_AXE)
        ]
        assert not violations


def test_what_goes_on_beyond_the_edge_of_a_phone_fades_until_it_is_scrolled_to(visit):
    page = visit("recurrent/gru", PHONE)
    equations(page)
    page.wait_for_function(MARKED)
    wider = "(all, wide) => all.filter(e => (e.scrollWidth > e.clientWidth) === wide).map(e => e.tabIndex)"
    assert set(page.locator("div.arithmatex").evaluate_all(wider, True)) == {0}
    assert set(page.locator(".md-typeset__scrollwrap, div.arithmatex").evaluate_all(wider, False)) == {-1}
    box = page.locator(".md-typeset__scrollwrap[tabindex]").first
    expect(box).to_have_css("--fade", re.compile("[1-9]"))
    box.evaluate("e => (e.scrollLeft = e.scrollWidth)")
    expect(box).to_have_css("--fade", "0px")
    wide = page.locator(".md-typeset__scrollwrap:not([tabindex])").first
    assert wide.evaluate("e => getComputedStyle(e).maskImage") == "none"


def arrive(page, server: str, name: str) -> None:
    """Wait until instant navigation shows a page: its address comes first, its content a little later."""
    page.wait_for_url(re.compile(re.escape(server + PAGES[name]) + "([?#].*)?$"))
    heading = re.search(r"^# (.*)", (lessons.ROOT / f"docs/{name}.md").read_text("utf-8"), re.M)[1]
    page.wait_for_selector(f".md-content h1:has-text('{heading}')")


def test_equations_are_drawn_once_after_instant_navigation_there_and_back(visit, server):
    page = visit(LESSON)
    count = equations(page)
    assert count > 20
    page.evaluate("window.still = 'the same document'")
    for go, place in (
        (lambda: page.click("article a[href*='notation']"), "reference/notation"),
        (page.go_back, LESSON),
        (page.go_forward, "reference/notation"),
        (lambda: page.click(".md-header .md-logo"), "index"),
        (lambda: page.click(".md-tabs a:has-text('Recurrent networks')"), "recurrent/index"),
        (lambda: page.click(".md-sidebar--primary a[href$='lstm/']"), LESSON),
    ):
        go()
        arrive(page, server, place)
        shown = equations(page)
        assert place != LESSON or shown == count
        assert page.evaluate("window.still") == "the same document"


def test_the_whole_course_is_walked_by_its_next_links(visit, server):
    """One document from the first page to the last: no equation is drawn twice, no widget or worker stays behind."""
    page = visit("index")
    page.evaluate("window.still = 'the same document'")
    for name in PAGES:
        page.wait_for_url(re.compile(re.escape(server + PAGES[name]) + "([?#].*)?$"))
        page.locator(f"link[rel=canonical][href='{server}{PAGES[name]}']").wait_for(state="attached")
        equations(page)
        assert page.locator("lstm-cell, lstm-train").count() == {LESSON: 1, "recurrent/scratch": 1}.get(name, 0)
        assert not [worker for worker in page.workers if "train" in worker.url]
        if name != list(PAGES)[-1]:
            page.locator(".md-footer__link--next").click()
    assert page.evaluate("window.still") == "the same document"


@every_page
def test_a_page_is_readable_without_javascript(visit, name):
    page = visit(name, java_script_enabled=False)
    for box in page.locator("details > summary").all():
        box.press("Enter")  # a picture that arrives moves the page under a mouse
    for block in page.locator("article pre > code, article img, article table, article h2").all():
        block.wait_for(timeout=5_000)  # visible; a picture takes a moment after its fold was opened
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    if (lessons.ROOT / f"snippets/{name}.py").exists():
        shown = "".join(page.locator("article .language-python pre > code").all_text_contents())
        assert shown.split() == downloads.script(lessons.Lesson(name)).split()


def ink(page) -> tuple[float, float]:
    """Darkest and lightest grey of the lesson's first figure, from 0 to 1."""
    png = page.locator("article img").first.screenshot()
    grey = imread(io.BytesIO(png))[..., :3].mean(axis=-1)
    return grey.min(), grey.max()


def test_figures_follow_the_palette_switch_whatever_the_system_prefers(visit):
    for system in ("light", "dark"):
        page = visit(LESSON, scheme=system)
        seen = {}
        for _ in range(3):
            page.locator("label[for^=__palette]:visible").click()
            scheme = page.evaluate("document.body.dataset.mdColorScheme")
            settle(page)
            seen[scheme] = ink(page)
        darkest, lightest = seen["default"]
        assert (darkest, lightest) < (0.3, 1.01)
        assert lightest > 0.95
        darkest, lightest = seen["slate"]
        assert darkest < 0.2
        assert 0.7 < lightest < 0.95, "ink is light on dark paper, and nothing is white"


# What learners type, and the page that answers it.
QUESTIONS = {
    "install tensorflow": "introduction/setup",
    "could not find cuda drivers": "introduction/setup",
    "what is tensorflow": "introduction/overview",
    "loss is nan": "recurrent/gradients",
    "broadcasting shapes": "basics/tensors",
    "weight initializer": "basics/variables",
    "gradient is None": "basics/gradients",
    "tf.function retracing": "basics/graphs",
    "custom training loop": "basics/loop",
    "random seed": "basics/reproducibility",
    "different results every run": "basics/reproducibility",
    "sliding window": "data/windows",
    "timeseries_dataset_from_array": "data/windows",
    "train test split": "data/splits",
    "normalize data": "data/scaling",
    "data leakage": "data/scaling",
    "shuffle buffer": "data/pipelines",
    "prefetch": "data/pipelines",
    "pad_sequences": "data/lengths",
    "ragged": "data/lengths",
    "one-hot": "data/text",
    "vocabulary": "data/text",
    "xor": "networks/introduction",
    "sequential functional subclass": "networks/simple",
    "confusion matrix": "networks/simple",
    "dying relu": "networks/activations",
    "from_logits": "networks/losses",
    "adam optimizer": "networks/losses",
    "validation loss rises": "networks/overfitting",
    "save and load model": "networks/saving",
    "input shape lstm": "recurrent/shapes",
    "number of units": "recurrent/rnn",
    "backpropagation through time": "recurrent/bptt",
    "vanishing gradient": "recurrent/gradients",
    "gradient clipping": "recurrent/gradients",
    "lstm": "recurrent/lstm",
    "lstm equations": "recurrent/lstm",
    "forget gate": "recurrent/lstm",
    "shifted forecast": "recurrent/sine",
    "lstm from scratch": "recurrent/scratch",
    "forget bias": "recurrent/memory",
    "adding problem": "recurrent/tasks",
    "visualize gates": "recurrent/inside",
    "return_sequences": "recurrent/shapes",
    "stateful reset": "recurrent/shapes",
    "bidirectional": "recurrent/shapes",
    "padding mask": "recurrent/masking",
    "recurrent dropout": "recurrent/training",
    "how many layers": "recurrent/training",
    "cudnn slow": "recurrent/speed",
    "peephole": "recurrent/variants",
    "gru vs lstm": "recurrent/gru",
    "reset_after": "recurrent/gru",
    "batch_input_shape": "reference/migration",
}


def test_search_finds_the_page_that_answers_a_question_among_the_first_three(visit, server):
    page = visit("index")
    page.keyboard.press("/")
    field, found = page.locator(".md-search__input"), page.locator(".md-search-result__item > .md-search-result__link")
    missed = {}
    for words, wanted in QUESTIONS.items():
        for text in ("", words):  # at once: the theme's search complains about single letters on the way
            field.fill(text)
            field.press("End")
            found.first.wait_for(state="visible" if text else "detached")
        links, before = [], None
        while links != before:  # until the list is complete
            before = links
            page.wait_for_timeout(400)
            links = found.evaluate_all("links => links.map((link) => link.href.split(/[?#]/)[0])")
        first = list(dict.fromkeys(links))[:3]  # a page may be listed with several of its sections
        if server + PAGES[wanted] not in first:
            missed[words] = f"{words}: {wanted}, not {[link.removeprefix(server) for link in first]}"
    assert not missed, "\n".join(missed.values())
    found.nth(links.index(server + PAGES[wanted])).click()
    arrive(page, server, wanted)
    equations(page)


FOCUS = """() => {
    const e = document.activeElement, shown = e.matches('.md-option') ? e.nextElementSibling : e;  // a switch's icon
    const box = shown.getBoundingClientRect(), style = getComputedStyle(shown);
    const search = e.closest('.md-search') !== null;  // it opens, and its cursor shows the focus
    return { what: (e.getAttribute('title') || e.textContent || e.className).trim().slice(0, 40),
             left: e === document.body, copies: e.closest('.md-code__nav') !== null,
             seen: search || box.width > 0 && box.height > 0 && style.outlineStyle !== 'none' };
}"""


def walk(page, steps: int) -> list[dict]:
    """Press Tab until a copy button has the focus, `steps` times at most; each stop must show its focus."""
    stops = []
    while len(stops) < steps and not (stops and stops[-1]["copies"]):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(FOCUS))
    assert [stop for stop in stops if not stop["seen"]] == []
    return stops


def test_the_keyboard_reaches_links_and_copies_code(visit):
    page = visit(LESSON, permissions=["clipboard-read", "clipboard-write"])
    assert walk(page, steps=12)[0]["what"] == "Skip to content"
    page.locator(".md-skip").press("Enter")
    page.wait_for_function("!document.activeElement.matches('.md-skip')")  # the theme moves it a little later
    assert walk(page, steps=20)[-1]["copies"]
    page.keyboard.press("Enter")
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.length > 0)")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == lessons.read_blocks(lessons.Lesson(LESSON))[0].code.strip()


@every_page
def test_the_keyboard_reaches_everything_and_nothing_moves_for_who_wants_no_motion(visit, name):
    page = visit(name, reduced_motion="reduce")
    equations(page)
    page.evaluate("""() => {
        window.reached = new Set();
        document.addEventListener("focusin", ({ target }) => reached.add(target));
        window.controls = () => {
            const every = "article :is(a[href], button, select, summary, input:not([type=radio]))";
            const all = [...document.querySelectorAll(every)];
            return all.filter((e) => e.tabIndex >= 0 && !e.disabled && e.checkVisibility());
        };
    }""")
    reach(page)
    limit = 2 * page.evaluate("controls().length") + 200  # more would be a trap
    for _ in range(limit):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUS)
        if stop["left"]:
            break
        assert stop["seen"], stop
    assert stop["left"], "the focus never leaves the page"
    assert page.evaluate("controls().filter((e) => !reached.has(e)).map((e) => e.outerHTML.slice(0, 80))") == []
    assert page.evaluate(f"{TIMED}.map((a) => a.effect.target.className)") == []


def test_back_to_top_takes_the_focus_only_while_it_is_seen_and_shows_it(visit):
    page = visit(LESSON)
    top = page.locator(".md-top")
    focus = "button => { button.focus({ focusVisible: true }); return document.activeElement === button; }"
    assert not top.evaluate(focus)
    for place in (900, 1800):
        page.mouse.wheel(0, 900)
        page.wait_for_function(f"scrollY === {place}")
        page.wait_for_timeout(200)  # the theme looks where the page stands
    page.mouse.wheel(0, -300)  # the theme shows it to who scrolls back
    top.wait_for(state="visible")
    assert top.evaluate(focus)
    assert page.evaluate(FOCUS)["seen"]


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_code_far_away_is_not_laid_out_and_takes_the_room_that_it_will_need(visit, width):
    page = visit(LESSON, width)
    equations(page)
    shown = page.locator(".highlight code").evaluate_all(
        "codes => codes.map((code) => code.checkVisibility({ contentVisibilityAuto: true }))"
    )
    assert shown.count(False) > 20
    page.evaluate("location.hash = '#exercises'")
    place = "document.querySelector('#exercises').getBoundingClientRect().top"
    page.wait_for_function(f"0 < {place} && {place} < 150")
    off = page.locator(".highlight").evaluate_all("""blocks => blocks.map((block) => {
        const planned = block.offsetHeight;
        block.style.contentVisibility = "visible";
        return Math.abs(planned - block.offsetHeight);
    })""")
    assert max(off) <= 2
    reach(page)
    titled = page.locator(".highlight > .filename + pre:has(.md-code__button)")
    assert titled.count() > 5
    over = titled.evaluate_all("""all => all.map((pre) => {
        const bottom = pre.querySelector(".md-code__button").getBoundingClientRect().bottom;
        return bottom - pre.querySelector("code").getBoundingClientRect().top;
    })""")
    assert max(over) <= 2, "the button hides code"


def test_a_short_equation_keeps_its_full_stop(visit):
    """On one line, at every width of the text."""
    page = visit("recurrent/bptt", PHONE)
    equations(page)
    assert page.locator(".kept").count() > 5
    broken = """all => all.filter((e) => {
        const mark = document.createRange(), drawn = e.querySelector(".katex-html").getBoundingClientRect();
        mark.selectNodeContents(e.lastChild);
        return mark.getBoundingClientRect().top > drawn.bottom;
    }).length"""
    for width in range(PHONE, TABLET, 8):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator(".kept").evaluate_all(broken) == 0


@pytest.mark.parametrize("name", ["index", LESSON, "labs/layer"])
def test_little_moves_while_a_page_is_drawn(visit, name):
    page = visit(name, width=412)
    shift = page.evaluate("""() => new Promise((resolve) => {
        let total = 0;
        const add = (list) => list.getEntries().forEach(({ value }) => (total += value));
        new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => resolve(total), 1000);
    })""")
    assert shift <= 0.05


@every_page
def test_paper_loses_nothing(visit, name):
    page = visit(name, width=718, scheme="dark")  # A4 between margins
    equations(page)
    page.emulate_media(media="print")
    settle(page)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    lost = page.evaluate("""() => [...document.querySelectorAll(
        'article :is(pre > code, img, table, h2, p:not(:empty), .arithmatex)')].filter((e) => {
            const box = e.getBoundingClientRect(), clips = getComputedStyle(e).overflowX !== 'visible';
            return box.height === 0 || box.left + Math.max(box.width, e.scrollWidth) > innerWidth + 1
                || clips && e.scrollWidth > e.clientWidth + 1;
        }).map((e) => [e.tagName, e.className, e.textContent.slice(0, 60), e.scrollWidth, e.clientWidth])""")
    assert not lost


def test_a_first_visit_is_small(browser, server, site):
    sizes = download_sizes(browser, server, site)
    assert sizes.pop("search index") <= 9_000 * len(PAGES)  # fetched when the reader turns to the search
    for place, size in sizes.items():
        assert size <= (280_000 if place.startswith("first") else 60_000), (place, size)


def content_policy(site) -> str:
    """The strictest Content-Security-Policy under which the site works.

    Only the theme has inline scripts: where the site begins (a text for each depth of folders), the palette before the
    first paint, and the tab that an address names. Each is allowed by its hash. Inline styles: the theme and KaTeX.
    """
    texts = {
        script.string
        for page in site.rglob("*.html")
        for script in BeautifulSoup(page.read_text("utf-8"), "html.parser").find_all("script", src=False)
        if script.get("type") != "application/json"
    }
    theme = ("__md_scope=", "var palette=", "var target=")
    assert {text[:10] for text in texts} == {start[:10] for start in theme}
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in sorted(texts))
    scripts = " ".join(f"'sha256-{value}'" for value in hashes)
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize("name", ["index", LESSON, "labs/layer", "basics/tensors"])
def test_the_site_works_under_a_strict_content_policy(visit, site, server, name):
    """`visit` fails for what the browser refuses: that is an error in the console."""
    page = visit(name, policy=content_policy(site))
    equations(page)
    page.keyboard.press("/")
    page.keyboard.type("forget gate")
    page.locator(".md-search-result__link").first.wait_for()
    page.keyboard.press("Escape")
    page.locator(".md-tabs a:has-text('Reference')").evaluate("link => link.click()")
    arrive(page, server, "reference/notation")
    assert equations(page) > 10
