"""A record cannot kill a judge: it is parked, counted and told, and the others are judged."""

import math
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, judged_count
from tests.support.judgement.judge_harness import HOST, JudgeHarness, harm_and_recovery, lenient
from tests.support.judgement.labelled_judge import NOW, batches, labelled, publish_labels, truths
from tightrope.monitors import watch
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Comparisons, Routes
from tightrope.service.adapters.ports import BusUnavailableError
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, DEAD, LABELS, SAMPLES, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.heartbeat import Heartbeat, decode_heartbeat, is_heartbeat
from tightrope.shadow import judge as module
from tightrope.shadow.intake.refusal_log import RECORDS_REFUSED
from tightrope.shadow.judge import Judge


def parked(harness: JudgeHarness) -> list[str]:
    """The positions and reasons of the dead records."""
    return [record.key or "" for record in harness.bus.subscribe(topic(DEAD)).poll(1000, 0)]


def dead(harness: JudgeHarness, name: str) -> int:
    """The counter of a topic's dead records."""
    return harness.metrics.total("dead_records", topic=topic(name))


@pytest.mark.parametrize(
    "change", [{"row": 2**63}, {"row": 2**31}, {"row": -1}, {"label": 2**31}, {"label": -(2**63)}, {"time": math.nan}]
)
def test_label_beyond_its_bounds_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    """Other labels, also of other models, and all rows are judged."""
    monkeypatch.setattr(module.time, "time", lambda: NOW)
    harness = JudgeHarness(tmp_path, {"m": labelled(), "n": lenient("n")})
    judge = harness.judge()
    (rows,) = batches(1)
    harness.publish(rows)
    publish_labels(harness, [replace(truths(rows)[0], **change)])
    publish_labels(harness, truths(rows)[1:])
    harness.publish(*(replace(batch, model="n") for batch in harm_and_recovery(RowSource())))
    harness.drain(judge)
    assert harness.saved_state().labels["joined"] == 9
    assert judged_count(harness.saved_state("n")) == 480
    assert dead(harness, LABELS) == 1
    assert [key.partition(": ")[0] for key in parked(harness)] == ["tightrope.labels/0/0"]
    assert [event.kind for event in harness.events("m")] == [RECORDS_REFUSED]


def poison(monkeypatch: pytest.MonkeyPatch, offset: int, error: Exception) -> None:
    """Let the judgement of the row of one sample fail."""
    step: Callable[..., Any] = watch.step

    def failing(plan: Plan, state: State, rows: Comparisons, *stream: Any) -> Any:  # noqa: ANN401 - as `watch.step`
        if (rows.offset == offset).any() and len(rows):
            raise error
        return step(plan, state, rows, *stream)

    monkeypatch.setattr(watch, "step", failing)


def test_record_on_which_the_judgement_fails_is_parked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harm in the other records is found, and the topic goes on, after any error."""
    poison(monkeypatch, 15, ZeroDivisionError("poison"))
    harness = JudgeHarness(tmp_path)
    judge = harness.judge()
    harness.publish(*harm_and_recovery(RowSource()))
    harness.drain(judge)
    assert parked(harness) == ["tightrope.comparisons/0/1: ZeroDivisionError: poison"]
    assert dead(harness, COMPARISONS) == 1
    assert {"breach", "recovered", RECORDS_REFUSED} <= {event.kind for event in harness.events()}
    assert judged_count(harness.saved_state()) == 464
    harness.drain(harness.judge())
    assert dead(harness, COMPARISONS) == 1


def test_locked_database_parks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure is the environment's: it is raised, and all records are judged once it has passed."""
    harness = JudgeHarness(tmp_path)
    judge = harness.judge()
    harness.publish(*harm_and_recovery(RowSource()))
    with monkeypatch.context() as locked:
        for error in (sqlite3.OperationalError("database is locked"), OSError("disk full"), ValueError("odd")):
            locked.setattr(harness.store, "save", raising(error))
            with pytest.raises(type(error)):
                judge.step(0)
            judge = harness.judge()
    harness.drain(harness.judge())
    assert parked(harness) == []
    assert dead(harness, COMPARISONS) == 0
    assert judged_count(harness.saved_state()) == 480


def raising(error: Exception) -> Callable[..., None]:
    """A function that raises this error."""

    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("offset", [2**63 - 1, 2**61, 10, -1])
def test_comparison_of_a_sample_that_does_not_exist_hides_no_sample(tmp_path: Path, offset: int) -> None:
    """The watermark stays where the samples are: the rows that follow are judged, and harm is found."""
    harness = JudgeHarness(tmp_path)
    judge = harness.judge()
    for _ in range(480):
        harness.bus.publish(topic(SAMPLES), b"")
    sound = [replace(batch, log=harness.bus.log) for batch in harm_and_recovery(RowSource())]
    forged = replace(sound[0], offset=np.full(10, offset if offset != 10 else 480), time=np.full(10, 5e9))
    harness.publish(forged, *sound)
    harness.drain(judge)
    assert dead(harness, COMPARISONS) == 1
    assert judged_count(harness.saved_state()) == 480
    assert harness.saved_state().watermarks == {0: 479}
    assert "breach" in {event.kind for event in harness.events()}


@pytest.mark.parametrize(("epoch", "passed"), [(50, 51), (900, 901), (2**62, 0)])
def test_modes_of_another_process_are_passed(tmp_path: Path, epoch: int, passed: int) -> None:
    """Gateways that took them take the judge's own as newer; an epoch that is not plausible is parked."""
    harness = JudgeHarness(tmp_path)
    judge = harness.judge()
    harness.collect_routes()
    harness.bus.publish(topic(CONTROL), record_codec.encode_routes(Routes("m", epoch, (), {})), "m")
    harness.drain(judge)
    own = [routes for routes in harness.routes if routes.states]
    assert own[-1].epoch == passed
    assert dead(harness, CONTROL) == (passed == 0)
    assert ("foreign-modes" in {event.kind for event in harness.events()}) is (passed > 0)
    assert harness.drain(judge) == 0


def test_records_of_models_that_are_not_judged_make_no_state_and_no_series(tmp_path: Path) -> None:
    """They are parked and counted; there is no event either."""
    harness = JudgeHarness(tmp_path)
    judge = harness.judge()
    harness.publish(replace(RowSource().rows(10), model="strange"))
    harness.order("force-safe", model="strange")
    harness.drain(judge)
    assert harness.store.snapshot("strange") is None
    assert b"strange" not in harness.metrics.exposition("")[0]
    assert len(parked(harness)) == 2
    assert harness.store.events("strange") == []


def heartbeats(harness: JudgeHarness) -> Iterator[Heartbeat]:
    """All heartbeats on the control topic."""
    for record in harness.bus.subscribe(topic(CONTROL)).poll(10_000, 0):
        if is_heartbeat(record):
            yield decode_heartbeat(record.value)


def test_judge_that_fails_again_and_again_keeps_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No heartbeat and no modes at its start, however often it starts, until it has judged and saved records."""
    harness = JudgeHarness(tmp_path)
    judge = Judge(harness.bus, harness.store, harness.view, harness.metrics, HOST, Flag(), is_failing=lambda: True)
    judge.step(0)
    harness.publish(*list(harm_and_recovery(RowSource()))[:18])
    with monkeypatch.context() as locked:
        locked.setattr(harness.store, "save", raising(sqlite3.OperationalError("database is locked")))
        with pytest.raises(sqlite3.OperationalError):
            judge.step(0)
    judge = Judge(harness.bus, harness.store, harness.view, harness.metrics, HOST, Flag(), is_failing=lambda: True)
    harness.collect_routes()
    assert harness.routes == []
    assert list(heartbeats(harness)) == []
    harness.drain(judge)
    judge.step(0)
    harness.collect_routes()
    assert [heartbeat.judged for heartbeat in heartbeats(harness)] == [0, 180]
    assert [routes.safe for routes in harness.routes] == [("group=a",)] * 2


def test_judge_without_its_partitions_blames_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another judge has taken over."""
    harness = JudgeHarness(tmp_path)
    judge = harness.judge()
    harness.publish(*harm_and_recovery(RowSource()))
    monkeypatch.setattr(judge._records, "owns_partitions", lambda: False)
    with pytest.raises(BusUnavailableError):
        judge.step(0)
    assert parked(harness) == []
