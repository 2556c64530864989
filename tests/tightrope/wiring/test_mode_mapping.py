"""Stored modes whose scope the configuration lost: the start refuses until a person maps them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.comparisons import SCOPES, make_plan
from tightrope.monitors.history.retained import PairRecord, Retained, ScopeRecord
from tightrope.monitors.migration import migrate_state, scope_records
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.service.config.loader import ConfigError
from tightrope.wiring.mode_mapping import drop_mode, move_mode, read_state, require_mapped, stored_modes

LATCHED = Mode(ModeState.LATCHED, flaps=3)
TODAY = make_plan("disagreement", scopes=("group=x", *SCOPES[1:]), digest="d2")
"""The plan after group=a was renamed to group=x."""


def latched(mode: Mode = LATCHED) -> State:
    """Return a state of the plan before, with group=a in this mode after disagreement."""
    state = initial_state(make_plan("disagreement"))
    state.cells[0].tripped[:, 1] = True
    return replace(state, modes=(state.modes[0], mode, *state.modes[2:]))


@contextmanager
def stored(state: State | None) -> Iterator[SqliteStore]:
    """Open a state with this snapshot."""
    store = SqliteStore(Path(":memory:"))
    if state is not None:
        store.save("log", {}, {"m": record_codec.encode_state(state)}, [])
    yield store
    store.close()


def restored(store: SqliteStore, plan: Plan = TODAY) -> State:
    """Return the stored state as the next start has it."""
    state = read_state(store, "m")
    assert state is not None
    return migrate_state(plan, state)


@pytest.mark.parametrize("mode", [LATCHED, Mode(ModeState.SAFE, held=True), Mode(ModeState.SAFE)])
def test_lost_scope_in_safe_mode_stops_the_start(mode: Mode) -> None:
    """The line names scope, state and both commands."""
    with stored(latched(mode)) as store, pytest.raises(ConfigError) as caught:
        require_mapped(store, {"m": TODAY})
    (line,) = caught.value.problems
    assert line == (
        f"models.m.subgroups: group=a is {mode.state} in the stored state and no longer in the configuration; "
        "`tightrope modes move CONFIG group=a NEW` gives its mode to another scope, "
        "`tightrope modes drop CONFIG group=a --reason WHY` forgets it"
    )


@pytest.mark.parametrize("state", [None, latched(Mode(held=True)), latched(Mode())])
def test_start_needs_no_map_without_a_safe_scope(state: State | None) -> None:
    """Nor where there is no state, or the scope is in the configuration."""
    with stored(state) as store:
        require_mapped(store, {"m": TODAY})
    with stored(latched()) as store:
        require_mapped(store, {"m": make_plan("disagreement", digest="d2")})


def test_unreadable_state_is_left_to_the_judge() -> None:
    """It begins with every scope in safe mode."""
    with stored(None) as store:
        store.save("log", {}, {"m": b"nothing"}, [])
        require_mapped(store, {"m": TODAY})
        with pytest.raises(ConfigError, match="snapshot of model m cannot be read"):
            read_state(store, "m")


def test_moved_mode_is_that_of_the_new_scope() -> None:
    """With the monitors to disprove, also for pairs that served before; the audit trail has actor and reason."""
    pair = PairRecord("b1", "c0", {"group=a": ScopeRecord(Mode(ModeState.SAFE), ("disagreement",))})
    state = replace(latched(), retained=Retained(pairs=(pair,)))
    with stored(state) as store:
        shown = move_mode(store, TODAY, "group=a", "group=x", "ann", "renamed upstream")
        assert (shown.scope, shown.record.mode) == ("group=x", LATCHED)
        require_mapped(store, {"m": TODAY})
        after = restored(store)
        ((_, event),) = store.events()
    assert (after.modes[1], after.cells[0].tripped.tolist()) == (LATCHED, [[False, True, False, False]])
    assert set(after.retained.pairs[0].harmed) == {"group=x"}
    assert after.retained.orphans == {}
    assert (event.kind, event.scope, event.actor, event.reason) == ("mode-moved", "group=a", "ann", "renamed upstream")
    assert event.detail == {"state": "latched", "held": False, "monitors": ["disagreement"], "to": "group=x"}


@pytest.mark.parametrize("migrated", [False, True])
def test_merged_scopes_have_the_stricter_mode(*, migrated: bool) -> None:
    """Before the first start under the new configuration, and where the state has it already, as after a rollback."""
    state = migrate_state(TODAY, latched()) if migrated else latched()
    with stored(state) as store:
        move_mode(store, TODAY, "group=a", "group=b", "ann", "merged")
        after = restored(store)
    assert after.modes[2] == LATCHED
    assert after.cells[0].tripped.tolist() == [[False, False, True, False]]
    assert after.retained.unmapped == {}


def test_dropped_mode_is_forgotten() -> None:
    """Pairs that harmed the scope are forgotten with it; the event has the reason."""
    pair = PairRecord("b1", "c0", {"group=a": ScopeRecord(Mode(ModeState.SAFE), ("disagreement",))})
    with stored(replace(latched(), retained=Retained(pairs=(pair,)))) as store:
        drop_mode(store, TODAY, "group=a", "ann", "the product was closed")
        require_mapped(store, {"m": TODAY})
        after = restored(store)
        ((_, event),) = store.events()
    assert not any(record.relevant for record in scope_records(after).values())
    assert dict(after.retained.pairs[0].harmed) == {}
    assert (event.kind, event.actor, event.reason) == ("mode-dropped", "ann", "the product was closed")


def test_scope_of_the_configuration_is_changed_by_orders_only() -> None:
    """A command on the file would bypass the table; an unknown scope is named."""
    with stored(latched()) as store:
        with pytest.raises(ConfigError, match="is in the configuration of model m"):
            drop_mode(store, make_plan("disagreement"), "group=a", "ann", "because")
        with pytest.raises(ConfigError, match="no stored mode of 'group=q'"):
            drop_mode(store, TODAY, "group=q", "ann", "because")
        for new in ("group=q", "model"):
            with pytest.raises(ConfigError, match=f"NEW: model m has no subgroup '{new}'; it has group=x, group=b"):
                move_mode(store, TODAY, "group=a", new, "ann", "because")
        assert store.events() == []
    with stored(None) as store, pytest.raises(ConfigError, match="no stored mode"):
        drop_mode(store, TODAY, "group=a", "ann", "because")


def test_list_has_the_scopes_of_the_configuration_and_the_lost_ones() -> None:
    """A lost scope without a history is left out."""
    with stored(latched()) as store:
        listed = {each.scope: each.configured for each in stored_modes(store, TODAY)}
    assert listed == {"model": True, "group=a": False, "group=b": True, "half=left": True}
