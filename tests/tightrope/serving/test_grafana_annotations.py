"""Safe mode is marked on the dashboards from the breach to the return, once, whoever was away meanwhile."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.observability.debian_servers import until
from tests.support.observability.fake_grafana import TOKEN, grafana
from tests.support.observability.fake_grafana import Grafana as StandIn
from tightrope.dashboards.grafana import Grafana
from tightrope.service.adapters.ports import Alert
from tightrope.serving.grafana_annotations import Marks
from tightrope.shadow.alerts import LATCHED, SAFE_MODE

TAGS = ["safe-mode", "model:m", "scope:a=b"]


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A Grafana that holds nothing yet."""
    with grafana() as made:
        yield made


@contextmanager
def marking(folder: Path, server: StandIn, *models: str) -> Iterator[Marks]:
    """Marks on this Grafana."""
    marks = Marks(folder / "marks.db", Grafana(server.address, TOKEN), models or ("m",))
    marks.start()
    try:
        yield marks
    finally:
        marks.stop(5)


def alert(scope: str = "a=b", since: float | None = 17.5, name: str = SAFE_MODE) -> Alert:
    """A scope in safe mode."""
    return Alert(name, "m", scope, since, {"summary": "m: the baseline answers", "description": "breach by judge"})


def test_safe_mode_is_a_span_from_the_breach_to_the_return(tmp_path: Path, server: StandIn) -> None:
    """With what happened in words; whoever looks for the model finds it."""
    with marking(tmp_path, server) as marks:
        marks.stand("m", [alert(), alert(name=LATCHED)])
        until(lambda: server.marks, 10)
        assert "timeEnd" not in server.marks[1]
        marks.stand("m", [])
        until(lambda: "timeEnd" in server.marks[1], 10)
        until(lambda: not marks.rows.all(), 5)
    (mark,) = server.marks.values()
    assert (mark["time"], mark["tags"]) == (17500, TAGS)
    assert mark["text"] == "m: the baseline answers. breach by judge"
    assert mark["timeEnd"] > mark["time"]


def test_restart_marks_nothing_twice(tmp_path: Path, server: StandIn) -> None:
    """Neither one that was told, nor one that was posted by a process that did not live to note it."""
    Grafana(server.address, TOKEN).mark(17.5, "before", TAGS)
    with marking(tmp_path, server) as marks:
        marks.stand("m", [alert()])
        until(lambda: marks.rows.all()[0].told, 10)
    with marking(tmp_path, server) as marks:
        marks.stand("m", [alert(since=None)])
        marks.stand("m", [])
        until(lambda: not marks.rows.all(), 10)
    (mark,) = server.marks.values()
    assert mark["text"] == "before"
    assert "timeEnd" in mark


def test_grafana_that_was_away_is_told_of_what_is_over(
    tmp_path: Path, server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """Entered and left while nobody listened: a span all the same."""
    server.broken = (503, {"message": "starting"})
    with caplog.at_level(logging.WARNING), marking(tmp_path, server) as marks:
        marks.stand("m", [alert()])
        until(lambda: "starting" in caplog.text, 10)
        marks.stand("m", [])
        server.broken = None
        until(lambda: not marks.rows.all(), 10)
    (mark,) = server.marks.values()
    assert mark["time"] == 17500 < mark["timeEnd"]


def test_mark_that_somebody_deleted_is_made_again_to_be_ended(tmp_path: Path, server: StandIn) -> None:
    """The span is what matters."""
    with marking(tmp_path, server) as marks:
        marks.stand("m", [alert()])
        until(lambda: server.marks, 10)
        server.marks.clear()
        marks.stand("m", [])
        until(lambda: not marks.rows.all(), 10)
    (mark,) = server.marks.values()
    assert "timeEnd" in mark


def test_each_scope_has_its_own(tmp_path: Path, server: StandIn) -> None:
    """Though they begin together; one ends."""
    with marking(tmp_path, server) as marks:
        marks.stand("m", [alert(), alert("c=d")])
        until(lambda: len(server.marks) == 2, 10)
        marks.stand("m", [alert("c=d")])
        until(lambda: any("timeEnd" in mark for mark in server.marks.values()), 10)
    ended = [mark["tags"][-1] for mark in server.marks.values() if "timeEnd" in mark]
    assert ended == ["scope:a=b"]
