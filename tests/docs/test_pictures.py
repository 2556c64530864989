"""The committed pictures show the dashboards as they are, and Prometheus gets the queries that Grafana sends."""

import json

import pytest

from docs.pictures.album import DIGESTS_FILE, PICTURES, Picture, _visible, digests
from docs.pictures.query import View
from tests.house.sources import ROOT
from tests.support.observability.dashboard_queries import board_queries
from tightrope.dashboards.boards import boards

VIEW = View(1_000.0, 1_600.0, 5, {"datasource": "x", "model": "m", "scope": ".*", "monitor": "mix"})
MAX_PICTURE_BYTES = 300_000


def test_pictures_show_the_current_dashboards() -> None:
    """A visible change of a dashboard needs new pictures."""
    stored = json.loads(DIGESTS_FILE.read_text())
    changed = [uid for uid, digest in digests().items() if stored.get(uid) != digest]
    assert changed == [], "the pictures in docs/ show older dashboards: run `make pictures` and look at them"


def test_only_visible_changes_need_new_pictures() -> None:
    """A description is invisible, a title is not; of a folded row only the number of panels is visible."""
    inside = {"title": "t", "description": "d", "targets": []}
    row = {"title": "r", "type": "row", "panels": [inside]}
    assert _visible(inside) == _visible({**inside, "description": "other"})
    assert _visible(inside) != _visible({**inside, "title": "other"})
    assert _visible(row) == _visible({**row, "panels": [{**inside, "title": "other"}]})
    assert _visible(row) != _visible({**row, "panels": [inside, inside]})


def test_every_dashboard_has_its_picture() -> None:
    """Pictures and digests cover exactly the dashboards that are built."""
    assert {picture.uid for picture in PICTURES} == set(boards())
    assert set(json.loads(DIGESTS_FILE.read_text())) == set(boards())


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.file)
def test_picture_is_small_and_shown(picture: Picture) -> None:
    """A page shows the picture, and it loads fast."""
    file = ROOT / "docs" / picture.file
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size < MAX_PICTURE_BYTES
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    assert any(f"{picture.file})" in page.read_text() for page in pages)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.file)
def test_every_variable_is_replaced(picture: Picture) -> None:
    """No variable is left in a query to Prometheus."""
    view = View(1_000.0, 1_600.0, 5, picture.variables)
    for query in board_queries(boards()[picture.uid]):
        assert "$" not in view.substitute(query.expr, 5)


def test_step_and_rate_interval_are_grafanas() -> None:
    """Steps are round and no finer than the scrapes; a rate looks back over four scrapes, or a step and one scrape."""
    assert [VIEW.step(points) for points in (800, 100, 60, 20, 1)] == [5, 10, 10, 30, 600]
    assert VIEW.substitute("rate(a[$__rate_interval])", 5) == "rate(a[20s])"
    assert VIEW.substitute("rate(a[$__rate_interval])", 30) == "rate(a[35s])"
    assert VIEW.substitute('a{m="$model"}[$__range]', 5) == 'a{m="m"}[600s]'


def test_six_hours_have_a_round_step() -> None:
    """The list of round steps is long enough for the longest range of the dashboards."""
    assert View(0.0, 21_600.0, 15, {}).step(120) * 120 >= 21_600
