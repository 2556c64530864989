"""The committed pictures of the page."""

import pytest

from docs.page_pictures import PAGE_PICTURES, PagePicture
from tests.docs.test_pictures import MAX_PICTURE_BYTES
from tests.house.sources import ROOT


@pytest.mark.parametrize("picture", PAGE_PICTURES, ids=lambda picture: picture.file)
def test_picture_of_the_page_is_small_and_shown(picture: PagePicture) -> None:
    """A document shows the picture, it loads fast, and it has the width of its window."""
    content = (ROOT / "docs" / picture.file).read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < MAX_PICTURE_BYTES
    assert int.from_bytes(content[16:20], "big") == picture.width
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    assert any(f"{picture.file})" in page.read_text() for page in pages)
