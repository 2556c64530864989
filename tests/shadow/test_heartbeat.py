"""The judge's heartbeats carry the number of rows that it has judged and saved."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource
from tests.support.judgement.judge_harness import JudgeHarness
from tightrope.monitors.plan import STALE_REASONS
from tightrope.monitors.records import Fault
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import BusFullError
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire.heartbeat import Heartbeat, decode_heartbeat, is_heartbeat
from tightrope.shadow import heartbeat as module
from tightrope.shadow.heartbeat import HEARTBEAT_SECONDS, PROGRESS_SECONDS, Heart


@pytest.fixture
def harness(tmp_path: Path) -> JudgeHarness:
    """Provide a bus, a state file, and the plan for one model ``m``."""
    return JudgeHarness(tmp_path)


def heartbeats(bus: MemoryBus) -> list[Heartbeat]:
    """Read all heartbeats from the topic."""
    records = bus.subscribe(topic(CONTROL)).poll(10_000, 0.0)
    return [decode_heartbeat(record.value) for record in records if is_heartbeat(record)]


def test_judge_counts_rows_of_the_open_tick_too(harness: JudgeHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """From zero at its start; a row that comes twice counts once, a row of another artefact not at all."""
    monkeypatch.setattr(module, "PROGRESS_SECONDS", 0.0)
    source = RowSource()
    rows = source.rows(20)
    harness.publish(rows, rows, replace(source.rows(5), baseline_digest="another"))
    judge = harness.judge()
    harness.drain(judge)
    assert [beat.judged for beat in heartbeats(harness.bus)] == [0, 20]
    assert len({beat.judge for beat in heartbeats(harness.bus)}) == 1
    assert harness.metrics.total("rows_judged", model="m") == 20


def test_judge_counts_rows_by_subgroup(harness: JudgeHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of the open tick too; no row that came twice."""
    monkeypatch.setattr(module, "PROGRESS_SECONDS", 0.0)
    rows = RowSource().rows(100, member=np.arange(300).reshape(100, 3) % 4 == 0)
    harness.publish(rows, rows)
    harness.drain(harness.judge())
    assert heartbeats(harness.bus)[-1].scopes == {"group=a": 25, "group=b": 25, "half=left": 25}


def test_rows_with_a_fault_are_not_counted(harness: JudgeHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was compared on them, in judged ticks or in the open one: gateways must not take them for sight."""
    monkeypatch.setattr(module, "PROGRESS_SECONDS", 0.0)
    fault = np.where(np.arange(100) % 4, Fault.RUN_FAILED, Fault.NONE).astype(np.int8)
    harness.publish(RowSource().rows(100, fault=fault, member=np.ones((100, 3), bool)))
    harness.drain(harness.judge())
    last = heartbeats(harness.bus)[-1]
    assert (last.judged, set(last.scopes.values())) == (25, {25})
    assert harness.metrics.total("rows_judged", model="m") == 25


def test_heartbeat_names_the_plan_and_stale_rows_are_counted(harness: JudgeHarness) -> None:
    """A gateway of another plan must know that its rows are refused, and so must the people of the judge."""
    source = RowSource()
    others = replace(source.rows(5), compressed_digest="another")
    harness.publish(others, replace(source.rows(3), scopes=("group=a",), member=np.zeros((3, 1), bool)))
    harness.drain(harness.judge())
    assert {beat.plan for beat in heartbeats(harness.bus)} == {harness.plans["m"].coverage}
    stale = [harness.metrics.total("rows_stale", model="m", reason=reason) for reason in STALE_REASONS]
    assert stale == [5, 3]


def test_rows_that_cannot_be_saved_are_not_judged(harness: JudgeHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is read-only: the judge reads rows and fails, and its count stays."""
    monkeypatch.setattr(module, "PROGRESS_SECONDS", 0.0)
    judge = harness.judge()

    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(SqliteStore, "save", fails)
    harness.publish(RowSource().rows(20))
    with pytest.raises(sqlite3.OperationalError):
        harness.drain(judge)
    assert {beat.judged for beat in heartbeats(harness.bus)} == {0}
    assert harness.metrics.total("rows_judged", model="m") == 0


def test_each_start_has_a_name_of_its_own(harness: JudgeHarness) -> None:
    """A restarted judge counts from zero, and gateways can tell."""
    harness.publish(RowSource().rows(20))
    harness.drain(harness.judge())
    harness.drain(harness.judge())
    names = {beat.judge for beat in heartbeats(harness.bus)}
    assert len(names) == 2


def test_heartbeats_are_no_records_to_judge(harness: JudgeHarness) -> None:
    """A judge reads the topic that it writes: its own heartbeats start no round, and are committed."""
    judge = harness.judge()
    assert len(heartbeats(harness.bus)) == 1
    saves: list[object] = []
    harness.store.save = lambda *args: saves.append(args)  # type: ignore[method-assign, assignment]
    harness.drain(judge)
    before = len(saves)
    judge._heart.beat(harness.plans, at_once=True)
    assert judge.step(0.0) == 0
    assert len(saves) == before
    assert judge._records.lag() == 0


class Clock:
    """A monotonic clock of the test's own."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


def test_heartbeats_come_every_second_and_sooner_with_news(harness: JudgeHarness, clock: Clock) -> None:
    """Gateways hear of judged rows soon, and the topic stays small."""
    heart = Heart(harness.bus, harness.metrics, clock)
    heart.beat(harness.plans)
    clock.now += HEARTBEAT_SECONDS - 0.01
    heart.beat(harness.plans)
    assert [beat.clock for beat in heartbeats(harness.bus)] == [50.0]
    clock.now += 0.02
    heart.beat(harness.plans)
    heart._has_news = True
    clock.now += PROGRESS_SECONDS + 0.01
    heart.beat(harness.plans)
    assert [beat.clock for beat in heartbeats(harness.bus)] == pytest.approx([50.0, 51.01, 51.27])


def test_full_bus_loses_a_heartbeat_and_nothing_more(harness: JudgeHarness, clock: Clock) -> None:
    """The judge goes on, and sends the next one."""
    heart = Heart(harness.bus, harness.metrics, clock)
    publish = harness.bus.publish

    def full(*_: object) -> None:
        raise BusFullError("full")

    harness.bus.publish = full  # type: ignore[method-assign, assignment]
    heart.beat(harness.plans)
    harness.bus.publish = publish  # type: ignore[method-assign]
    clock.now += PROGRESS_SECONDS
    heart.beat(harness.plans)
    assert [beat.clock for beat in heartbeats(harness.bus)] == pytest.approx([50.0 + PROGRESS_SECONDS])
