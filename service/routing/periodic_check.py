"""A check in a thread of its own, again and again until it is stopped."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class PeriodicCheck:
    """Calls ``check`` every ``seconds`` once it is started. The thread outlives every error: a watch that ended would
    be no watch. A thread of its own waits for no reader of a bus.
    """

    def __init__(self, name: str, seconds: float, check: Callable[[], None]) -> None:
        self._name = name
        self._seconds = seconds
        self._check = check
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start to check."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop checking; waits at most ``timeout`` seconds."""
        self._stopping.set()
        if self.alive:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            try:
                self._check()
            except Exception:
                log.exception("%s: a check failed; the next one follows", self._name)
