"""The built site, once a session, served under a base path; and what is said where a tool is missing."""

import gzip
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from tests.lessons import ROOT, read_config

BASE = "/course/"  # the site lives below a path, so that an absolute address that forgets it is found


def nav_files(nav: list) -> list[str]:
    """The files of a navigation in reading order."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [file for part in parts for file in nav_files(part)]


def address(file: str) -> str:
    """Where a page stands below the base path: `recurrent/lstm/` for `recurrent/lstm.md`."""
    stem = file.rsplit(".", 1)[0]
    return stem.removesuffix("index") if stem.split("/")[-1] == "index" else f"{stem}/"


PAGES = {file.rsplit(".", 1)[0]: address(file) for file in nav_files(read_config()["nav"])}  # {name: address}


def chromium_options() -> dict:
    """How Playwright starts the system's Chromium."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    need(chromium, "Chromium")
    return {"executable_path": chromium, "args": ["--headless=new", "--no-sandbox"]}


def need(found: object, what: str) -> None:
    """Skip where a tool is missing; in CI, where it must be there, fail."""
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is missing: this is not checked here")


def build(folder: Path, site_url: str, root: Path = ROOT) -> None:
    """Build the site as a reader will see it; a warning is an error."""
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "SITE_URL": site_url}
    # Two processes of tests may build at once, and the downloads are written among the sources.
    (root / ".runs").mkdir(exist_ok=True)
    with filelock.FileLock(root / ".runs/build.lock"):
        for command in (["tests.downloads"], ["mkdocs", "build", "--strict", "--site-dir", str(folder)]):
            done = subprocess.run(
                [sys.executable, "-m", *command], cwd=root, env=environment, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, done.stdout + done.stderr


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder below the base path, text compressed, as hosts of static sites do."""

    def do_GET(self):
        if not self.path.startswith(BASE):
            self.send_error(404, "outside the base path")
            return
        self.path = self.path.removeprefix(BASE.rstrip("/"))
        file = Path(self.translate_path(self.path))
        file = file / "index.html" if file.is_dir() and self.path.split("?")[0].endswith("/") else file
        if not file.is_file() or "gzip" not in self.headers.get("Accept-Encoding", ""):
            super().do_GET()
            return
        body = gzip.compress(file.read_bytes())
        self.send_response(200)
        headers = {"Content-Type": self.guess_type(file), "Content-Encoding": "gzip", "Content-Length": len(body)}
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *unused):
        pass


def listen(folder: Path) -> http.server.ThreadingHTTPServer:
    """A web server for a folder, on a free port."""
    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Handler(*args, directory=str(folder)))


@pytest.fixture(scope="session")
def listener(tmp_path_factory):
    """A server of a folder that is still empty: the site is built with its port."""
    folder = tmp_path_factory.mktemp("served")
    with listen(folder) as listening:
        listening.folder = folder
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening
        listening.shutdown()


@pytest.fixture(scope="session")
def site(listener) -> Path:
    """The folder of the built site."""
    build(listener.folder, f"http://127.0.0.1:{listener.server_port}{BASE}")
    return listener.folder


@pytest.fixture(scope="session")
def server(listener, site) -> str:
    """The address of the home page."""
    return f"http://127.0.0.1:{listener.server_port}{BASE}"


def pytest_configure(config):
    config.addinivalue_line("markers", 'slow: takes minutes; leave it out with -m "not slow"')
