"""A dashboard and its answers as a picture: Grafana's components in a browser without a window."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.observability.dashboard_queries import Json

PAGE = Path(__file__).parent / "page"
HEAD, FOOT, CELL = 64, 8, 38
"""Pixels: of what stands above the panels, below them, and of one line of Grafana's grid."""

PATIENCE = 120


def build(folder: Path) -> None:
    """Bundle the page."""
    _run("node", "build.mjs", folder)
    shutil.copy(PAGE / "index.html", folder)


def draw(folder: Path, shown: Json, to: Path, width: int, lines: int | None = None) -> None:
    """Take the picture, of a page that was built in this folder, or only of so many lines of its grid."""
    (folder / "picture.js").write_text(f"window.PICTURE = {json.dumps(shown | {'width': width})};")
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in shown["board"]["panels"])
    height = HEAD + (lines or bottom) * CELL + (0 if lines else FOOT)
    raw = folder / "raw.png"
    with _served(folder) as address:
        said = _run(
            *(
                "chromium",
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--enable-logging=stderr",
            ),
            *(f"--window-size={width},{height}", "--virtual-time-budget=10000"),
            *(f"--screenshot={raw}", address),
        )
    if "Uncaught" in said:
        raise SystemExit(f"the page failed: {said[-2000:]}")
    _run("node", "shrink.mjs", raw, to)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The folder on a free port of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, *_: object) -> None:
        """Not here."""


def _run(program: str, *arguments: str | Path) -> str:
    found = shutil.which(program)
    if found is None:
        raise SystemExit(f"{program} is missing: `make pictures` needs node, chromium and prometheus")
    command = [found, *map(str, arguments)]
    ended = subprocess.run(command, cwd=PAGE, capture_output=True, text=True, check=False, timeout=PATIENCE)  # noqa: S603 - our own commands
    if ended.returncode:
        raise SystemExit(f"{program} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return ended.stderr
