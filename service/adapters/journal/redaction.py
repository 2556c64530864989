"""Leaves out of a record, before it is written, ids of requests and the values of input columns.

An id becomes a keyed digest, so rows of one request still belong together, and no reader without the key can tell their
caller. The fold compares ids only for equality, with the exception of the memory of repeated requests, which holds
checksums of ids and has no part in evidence: it is left out of every state, before its digest is made. Without input
columns nothing can be searched for undeclared groups, so that search is left out as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np

from tightrope.monitors.folding.inputs import ComparedRows, FoldInput, FoldStep, LabelledRows
from tightrope.monitors.hunter.search import Search
from tightrope.monitors.intake.repeats import RepeatMemory
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Comparisons, Stream, unknown_column

ID_BYTES = 16
"""Bytes of the digest of an id."""


def comparable_state(state: State, *, has_columns: bool) -> State:
    """A state without what no record has: the checksums of ids and, without input columns, the search."""
    memory = RepeatMemory(state.repeats.inputs, uncounted=state.repeats.uncounted, differ=state.repeats.differ)
    return replace(state, repeats=memory, search=state.search if has_columns else Search(""))


def recorded_plan(plan: Plan, *, has_columns: bool) -> Plan:
    """A plan whose search adds no scopes, where the record has no input columns."""
    base = plan.base or plan
    return base if has_columns or base.search is None else replace(base, search=replace(base.search, arms=False))


@dataclass(frozen=True, slots=True)
class Redaction:
    """The contents of a model's record: digests of ids under a ``key``, and input columns where it ``has_columns``."""

    key: bytes = field(repr=False)
    has_columns: bool = False

    def state(self, state: State) -> State:
        """A state as it is recorded."""
        pending = {stream: self._rows(rows, numbered=stream is Stream.LABELS) for stream, rows in state.pending.items()}
        return comparable_state(replace(state, pending=pending), has_columns=self.has_columns)

    def item(self, item: FoldInput) -> FoldInput:
        """An input as it is recorded."""
        if isinstance(item, ComparedRows):
            return replace(item, rows=self._rows(item.rows))
        return LabelledRows(self._rows(item.rows, numbered=True)) if isinstance(item, LabelledRows) else item

    def breaks(self, before: State, step: FoldStep) -> bool:
        """Whether a step cannot be repeated from what is recorded: a found group became a scope, or no longer is one,
        and the record has no input columns.
        """
        groups = [[each for each in state.added if not each.is_host] for state in (before, step.after)]
        return not self.has_columns and groups[0] != groups[1]

    def _rows(self, rows: Comparisons, *, numbered: bool = False) -> Comparisons:
        """Rows without ids and trace ids; those that were ``numbered`` end with the number of the row."""
        ids = tuple(self._numbered(rows.request_id) if numbered else self._digests(rows.request_id))
        hidden = replace(rows, request_id=ids, trace_id=unknown_column("trace_id", len(rows)))
        return hidden if self.has_columns else replace(hidden, features=np.zeros((len(rows), 0), np.float32))

    def _digests(self, ids: tuple[str, ...]) -> Iterator[str]:
        fresh = blake2b(key=self.key, digest_size=ID_BYTES).copy
        for name in ids:
            hashed = fresh()
            hashed.update(name.encode())
            yield hashed.hexdigest()

    def _numbered(self, ids: tuple[str, ...]) -> Iterator[str]:
        parts = [name.rpartition("#") for name in ids]
        for digest, (_, mark, row) in zip(self._digests(tuple(part[0] for part in parts)), parts, strict=True):
            yield f"{digest}{mark}{row}"
