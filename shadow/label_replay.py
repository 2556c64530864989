"""What a judge that takes over must know of the past where its store did not keep it: the rows and labels of the
horizon, read again beside the work. They are remembered, not counted: the judge before it has counted them.

Old labels are read first: a row that is read after them is known to have its truth. What is left of them in the end
waited for its row, as it does now.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from tightrope.monitors.label_join import Key
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Label
from tightrope.service.adapters.ports import Record, Store
from tightrope.service.adapters.topics import COMPARISONS, LABELS
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge_round import PASSED_OVER, Docket, timed

REACH = 2.0
"""Rows of so many horizons are read: a label that is kept may belong to a row that is given up already."""


class Recall:
    """Of one model, ``now`` in seconds since the epoch."""

    def __init__(self, plan: Plan, store: Store, now: float) -> None:
        self._plan = plan
        self._since = now - plan.label_horizon
        self._labels: dict[Key, Label] = {}
        rows_since = now - REACH * plan.label_horizon
        self._past: Iterator[Sequence[Record]] = chain(
            store.past(plan.model, LABELS, self._since), store.past(plan.model, COMPARISONS, rows_since)
        )

    def step(self, docket: Docket) -> bool:
        """One portion more; False when that was all."""
        portion = next(self._past, None)
        if portion is None:
            docket.learn(list(self._labels.values()))
            return False
        for record in portion:
            try:
                self._take(record, docket)
            except PASSED_OVER:  # as it was when it was new, and told then
                continue
        return True

    def _take(self, record: Record, docket: Docket) -> None:
        schema = record_codec.schema_of(record.value)
        if schema == record_codec.COMPARISONS:
            batch = record_codec.decode_comparisons(record.value)
            if batch.model == self._plan.model:
                docket.remember(self._plan, batch, self._labels, self._since)
        elif schema == record_codec.LABELS:
            for label in (timed(label, record) for label in record_codec.decode_labels(record.value)):
                if label.model == self._plan.model:
                    self._labels.setdefault((label.request_id, label.row), label)
