"""Measure what the site costs authors and readers: `python -m tests.bench` writes docs/reference/measured.txt."""

import contextlib
import datetime
import gzip
import importlib.metadata
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.conftest import BASE, PAGES, chromium_options, listen
from tests.lessons import RECORD, ROOT, Lesson, find_lessons

LESSON = "recurrent/lstm"  # the typical page: equations, figures, twenty blocks of code
INDEX = "search/search_index.json"
SIZES = (50, 200, 800)
TABLE = ROOT / "docs/reference/measured.txt"
LIGHTHOUSE = "12.8.2"  # the newest that runs on Node 20
TFJS = "4.22.0"  # what the training in the reader's browser is measured against; no part of the site
ENVIRONMENT = os.environ | {"NO_MKDOCS_2_WARNING": "1"}


def build_seconds(root: Path, site: Path) -> float:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    start = time.perf_counter()
    subprocess.run(command, cwd=root, env=ENVIRONMENT, check=True)
    return time.perf_counter() - start


def copy_tree(root: Path) -> None:
    """What a build reads, so that nothing here touches the real files."""
    for folder in ("docs", "snippets"):
        shutil.copytree(ROOT / folder, root / folder)
    shutil.copy(ROOT / "mkdocs.yml", root)


def wait_for(address: str, text: str) -> None:
    for _ in range(3000):
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=10) as answer:  # while it starts
            if text in answer.read().decode():
                return
        time.sleep(0.02)
    raise TimeoutError(f"{address} never showed: {text}")


def reload_seconds(root: Path) -> float:
    """From saving a sentence to the new page being served by `mkdocs serve`; the best of three."""
    with listen(root) as free:
        place = f"127.0.0.1:{free.server_port}"
    address = f"http://{place}{BASE}{PAGES[LESSON]}"
    command = [sys.executable, "-m", "mkdocs", "serve", "--dirty", "--quiet", "--dev-addr", place]
    process = subprocess.Popen(command, cwd=root, env=ENVIRONMENT | {"SITE_URL": f"http://{place}{BASE}"})
    try:
        wait_for(address, "</html>")
        times = []
        for number in range(3):
            time.sleep(1)
            start = time.perf_counter()
            with Lesson(LESSON, root).page.open("a", encoding="utf-8") as page:
                page.write(f"\nMarked sentence {number}.\n")
            wait_for(address, f"Marked sentence {number}.")
            times.append(time.perf_counter() - start)
        return min(times)
    finally:
        process.terminate()
        process.wait()


def write_synthetic(root: Path, pages: int) -> None:
    """Copies of the typical page, ten to a module, with the site's own configuration but its navigation."""
    copy_tree(root)
    config = (root / "mkdocs.yml").read_text("utf-8")
    (root / "mkdocs.yml").write_text(re.sub(r"^nav:\n(?:[ -].*\n?)*", "", config, flags=re.M), "utf-8")
    text = re.sub(r"\]\((\w+\.md)", r"](../recurrent/\1", Lesson(LESSON, root).page.read_text("utf-8"))
    for number in range(pages):
        page = root / f"docs/module{number // 10:02d}/page{number % 10}.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text(text.replace("# ", f"# {number}: ", 1), "utf-8")


def download_sizes(browser: Browser, server: str, site: Path) -> dict[str, int]:
    """Compressed bytes of a visit: to the home page, to a lesson, then to each other page.

    Figures are left out. The search index, which is fetched when the reader turns to the search, is counted by itself.
    """
    apart = re.compile(r"runs/|assets/[^/]*\.svg$")

    def fetch(name: str) -> set[str]:
        context = browser.new_context()
        page, fetched = context.new_page(), set()
        page.on("request", lambda request: fetched.add(re.split("[?#]", request.url.removeprefix(server))[0]))
        page.goto(server + PAGES[name], wait_until="networkidle")
        page.locator(".arithmatex:not([data-rendered])").first.wait_for(state="detached")
        page.evaluate("document.fonts.ready")  # those of the equations come last
        context.close()
        return {path for path in fetched if not apart.match(path) and not path.startswith("data:")}

    def size(paths: set[str]) -> int:
        files = (site / path / "index.html" if (site / path).is_dir() else site / path for path in paths)
        return sum(len(gzip.compress(file.read_bytes(), 9)) for file in files)

    seen = fetch(LESSON)
    sizes = {"first visit, home page": size(fetch("index")), f"first visit, {LESSON}": size(seen)}
    sizes["search index"] = size({INDEX})
    return sizes | {f"then {name}": size(fetch(name) - seen) for name in PAGES if name != LESSON}


# One epoch of the training on the page recurrent/scratch, on the page's own code and on TensorFlow.js: the median of
# five after two to warm up. Both begin with TensorFlow's weights, and must arrive at the same loss of the first batch.
EPOCHS = """async ({ backends }) => {
  const { TASKS, training } = await import(new URL("training.js", location));
  const { start, losses } = await (await fetch("training.json")).json();
  const agree = (loss) => { if (!(Math.abs(loss - losses[0]) < 1e-5)) throw new Error(`not the same net: ${loss}`); };
  const median = async (epoch) => {
    const times = [];
    for (let k = 0; k < 7; k++) {
      const began = performance.now();
      await epoch();
      if (k > 1) times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[2];
  };
  const settings = { task: "sine", units: 16, timesteps: 10, forgetBias: 1, learningRate: 0.01 };
  const run = training(settings, start);
  agree(training(settings, start).step().loss);
  const found = { ours: await median(() => { for (let k = 0; k < TASKS.sine.epoch; k++) run.step(); }) };
  for (const backend of backends) {
    if (backend === "wasm") tf.wasm.setWasmPaths(new URL(".", location).href);
    await tf.setBackend(backend);
    const cell = tf.layers.lstm({ units: 16, inputShape: [10, 1], recurrentActivation: "sigmoid" });
    const model = tf.sequential({ layers: [cell, tf.layers.dense({ units: 1 })] });
    model.setWeights(start.map((weight) => tf.tensor(weight)));
    model.compile({ optimizer: tf.train.adam(0.01), loss: "meanSquaredError" });
    const order = Array.from({ length: 1024 }, (_, k) => (419 * k) % 1024);
    const x = tf.tensor3d(order.map((k) => Array.from({ length: 10 }, (_, t) => [Math.sin(0.1 * (k + t))])));
    const y = tf.tensor2d(order.map((k) => [Math.sin(0.1 * (k + 10))]));
    agree(model.evaluate(x.slice(0, 32), y.slice(0, 32)).dataSync()[0]);
    found[backend] = await median(() => model.fit(x, y, { batchSize: 32, epochs: 1, shuffle: false, verbose: 0 }));
  }
  return found;
}"""


def training_speed(browser: Browser, folder: Path) -> str:
    """Milliseconds for an epoch, ours and TensorFlow.js', in one run; it is installed for this run only."""
    folder.mkdir()
    packages = [f"@tensorflow/tfjs@{TFJS}", f"@tensorflow/tfjs-backend-wasm@{TFJS}"]
    command = ["npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", *packages]
    installed = shutil.which("npm") and subprocess.run(command, capture_output=True, timeout=300).returncode == 0
    files = [*(ROOT / "docs/assets/js").glob("*.js"), ROOT / "docs/runs/recurrent/scratch/training.json"]
    if installed:
        packed = folder / "node_modules/@tensorflow"
        files += [packed / "tfjs/dist/tf.min.js", packed / "tfjs-backend-wasm/dist/tf-backend-wasm.min.js"]
        files += (packed / "tfjs-backend-wasm/dist").glob("*.wasm")
    for file in files:
        shutil.copy(file, folder)
    scripts = ("tf.min.js", "tf-backend-wasm.min.js") if installed else ()
    tags = "".join(f'<script src="{name}"></script>' for name in scripts)
    (folder / "index.html").write_text(f"<!doctype html><title>bench</title>{tags}", "utf-8")
    with listen(folder) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{listener.server_port}{BASE}")
        found = page.evaluate(EPOCHS, {"backends": ["wasm", "cpu"] if installed else []})
        listener.shutdown()
    ours = found.pop("ours")
    if not installed:
        return f"{ours:.0f} ms (TensorFlow.js is not measured: npm or its registry cannot be reached)"
    theirs = ", ".join(f"{time:.0f} ms on {backend}" for backend, time in found.items())
    return f"{ours:.0f} ms; TensorFlow.js {TFJS}: {theirs}, {min(found.values()) / ours:.1f} times as long at best"


def lighthouse(address: str, folder: Path) -> str:
    """Lighthouse's four scores and the layout shift of a page on a phone: each the median of three runs."""
    command = ["npx", "--yes", f"lighthouse@{LIGHTHOUSE}", address, "--quiet", "--output=json"]
    command += ["--chrome-flags=--headless=new --no-sandbox", f"--output-path={folder / 'lighthouse.json'}"]
    environment = os.environ | {"CHROME_PATH": chromium_options()["executable_path"]}
    found: dict[str, list[float]] = {}
    for _ in range(3):
        if not shutil.which("npx") or subprocess.run(command, env=environment, capture_output=True).returncode:
            return "not measured: Node or the registry of Lighthouse cannot be reached"
        report = json.loads((folder / "lighthouse.json").read_text("utf-8"))
        for category in report["categories"].values():
            found.setdefault(category["title"].lower(), []).append(category["score"])
        found.setdefault("layout shift", []).append(report["audits"]["cumulative-layout-shift"]["numericValue"])
    return ", ".join(f"{what} {statistics.median(values):.2f}" for what, values in found.items())


def rows(folder: Path) -> list[tuple[str, str]]:
    table = []
    for lesson in find_lessons():
        record = json.loads((lesson.store / RECORD).read_text("utf-8"))
        table.append((f"Run the lesson `{lesson.name}`", f"{sum(record['seconds'].values()):.0f} s"))
    best = min(build_seconds(ROOT, folder / "site") for _ in range(3))
    table.append((f"Strict build of the site, {len(PAGES)} pages", f"{best:.1f} s"))
    copy_tree(folder / "edited")
    table.append(("From saving a sentence to the new page", f"{reload_seconds(folder / 'edited'):.1f} s"))
    for pages in SIZES:
        root = folder / f"synthetic{pages}"
        write_synthetic(root, pages)
        seconds = build_seconds(root, folder / "built")
        each = f"{1000 * (seconds - best) / pages:.0f} ms for each more"
        table.append((f"Strict build of {pages} copies of a lesson", f"{seconds:.1f} s, {each}"))
        shutil.rmtree(root)
    with listen(folder / "site") as listener, sync_playwright() as playwright:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(**chromium_options())
        server = f"http://127.0.0.1:{listener.server_port}{BASE}"
        sizes = download_sizes(browser, server, folder / "site")
        largest = max((place for place in sizes if place.startswith("then")), key=sizes.get)
        for place in (*list(sizes)[:3], largest):
            table.append((f"Compressed download without figures: {place}", f"{sizes[place] / 1000:.0f} KB"))
        for name in ("index", LESSON, "labs/layer"):
            table.append((f"Lighthouse {LIGHTHOUSE}, `{name}`", lighthouse(server + PAGES[name], folder)))
        table.append(("One epoch of the training in the browser, 16 units", training_speed(browser, folder / "tfjs")))
        listener.shutdown()
    return table


def machine() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text("utf-8")) if info.exists() else None
    parts = [f"{datetime.date.today()}", found[1] if found else platform.processor(), f"{os.cpu_count()} cores"]
    parts += [f"{name} {importlib.metadata.version(name)}" for name in ("mkdocs", "mkdocs-material")]
    return ", ".join([*parts, f"Python {platform.python_version()}"])


def main() -> None:
    TABLE.touch()  # the site that is measured includes it
    with tempfile.TemporaryDirectory() as folder:
        table = [("What", "How much"), ("---", "---:"), *rows(Path(folder))]
    text = "".join(f"| {what} | {much} |\n" for what, much in table) + f"\nMeasured: {machine()}.\n"
    TABLE.write_text(text, "utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
