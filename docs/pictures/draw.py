"""Draw a dashboard and its query results: Grafana's components in a headless browser."""

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
TOP_PIXELS, BOTTOM_PIXELS, ROW_PIXELS = 64, 8, 38
"""Heights in pixels: above the panels, below them, and of one line of Grafana's grid."""

TIMEOUT_SECONDS = 120


def build(folder: Path) -> None:
    """Bundle the page."""
    run_program("node", "build.mjs", folder)
    shutil.copy(PAGE / "index.html", folder)


def draw(folder: Path, shown: Json, to: Path, width: int, lines: int | None = None) -> None:
    """Write the picture of a page that was built in ``folder``, or of the upper ``lines`` of its grid."""
    (folder / "picture.js").write_text(f"window.PICTURE = {json.dumps(shown | {'width': width})};")
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in shown["board"]["panels"])
    height = TOP_PIXELS + (lines or bottom) * ROW_PIXELS + (0 if lines else BOTTOM_PIXELS)
    raw = folder / "raw.png"
    with _served(folder) as address:
        output = run_program(
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
    if "Uncaught" in output:
        raise SystemExit(f"the page failed: {output[-2000:]}")
    run_program("node", "shrink.mjs", raw, to)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine; yield the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def run_program(program: str, *arguments: str | Path) -> str:
    """Run a program in the folder of the page to its end, and return its errors."""
    path = shutil.which(program)
    if path is None:
        raise SystemExit(f"{program} is missing: `make pictures` needs node, chromium and prometheus")
    command = [path, *map(str, arguments)]
    ended = subprocess.run(command, cwd=PAGE, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)  # noqa: S603 - our own commands
    if ended.returncode:
        raise SystemExit(f"{program} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return ended.stderr
