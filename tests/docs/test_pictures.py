"""The pictures of the dashboards are of the dashboards as they are, and Prometheus is asked as Grafana asks it."""

import json

import pytest

from docs.pictures.album import NOTE, PICTURES, Picture, _seen, digests
from docs.pictures.ask import View
from tests.house.sources import ROOT
from tests.support.observability.dashboard_queries import asked
from tightrope.dashboards.boards import boards

VIEW = View(1_000.0, 1_600.0, 5, {"datasource": "x", "model": "m", "scope": ".*", "monitor": "mix"})
MOST_BYTES = 300_000


def test_pictures_are_of_the_dashboards_as_they_are() -> None:
    """Whoever changes a dashboard takes them anew."""
    changed = [uid for uid, digest in digests().items() if json.loads(NOTE.read_text()).get(uid) != digest]
    assert changed == [], "the pictures in docs/ are of other dashboards: run `make pictures` and look at them"


def test_only_what_can_be_seen_asks_for_new_pictures() -> None:
    """Another description does not, another title does; inside a folded row only a panel more or less."""
    inside = {"title": "t", "description": "d", "targets": []}
    row = {"title": "r", "type": "row", "panels": [inside]}
    assert _seen(inside) == _seen({**inside, "description": "other"})
    assert _seen(inside) != _seen({**inside, "title": "other"})
    assert _seen(row) == _seen({**row, "panels": [{**inside, "title": "other"}]})
    assert _seen(row) != _seen({**row, "panels": [inside, inside]})


def test_every_dashboard_has_its_picture() -> None:
    """All of them, and nothing that is not built any more."""
    assert {picture.uid for picture in PICTURES} == set(boards())
    assert set(json.loads(NOTE.read_text())) == set(boards())


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.file)
def test_picture_is_small_and_shown(picture: Picture) -> None:
    """A page that shows it loads fast, and one does show it."""
    file = ROOT / "docs" / picture.file
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size < MOST_BYTES
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    assert any(f"{picture.file})" in page.read_text() for page in pages)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.file)
def test_every_choice_is_made(picture: Picture) -> None:
    """No variable is left in what Prometheus is asked."""
    view = View(1_000.0, 1_600.0, 5, picture.chosen)
    for one in asked(boards()[picture.uid]):
        assert "$" not in view.plain(one.expr, 5)


def test_step_and_rates_are_grafanas() -> None:
    """Round steps no finer than the scrapes; a rate looks back over four scrapes, or a step and one more."""
    assert [VIEW.step(points) for points in (800, 100, 60, 20, 1)] == [5, 10, 10, 30, 600]
    assert VIEW.plain("rate(a[$__rate_interval])", 5) == "rate(a[20s])"
    assert VIEW.plain("rate(a[$__rate_interval])", 30) == "rate(a[35s])"
    assert VIEW.plain('a{m="$model"}[$__range]', 5) == 'a{m="m"}[600s]'


def test_step_of_six_hours_is_no_finer_than_what_is_drawn() -> None:
    """No list of round steps ends too soon."""
    assert View(0.0, 21_600.0, 15, {}).step(120) * 120 >= 21_600
