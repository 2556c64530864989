"""The time limit of loading models: a file that onnxruntime never finishes with ends the process with one line."""

import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn, Self

STEP_CHECK_SECONDS = 0.5
"""Interval at which the time of the step is checked."""


def end_process(problem: str) -> NoReturn:
    """Print a problem and end this process: code of a library cannot be interrupted."""
    sys.stderr.write(f"error {problem}\n")
    sys.stderr.flush()
    os._exit(1)


class LoadWatch:
    """Watches the steps of loading while it is entered; one that takes more than ``seconds`` causes ``end``."""

    def __init__(
        self, seconds: float, end: Callable[[str], object] = end_process, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._end = end
        self._clock = clock
        self._step = ("", clock())
        self._left = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, name="load-watch", daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._left.set()

    def announce(self, step: str) -> None:
        """Begin a step: the key, the file, and what is done with it."""
        self._step = (step, self._clock())

    def check(self) -> None:
        """End the process if the step takes too long."""
        step, began = self._step
        if step and self._clock() - began > self._seconds:
            self._end(f"{step} took more than {self._seconds:g} s (candidates.seconds)")

    def _run(self) -> None:
        while not self._left.wait(min(STEP_CHECK_SECONDS, self._seconds / 4)):
            self.check()
