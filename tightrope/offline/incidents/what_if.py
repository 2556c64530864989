"""The moves that other limits would have led to, on the recorded rows.

Exact for limits: the rows, labels and orders are those that came. Not for sampling: rows that were not compared are not
there. Under other limits evidence starts anew with the first recorded row, as it does when a configuration changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from tightrope.monitors import decide
from tightrope.monitors.budget import MonitorSpec, build_rules
from tightrope.monitors.folding.fold import fold
from tightrope.monitors.folding.inputs import NewPlan
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Bools
from tightrope.offline.incidents.replay import with_plan
from tightrope.service.adapters.journal.entries import RecordedInput
from tightrope.service.adapters.journal.incident import IncidentError, Move
from tightrope.service.adapters.journal.record import (
    BEFORE_ALL,
    JudgementRecord,
    is_covered,
    last_position,
    plan_of,
    segments_of,
)
from tightrope.service.adapters.wire.record_codec import decode_state


@dataclass(frozen=True, slots=True)
class PossibleMove:
    """A move, and the number of answers that had been received then."""

    move: Move
    answer: int


def with_limits(plan: Plan, limits: Mapping[str, float], scope: str | None) -> Plan:
    """The plan with other limits of some monitors, in one scope or in all; the same plan where nothing changes.

    Raises:
        IncidentError: when it has no such monitor or scope.
    """
    names = {spec.monitor.name for spec in plan.specs}
    if unknown := sorted({*limits} - names):
        raise IncidentError(f"--limits: {', '.join(unknown)}: is none of {', '.join(sorted(names))}")
    if scope is not None and scope not in plan.scopes:
        raise IncidentError(f"--scope: {scope!r} is none of {', '.join(plan.scopes)}")
    own = np.array([scope in {None, name} for name in plan.scopes])
    specs = tuple(_with_limit(spec, limits.get(spec.monitor.name), own) for spec in plan.specs)
    if all(new is old for new, old in zip(specs, plan.specs, strict=True)):
        return plan
    key = sha256(f"{plan.digest} {sorted(limits.items())} {scope}".encode()).hexdigest()
    return replace(plan, specs=specs, rules=build_rules(specs, plan.policy.recovery_ratio), digest=key)


def _with_limit(spec: MonitorSpec, limit: float | None, own: Bools) -> MonitorSpec:
    """The specification with this limit in its ``own`` scopes (S,); the same one where nothing changes."""
    if limit is None:
        return spec
    own = own[: len(spec.limits)]
    limits = np.where(own, limit, spec.limits)
    if spec.variant_limits is None:
        same, of_variants = np.array_equal(limits, spec.limits), None
    else:
        of_variants = np.where(own, limit, spec.variant_limits)
        same = np.array_equal(of_variants, spec.variant_limits)
    subgroup_limit = limit if own.all() else spec.subgroup_limit
    return spec if same else replace(spec, limits=limits, variant_limits=of_variants, subgroup_limit=subgroup_limit)


def what_if(record: JudgementRecord, limits: Mapping[str, float], scope: str | None = None) -> list[PossibleMove]:
    """The moves of a record under other limits, oldest first.

    Raises:
        IncidentError: when the record has no inputs, or no such monitor or scope.
    """
    plans = {key: with_limits(plan, limits, scope) for key, plan in record.decoded_plans().items()}
    moves: dict[Move, int] = {}
    state: State | None = None
    covered = BEFORE_ALL
    for begin, others in segments_of(record.entries()):
        plan = plan_of(plans, begin.plan)
        if state is None or not is_covered(begin.position, covered):  # what lies between was not recorded
            state, covered = decode_state(begin.state), BEFORE_ALL
        if state.digest != plan.digest:
            state, _ = decide.deploy(plan, state, decide.Cause(begin.time, reason="other limits"))
        for entry in others:
            if not isinstance(entry, RecordedInput) or is_covered(entry.position, covered):
                continue
            item = with_plan(entry, plans)
            plan = item.plan if isinstance(item, NewPlan) else plan
            state, transitions = fold(plan, state, item)
            for move in Move.of(each for each in transitions if each.moved):
                moves.setdefault(move, state.rows_received)
        covered = last_position(begin, others)
    return [PossibleMove(move, answer) for move, answer in moves.items()]
