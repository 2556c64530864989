"""Label replay: restores the pending rows and labels for a judge that takes over without its predecessor's store.

How it works. The log is read again next to the normal work, one batch per round, and only over the label horizon.
Nothing is counted, because the previous judge has counted it already; rows and labels only become pending again.

- Labels are read first and kept by row key; then rows are read. A row whose label was read is restored as joined, so
  that a repeat of its label counts as a duplicate, and the label is used up.
- Labels that remain at the end never found a row: they are added as if they arrived now, and wait for their row.
- Rows are read over two horizons: a label that still counts may belong to a row that is older than the horizon. Such a
  row only uses up its label, and does not become pending.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import chain

from tightrope.monitors.label_records import Label, RowKey
from tightrope.monitors.plan import Plan
from tightrope.monitors.scopes import with_other_scopes
from tightrope.service.adapters.dead_letters import is_records_fault
from tightrope.service.adapters.ports import Record, Store
from tightrope.service.adapters.topics import COMPARISONS, LABELS
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.intake.label_intake import is_trusted
from tightrope.shadow.judge_round import SKIPPED_ERRORS, JudgeRound
from tightrope.shadow.restoring.clock_jumps import with_log_time

log = logging.getLogger(__name__)

REPLAYED_HORIZONS = 2.0
"""Label horizons over which rows are read."""


class LabelReplay:
    """The replay for one model; ``now`` in seconds since the epoch."""

    def __init__(self, plan: Plan, store: Store, now: float) -> None:
        self._plan = plan
        self._since = now - plan.label_horizon
        self._labels: dict[RowKey, Label] = {}
        rows_since = now - REPLAYED_HORIZONS * plan.label_horizon
        self._batches: Iterator[Sequence[Record]] = chain(
            store.past_records(plan.model, LABELS, self._since), store.past_records(plan.model, COMPARISONS, rows_since)
        )

    def step(self, judge_round: JudgeRound) -> bool:
        """Replay one more batch into the round; False when the replay is complete."""
        batch = next(self._batches, None)
        if batch is None:
            judge_round.add_labels(list(self._labels.values()))
            return False
        for record in batch:
            try:
                self._replay(record, judge_round)
            except Exception as error:
                if not is_records_fault(error):
                    raise
                if not isinstance(error, SKIPPED_ERRORS):  # those the previous judge skipped and reported, too
                    log.warning("%s, offset %d not restored: %s", record.topic, record.offset, error)
        return True

    def _replay(self, record: Record, judge_round: JudgeRound) -> None:
        schema = record_codec.schema_of(record.value)
        if schema == record_codec.COMPARISONS_SCHEMA:
            batch = with_other_scopes(record_codec.decode_comparisons(record.value), self._plan.scopes[1:])
            if batch.model == self._plan.model:
                judge_round.restore_rows(self._plan, batch, self._labels, self._since)
        elif schema == record_codec.LABELS_SCHEMA:
            for label in (with_log_time(label, record) for label in record_codec.decode_labels(record.value)):
                if label.model == self._plan.model and is_trusted(label, vouched=record.genuine):
                    self._labels.setdefault((label.request_id, label.row), label)
