"""The page of the demo's sweep and its picture."""

from pathlib import Path

import pytest

from docs import sweep_page
from docs.sweep_page import PAGE_FILE, PICTURE_FILE, PICTURE_WIDTH, take_picture
from tests.docs.test_pictures import MAX_PICTURE_BYTES
from tests.house.sources import ROOT
from tightrope.offline.sweep.page.document import PAGE_STYLE


def test_the_committed_page_is_of_this_version() -> None:
    """It has the current style, the recommendation, and the figures that documents cite."""
    page = PAGE_FILE.read_text()
    assert PAGE_STYLE in page, "the page in docs/ has an older style: run `make sweep` and look at it"
    for words in (
        "good_distilled is proved within the limits of disagreement",
        "Of 1,000 in group quarters (residence) about 539 get another answer (at least 481; the limit is 100)",
        "<strong>prune-0.5</strong> is harmful. Of 1,000 in group quarters (residence) about 180",
        "147 in group quarters (residence)",
    ):
        assert words in page
    assert "<script" not in page


def test_the_picture_is_small_and_shown() -> None:
    """README shows it, with a link to the page itself."""
    content = PICTURE_FILE.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < MAX_PICTURE_BYTES
    assert int.from_bytes(content[16:20], "big") == PICTURE_WIDTH
    readme = (ROOT / "README.md").read_text()
    assert "docs/sweep.png)" in readme
    assert "docs/sweep-demo.html)" in readme


def test_without_chromium_the_picture_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is written all the same."""
    monkeypatch.setattr(sweep_page.shutil, "which", lambda _: None)
    take_picture(PAGE_FILE, tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()
