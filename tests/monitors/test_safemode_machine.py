"""Safe mode under any sequence of inputs: what must hold whatever happens."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tightrope.monitors.safemode import (
    ORDERS,
    TRIAL_WEALTH,
    IllegalTransitionError,
    Input,
    Mode,
    Policy,
    State,
    apply,
    recovery_samples,
)

POLICY = Policy(min_dwell=300.0, flap_window=500.0, max_flaps=2)
AUTOMATIC = [what for what in Input if what not in ORDERS]


class Scope(RuleBasedStateMachine):
    """One scope, and beside it what an observer remembers of its inputs."""

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

    @rule(what=st.sampled_from(AUTOMATIC))
    def judge(self, what: Input) -> None:
        """An automatic input: it moves no held scope, ends no latch, and no safe mode before the dwell is over."""
        before = self.mode
        try:
            self.mode = apply(before, what, self.time, POLICY)
        except IllegalTransitionError:
            assert self.mode is before
            return
        if self.held or before.state is State.LATCHED:
            assert self.mode.state is before.state
        if before.safe and not self.mode.safe:
            assert self.dwell_over
            assert what is Input.RECOVERED
        if self.mode.state is State.SAFE and before.state is State.NORMAL:
            self.dwell_over = False
        if what is Input.DWELL_ELAPSED:
            self.dwell_over = True

    @rule(what=st.sampled_from(ORDERS))
    def order(self, what: Input) -> None:
        """An operator's order: always possible, and obeyed."""
        before = self.mode
        self.mode = apply(before, what, self.time, POLICY)
        self.held = what is not Input.RELEASE
        if what is Input.FORCE_SAFE:
            assert self.mode.state is State.SAFE
        if what is Input.FORCE_NORMAL:
            assert self.mode.state is State.NORMAL
        if what is Input.RELEASE:
            assert self.mode.safe == before.safe
        if self.mode.state is State.SAFE and before.state is not State.SAFE:
            self.dwell_over = False

    @invariant()
    def hold_is_what_the_last_order_said(self) -> None:
        """No automatic input takes or gives it."""
        assert self.mode.held == self.held

    @invariant()
    def flaps_stop_at_the_latch(self) -> None:
        """A latched scope has as many flaps as are allowed, and no scope has more."""
        assert self.mode.flaps <= POLICY.max_flaps
        if self.mode.state is State.LATCHED:
            assert self.mode.flaps == POLICY.max_flaps

    @invariant()
    def clock_never_runs_ahead(self) -> None:
        """States are entered in the past, returns as well; dwelling is for safe mode only."""
        assert max(self.mode.since, self.mode.returned) <= self.time
        assert self.mode.state is State.SAFE or not self.mode.dwelling
        assert self.mode.dwelling == (self.mode.state is State.SAFE and not self.dwell_over)

    @invariant()
    def return_stays_possible(self) -> None:
        """The evidence asked is never less than configured (or, of a new artefact, a hundred), nor out of reach."""
        least = TRIAL_WEALTH if self.mode.trial else POLICY.recovery_samples
        assert least <= recovery_samples(self.mode, POLICY) <= 1e8

    @invariant()
    def trial_is_for_the_safe(self) -> None:
        """Who is in normal mode has nothing to prove."""
        assert self.mode.safe or not self.mode.trial


Scope.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnySequence = Scope.TestCase
