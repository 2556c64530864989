"""A thread that steps until it is told to stop. What fails is logged, counted, and begun again from what is
committed.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

log = logging.getLogger(__name__)

PATIENCE = 0.25
"""Seconds that a step waits for work before it looks whether to stop."""

PAUSES = (0.1, 0.5, 2.0, 10.0)
"""Seconds before the next attempt, after the first failure in a row, the second, and so on."""


class Stepper(Protocol):
    """Something that does one round of work."""

    def step(self, timeout: float) -> int:
        """Do what there is to do, waiting up to ``timeout`` seconds for it; returns how much that was."""

    def close(self) -> None:
        """Let go of what it holds."""


class Loop:
    """Runs steppers made by ``make``: a new one after every failure, so that it goes on from what was committed."""

    def __init__(self, name: str, make: Callable[[threading.Event], Stepper]) -> None:
        self.failures = 0
        self._make = make
        self._stopping = threading.Event()
        self._drained = threading.Event()
        self._leaving = threading.Event()
        self._well = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    @property
    def working(self) -> bool:
        """Whether its latest step went well."""
        return self.alive and self._well

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def leave(self, timeout: float) -> bool:
        """Finish the step that is under way, and leave the rest to others; False when that takes longer."""
        self._leaving.set()
        return self.stop(timeout)

    def stop(self, timeout: float) -> bool:
        """Finish what has arrived, then end; False when that takes longer than ``timeout`` seconds."""
        self._drained.set()
        self._thread.join(timeout)
        self._stopping.set()
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()

    def _run(self) -> None:
        in_a_row = 0
        while not self._stopping.is_set():
            try:
                with closing(self._make(self._stopping)) as stepper:
                    while not self._stopping.is_set():
                        last = self._drained.is_set()  # asked before: what arrives during the step is still to be done
                        done = stepper.step(0.0 if last else PATIENCE)
                        in_a_row = 0
                        self._well = True
                        if self._leaving.is_set() or (last and not done):
                            return
            except Exception:
                self.failures += 1
                self._well = False
                log.exception("%s failed; it begins again from what is committed", self._thread.name)
                self._stopping.wait(PAUSES[min(in_a_row, len(PAUSES) - 1)])
                in_a_row += 1
