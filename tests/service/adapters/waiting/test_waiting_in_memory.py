"""Rows that wait are in memory; a judge that begins again restores them, with what it has counted."""

from collections.abc import Mapping

from tests.service.adapters.waiting.test_counted_rows import RESTORED, ROW
from tightrope.monitors.label_records import Label
from tightrope.service.adapters.ports import PendingChanges
from tightrope.service.adapters.waiting.waiting_in_memory import WaitingInMemory

LABEL = Label("m", "r-2", 0, 1, 6.0)


def test_rows_and_labels_wait_until_it_begins_anew() -> None:
    """The listener hears of each change."""
    heard: list[Mapping[str, PendingChanges]] = []
    waiting = WaitingInMemory(heard.append)
    changes = {"m": PendingChanges(held={ROW.key: ROW}, waiting={("r-2", 0): LABEL})}
    waiting.save_waiting("log", changes)
    assert heard == [changes]
    assert waiting.pending_rows("m", [ROW.key])[ROW.key].agreed == (7,)
    assert waiting.pending_labels("m", [("r-2", 0)]) == {("r-2", 0): LABEL}
    assert waiting.count_overdue("m", 9.0) == (1, 1)
    overdue = waiting.overdue_portion("m", 9.0, 99.0, 5)
    assert overdue is not None
    assert overdue.oldest == 5.0
    waiting.forget_waiting()
    assert waiting.pending_rows("m", [ROW.key]) == {}
    assert waiting.overdue_portion("m", 9.0, 99.0, 5) is None


def test_restored_row_is_saved_with_its_counts() -> None:
    """Its label counts as before."""
    waiting = WaitingInMemory(lambda _: None)
    waiting.save_waiting("log", {"m": PendingChanges(held={ROW.key: ROW})})
    waiting.forget_waiting()
    waiting.save_waiting("log", {"m": PendingChanges(held={ROW.key: RESTORED})})
    assert waiting.pending_rows("m", [ROW.key])[ROW.key].agreed == (7,)


def test_row_that_was_given_up_is_remembered() -> None:
    """A label that comes then is late."""
    waiting = WaitingInMemory(lambda _: None)
    waiting.save_waiting("log", {"m": PendingChanges(held={ROW.key: ROW})})
    waiting.save_waiting("log", {"m": PendingChanges(before=6.0, now=7.0, late_seconds=9.0)})
    assert waiting.given_up("m", {ROW.key}) == {ROW.key}
