"""A restored row has the counts that it had before the judge began again."""

from dataclasses import replace

import numpy as np

from tightrope.monitors.label_records import PendingRow, RowKey
from tightrope.service.adapters.ports import PendingChanges
from tightrope.service.adapters.waiting.counted_rows import CountedRows

ROW = PendingRow("r-1", 0, 5.0, "d", np.zeros(0, dtype=bool), 0.5, True, 0.9, 0.8, 0, 1, agreed=(7,), request_rows=(1,))  # noqa: FBT003
RESTORED = replace(ROW, agreed=(), request_rows=())


def counted(*earlier: PendingChanges) -> CountedRows:
    """The rows that are known after these changes."""
    rows = CountedRows()
    for changes in earlier:
        rows.complete({"m": changes})
    return rows


def restored(rows: CountedRows, row: PendingRow = RESTORED, model: str = "m") -> tuple[int, ...]:
    """The rows before a disagreement that is restored, as they are then known."""
    changes = PendingChanges(held={row.key: row})
    rows.complete({model: changes})
    return changes.held[row.key].agreed


def held(row: PendingRow = ROW) -> PendingChanges:
    """A row that begins to wait."""
    return PendingChanges(held={row.key: row})


def test_restored_row_has_its_counts_again() -> None:
    """As often as the judge begins again."""
    rows = counted(held())
    assert [restored(rows), restored(rows)] == [(7,), (7,)]


def test_row_of_another_process_model_or_plan_has_none() -> None:
    """Its label counts as undrawn."""
    assert restored(counted()) == ()
    assert restored(counted(held()), model="other") == ()
    assert restored(counted(held()), replace(RESTORED, digest="e")) == ()


def test_row_that_has_its_label_or_was_given_up_is_forgotten() -> None:
    """Memory holds what waits, and no more."""
    keys: set[RowKey] = {ROW.key}
    assert restored(counted(held(), PendingChanges(joined=keys))) == ()
    assert restored(counted(held(), PendingChanges(before=5.5))) == ()
    assert restored(counted(held(), PendingChanges(before=4.5))) == (7,)
