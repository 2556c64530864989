"""The breaker of a model that hangs: after some expired runs in a row no request reaches it until a probe succeeds.

How it works: a run is *expired* once it has passed its deadline, and *stuck* while it ignores that it was ended. The
caller of `admit` makes the probe; `RunBreaker` only decides. It follows this table (pause: `MIN_PAUSE_SECONDS`, doubled
after every failed probe, up to `MAX_PAUSE_SECONDS`):

    state    input                                          next state
    closed   run expired, fewer than `MAX_EXPIRED` in a row closed
    closed   run expired, `MAX_EXPIRED` in a row            open
    closed   run became stuck, `MAX_STUCK` in all           open
    closed   run answered                                   closed, none in a row
    open     admit, within the pause or `MAX_STUCK` stuck   open
    open     admit, after the pause                         probing: the caller makes the probe
    probing  admit                                          probing
    probing  probe answered                                 closed
    probing  probe failed                                   open

Runs that began before it opened change nothing when they end.
"""

import logging
import threading
import time
from collections.abc import Callable
from enum import StrEnum

log = logging.getLogger(__name__)

MAX_EXPIRED = 3
"""Expired runs in a row after which the model is kept from requests; one alone may be the fault of its input."""

MAX_STUCK = 4
"""Stuck runs up to which a model may be run; each keeps a thread."""

MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 5.0, 60.0
"""Seconds until the first probe, and the most between two."""


class BreakerState(StrEnum):
    """The states of the table."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class RunBreaker:
    """The breaker of the model ``name``. ``clock`` is monotonic."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.state = BreakerState.CLOSED
        self.is_open = False
        """Whether `admit` must be called before a run; false in the state closed only."""
        self.expired_in_a_row = 0
        self.stuck = 0
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._uncounted = 0
        self._pause = MIN_PAUSE_SECONDS
        self._next = 0.0

    def record_expired(self) -> None:
        """Note a run that has passed its deadline."""
        with self._lock:
            self._uncounted += 1
            self.expired_in_a_row += 1
            if self.state is BreakerState.CLOSED and self.expired_in_a_row >= MAX_EXPIRED:
                self._open(MIN_PAUSE_SECONDS)

    def record_answer(self) -> None:
        """Note a run that was answered in time."""
        with self._lock:
            if self.state is BreakerState.CLOSED:
                self.expired_in_a_row = 0

    def record_stuck(self) -> None:
        """Note an expired run that does not end."""
        with self._lock:
            self.stuck += 1
            if self.state is BreakerState.CLOSED and self.stuck >= MAX_STUCK:
                self._open(MIN_PAUSE_SECONDS)

    def record_freed(self) -> None:
        """Note a stuck run that has ended after all."""
        with self._lock:
            self.stuck -= 1

    def admit(self) -> bool:
        """Whether the caller is to make a probe, because the breaker is open and a probe is due."""
        with self._lock:
            is_due = self.state is BreakerState.OPEN and self._clock() >= self._next and self.stuck < MAX_STUCK
            if is_due:
                self.state = BreakerState.PROBING
            return is_due

    def finish_probe(self, *, answered: bool) -> None:
        """Note the end of a probe; a second one for the same probe changes nothing."""
        with self._lock:
            if self.state is not BreakerState.PROBING:
                return
            if answered:
                self.state, self.is_open, self.expired_in_a_row = BreakerState.CLOSED, False, 0
                log.warning("%s answers again, and gets requests again", self._name)
            else:
                self._open(min(2 * self._pause, MAX_PAUSE_SECONDS))

    def take_expired(self) -> int:
        """The number of expired runs since the last call."""
        with self._lock:
            count, self._uncounted = self._uncounted, 0
            return count

    def _open(self, pause: float) -> None:
        if self.state is BreakerState.CLOSED:
            log.warning("%s hangs: it gets no requests until a run of zeros answers in time", self._name)
        self.state, self.is_open = BreakerState.OPEN, True
        self._pause, self._next = pause, self._clock() + pause
