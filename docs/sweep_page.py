"""The page of the demo's sweep, and its picture: `python -m docs.sweep_page` writes both; `make sweep` runs it.

The demo's four compressed models and the variants that `--make` makes are judged by disagreement alone: for the other
criteria of the demo some groups have too few rows once three in ten choose.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tightrope.cli.main import app

ROOT = Path(__file__).parents[1]
PAGE_FILE = ROOT / "docs" / "sweep-demo.html"
PICTURE_FILE = ROOT / "docs" / "sweep.png"
PICTURE_WIDTH, PICTURE_HEIGHT = 1120, 1210
MADE = "dynamic,static,fp16,prune:0.3:0.9"


def sweep_demo(folder: Path, *options: str) -> int:
    """Sweep copies of the demo's compressed models, and what is made beside them, in a folder; return the exit code."""
    variants = folder / "variants"
    variants.mkdir()
    for path in (ROOT / "demo" / "models").glob("*_*.onnx"):
        if "baseline" not in path.name:
            shutil.copy(path, variants)
    config = (ROOT / "demo" / "tightrope.yaml").read_text().replace("models/", f"{ROOT}/demo/models/")
    (folder / "tightrope.yaml").write_text(f"{config}\nstate: state\n")
    arguments = [str(folder / "tightrope.yaml"), str(ROOT / "demo" / "data" / "golden.csv"), str(variants)]
    judged = ["--criteria", "disagreement", "--make", MADE, "--hotspots"]
    code = app(["sweep", *arguments, *judged, *options], standalone_mode=False)
    return int(code or 0)


def take_picture(page: Path, picture: Path) -> None:
    """Take the first screen of the page in Chromium, in light colours; without Chromium the picture stays as it is."""
    if shutil.which("chromium") is None:
        sys.stdout.write("chromium is missing: docs/sweep.png stays as it is\n")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        window = browser.new_page(viewport={"width": PICTURE_WIDTH, "height": PICTURE_HEIGHT}, color_scheme="light")
        window.goto(page.as_uri())
        window.screenshot(path=picture)
        browser.close()


def main() -> None:
    """Write the page, then its picture; end as the sweep does."""
    with tempfile.TemporaryDirectory() as name:
        code = sweep_demo(Path(name), "--page", str(PAGE_FILE))
    take_picture(PAGE_FILE, PICTURE_FILE)
    sys.exit(code)


if __name__ == "__main__":
    main()
