"""Folds the recorded inputs of an incident again, and compares each recorded digest of a state with the new one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from tightrope.monitors.folding.fold import fold
from tightrope.monitors.folding.inputs import ComparedRows, FoldInput, NewPlan
from tightrope.monitors.plan import Plan, State
from tightrope.service.adapters.journal.entries import RecordedInput, RecordedState
from tightrope.service.adapters.journal.erasure import ErasedRows
from tightrope.service.adapters.journal.incident import Incident, IncidentError, Move
from tightrope.service.adapters.journal.record import (
    BEFORE_ALL,
    JudgementRecord,
    is_covered,
    last_position,
    plan_of,
    segments_of,
)
from tightrope.service.adapters.journal.redaction import comparable_state
from tightrope.service.adapters.wire.record_codec import decode_state, encode_state


@dataclass(slots=True)
class ReplayResult:
    """The result of a replay: the numbers of inputs, answers and compared ``states``; the first input after which a
    state ``differs``, counted from 1, 0 without any; rows that were ``erased``; the ``moves``; and the versions and
    hosts of the processes that recorded. ``searched`` is False where the search for undeclared groups was left out.
    """

    inputs: int = 0
    answers: int = 0
    states: int = 0
    differs: int = 0
    erased: int = 0
    moves: list[Move] = field(default_factory=list)
    versions: list[Mapping[str, str]] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    searched: bool = True

    def missed_moves(self, incident: Incident) -> list[Move]:
        """The moves of an incident that did not come again, and those that are new, oldest first."""
        end = float("inf") if incident.closed is None else incident.closed
        own = [move for move in self.moves if incident.opened <= move.time <= end]
        return sorted({*own} ^ {*incident.moves}, key=lambda move: move.time)


def replay(record: JudgementRecord) -> ReplayResult:
    """Fold all segments of a record, each from its own state.

    Raises:
        IncidentError: when the record has no inputs, or names a plan that it does not have.
    """
    result, plans, covered, erased = ReplayResult(), record.decoded_plans(), BEFORE_ALL, ErasedRows()
    if not record.segments:
        raise IncidentError(f"{record.model}: the segments of the record are gone")
    for begin, others in segments_of(record.entries()):
        result.versions.append(begin.versions)
        result.hosts.append(begin.host)
        state, plan = decode_state(begin.state), plan_of(plans, begin.plan)
        result.searched &= begin.has_columns or plan.search is None
        counted = covered[0] if is_covered(begin.position, covered) else 0
        for entry in others:
            if isinstance(entry, RecordedState):
                result.states += 1
                if not result.differs and state_digest(state, has_columns=begin.has_columns) != entry.sha256:
                    result.differs = max(result.inputs, 1)
            elif isinstance(entry, RecordedInput):
                item = with_plan(entry, plans)
                if isinstance(item, NewPlan):
                    plan, counted = item.plan, 0  # its rows are counted anew
                before, (state, transitions) = state, fold(plan, state, item)
                result.inputs += 1
                result.moves += Move.of(each for each in transitions if each.moved)
                if isinstance(item, ComparedRows):
                    result.answers += max(state.rows_received - max(before.rows_received, counted), 0)
        covered = last_position(begin, others)
        erased.add(begin, others)
    result.erased = erased.by_name.total()
    result.moves = list(dict.fromkeys(result.moves))
    return result


def with_plan(entry: RecordedInput, plans: Mapping[str, Plan]) -> FoldInput:
    """The input of an entry, with the plan that it names."""
    return replace(entry.item, plan=plan_of(plans, entry.plan)) if isinstance(entry.item, NewPlan) else entry.item


def state_digest(state: State, *, has_columns: bool) -> str:
    """The digest of a state as the record has it."""
    return sha256(encode_state(comparable_state(state, has_columns=has_columns))).hexdigest()
