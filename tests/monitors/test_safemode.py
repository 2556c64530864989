"""The safe-mode table, walked whole: every state with every input, free, held and dwelling."""

from dataclasses import fields, replace
from itertools import product

import pytest

from tightrope.monitors.safemode import (
    ORDERS,
    IllegalTransitionError,
    Input,
    Mode,
    Policy,
    State,
    apply,
    recovery_samples,
)

NORMAL, SAFE, LATCHED = State.NORMAL, State.SAFE, State.LATCHED
POLICY = Policy(min_dwell=300.0, flap_window=1000.0, max_flaps=3, recovery_samples=1e5)
NOW = 50_000.0

GOES = {
    (NORMAL, Input.BREACH): SAFE,
    (NORMAL, Input.BLIND): SAFE,
    (NORMAL, Input.NEW_ARTEFACT): NORMAL,
    (NORMAL, Input.FORCE_SAFE): SAFE,
    (NORMAL, Input.FORCE_NORMAL): NORMAL,
    (NORMAL, Input.RELEASE): NORMAL,
    (SAFE, Input.BREACH): SAFE,
    (SAFE, Input.BLIND): SAFE,
    (SAFE, Input.RECOVERED): NORMAL,
    (SAFE, Input.DWELL_ELAPSED): SAFE,
    (SAFE, Input.NEW_ARTEFACT): SAFE,
    (SAFE, Input.FORCE_SAFE): SAFE,
    (SAFE, Input.FORCE_NORMAL): NORMAL,
    (SAFE, Input.RELEASE): SAFE,
    (LATCHED, Input.BREACH): LATCHED,
    (LATCHED, Input.BLIND): LATCHED,
    (LATCHED, Input.RECOVERED): LATCHED,
    (LATCHED, Input.NEW_ARTEFACT): LATCHED,
    (LATCHED, Input.FORCE_SAFE): SAFE,
    (LATCHED, Input.FORCE_NORMAL): NORMAL,
    (LATCHED, Input.RELEASE): SAFE,
}
"""Where a scope that nobody holds, whose dwell is over and that never flapped, goes. What is missing is illegal."""

HELD_BACK = {(NORMAL, Input.BREACH), (NORMAL, Input.BLIND), (SAFE, Input.RECOVERED)}
"""Pairs that move a scope, but not one that an operator holds."""

PAIRS = list(product(State, Input))
MODES = [
    Mode(held=held, dwelling=dwelling, flaps=flaps, since=NOW - 400, returned=returned)
    for held, dwelling, flaps, returned in product((False, True), (False, True), (0, 2), (-1e18, NOW - 500))
]
"""Every mixture of held, dwelling, flapped before, and returned lately."""


def expected(mode: Mode, what: Input) -> State:
    """The next state by the literal table above and the three rules."""
    to = GOES[mode.state, what]
    if mode.held and (mode.state, what) in HELD_BACK:
        return mode.state
    if mode.dwelling and (mode.state, what) == (SAFE, Input.RECOVERED):
        return SAFE
    flapped_once_more = mode.returned > 0 and mode.flaps == POLICY.max_flaps - 1
    if (mode.state, what) == (NORMAL, Input.BREACH) and flapped_once_more:
        return LATCHED
    return to


@pytest.mark.parametrize(("state", "what"), PAIRS)
def test_every_pair_goes_where_the_table_says_or_raises(state: State, what: Input) -> None:
    """Held or free, dwelling or not, flapped or not; an illegal pair names itself and changes nothing."""
    for mode in (replace(variant, state=state) for variant in MODES):
        before = repr(mode)
        if (state, what) in GOES:
            assert apply(mode, what, NOW, POLICY).state is expected(mode, what)
        else:
            with pytest.raises(IllegalTransitionError, match=f"state {state} cannot take {what}"):
                apply(mode, what, NOW, POLICY)
        assert repr(mode) == before


@pytest.mark.parametrize(("state", "what"), sorted(GOES))
def test_only_a_change_of_state_sets_the_clock(state: State, what: Input) -> None:
    """``since`` is when the state was entered; ``returned`` when it last became normal."""
    for mode in (replace(variant, state=state) for variant in MODES):
        after = apply(mode, what, NOW, POLICY)
        moved = after.state is not state
        assert after.since == (NOW if moved else mode.since)
        assert after.returned == (NOW if moved and after.state is NORMAL else mode.returned)


@pytest.mark.parametrize(("state", "what"), sorted(GOES))
def test_dwell_starts_on_entering_safe_and_ends_by_its_own_input(state: State, what: Input) -> None:
    """Nothing else begins or ends it, but to leave safe mode."""
    for mode in (replace(variant, state=state) for variant in MODES):
        after = apply(mode, what, NOW, POLICY)
        if after.state is not state:
            assert after.dwelling == (after.state is SAFE)
        else:
            assert after.dwelling == (mode.dwelling and what is not Input.DWELL_ELAPSED)


@pytest.mark.parametrize(("state", "what"), sorted(GOES))
def test_only_orders_hold_and_release(state: State, what: Input) -> None:
    """A force holds, a release frees, and all other inputs leave the hold as it is."""
    for mode in (replace(variant, state=state) for variant in MODES):
        after = apply(mode, what, NOW, POLICY)
        assert after.held == (what is not Input.RELEASE if what in ORDERS else mode.held)


@pytest.mark.parametrize(("state", "what"), sorted(GOES))
def test_flaps_change_only_by_a_breach_in_normal_or_an_order_to_a_latch(state: State, what: Input) -> None:
    """A breach soon after a return adds one, a later one starts anew; a person's order forgives a latch."""
    for mode in (replace(variant, state=state) for variant in MODES):
        wanted = mode.flaps
        if (state, what) == (NORMAL, Input.BREACH) and not mode.held:
            wanted = mode.flaps + 1 if mode.returned > 0 else 0
        if state is LATCHED and what in ORDERS:
            wanted = 0
        assert apply(mode, what, NOW, POLICY).flaps == wanted


@pytest.mark.parametrize(("ago", "flaps"), [(999.0, 1), (1000.0, 1), (1000.5, 0)])
def test_breach_within_the_window_after_a_return_is_a_flap(ago: float, flaps: int) -> None:
    """The window's last moment counts."""
    assert apply(Mode(returned=NOW - ago), Input.BREACH, NOW, POLICY).flaps == flaps


def test_flapping_scope_latches_and_waits_for_a_person() -> None:
    """Breach, return, breach, ...: the third flap latches, and only an order ends it."""
    mode, time = Mode(), 0.0
    entered = []
    for _ in range(4):
        mode = apply(mode, Input.BREACH, time, POLICY)
        entered.append((mode.state, mode.flaps))
        if mode.state is SAFE:
            mode = apply(mode, Input.DWELL_ELAPSED, time + 300, POLICY)
            mode = apply(mode, Input.RECOVERED, time + 400, POLICY)
        time += 500
    assert entered == [(SAFE, 0), (SAFE, 1), (SAFE, 2), (LATCHED, 3)]
    for what in (Input.RECOVERED, Input.BREACH, Input.BLIND):
        assert apply(mode, what, time, POLICY) == mode
    assert apply(mode, Input.RELEASE, time, POLICY) == Mode(
        SAFE, held=False, dwelling=True, since=time, returned=mode.returned
    )


@pytest.mark.parametrize("state", State)
def test_new_artefact_puts_who_is_safe_on_trial_and_moves_nobody(state: State) -> None:
    """A latched scope waits for a person all the same; whoever is in normal mode has nothing to prove."""
    mode = Mode(state, flaps=1, since=5.0)
    assert apply(mode, Input.NEW_ARTEFACT, NOW, POLICY) == replace(mode, trial=state is not NORMAL)


@pytest.mark.parametrize("what", [Input.RECOVERED, Input.FORCE_NORMAL])
def test_trial_ends_with_the_return(what: Input) -> None:
    """The next breach is judged as every other."""
    assert not apply(Mode(SAFE, trial=True), what, NOW, POLICY).trial


@pytest.mark.parametrize(("flaps", "wanted"), [(0, 1e2), (1, 1e3), (2, 1e4), (6, 1e8), (400, 1e8)])
def test_trial_asks_a_hundred_and_tenfold_after_every_flap(flaps: int, wanted: float) -> None:
    """Up to the same cap."""
    assert recovery_samples(Mode(SAFE, flaps=flaps, trial=True), POLICY) == wanted


def test_first_breach_of_all_is_no_flap() -> None:
    """A scope that never returned from anywhere cannot relapse."""
    assert apply(Mode(), Input.BREACH, 0.0, POLICY) == Mode(SAFE, dwelling=True, since=0.0)


@pytest.mark.parametrize(("flaps", "wanted"), [(0, 1e5), (1, 1e6), (2, 1e7), (3, 1e8), (4, 1e8), (400, 1e8)])
def test_every_flap_asks_tenfold_evidence_up_to_a_cap(flaps: int, wanted: float) -> None:
    """However often it flapped, a scope can return."""
    assert recovery_samples(Mode(flaps=flaps), POLICY) == wanted


@pytest.mark.parametrize("flaps", [0, 1, 5])
def test_cap_never_lowers_what_was_configured(flaps: int) -> None:
    """Who asks for more than the cap gets it, flaps or not."""
    assert recovery_samples(Mode(flaps=flaps), replace(POLICY, recovery_samples=1e9)) == 1e9


def test_safe_means_that_the_baseline_answers() -> None:
    """In safe mode and when latched."""
    assert [Mode(state).safe for state in State] == [False, True, True]


def test_a_new_mode_is_normal_free_and_untroubled() -> None:
    """What a scope is before anything happened."""
    mode = Mode()
    assert {field.name for field in fields(Mode)} == {
        "state",
        "held",
        "dwelling",
        "since",
        "returned",
        "flaps",
        "trial",
    }
    assert (mode.state, mode.held, mode.dwelling, mode.flaps, mode.trial) == (NORMAL, False, False, 0, False)
