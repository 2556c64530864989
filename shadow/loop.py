"""A thread that runs a stepper until it is stopped. After a failure it logs, counts, and starts again from the last
commit.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from tightrope.service.adapters.denial_log import DenialLog
from tightrope.service.adapters.ports import MadeAnewError, NotPermittedError

log = logging.getLogger(__name__)

STEP_TIMEOUT_SECONDS = 0.25
"""Time that a step waits for work before the loop checks whether to stop."""

LOOP_RETRY_SECONDS = (0.1, 0.5, 2.0, 10.0)
"""Delays before the next attempt, after the first failure in a row, the second, and so on."""

FAILING_SECONDS, MAX_REBIRTHS = 60.0, 3
"""A loop whose stepper was made again more often than this, within this time, is failing."""


class RecentFailures:
    """The latest failures of a loop, which outlive its steppers. ``clock`` is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=MAX_REBIRTHS + 1)

    def add(self) -> None:
        """Count a failure."""
        self._times.append(self._clock())

    def is_failing(self) -> bool:
        """Whether there were more than `MAX_REBIRTHS` failures within the last `FAILING_SECONDS`."""
        times = tuple(self._times)
        return len(times) > MAX_REBIRTHS and self._clock() - times[0] <= FAILING_SECONDS


class Stepper(Protocol):
    """An object that does one round of work."""

    def step(self, timeout: float) -> int:
        """Process what arrives within ``timeout`` seconds; returns the number of records."""

    def close(self) -> None:
        """Release its resources."""


class Loop:
    """Runs a stepper in a thread; after a failure, ``make`` builds a new one, which continues from the last commit.

    ``on_failure`` is called after each failure; ``recent`` counts them.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[threading.Event], Stepper],
        on_failure: Callable[[], None] = lambda: None,
        recent: RecentFailures | None = None,
    ) -> None:
        self.failures = 0
        self._recent = recent or RecentFailures()
        self._on_failure = on_failure
        self._make = make
        self._stopping = threading.Event()
        self._drained = threading.Event()
        self._leaving = threading.Event()
        self._well = False
        self._denials = DenialLog(name)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def working(self) -> bool:
        """Whether the thread runs, its latest step succeeded, and it does not fail again and again."""
        return self.alive and self._well and not self._recent.is_failing()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def leave(self, timeout: float) -> bool:
        """Finish the current step only, and leave other records to the group; False when it exceeds ``timeout``."""
        self._leaving.set()
        return self.stop(timeout)

    def stop(self, timeout: float) -> bool:
        """Process all records that have arrived, then end; False when it exceeds ``timeout`` seconds."""
        self._drained.set()
        self._thread.join(timeout)
        self._stopping.set()
        self._leaving.set()
        self._thread.join(STEP_TIMEOUT_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures_in_a_row = 0
        while not self._stopping.is_set():
            try:
                with closing(self._make(self._stopping)) as stepper:
                    while not self._stopping.is_set():
                        last = self._drained.is_set()  # read before the step: records that arrive during it still count
                        done = stepper.step(0.0 if last else STEP_TIMEOUT_SECONDS)
                        failures_in_a_row = 0
                        self._well = True
                        if self._leaving.is_set() or (last and not done):
                            return
            except MadeAnewError as error:
                self._well = False
                log.warning("%s: %s", self._thread.name, error)
                self._leaving.wait(LOOP_RETRY_SECONDS[0])
            except Exception as error:  # noqa: BLE001 - `_log_failure` logs it
                self.failures += 1
                if not isinstance(error, NotPermittedError):  # that one ends at once when it is granted
                    self._recent.add()
                self._on_failure()
                self._well = False
                self._log_failure(error)
                self._leaving.wait(LOOP_RETRY_SECONDS[min(failures_in_a_row, len(LOOP_RETRY_SECONDS) - 1)])
                if self._leaving.is_set():
                    return
                failures_in_a_row += 1

    def _log_failure(self, error: Exception) -> None:
        """Log a failure with its trace; a missing permission is one line."""
        if isinstance(error, NotPermittedError):
            self._denials.write(error)
        else:
            log.error("%s failed; it starts again from the last commit", self._thread.name, exc_info=error)
