"""The judge uses the broker's timestamp; the clocks of gateways and of label senders may be wrong."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.labelled_judge import batches, labelled, truths
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import State, initial_state, is_blind
from tightrope.monitors.records import Comparisons, Order, Traffic
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge_round import JudgeRound

NOW = 1e9
"""The broker's clock, in seconds since the epoch."""

PLAN = labelled(blind_seconds=60.0)
WRONG = [-7200.0, -300.0, 0.0, 300.0, 7200.0]


class TimestampedLog:
    """A log with timestamps, and the state that the judge derives from it."""

    def __init__(self, folder: Path) -> None:
        self.state: State = initial_state(PLAN)
        self.store = SqliteStore(folder / "tightrope.db")
        self._offset = 0

    def process(self, at: float, *values: bytes) -> JudgeRound:
        """Process these records, appended at ``at``."""
        judged = JudgeRound({"m": PLAN}, {"m": self.state}, self.store, "host")
        records = [Record("t", 0, self._offset + n, None, value, at) for n, value in enumerate(values)]
        self._offset += len(values)
        assert not list(judged.process(records))
        self.store.save("log", judged.positions, {}, judged.events, judged.pending)
        self.state = judged.states["m"]
        return judged

    def note(self, at: float, ahead: float, since: float, kept: int = 5) -> None:
        """Process a traffic note of a gateway whose clock is ``ahead`` seconds fast; ``since`` is the age of its first
        request.
        """
        self.process(at, record_codec.encode_traffic(Traffic("m", at + ahead, kept, at + ahead - since)))


@pytest.fixture
def log(tmp_path: Path) -> TimestampedLog:
    """Provide an empty log."""
    return TimestampedLog(tmp_path)


def rows_at(time: float) -> Comparisons:
    """A batch of rows with this event time."""
    batch = batches(1)[0]
    return replace(batch, time=batch.time * 0 + time)


@pytest.mark.parametrize("one", WRONG)
@pytest.mark.parametrize("other", WRONG)
def test_wrong_clocks_never_cause_blindness_too_early(log: TimestampedLog, one: float, other: float) -> None:
    """Requests that were compared before a note do not count as waiting."""
    log.process(NOW, record_codec.encode_comparisons(rows_at(NOW - 0.2)))
    log.note(NOW + 1, one, since=5.0)
    assert log.state.unanswered.kept == 0
    log.note(NOW + 10, one, since=5.0)
    log.note(NOW + 40, other, since=5.0)
    assert not is_blind(PLAN, log.state)
    log.note(NOW + 64.9, one, since=5.0)
    assert not is_blind(PLAN, log.state)


@pytest.mark.parametrize("one", WRONG)
@pytest.mark.parametrize("other", WRONG)
def test_wrong_clocks_do_not_delay_blindness(log: TimestampedLog, one: float, other: float) -> None:
    """The model is blind after ``blind_seconds`` without comparisons."""
    log.process(NOW, record_codec.encode_comparisons(rows_at(NOW - 0.2)))
    log.note(NOW + 10, one, since=5.0)
    log.note(NOW + 66, other, since=5.0)
    assert is_blind(PLAN, log.state)


def test_label_has_the_time_of_the_broker(log: TimestampedLog) -> None:
    """The sender's time is ignored."""
    (batch,) = batches(1)
    log.process(NOW, record_codec.encode_labels([replace(label, time=1.0) for label in truths(batch)]))
    waiting = log.store.pending_labels("m", [(name, 0) for name in batch.request_id])
    assert {label.time for label in waiting.values()} == {NOW}


def test_order_has_the_time_of_the_broker(log: TimestampedLog) -> None:
    """The audit trail and the dwell use that time."""
    judged = log.process(NOW, record_codec.encode_order(Order("o", NOW - 99, "m", "model", "force-safe", "ann", "why")))
    assert [event.time for event in judged.events] == [NOW]
    assert log.state.modes[0].since == NOW


def test_log_without_timestamps_keeps_the_senders_times(log: TimestampedLog) -> None:
    """Such a log serves a single process with one clock."""
    log.process(0.0, record_codec.encode_labels([Label("m", "r", 0, 1, 77.0)]))
    assert log.store.pending_labels("m", [("r", 0)])["r", 0].time == 77.0
    log.process(0.0, record_codec.encode_traffic(Traffic("m", 100.0, 3, 90.0)))
    assert (log.state.unanswered.since, log.state.unanswered.until) == (90.0, 100.0)
