"""A judge under wrong clocks: rows and notices ahead, and a restart after the clock was set back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.support.judgement.comparisons import RowSource
from tests.support.judgement.judge_harness import JudgeHarness, lenient
from tightrope.monitors.records import Traffic
from tightrope.service.adapters.topics import COMPARISONS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow import judge as module
from tightrope.shadow.restoring.clock_jumps import CLOCK_AHEAD

NOW = 1_000_000.0
YEAR = 3e7


@pytest.fixture
def clock() -> Iterator[list[float]]:
    """Replace the judge's clock."""
    now = [NOW]
    with patch.object(module.time, "time", lambda: now[0]):
        yield now


def notice(harness: JudgeHarness, time: float) -> None:
    """Publish a gateway's notice that it kept requests."""
    record = record_codec.encode_traffic(Traffic("m", time, 7, time))
    harness.bus.publish(topic(COMPARISONS), record, "m")


def test_one_row_ahead_does_not_silence_blindness(tmp_path: Path, clock: list[float]) -> None:
    """It counts as now, and the trail has one event about it."""
    harness = JudgeHarness(tmp_path)
    judge = harness.judge()
    rows = RowSource(time=NOW).rows(20)
    rows.time[7] = NOW + YEAR
    harness.publish(rows)
    harness.drain(judge)
    for seconds in (1, 62):
        clock[0] = NOW + seconds
        notice(harness, clock[0])
        harness.drain(judge)
    assert [event.kind for event in harness.events()] == [CLOCK_AHEAD, "blind"]


def test_one_notice_ahead_does_not_blind(tmp_path: Path, clock: list[float]) -> None:
    """A real minute without comparisons does."""
    harness = JudgeHarness(tmp_path)
    judge = harness.judge()
    notice(harness, NOW)
    notice(harness, NOW + YEAR)
    harness.drain(judge)
    assert [event.kind for event in harness.events()] == [CLOCK_AHEAD]
    clock[0] = NOW + 61
    notice(harness, clock[0])
    harness.drain(judge)
    assert [event.kind for event in harness.events()] == [CLOCK_AHEAD, "blind"]


@pytest.mark.parametrize("restarted", [True, False])
def test_scope_returns_after_the_clock_was_set_back(tmp_path: Path, clock: list[float], *, restarted: bool) -> None:
    """It went to safe mode by a clock a year ahead; its dwell and its evidence take as long as ever."""
    harness = JudgeHarness(tmp_path, {"m": replace(lenient())})
    clock[0] = NOW + YEAR
    judge = harness.judge()
    harness.publish(RowSource(time=NOW + YEAR - 100).rows(64, disagree=True))
    harness.drain(judge)
    assert harness.routes[-1].safe == ("model",)
    clock[0] = NOW
    if restarted:
        harness.reopen()
        judge = harness.judge()
    source = RowSource(time=NOW - 64, offset=64)
    harness.publish(source.rows(64))
    harness.drain(judge)
    assert harness.routes[-1].safe == ("model",)
    assert CLOCK_AHEAD in [event.kind for event in harness.events()]
    clock[0] = NOW + 600
    harness.publish(source.rows(512))
    harness.drain(judge)
    assert harness.routes[-1].safe == ()
