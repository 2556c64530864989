"""Batches of comparisons that are judged as one."""

from collections.abc import Mapping

import numpy as np

from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.ports import Record

MAX_JUDGED_ROWS = 8192
"""Rows that are judged as one batch."""


class OpenBatch:
    """Consecutive comparisons that are judged as one, with the records that they came in: ``parts``. No row of them was
    delivered before.
    """

    def __init__(self) -> None:
        self.parts: list[tuple[Record, Comparisons]] = []
        self._rows = 0
        self._ends: dict[int, int] = {}

    def add(self, record: Record, batch: Comparisons) -> bool:
        """Add a batch if it can be judged together with the parts: it follows them in each partition. Returns whether
        it was added.
        """
        ranges = offset_ranges(batch)
        if self.parts and not self._takes(batch, ranges):
            return False
        self.parts.append((record, batch))
        self._rows += len(batch)
        self._ends |= {partition: last for partition, (_, last) in ranges.items()}
        return True

    def _takes(self, batch: Comparisons, ranges: Mapping[int, tuple[int, int]]) -> bool:
        if self.parts[0][1].group_key != batch.group_key or self._rows + len(batch) > MAX_JUDGED_ROWS:
            return False
        return all(first > self._ends.get(partition, -1) for partition, (first, _) in ranges.items())


def offset_ranges(batch: Comparisons) -> dict[int, tuple[int, int]]:
    """The first and the last offset in each partition."""
    if len(batch) and (batch.partition == batch.partition[0]).all():  # nearly always
        return {int(batch.partition[0]): (int(batch.offset.min()), int(batch.offset.max()))}
    offsets = {int(partition): batch.offset[batch.partition == partition] for partition in np.unique(batch.partition)}
    return {partition: (int(column.min()), int(column.max())) for partition, column in offsets.items()}
