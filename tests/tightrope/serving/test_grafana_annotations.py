"""Each spell of safe mode is annotated once, from breach to return, even over restarts and outages of Grafana."""

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
from tightrope.serving.grafana_annotations import GrafanaAnnotations
from tightrope.shadow.alerts import HELD_SAFE_ALERT, LATCHED_ALERT, SAFE_MODE_ALERT

TAGS = ["safe-mode", "cluster:", "namespace:", "model:m", "scope:a=b"]


@pytest.fixture
def server() -> Iterator[StandIn]:
    """An empty Grafana."""
    with grafana() as made:
        yield made


@contextmanager
def annotating(folder: Path, server: StandIn, *models: str) -> Iterator[GrafanaAnnotations]:
    """Run the annotations of this Grafana until the block ends."""
    annotations = GrafanaAnnotations(folder / "marks.db", Grafana(server.address, TOKEN), models or ("m",))
    annotations.start()
    try:
        yield annotations
    finally:
        annotations.stop(5)


def alert(scope: str = "a=b", since: float | None = 17.5, name: str = SAFE_MODE_ALERT) -> Alert:
    """Return the alert of a scope in safe mode."""
    return Alert(name, "m", scope, since, {"summary": "m: the full model answers", "description": "breach by judge"})


def test_annotation_spans_breach_to_return(tmp_path: Path, server: StandIn) -> None:
    """It has the alert's text, and tags by which dashboards find it."""
    with annotating(tmp_path, server) as annotations:
        annotations.set_alerts("m", [alert(), alert(name=LATCHED_ALERT)])
        until(lambda: server.marks, 30)
        assert "timeEnd" not in server.marks[1]
        annotations.set_alerts("m", [])
        until(lambda: "timeEnd" in server.marks[1], 30)
        until(lambda: not annotations.table.all(), 30)
    (mark,) = server.marks.values()
    assert (mark["time"], mark["tags"]) == (17500, TAGS)
    assert mark["text"] == "m: the full model answers. breach by judge"
    assert mark["timeEnd"] > mark["time"]


def test_annotation_has_the_labels_of_the_installation(tmp_path: Path, server: StandIn) -> None:
    """Dashboards choose by them; an operator's order is marked, too."""
    labels = {"namespace": "production", "region": "north"}
    annotations = GrafanaAnnotations(tmp_path / "marks.db", Grafana(server.address, TOKEN), ["m"], labels)
    annotations.start()
    annotations.set_alerts("m", [alert(name=HELD_SAFE_ALERT)])
    until(lambda: server.marks, 30)
    annotations.stop(5)
    (mark,) = server.marks.values()
    assert mark["tags"][1:4] == ["cluster:", "namespace:production", "region:north"]


def test_restart_writes_no_second_annotation(tmp_path: Path, server: StandIn) -> None:
    """Neither after a recorded annotation, nor after one whose process died before it was recorded."""
    Grafana(server.address, TOKEN).annotate(17.5, "before", TAGS)
    with annotating(tmp_path, server) as annotations:
        annotations.set_alerts("m", [alert()])
        until(lambda: annotations.table.all()[0].sent, 30)
    with annotating(tmp_path, server) as annotations:
        annotations.set_alerts("m", [alert(since=None)])
        annotations.set_alerts("m", [])
        until(lambda: not annotations.table.all(), 30)
    (mark,) = server.marks.values()
    assert mark["text"] == "before"
    assert "timeEnd" in mark


def test_past_safe_mode_is_annotated_after_an_outage(
    tmp_path: Path, server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """A scope that entered and left safe mode during the outage has its span."""
    server.broken = (503, {"message": "starting"})
    with caplog.at_level(logging.WARNING), annotating(tmp_path, server) as annotations:
        annotations.set_alerts("m", [alert()])
        until(lambda: "starting" in caplog.text, 30)
        annotations.set_alerts("m", [])
        server.broken = None
        until(lambda: not annotations.table.all(), 30)
    (mark,) = server.marks.values()
    assert mark["time"] == 17500 < mark["timeEnd"]


def test_deleted_annotation_is_written_again(tmp_path: Path, server: StandIn) -> None:
    """It is needed for the span's end."""
    with annotating(tmp_path, server) as annotations:
        annotations.set_alerts("m", [alert()])
        until(lambda: server.marks, 30)
        server.marks.clear()
        annotations.set_alerts("m", [])
        until(lambda: not annotations.table.all(), 30)
    (mark,) = server.marks.values()
    assert "timeEnd" in mark


def test_each_scope_has_its_own_annotation(tmp_path: Path, server: StandIn) -> None:
    """Two scopes begin together, and one ends."""
    with annotating(tmp_path, server) as annotations:
        annotations.set_alerts("m", [alert(), alert("c=d")])
        until(lambda: len(server.marks) == 2, 30)
        annotations.set_alerts("m", [alert("c=d")])
        until(lambda: any("timeEnd" in mark for mark in server.marks.values()), 30)
    ended = [mark["tags"][-1] for mark in server.marks.values() if "timeEnd" in mark]
    assert ended == ["scope:a=b"]
