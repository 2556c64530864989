"""Nobody waits for what is not there: after some failures in a row whoever asks is told so at once, while a thread
finds out whether it is back.
"""

import logging
import threading
import time
from collections.abc import Callable

from tightrope.service.adapters.ports import UnreachableError
from tightrope.service.errors import TightropeError

log = logging.getLogger(__name__)


class Breaker:
    """Lets calls through until ``most`` failed in a row. Then ``probe`` is run, at most once in ``pause`` seconds and
    never by the caller's thread, and calls go through again when it raises nothing. Without calls it is not run.
    """

    def __init__(self, name: str, probe: Callable[[], None], most: int, pause: float) -> None:
        self.away = ""
        """Why calls are refused; empty while they go through."""

        self._name = name
        self._probe = probe
        self._most = most
        self._pause = pause
        self._lock = threading.Lock()
        self._failures = 0
        self._probing = False
        self._next = 0.0

    def check(self) -> None:
        """Pass.

        Raises:
            UnreachableError: at once, while it is away.
        """
        reason = self.away
        if not reason:
            return
        with self._lock:
            due = not self._probing and time.monotonic() >= self._next
            self._probing = self._probing or due
        if due:
            threading.Thread(target=self._look, name="probe", daemon=True).start()
        raise UnreachableError(f"away: {reason}")

    def succeeded(self) -> None:
        """A call was answered."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self, reason: str) -> None:
        """A call was not."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._most:
                self._leave(reason)

    def leave(self, reason: str) -> None:
        """It is known not to be there."""
        with self._lock:
            self._leave(reason)

    def _leave(self, reason: str) -> None:
        if not self.away:
            self.away, self._next = reason, time.monotonic() + self._pause
            log.warning("%s is away: %s", self._name, reason)

    def _look(self) -> None:
        found = "the probe failed"
        try:
            self._probe()
            found = ""
        except TightropeError as error:
            found = str(error)
        finally:
            with self._lock:
                self.away, self._failures = found, 0
                self._probing, self._next = False, time.monotonic() + self._pause
            if not found:
                log.warning("%s is back", self._name)
