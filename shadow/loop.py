"""A thread that runs a stepper until it is stopped. After a failure it logs, counts, and starts again from the last
commit.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

log = logging.getLogger(__name__)

STEP_TIMEOUT_SECONDS = 0.25
"""Time that a step waits for work before the loop checks whether to stop."""

LOOP_RETRY_SECONDS = (0.1, 0.5, 2.0, 10.0)
"""Delays before the next attempt, after the first failure in a row, the second, and so on."""


class Stepper(Protocol):
    """An object that does one round of work."""

    def step(self, timeout: float) -> int:
        """Process what arrives within ``timeout`` seconds; returns the number of records."""

    def close(self) -> None:
        """Release its resources."""


class Loop:
    """Runs a stepper in a thread; after a failure, ``make`` builds a new one, which continues from the last commit.

    ``on_failure`` is called after each failure.
    """

    def __init__(
        self, name: str, make: Callable[[threading.Event], Stepper], on_failure: Callable[[], None] = lambda: None
    ) -> None:
        self.failures = 0
        self._on_failure = on_failure
        self._make = make
        self._stopping = threading.Event()
        self._drained = threading.Event()
        self._leaving = threading.Event()
        self._well = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def working(self) -> bool:
        """Whether the thread runs and its latest step succeeded."""
        return self.alive and self._well

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
            except Exception:
                self.failures += 1
                self._on_failure()
                self._well = False
                log.exception("%s failed; it starts again from the last commit", self._thread.name)
                self._stopping.wait(LOOP_RETRY_SECONDS[min(failures_in_a_row, len(LOOP_RETRY_SECONDS) - 1)])
                failures_in_a_row += 1
