"""The breaker of a model that hangs is a state machine, and its clock is the test's."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.serving.fake_clock import SetClock
from tightrope.service.adapters.runs.breaker import (
    MAX_EXPIRED,
    MAX_PAUSE_SECONDS,
    MAX_STUCK,
    MIN_PAUSE_SECONDS,
    BreakerState,
    RunBreaker,
)

CLOSED, OPEN, PROBING = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.PROBING


def in_state(state: BreakerState, clock: SetClock) -> RunBreaker:
    """Return a breaker in that state; one expired run is missing for the closed one to open."""
    breaker = RunBreaker("m", clock)
    for _ in range(MAX_EXPIRED - (state is CLOSED)):
        breaker.record_expired()
    if state is PROBING:
        clock.now += MIN_PAUSE_SECONDS
        assert breaker.admit()
    return breaker


def stick_all(breaker: RunBreaker) -> None:
    """Let as many runs be stuck as may be."""
    for _ in range(MAX_STUCK):
        breaker.record_stuck()


def answer_then_expire(breaker: RunBreaker) -> None:
    """Answer in time, then not."""
    breaker.record_answer()
    breaker.record_expired()


INPUTS: dict[str, Callable[[RunBreaker], object]] = {
    "expired": RunBreaker.record_expired,
    "answered, expired": answer_then_expire,
    "stuck once": RunBreaker.record_stuck,
    "all stuck": stick_all,
    "admit": RunBreaker.admit,
    "probe answered": lambda breaker: breaker.finish_probe(answered=True),
    "probe failed": lambda breaker: breaker.finish_probe(answered=False),
}

TABLE = [
    (CLOSED, "expired", OPEN),
    (CLOSED, "answered, expired", CLOSED),
    (CLOSED, "stuck once", CLOSED),
    (CLOSED, "all stuck", OPEN),
    (CLOSED, "admit", CLOSED),
    (CLOSED, "probe answered", CLOSED),
    (CLOSED, "probe failed", CLOSED),
    (OPEN, "expired", OPEN),
    (OPEN, "answered, expired", OPEN),
    (OPEN, "stuck once", OPEN),
    (OPEN, "all stuck", OPEN),
    (OPEN, "admit", OPEN),
    (OPEN, "probe answered", OPEN),
    (OPEN, "probe failed", OPEN),
    (PROBING, "expired", PROBING),
    (PROBING, "answered, expired", PROBING),
    (PROBING, "stuck once", PROBING),
    (PROBING, "all stuck", PROBING),
    (PROBING, "admit", PROBING),
    (PROBING, "probe answered", CLOSED),
    (PROBING, "probe failed", OPEN),
]


def test_table_has_every_pair() -> None:
    """Each input in each state."""
    assert {(state, name) for state, name, _ in TABLE} == {(state, name) for state in BreakerState for name in INPUTS}


@pytest.mark.parametrize(("state", "name", "after"), TABLE)
def test_inputs_lead_to_the_states_of_the_table(state: BreakerState, name: str, after: BreakerState) -> None:
    """The pause of an open breaker is not over."""
    breaker = in_state(state, SetClock())
    assert breaker.state is state
    INPUTS[name](breaker)
    assert breaker.state is after
    assert breaker.is_open is (after is not CLOSED)


def test_pause_doubles_with_every_failed_probe() -> None:
    """Up to the limit; an answer resets it."""
    clock = SetClock()
    breaker, pauses = in_state(OPEN, clock), []
    for _ in range(6):
        before = clock.now
        while not breaker.admit():
            clock.now += 1.0
        pauses.append(clock.now - before)
        breaker.finish_probe(answered=False)
    assert pauses == [MIN_PAUSE_SECONDS, 10.0, 20.0, 40.0, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS]
    clock.now += MAX_PAUSE_SECONDS
    assert breaker.admit()
    breaker.finish_probe(answered=True)
    for _ in range(MAX_EXPIRED):
        breaker.record_expired()
    clock.now += MIN_PAUSE_SECONDS
    assert breaker.admit()


def test_stuck_runs_hold_up_the_probe() -> None:
    """Each keeps a thread: no further one is spent before one of them ends."""
    clock = SetClock()
    breaker = in_state(CLOSED, clock)
    stick_all(breaker)
    clock.now += 10 * MAX_PAUSE_SECONDS
    assert not breaker.admit()
    breaker.record_freed()
    assert breaker.admit()


def test_expired_runs_are_counted_once() -> None:
    """Also those that change no state."""
    breaker = in_state(PROBING, SetClock())
    breaker.record_expired()
    assert (breaker.take_expired(), breaker.take_expired()) == (MAX_EXPIRED + 1, 0)


def test_log_tells_when_it_opens_and_closes(caplog: pytest.LogCaptureFixture) -> None:
    """Once each, by the model's name."""
    breaker = in_state(PROBING, SetClock())
    breaker.finish_probe(answered=True)
    assert [record.getMessage() for record in caplog.records] == [
        "m hangs: it gets no requests until a run of zeros answers in time",
        "m answers again, and gets requests again",
    ]


class BreakerMachine(RuleBasedStateMachine):
    """Runs of any kind, in any order, at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SetClock()
        self.breaker = RunBreaker("m", self.clock)
        self.in_a_row = self.stuck = 0
        self.refused_until = 0.0
        self.probing = False

    @rule(seconds=st.floats(0, 2 * MAX_PAUSE_SECONDS))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now += seconds

    @precondition(lambda self: not self.breaker.is_open)
    @rule(expired=st.booleans())
    def run(self, *, expired: bool) -> None:
        """Make a run, which a closed breaker lets pass."""
        if not expired:
            self.breaker.record_answer()
            self.in_a_row = 0
            return
        self.breaker.record_expired()
        self.in_a_row += 1
        if self.in_a_row >= MAX_EXPIRED:
            self.refused_until = self.clock.now + MIN_PAUSE_SECONDS
            assert self.breaker.state is OPEN

    @rule()
    def stick(self) -> None:
        """Let a run be stuck."""
        before = self.breaker.is_open
        self.breaker.record_stuck()
        self.stuck += 1
        if self.breaker.is_open and not before:
            self.refused_until = self.clock.now + MIN_PAUSE_SECONDS

    @precondition(lambda self: self.stuck)
    @rule()
    def free(self) -> None:
        """Let a stuck run end."""
        self.breaker.record_freed()
        self.stuck -= 1

    @precondition(lambda self: self.breaker.is_open)
    @rule()
    def ask(self) -> None:
        """Ask for a run while it is open."""
        may_probe = not self.probing and self.clock.now >= self.refused_until and self.stuck < MAX_STUCK
        assert self.breaker.admit() is may_probe
        self.probing = self.probing or may_probe

    @precondition(lambda self: self.probing)
    @rule(answered=st.booleans())
    def end_probe(self, *, answered: bool) -> None:
        """End the probe."""
        self.breaker.finish_probe(answered=answered)
        self.probing = False
        assert self.breaker.is_open is not answered
        if answered:
            self.in_a_row = 0
        else:
            self.refused_until = self.breaker._next
            assert MIN_PAUSE_SECONDS <= self.refused_until - self.clock.now <= MAX_PAUSE_SECONDS

    @invariant()
    def only_a_probe_closes(self) -> None:
        """It is open from the third expired run in a row until a probe answers."""
        assert self.breaker.stuck == self.stuck
        if self.in_a_row >= MAX_EXPIRED:
            assert self.breaker.is_open


BreakerMachine.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
TestBreakerMachine = BreakerMachine.TestCase
