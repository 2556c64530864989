"""Labels in a round of the judge: compared rows wait for their labels, and labels for their rows.

The store is as of the previous round, so each look-up is overlaid with this round's changes in ``pending``. Each pair
is counted once.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import replace

from tightrope.monitors.folding.fold import count_labels, fold
from tightrope.monitors.folding.inputs import FoldInput, FoldStep, LabelCounts, LabelledRows
from tightrope.monitors.label_join import (
    is_usable,
    kept_labels,
    labelled_comparisons,
    match_labels,
    rows_awaiting_labels,
)
from tightrope.monitors.label_records import Label, PendingRow, RowKey
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.ports import OverduePortion, PendingChanges, Store


def is_trusted(label: Label, *, vouched: bool) -> bool:
    """Whether a label may say what it says: one with a probability is as good as an order."""
    return vouched or not label.probability


class LabelIntake(ABC):
    """The part of a round that joins labels and rows; ``pending`` collects what is saved with the states, and ``steps``
    the steps of the fold that led to them, and ``labels`` the labels that have their row.
    """

    def __init__(self, states: Mapping[str, State], store: Store) -> None:
        self.states = dict(states)
        self.steps: list[FoldStep] = []
        self.pending: dict[str, PendingChanges] = {}
        self.labels: list[Label] = []
        self._store = store

    @abstractmethod
    def _plan(self, model: str) -> Plan:
        """The plan of a model that is judged here."""

    @abstractmethod
    def _set_state(self, plan: Plan, item: FoldInput, state: State, transitions: Sequence[Transition]) -> None:
        """Replace a model's state by the one after an input."""

    def restore_rows(self, plan: Plan, batch: Comparisons, labels: MutableMapping[RowKey, Label], since: float) -> None:
        """Keep rows that an earlier judge counted, if they are not older than ``since``, for labels to come.

        A row whose label is in ``labels`` is kept as joined, and the label is removed from there.
        """
        rows = list(rows_awaiting_labels(plan, batch))
        joined = {row.key for row in rows if labels.pop(row.key, None) is not None}
        self._await_labels(plan, [replace(row, joined=row.key in joined) for row in rows if row.time >= since])

    def _await_labels(self, plan: Plan, rows: Iterable[PendingRow]) -> None:
        """Keep sound rows for their labels, and join those whose label came first."""
        changes = self.pending.setdefault(plan.model, PendingChanges())
        held = {row.key: row for row in rows if row.key not in changes.held}
        changes.held |= held
        new = {key: label for key, label in changes.waiting.items() if key in held}
        waiting = self._store.pending_labels(plan.model, list(held)) | new
        early = [label for key, label in waiting.items() if key not in changes.matched]
        changes.matched |= set(waiting)
        for key in waiting:
            changes.waiting.pop(key, None)
        matches = match_labels(early, held, {})
        self._count_labels(plan, duplicate=matches.duplicates)
        self._judge_labels(plan, matches.rows)

    def add_labels(self, labels: Sequence[Label], *, vouched: bool = True) -> None:
        """Join labels with their rows; a label without a row waits for it, unless the row was given up already. A label
        with a probability, which may hold a fallback back, has to be ``vouched`` for: it counts as undrawn otherwise.
        """
        for model in dict.fromkeys(label.model for label in labels):
            plan = self._plan(model)
            own = [label for label in labels if label.model == model and is_trusted(label, vouched=vouched)]
            if undrawn := sum(label.model == model for label in labels) - len(own):
                self._count_labels(plan, undrawn=undrawn)
            changes = self.pending.setdefault(model, PendingChanges())
            keys = [(label.request_id, label.row) for label in own]
            new = {key: changes.held[key] for key in keys if key in changes.held}
            rows = new | self._store.pending_rows(model, keys)
            held = {key: replace(row, joined=row.joined or key in changes.joined) for key, row in rows.items()}
            matches = match_labels(own, held, self._store.pending_labels(model, keys) | changes.waiting)
            early = {(label.request_id, label.row): label for label in matches.waiting}
            late = self._store.given_up(model, early)
            changes.waiting |= {key: label for key, label in early.items() if key not in late}
            self._count_labels(plan, duplicate=matches.duplicates, late=len(late))
            self._judge_labels(plan, matches.rows)

    def _judge_labels(self, plan: Plan, rows: Sequence[tuple[PendingRow, Label]]) -> None:
        """Judge labelled rows; rows of another plan are counted as stale."""
        changes = self.pending[plan.model]
        changes.joined |= {row.key for row, _ in rows}
        self.labels += kept_labels(plan, rows)
        current = [(row, label) for row, label in rows if row.plan_digest == plan.digest]
        stale, joined = len(rows) - len(current), len(current)
        current = [(row, label) for row, label in current if is_usable(plan, row, label)]
        undrawn = joined - len(current)
        self._count_labels(plan, joined=joined, stale=stale, **{"undrawn": undrawn} if undrawn else {})
        if current:
            state = self.states[plan.model]
            item = LabelledRows(labelled_comparisons(plan, state.log, current))
            self._set_state(plan, item, *fold(plan, state, item))

    def expire(self, plan: Plan, portion: OverduePortion, now: float) -> None:
        """Drop a portion of the rows and labels that waited longer than the horizon; times after ``now`` count as now.

        Nothing else is in this round: the store knows all that was matched.
        """
        changes = self.pending.setdefault(plan.model, PendingChanges())
        rows, labels = self._store.count_overdue(plan.model, portion.before)
        changes.before, changes.now, changes.late_seconds = portion.before, now, plan.label_horizon
        self._count_labels(plan, expired=rows, unknown=labels)

    def _count_labels(self, plan: Plan, **more: int) -> None:
        if any(more.values()):
            item = LabelCounts(more)
            self._keep(plan.model, item, count_labels(self.states[plan.model], item))

    def _keep(self, model: str, item: FoldInput, state: State, transitions: Sequence[Transition] = ()) -> None:
        """Keep a model's state after an input, and the step that led to it."""
        self.states[model] = state
        self.steps.append(FoldStep(model, item, state, tuple(transitions)))
