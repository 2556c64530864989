"""Finds the records on which a round fails, by halving, and applies the others.

How it works. A round that failed is made again in memory: nothing is saved or published, so a full disk, a locked
database or a lost broker cannot be taken for the fault of a record. Its records are applied to a copy of the round; if
that fails, each half is. A record that fails alone, after it failed with others before, is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from copy import copy
from dataclasses import replace
from typing import Protocol, TypeVar

from tightrope.monitors.plan import State
from tightrope.monitors.records import Event, Routes
from tightrope.service.adapters.dead_letters import is_records_fault
from tightrope.service.adapters.ports import PendingChanges, Record
from tightrope.service.adapters.sqlite.store import IN_MEMORY, SqliteStore
from tightrope.service.adapters.wire import record_codec

Refused = list[tuple[Record, Exception]]


class Round(Protocol):
    """A round of the judge: records are applied to states in memory, and what there is to save is collected."""

    states: dict[str, State]
    events: list[Event]
    routes: list[Routes]
    positions: dict[tuple[str, int], int]
    pending: dict[str, PendingChanges]

    def process(self, records: Sequence[Record]) -> Iterator[tuple[Record, Exception]]:
        """Apply records in order; yield each skipped one with the reason."""


AnyRound = TypeVar("AnyRound", bound=Round)


def apply_others(judge_round: AnyRound, records: Sequence[Record], failure: Exception) -> tuple[AnyRound, Refused]:
    """Apply records to a new round after an earlier one failed on them; returns the round, and the records left out.

    Raises:
        Exception: ``failure``, when no record is the cause.
    """
    if not is_records_fault(failure):
        raise failure
    before = dict(judge_round.states)
    applied, refused, faulty = _apply(judge_round, records, before, failed=not records)
    if not faulty:
        raise failure
    return applied, [*refused, *faulty]


def _apply(
    judge_round: AnyRound, records: Sequence[Record], before: Mapping[str, State], *, failed: bool
) -> tuple[AnyRound, Refused, Refused]:
    """Apply records to a copy of the round; returns it, the records that are skipped, and those on which it fails."""
    trial = _copy(judge_round)
    try:
        skipped = list(trial.process(records))
        _rehearse(trial, before)
    except Exception as error:
        if not is_records_fault(error):
            raise
        if len(records) == 1:
            return _without(judge_round, records[0]), [], [(records[0], error)]
        if failed:
            raise
        middle = len(records) // 2
        first, *found = _apply(judge_round, records[:middle], before, failed=False)
        second, *more = _apply(first, records[middle:], before, failed=False)
        return second, found[0] + more[0], found[1] + more[1]
    return trial, skipped, []


def _rehearse(judge_round: Round, before: Mapping[str, State]) -> None:
    """Encode and save the round in memory, and read it again: what fails here would fail on disk."""
    changed = {name: state for name, state in judge_round.states.items() if state is not before[name]}
    snapshots = {name: record_codec.encode_state(state) for name, state in changed.items()}
    for snapshot in snapshots.values():
        record_codec.decode_state(snapshot)
    for routes in judge_round.routes:
        record_codec.decode_routes(record_codec.encode_routes(routes))
    for event in judge_round.events:
        record_codec.decode_event(record_codec.encode_event(event))
    with closing(SqliteStore(IN_MEMORY)) as store:
        store.save("", judge_round.positions, snapshots, judge_round.events, judge_round.pending)


def _copy(judge_round: AnyRound) -> AnyRound:
    """A copy whose collections are its own; states are immutable."""
    twin = copy(judge_round)
    for name, value in vars(judge_round).items():
        if isinstance(value, dict | list):
            setattr(twin, name, copy(value))
    twin.pending = {
        model: replace(
            changes,
            held=dict(changes.held),
            joined=set(changes.joined),
            waiting=dict(changes.waiting),
            matched=set(changes.matched),
        )
        for model, changes in judge_round.pending.items()
    }
    return twin


def _without(judge_round: AnyRound, record: Record) -> AnyRound:
    """The round as if the record had been applied and had changed nothing."""
    judge_round.positions[record.topic, record.partition] = record.offset + 1
    return judge_round
