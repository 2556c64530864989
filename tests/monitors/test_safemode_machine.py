"""Invariants of safe mode under any sequence of inputs."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tightrope.monitors.safemode import (
    ORDERS,
    TRIAL_WEALTH,
    IllegalTransitionError,
    Input,
    Mode,
    ModeState,
    Policy,
    next_mode,
    recovery_samples,
)

POLICY = Policy(min_dwell=300.0, flap_window=500.0, max_flaps=2)
AUTOMATIC = [trigger for trigger in Input if trigger not in ORDERS]


class Scope(RuleBasedStateMachine):
    """One scope, with the expected effects of its inputs beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.mode = Mode()
        self.time = 0.0
        self.held = False
        self.dwell_over = True
        self.breaches_soon_after_return = 0

    @rule(seconds=st.sampled_from([0.0, 1.0, 400.0, 501.0]))
    def wait(self, seconds: float) -> None:
        """Time passes, and changes nothing by itself."""
        self.time += seconds

    @rule(trigger=st.sampled_from(AUTOMATIC))
    def judge(self, trigger: Input) -> None:
        """An automatic input moves no held scope, ends no latch, and ends no safe mode before the dwell is over."""
        before = self.mode
        try:
            self.mode = next_mode(before, trigger, self.time, POLICY)
        except IllegalTransitionError:
            assert self.mode is before
            return
        if self.held or before.state is ModeState.LATCHED:
            assert self.mode.state is before.state
        assert self.mode.breached <= (self.held and not self.mode.safe)
        if before.safe and not self.mode.safe:
            assert self.dwell_over
            assert trigger is Input.RECOVERED
        if self.mode.state is ModeState.SAFE and before.state is ModeState.NORMAL:
            self.dwell_over = False
        if trigger is Input.DWELL_ELAPSED:
            self.dwell_over = True

    @rule(trigger=st.sampled_from(ORDERS))
    def order(self, trigger: Input) -> None:
        """An operator's order is always legal and takes effect."""
        before = self.mode
        self.mode = next_mode(before, trigger, self.time, POLICY)
        self.held = trigger is not Input.RELEASE
        if trigger is Input.FORCE_SAFE:
            assert self.mode.state is ModeState.SAFE
        if trigger is Input.FORCE_NORMAL:
            assert self.mode.state is ModeState.NORMAL
        if trigger is Input.RELEASE:
            assert self.mode.safe == (before.safe or before.breached or before.withheld)
        if self.mode.state is ModeState.SAFE and before.state is not ModeState.SAFE:
            self.dwell_over = False

    @invariant()
    def hold_follows_the_last_order(self) -> None:
        """No automatic input sets or clears it."""
        assert self.mode.held == self.held

    @invariant()
    def flaps_stop_at_the_latch(self) -> None:
        """A latched scope has the maximum of flaps, and no scope has more."""
        assert self.mode.flaps <= POLICY.max_flaps
        if self.mode.state is ModeState.LATCHED:
            assert self.mode.flaps == POLICY.max_flaps

    @invariant()
    def clock_never_runs_ahead(self) -> None:
        """States and returns lie in the past; only safe mode has a dwell."""
        assert max(self.mode.since, self.mode.returned) <= self.time
        assert self.mode.state is ModeState.SAFE or not self.mode.dwelling
        assert self.mode.dwelling == (self.mode.state is ModeState.SAFE and not self.dwell_over)

    @invariant()
    def return_stays_possible(self) -> None:
        """The evidence required is at least the configured one (or, on trial, a hundred), and within reach."""
        least = TRIAL_WEALTH if self.mode.trial else POLICY.recovery_samples
        assert least <= recovery_samples(self.mode, POLICY) <= 1e8

    @invariant()
    def only_a_hold_serves_a_withheld_scope(self) -> None:
        """Nothing but evidence or an operator brings it back."""
        assert self.mode.safe or self.mode.held or not self.mode.withheld

    @invariant()
    def only_safe_scopes_are_on_trial(self) -> None:
        """A scope in normal mode has nothing to prove."""
        assert self.mode.safe or not self.mode.trial


Scope.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnySequence = Scope.TestCase
