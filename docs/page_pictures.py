"""The pictures of the pages at `/` and `/week`: `python -m docs.page_pictures` serves the demo, and takes them.

`make pictures` runs it: the pictures are made small by the same program as those of the dashboards.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from docs.pictures.draw import PAGE, run_program
from tightrope.demo.replay import replay, traffic

ROOT = Path(__file__).parents[1]
SENT_BEFORE_SECONDS = 100.0
"""Seconds of traffic before the pictures: by then two groups are with the full model, and the others have evidence."""

REQUESTS_PER_SECOND = 40.0
CASE = "#/employment/residence%3Dgroup_quarters"


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A picture: its file in docs/, the window in pixels, the colours, the place behind `/`, and what must be there."""

    file: str
    width: int
    height: int
    scheme: Literal["light", "dark"]
    place: str = ""
    selector: str = ".model"


PAGE_PICTURES = (
    PagePicture("page.png", 1440, 832, "light"),
    PagePicture("page-case.png", 1440, 900, "dark", CASE, "dialog .path"),
    PagePicture("page-phone.png", 390, 844, "light"),
    PagePicture("week.png", 1180, 1640, "light", "week", ".chart"),
)


def main() -> None:
    """Serve, send, take the pictures."""
    with tempfile.TemporaryDirectory() as name, _serving(Path(name)) as address, _traffic(address):
        time.sleep(SENT_BEFORE_SECONDS)
        program = shutil.which("chromium")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            for picture in PAGE_PICTURES:
                _take(browser, address, picture, Path(name))
                sys.stdout.write(f"docs/{picture.file}\n")
            browser.close()


def _take(browser: Browser, address: str, picture: PagePicture, folder: Path) -> None:
    raw = folder / picture.file
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height}, color_scheme=picture.scheme, timezone_id="UTC"
    )
    page = context.new_page()
    page.goto(f"{address}/{picture.place}")
    page.wait_for_selector(picture.selector)
    page.wait_for_timeout(1_000)  # the bars have grown
    page.screenshot(path=raw)
    context.close()
    run_program("node", PAGE / "shrink.mjs", raw, ROOT / "docs" / picture.file)


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """The demo's configuration on a free port, with a fresh state; the address."""
    config = (ROOT / "demo" / "tightrope.yaml").read_text().replace("models/", f"{ROOT}/demo/models/")
    path = folder / "tightrope.yaml"
    path.write_text(f"{config}\nserver: {{port: 0}}\nstate: state\n")
    command = [sys.executable, "-m", "tightrope", "run", str(path), "--json"]
    environment = {**os.environ, "TIGHTROPE_CONTROL_TOKEN": "secret"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603 - our own
        try:
            yield json.loads(next(iter(process.stdout or [])))["address"]
        finally:
            process.terminate()


@contextmanager
def _traffic(address: str) -> Iterator[None]:
    """The demo's rows, sent one after the other until the block ends."""
    stopped = Event()

    def send() -> None:
        for _ in replay(address, traffic(), REQUESTS_PER_SECOND):
            if stopped.is_set():
                return

    thread = Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


if __name__ == "__main__":
    main()
