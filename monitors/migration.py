"""A stored state under another plan: nothing that a person or the evidence decided is lost on the way."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tightrope.monitors.detector_bank import Cells, Rule
from tightrope.monitors.history.retained import (
    BEFORE_MARK,
    PairRecord,
    ScopeRecord,
    is_redefined,
    scope_definition,
)
from tightrope.monitors.intervals.estimates import Estimates
from tightrope.monitors.plan import Plan, State, fresh_curves, initial_state, judged_settings
from tightrope.monitors.records import Bools, Stream
from tightrope.monitors.safemode import Mode
from tightrope.monitors.verdict import Onset


def held_breaches(state: State) -> dict[str, bool]:
    """Tell, for each scope, whether it breached while an operator held it in normal mode."""
    return {scope: mode.breached for scope, mode in zip(state.scopes, state.modes, strict=True)}


def scope_records(state: State) -> dict[str, ScopeRecord]:
    """Return the record of every scope that the state has or once had: orphans are joined with scopes of their name."""
    records = dict(state.retained.orphans)
    for index, (scope, mode) in enumerate(zip(state.scopes, state.modes, strict=True)):
        breached = [
            name
            for name, cells in zip(state.monitors, state.cells, strict=True)
            if cells.tripped[:, index : index + 1].any()
        ]
        monitors = (*breached, *state.retained.disabled.get(scope, ()))
        record = ScopeRecord(mode, monitors, scope_definition(scope, state.retained.settings))
        records[scope] = record.join(records[scope]) if scope in records else record
    return records


def _redefined_records(plan: Plan, records: Mapping[str, ScopeRecord]) -> dict[str, ScopeRecord]:
    """Keep the records of rows that are in no scope of their name any more as orphans of a marked name, until the plan
    has their definition again.
    """
    kept: dict[str, ScopeRecord] = {}
    for name, record in records.items():
        scope = name.removesuffix(BEFORE_MARK)
        redefined = scope in plan.scopes and is_redefined(record.definition, scope_definition(scope, plan.settings))
        names = {scope, f"{scope}{BEFORE_MARK}"} if redefined and scope == name else {name if redefined else scope}
        for each in names if scope in plan.scopes else {name}:
            kept[each] = record.join(kept[each]) if each in kept else record
    return kept


def with_estimates(plan: Plan, state: State) -> State:
    """Return a state of the plan with the sums behind intervals and curves, which one of an earlier version lacks."""
    curves = fresh_curves(plan)
    if not state.curves.fits(curves):
        state = replace(state, curves=curves)
    return state if state.estimates.fits(plan.rules) else replace(state, estimates=Estimates.fresh(plan.rules))


def migrate_state(plan: Plan, old: State) -> State:
    """Move a stored state to the current plan.

    Under another digest, or without an added scope, evidence starts anew and modes stay: a scope in safe mode still has
    to disprove every monitor that tripped it. Rows of the open tick count as stale, so that every row is accounted for.
    Modes of scopes that the plan does not have are kept as orphans, and monitors that it does not have as disabled:
    both apply again once the plan has them.
    """
    if (old.digest, old.scopes) == (plan.digest, plan.scopes):
        settings = judged_settings(plan, old)
        same = old.retained.settings == settings
        old = replace(with_estimates(plan, old), modes=still_asked(plan, old.modes))
        return old if same else replace(old, epoch=old.epoch + 1, retained=replace(old.retained, settings=settings))
    fresh, records = initial_state(plan, old.dependence), _redefined_records(plan, scope_records(old))
    current = {scope: records.get(scope, ScopeRecord()) for scope in plan.scopes}
    disabled = {
        scope: tuple(name for name in record.monitors if not _is_watched(plan, name, index))
        for index, (scope, record) in enumerate(current.items())
    }
    retained = replace(
        old.retained,
        orphans={scope: record for scope, record in records.items() if scope not in current and record.relevant},
        disabled={scope: names for scope, names in disabled.items() if names},
        settings=judged_settings(plan, old),
    )
    return replace(
        fresh,
        epoch=old.epoch + 1,
        seen=old.seen,
        stale=old.stale + _open_rows(old),
        log=old.log,
        watermarks=old.watermarks,
        unanswered=old.unanswered,
        labels=old.labels,
        repeats=old.repeats,
        modes=still_asked(plan, tuple(record.mode for record in current.values())),
        cells=tuple(
            _carry_tripped(cells, rule, old, current) for rule, cells in zip(plan.rules, fresh.cells, strict=True)
        ),
        retained=retained,
        estimates=replace(fresh.estimates, onsets=_kept_onsets(plan, old), several=old.estimates.several),
    )


def still_asked(plan: Plan, modes: tuple[Mode, ...]) -> tuple[Mode, ...]:
    """The modes under another plan: one that does not ask all these classes again widens the model."""
    if {*modes[0].asked} <= {*plan.askable}:
        return modes
    return (replace(modes[0], asked=()), *modes[1:])


def _kept_onsets(plan: Plan, old: State) -> dict[str, Mapping[str, Onset]]:
    """Keep where breaches began, of the scopes that the plan has."""
    return {scope: onsets for scope, onsets in old.estimates.onsets.items() if scope in plan.scopes}


def begin_again(plan: Plan, old: State) -> State:
    """Move a stored state to logs that begin anew: modes and orders stay, nothing is counted yet, and the evidence
    starts with the first row of the log.
    """
    fresh, moved = initial_state(plan), migrate_state(plan, replace(old, digest=f"before {old.digest}"))
    return replace(
        moved,
        seen=fresh.seen,
        stale=fresh.stale,
        log=fresh.log,
        watermarks=fresh.watermarks,
        unanswered=fresh.unanswered,
        labels=fresh.labels,
        repeats=fresh.repeats,
        estimates=fresh.estimates,
    )


def _open_rows(state: State) -> int:
    """Count the compared rows of the open tick."""
    rows = state.pending.get(Stream.COMPARISONS)
    return 0 if rows is None else len(rows)


def _is_watched(plan: Plan, monitor: str, scope: int) -> bool:
    """Tell whether a monitor of the plan watches a scope, by its index."""
    return any(rule.monitor.name == monitor and rule.watched[scope : scope + 1].any() for rule in plan.rules)


def _carry_tripped(cells: Cells, rule: Rule, old: State, records: Mapping[str, ScopeRecord]) -> Cells:
    """Mark the variants that had tripped each scope; all of them where the old state does not name them."""
    tripped = cells.tripped.copy()
    for index, (scope, record) in enumerate(records.items()):
        if rule.monitor.name in record.monitors and rule.watched[index : index + 1].any():
            before = _tripped_before(old, rule.monitor.name, scope)
            tripped[:, index] = before if len(before) == len(tripped) else True
    return replace(cells, tripped=tripped)


def _tripped_before(old: State, monitor: str, scope: str) -> Bools:
    """Mask the variants of a monitor that had tripped a scope, (V,), or (0,) where the old state does not name any."""
    if scope in old.scopes:
        own = old.scopes.index(scope)
        for name, cells in zip(old.monitors, old.cells, strict=True):
            if name == monitor and cells.tripped[:, own : own + 1].any():
                return cells.tripped[:, own]
    return np.zeros(0, dtype=bool)


def harm_of_pair(plan: Plan, state: State) -> dict[str, ScopeRecord]:
    """Return the scopes that the plan's pair is known to harm from the time when it served before."""
    known = state.retained.recall((plan.baseline_digest, plan.compressed_digest))
    return _redefined_records(plan, known.harmed) if known else {}


def mark_harmed(state: State, scope: int, record: ScopeRecord) -> State:
    """Note the monitors that a scope has to disprove, and the flaps that it had."""
    mode, name = state.modes[scope], state.scopes[scope]
    modes = (*state.modes[:scope], replace(mode, flaps=max(mode.flaps, record.mode.flaps)), *state.modes[scope + 1 :])
    this_scope = np.arange(len(state.scopes)) == scope
    cells = tuple(
        replace(cells, tripped=cells.tripped | this_scope[: cells.tripped.shape[1]])
        if monitor in record.monitors
        else cells
        for monitor, cells in zip(state.monitors, state.cells, strict=True)
    )
    reached = {monitor for monitor, each in zip(state.monitors, cells, strict=True) if scope < each.tripped.shape[1]}
    missing = [monitor for monitor in record.monitors if monitor not in reached]
    off = tuple(dict.fromkeys((*state.retained.disabled.get(name, ()), *missing)))
    disabled = {**state.retained.disabled, name: off} if off else state.retained.disabled
    return replace(state, modes=modes, cells=cells, retained=replace(state.retained, disabled=disabled))


def mark_known_harm(plan: Plan, state: State, scope: int, record: ScopeRecord) -> State:
    """Note them in a state of the plan, where its monitors watch the scope: no other could disprove the harm."""
    marked = mark_harmed(state, scope, record)
    pairs = zip(plan.rules, marked.cells, strict=True)
    return replace(marked, cells=tuple(replace(cells, tripped=cells.tripped & rule.watched) for rule, cells in pairs))


def remember_pair(state: State, old: State) -> State:
    """Remember what was learnt about the pair of the state ``old``."""
    harmed = {scope: record for scope, record in scope_records(old).items() if record.harmed}
    pair = PairRecord(old.baseline_digest, old.compressed_digest, harmed)
    return replace(state, retained=state.retained.remember(pair))


def add_orphan(state: State, scope: str, record: ScopeRecord) -> State:
    """Keep the mode of a scope that the plan does not have."""
    orphans = state.retained.orphans
    joined = record.join(orphans[scope]) if scope in orphans else record
    return replace(state, retained=replace(state.retained, orphans={**orphans, scope: joined}))
