"""The safe-mode table, exhaustively: every state with every input, free, held and dwelling."""

from dataclasses import fields, replace
from itertools import product

import pytest

from tightrope.monitors.safemode import (
    NEVER,
    ORDERS,
    IllegalTransitionError,
    Input,
    Mode,
    ModeState,
    Policy,
    next_mode,
    recovery_samples,
)

NORMAL, SAFE, LATCHED = ModeState.NORMAL, ModeState.SAFE, ModeState.LATCHED
POLICY = Policy(min_dwell=300.0, flap_window=1000.0, max_flaps=3, recovery_samples=1e5)
NOW = 50_000.0

NEXT_STATES = {
    (NORMAL, Input.BREACH): SAFE,
    (NORMAL, Input.BLIND): SAFE,
    (NORMAL, Input.UNREADABLE): SAFE,
    (NORMAL, Input.NEW_ARTEFACT): NORMAL,
    (NORMAL, Input.KNOWN_HARM): SAFE,
    (NORMAL, Input.WITHHELD): SAFE,
    (NORMAL, Input.FORCE_SAFE): SAFE,
    (NORMAL, Input.FORCE_NORMAL): NORMAL,
    (NORMAL, Input.RELEASE): NORMAL,
    (SAFE, Input.BREACH): SAFE,
    (SAFE, Input.BLIND): SAFE,
    (SAFE, Input.UNREADABLE): SAFE,
    (SAFE, Input.RECOVERED): NORMAL,
    (SAFE, Input.DWELL_ELAPSED): SAFE,
    (SAFE, Input.NEW_ARTEFACT): SAFE,
    (SAFE, Input.KNOWN_HARM): SAFE,
    (SAFE, Input.WITHHELD): SAFE,
    (SAFE, Input.FORCE_SAFE): SAFE,
    (SAFE, Input.FORCE_NORMAL): NORMAL,
    (SAFE, Input.RELEASE): SAFE,
    (LATCHED, Input.BREACH): LATCHED,
    (LATCHED, Input.BLIND): LATCHED,
    (LATCHED, Input.UNREADABLE): LATCHED,
    (LATCHED, Input.RECOVERED): LATCHED,
    (LATCHED, Input.NEW_ARTEFACT): LATCHED,
    (LATCHED, Input.KNOWN_HARM): LATCHED,
    (LATCHED, Input.WITHHELD): LATCHED,
    (LATCHED, Input.FORCE_SAFE): SAFE,
    (LATCHED, Input.FORCE_NORMAL): NORMAL,
    (LATCHED, Input.RELEASE): SAFE,
}
"""The next state of a scope that is not held, has no dwell and never flapped. Missing pairs are illegal."""

BLOCKED_BY_A_HOLD = {
    (NORMAL, Input.BREACH),
    (NORMAL, Input.BLIND),
    (NORMAL, Input.KNOWN_HARM),
    (NORMAL, Input.WITHHELD),
    (NORMAL, Input.UNREADABLE),
    (SAFE, Input.RECOVERED),
}
"""Pairs that move a scope only if no operator holds it."""

PAIRS = list(product(ModeState, Input))
MODES = [
    Mode(held=held, dwelling=dwelling, flaps=flaps, since=NOW - 400, returned=returned)
    for held, dwelling, flaps, returned in product((False, True), (False, True), (0, 2), (-1e18, NOW - 500))
]
"""Every combination of held, dwelling, flapped before, and returned recently."""


def expected(mode: Mode, trigger: Input) -> ModeState:
    """Derive the next state from the literal table above and the three rules."""
    to = NEXT_STATES[mode.state, trigger]
    if mode.held and (mode.state, trigger) in BLOCKED_BY_A_HOLD:
        return mode.state
    if mode.dwelling and (mode.state, trigger) == (SAFE, Input.RECOVERED):
        return SAFE
    flapped_once_more = mode.returned > 0 and mode.flaps == POLICY.max_flaps - 1
    if (mode.state, trigger) == (NORMAL, Input.BREACH) and flapped_once_more:
        return LATCHED
    return to


@pytest.mark.parametrize(("state", "trigger"), PAIRS)
def test_every_pair_leads_to_its_state_or_raises(state: ModeState, trigger: Input) -> None:
    """For every mode; an illegal pair is named in the error and changes nothing."""
    for mode in (replace(variant, state=state) for variant in MODES):
        before = repr(mode)
        if (state, trigger) in NEXT_STATES:
            assert next_mode(mode, trigger, NOW, POLICY).state is expected(mode, trigger)
        else:
            with pytest.raises(IllegalTransitionError, match=f"state {state} cannot take {trigger}"):
                next_mode(mode, trigger, NOW, POLICY)
        assert repr(mode) == before


@pytest.mark.parametrize(("state", "trigger"), sorted(NEXT_STATES))
def test_only_a_change_of_state_sets_the_clock(state: ModeState, trigger: Input) -> None:
    """``since`` is the time when the state was entered, ``returned`` when it last became normal by evidence."""
    for mode in (replace(variant, state=state) for variant in MODES):
        after = next_mode(mode, trigger, NOW, POLICY)
        moved = after.state is not state
        assert after.since == (NOW if moved else mode.since)
        returned = NOW if trigger is Input.RECOVERED else NEVER
        assert after.returned == (returned if moved and after.state is NORMAL else mode.returned)


@pytest.mark.parametrize(("state", "trigger"), sorted(NEXT_STATES))
def test_dwell_starts_on_entering_safe_and_ends_by_its_own_input(state: ModeState, trigger: Input) -> None:
    """Apart from that, only leaving safe mode ends it."""
    for mode in (replace(variant, state=state) for variant in MODES):
        after = next_mode(mode, trigger, NOW, POLICY)
        if after.state is not state:
            assert after.dwelling == (after.state is SAFE)
        else:
            assert after.dwelling == (mode.dwelling and trigger is not Input.DWELL_ELAPSED)


@pytest.mark.parametrize(("state", "trigger"), sorted(NEXT_STATES))
def test_only_orders_hold_and_release(state: ModeState, trigger: Input) -> None:
    """A force holds, a release frees, and all other inputs leave the hold unchanged."""
    for mode in (replace(variant, state=state) for variant in MODES):
        after = next_mode(mode, trigger, NOW, POLICY)
        assert after.held == (trigger is not Input.RELEASE if trigger in ORDERS else mode.held)


@pytest.mark.parametrize(("state", "trigger"), sorted(NEXT_STATES))
def test_flaps_change_only_by_a_breach_in_normal_or_an_order_to_a_latch(state: ModeState, trigger: Input) -> None:
    """A breach soon after a return adds one, a later one resets the count; an operator's order clears a latch."""
    for mode in (replace(variant, state=state) for variant in MODES):
        wanted = mode.flaps
        if (state, trigger) == (NORMAL, Input.BREACH) and not mode.held:
            wanted = mode.flaps + 1 if mode.returned > 0 else 0
        if state is LATCHED and trigger in ORDERS:
            wanted = 0
        assert next_mode(mode, trigger, NOW, POLICY).flaps == wanted


@pytest.mark.parametrize(("ago", "flaps"), [(999.0, 1), (1000.0, 1), (1000.5, 0)])
def test_breach_within_the_window_after_a_return_is_a_flap(ago: float, flaps: int) -> None:
    """The last moment of the window counts."""
    assert next_mode(Mode(returned=NOW - ago), Input.BREACH, NOW, POLICY).flaps == flaps


def test_flapping_scope_latches_and_waits_for_an_operator() -> None:
    """Breach, return, breach, ...: the third flap latches, and only an order ends it."""
    mode, time = Mode(), 0.0
    entered = []
    for _ in range(4):
        mode = next_mode(mode, Input.BREACH, time, POLICY)
        entered.append((mode.state, mode.flaps))
        if mode.state is SAFE:
            mode = next_mode(mode, Input.DWELL_ELAPSED, time + 300, POLICY)
            mode = next_mode(mode, Input.RECOVERED, time + 400, POLICY)
        time += 500
    assert entered == [(SAFE, 0), (SAFE, 1), (SAFE, 2), (LATCHED, 3)]
    for trigger in (Input.RECOVERED, Input.BREACH, Input.BLIND):
        assert next_mode(mode, trigger, time, POLICY) == mode
    assert next_mode(mode, Input.RELEASE, time, POLICY) == Mode(
        SAFE, held=False, dwelling=True, since=time, returned=mode.returned
    )


@pytest.mark.parametrize("state", ModeState)
def test_new_artefact_puts_a_safe_scope_on_trial_and_moves_no_scope(state: ModeState) -> None:
    """A latched scope still waits for an operator; a scope in normal mode has nothing to prove."""
    mode = Mode(state, flaps=1, since=5.0)
    assert next_mode(mode, Input.NEW_ARTEFACT, NOW, POLICY) == replace(mode, trial=state is not NORMAL)


@pytest.mark.parametrize("trigger", [Input.RECOVERED, Input.FORCE_NORMAL])
def test_trial_ends_with_the_return(trigger: Input) -> None:
    """The next breach is judged like any other."""
    assert not next_mode(Mode(SAFE, trial=True), trigger, NOW, POLICY).trial


@pytest.mark.parametrize(("flaps", "wanted"), [(0, 1e2), (1, 1e3), (2, 1e4), (6, 1e8), (400, 1e8)])
def test_trial_needs_a_hundred_and_tenfold_after_every_flap(flaps: int, wanted: float) -> None:
    """The cap applies to trials too."""
    assert recovery_samples(Mode(SAFE, flaps=flaps, trial=True), POLICY) == wanted


def test_first_breach_is_no_flap() -> None:
    """A scope that never returned cannot relapse."""
    assert next_mode(Mode(), Input.BREACH, 0.0, POLICY) == Mode(SAFE, dwelling=True, since=0.0)


@pytest.mark.parametrize(("flaps", "wanted"), [(0, 1e5), (1, 1e6), (2, 1e7), (3, 1e8), (4, 1e8), (400, 1e8)])
def test_every_flap_needs_tenfold_evidence_up_to_a_cap(flaps: int, wanted: float) -> None:
    """The cap keeps a return possible after any number of flaps."""
    assert recovery_samples(Mode(flaps=flaps), POLICY) == wanted


@pytest.mark.parametrize("flaps", [0, 1, 5])
def test_cap_never_lowers_the_configured_evidence(flaps: int) -> None:
    """A configuration above the cap is kept, with or without flaps."""
    assert recovery_samples(Mode(flaps=flaps), replace(POLICY, recovery_samples=1e9)) == 1e9


def test_safe_means_that_the_baseline_answers() -> None:
    """The baseline answers in safe mode and when latched."""
    assert [Mode(state).safe for state in ModeState] == [False, True, True]


def test_new_mode_is_normal_and_free() -> None:
    """The mode of a scope before its first input."""
    mode = Mode()
    assert {field.name for field in fields(Mode)} == {
        "state",
        "held",
        "dwelling",
        "since",
        "returned",
        "flaps",
        "trial",
        "breached",
        "unread",
        "ordered",
        "withheld",
        "asked",
    }
    assert (mode.state, mode.held, mode.dwelling, mode.flaps, mode.trial) == (NORMAL, False, False, 0, False)


@pytest.mark.parametrize("state", ModeState)
def test_known_harm_is_no_flap_and_ends_a_trial(state: ModeState) -> None:
    """A rollback to a bad pair is an operator's doing: it counts no flap and latches nothing."""
    mode = Mode(state, flaps=POLICY.max_flaps - 1, returned=NOW - 1, trial=state is not NORMAL)
    after = next_mode(mode, Input.KNOWN_HARM, NOW, POLICY)
    assert (after.flaps, after.trial, after.safe) == (POLICY.max_flaps - 1, False, True)
    assert after.state is (SAFE if state is NORMAL else state)


def test_breach_after_force_normal_is_no_flap() -> None:
    """An order is no return: the scope had proved nothing."""
    mode = next_mode(Mode(SAFE, since=NOW - 10), Input.FORCE_NORMAL, NOW, POLICY)
    mode = next_mode(mode, Input.RELEASE, NOW + 1, POLICY)
    assert next_mode(mode, Input.BREACH, NOW + 2, POLICY).flaps == 0


@pytest.mark.parametrize("trigger", [Input.BREACH, Input.KNOWN_HARM])
def test_scope_that_breached_while_held_is_safe_with_its_release(trigger: Input) -> None:
    """A release leaves the decision to the evidence, which is against the model; other orders decide anew."""
    mode = next_mode(Mode(held=True), trigger, NOW, POLICY)
    assert (mode.state, mode.breached, mode.apart, mode.safe) == (NORMAL, True, True, False)
    after = {order: next_mode(mode, order, NOW, POLICY) for order in ORDERS}
    assert {order: (m.state, m.held, m.breached) for order, m in after.items()} == {
        Input.FORCE_SAFE: (SAFE, True, False),
        Input.FORCE_NORMAL: (NORMAL, True, False),
        Input.RELEASE: (SAFE, False, False),
    }
    assert next_mode(Mode(held=True), Input.RELEASE, NOW, POLICY).state is NORMAL
    assert not next_mode(mode, Input.NEW_ARTEFACT, NOW, POLICY).breached
