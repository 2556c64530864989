"""Leaves out of a record, before it is written, ids of requests and the values of input columns.

An id becomes a digest, so rows of one request still belong together, and no reader without the key can tell their
caller. The fold compares ids only for equality, with the exception of the memory of repeated requests, which holds
checksums of ids and has no part in evidence: it is left out of every state, before its digest is made. Without input
columns nothing can be searched for undeclared groups, so that search is left out as well.
"""

import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.folding.inputs import ComparedRows, FoldInput, FoldStep, LabelledRows
from tightrope.monitors.hunter.search import Search
from tightrope.monitors.intake.repeats import RepeatMemory
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Comparisons, Hashes, Stream, Texts, unknown_column
from tightrope.service.adapters.journal.column_redaction import DROP_ALL, ColumnRedaction, ColumnWay
from tightrope.service.adapters.journal.id_digests import (
    ID_BYTES,
    DigestForm,
    available_form,
    digest_names,
    id_digests,
)
from tightrope.service.adapters.journal.row_columns import IdColumn, number_name

IdWay: TypeAlias = Literal["hash", "keep", "drop"]
"""hash: digests under a key that the state folder keeps; drop: numbers that nothing outside of the process can be
compared with; keep: the ids themselves.
"""

_PROCESS_KEY = secrets.token_bytes(ID_BYTES)
"""The key of ids that are dropped, where Python's own hashes have none: it ends with the process."""


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
    """The settings of a model's record: the way of ``ids``, with the ``key`` of digests, and that of
    each of ``columns``, by its number or its title; ``*`` stands for all others.
    """

    key: bytes = field(repr=False)
    columns: Mapping[str, ColumnWay] = field(default_factory=lambda: DROP_ALL)
    ids: IdWay = "hash"
    digests: DigestForm = field(default_factory=available_form)

    def document(self) -> dict[str, object]:
        """The ways, in JSON types, and the form of the digests of ids if there are any."""
        ways: dict[str, object] = {"ids": self.ids, "columns": dict(self.columns)}
        return {**ways, "digests": self.digests} if self.ids == "hash" else ways

    def of(self, plan: Plan) -> "PlanRedaction":
        """The contents of a record while this plan judges."""
        return PlanRedaction(self, ColumnRedaction.of(plan, self.columns, self.key))


@dataclass(frozen=True, slots=True)
class PlanRedaction:
    """The part of the rows of one plan that is recorded."""

    settings: Redaction
    columns: ColumnRedaction

    @property
    def has_columns(self) -> bool:
        """Whether the search for undeclared groups can be repeated from what is recorded."""
        return self.columns.repeats_search

    def state(self, state: State) -> State:
        """A state as it is recorded."""
        pending = {
            stream: self._rows(self.columns.rows(rows), numbered=stream is Stream.LABELS)
            for stream, rows in state.pending.items()
        }
        shown = replace(state, pending=pending, search=self.columns.search(state.search))
        return comparable_state(shown, has_columns=self.has_columns)

    def without_columns(self, item: FoldInput) -> FoldInput:
        """An input whose columns are as they are recorded, and that still has its ids."""
        if isinstance(item, ComparedRows | LabelledRows):
            return replace(item, rows=self.columns.rows(item.rows))
        return item

    def item(self, item: FoldInput) -> FoldInput:
        """An input as it is recorded; compared rows whose ids have an `id_column` have none of their own."""
        if isinstance(item, ComparedRows):
            rows = self.columns.rows(item.rows)
            ids = rows.request_id if self.settings.ids == "keep" else ("",) * len(rows)
            return replace(item, rows=replace(rows, request_id=ids, trace_id=_no_traces(len(rows))))
        if isinstance(item, LabelledRows):
            return LabelledRows(self._rows(self.columns.rows(item.rows), numbered=True))
        return item

    def id_column(self, item: FoldInput) -> IdColumn | None:
        """The column that stands for the ids of compared rows, where these are not kept."""
        if self.settings.ids == "keep" or not isinstance(item, ComparedRows):
            return None
        ids = item.rows.request_id
        return dropped_ids(ids) if self.settings.ids == "drop" else self._digests(ids)

    def breaks(self, before: State, step: FoldStep) -> bool:
        """Whether a step cannot be repeated from what is recorded: a found group became a scope, or no longer is one,
        and the record has no input columns.
        """
        groups = [[each for each in state.added if not each.is_host] for state in (before, step.after)]
        return not self.has_columns and groups[0] != groups[1]

    def _rows(self, rows: Comparisons, *, numbered: bool = False) -> Comparisons:
        """Rows without ids and trace ids; those that were ``numbered`` end with the number of the row."""
        names = self._names()
        ids = tuple(_numbered(rows.request_id, names) if numbered else names(rows.request_id))
        return replace(rows, request_id=ids, trace_id=_no_traces(len(rows)))

    def _names(self) -> Callable[[tuple[str, ...]], Iterator[str]]:
        if self.settings.ids == "keep":
            return iter
        return self._hashed if self.settings.ids == "hash" else _dropped

    def _hashed(self, ids: tuple[str, ...]) -> Iterator[str]:
        return iter(digest_names(self._digests(ids)))

    def _digests(self, ids: tuple[str, ...]) -> NDArray[np.uint8]:
        return id_digests(self.settings.key, ids, self.settings.digests)


def dropped_ids(ids: tuple[str, ...]) -> Hashes:
    """Numbers for ids, (n,), equal where the ids are. Their key is the one that Python draws for its hashes when a
    process starts, and no file has a copy of it.
    """
    if sys.flags.hash_randomization:
        return np.fromiter(map(hash, ids), np.int64, len(ids)).view(np.uint64)
    digests = (blake2b(name.encode(), key=_PROCESS_KEY, digest_size=8).digest() for name in ids)
    return np.frombuffer(b"".join(digests), np.uint64)


def _no_traces(n: int) -> Texts:
    """The column of trace ids (n,) without any, which takes the room of one."""
    return np.broadcast_to(unknown_column("trace_id", 1), n)


def _dropped(ids: tuple[str, ...]) -> Iterator[str]:
    return map(number_name, dropped_ids(ids).tolist())


def _numbered(ids: tuple[str, ...], names: Callable[[tuple[str, ...]], Iterator[str]]) -> Iterator[str]:
    parts = [name.rpartition("#") for name in ids]
    for digest, (_, mark, row) in zip(names(tuple(part[0] for part in parts)), parts, strict=True):
        yield f"{digest}{mark}{row}"
