"""Batches of comparisons that are judged as one."""

from collections.abc import Mapping, Sequence

import numpy as np

from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.ports import Record

MAX_JUDGED_ROWS = 8192
"""Rows that are judged as one batch."""


def joinable(batches: Sequence[tuple[Record, Comparisons]], ends: Mapping[int, int], batch: Comparisons) -> bool:
    """Whether a batch can be judged together with ``batches``, whose last offset in each partition is in ``ends``."""
    rows = sum(len(other) for _, other in batches) + len(batch)
    beyond = all(first > ends.get(partition, -1) for partition, (first, _) in offset_ranges(batch).items())
    return batches[0][1].group_key == batch.group_key and rows <= MAX_JUDGED_ROWS and beyond


def offset_ranges(batch: Comparisons) -> dict[int, tuple[int, int]]:
    """The first and the last offset in each partition."""
    offsets = {int(partition): batch.offset[batch.partition == partition] for partition in np.unique(batch.partition)}
    return {partition: (int(column.min()), int(column.max())) for partition, column in offsets.items()}
