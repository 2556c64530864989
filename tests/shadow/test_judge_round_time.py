"""The judge goes by the log's clock, where it has one: those of gateways, and of whoever tells labels, may be wrong."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.labelled_judge import batches, labelled, truths
from tightrope.monitors.plan import State, is_blind, start
from tightrope.monitors.records import Comparisons, Label, Order
from tightrope.monitors.records import Traffic as Note
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge_round import Docket

NOW = 1e9
"""The time on the log's clock."""

PLAN = labelled(blind_seconds=60.0)
WRONG = [-7200.0, -300.0, 0.0, 300.0, 7200.0]


class Log:
    """A log with a clock, and what a judge makes of it."""

    def __init__(self, folder: Path) -> None:
        self.state: State = start(PLAN)
        self.store = SqliteStore(folder / "tightrope.db")
        self._offset = 0

    def take(self, at: float, *values: bytes) -> Docket:
        """These records, appended at a time."""
        docket = Docket({"m": PLAN}, {"m": self.state}, self.store, "host")
        records = [Record("t", 0, self._offset + n, None, value, at) for n, value in enumerate(values)]
        self._offset += len(values)
        assert not list(docket.take(records))
        self.store.save("log", docket.positions, {}, docket.events, docket.pending)
        self.state = docket.states["m"]
        return docket

    def note(self, at: float, ahead: float, since: float, kept: int = 5) -> None:
        """A gateway that is ``ahead`` says that it kept some requests, the first of them ``since`` seconds ago."""
        self.take(at, record_codec.encode_traffic(Note("m", at + ahead, kept, at + ahead - since)))


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """With nothing in it."""
    return Log(tmp_path)


def rows_at(time: float) -> Comparisons:
    """A batch of rows as workers date them."""
    batch = batches(1)[0]
    return replace(batch, time=batch.time * 0 + time)


@pytest.mark.parametrize("one", WRONG)
@pytest.mark.parametrize("other", WRONG)
def test_gateways_with_wrong_clocks_blind_nobody_too_early(log: Log, one: float, other: float) -> None:
    """Nor is what was compared held against anybody: a note speaks of samples before it."""
    log.take(NOW, record_codec.encode_comparisons(rows_at(NOW - 0.2)))
    log.note(NOW + 1, one, since=5.0)
    assert log.state.unanswered.kept == 0
    log.note(NOW + 10, one, since=5.0)
    log.note(NOW + 40, other, since=5.0)
    assert not is_blind(PLAN, log.state)
    log.note(NOW + 64.9, one, since=5.0)
    assert not is_blind(PLAN, log.state)


@pytest.mark.parametrize("one", WRONG)
@pytest.mark.parametrize("other", WRONG)
def test_wrong_clocks_do_not_put_blindness_off(log: Log, one: float, other: float) -> None:
    """It is told when nothing has come back for as long as the plan says."""
    log.take(NOW, record_codec.encode_comparisons(rows_at(NOW - 0.2)))
    log.note(NOW + 10, one, since=5.0)
    log.note(NOW + 66, other, since=5.0)
    assert is_blind(PLAN, log.state)


def test_label_waits_from_the_moment_in_which_the_log_took_it(log: Log) -> None:
    """Whatever its teller's clock says."""
    (batch,) = batches(1)
    log.take(NOW, record_codec.encode_labels([replace(label, time=1.0) for label in truths(batch)]))
    waiting = log.store.waiting("m", [(name, 0) for name in batch.request_id])
    assert {label.time for label in waiting.values()} == {NOW}


def test_order_is_of_the_moment_in_which_the_log_took_it(log: Log) -> None:
    """The trail and the dwell go by that."""
    docket = log.take(NOW, record_codec.encode_order(Order("o", 5.0, "m", "model", "force-safe", "ann", "why")))
    assert [event.time for event in docket.events] == [NOW]
    assert log.state.modes[0].since == NOW


def test_log_without_a_clock_leaves_everything_as_it_is(log: Log) -> None:
    """There, all is one process."""
    log.take(0.0, record_codec.encode_labels([Label("m", "r", 0, 1, 77.0)]))
    assert log.store.waiting("m", [("r", 0)])["r", 0].time == 77.0
    log.take(0.0, record_codec.encode_traffic(Note("m", 100.0, 3, 90.0)))
    assert (log.state.unanswered.since, log.state.unanswered.until) == (90.0, 100.0)
