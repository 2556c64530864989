"""A circuit breaker: after some failures in a row calls fail at once, while a thread probes the server."""

import logging
import threading
import time
from collections.abc import Callable

from tightrope.service.adapters.ports import UnreachableError
from tightrope.service.errors import TightropeError

log = logging.getLogger(__name__)


class CircuitBreaker:
    """Passes calls until ``max_failures`` in a row. Then it is open: calls fail at once, and each of them may start
    ``probe`` in a thread, at most once in ``pause`` seconds. It closes when the probe raises nothing.
    """

    def __init__(self, name: str, probe: Callable[[], None], max_failures: int, pause: float) -> None:
        self.open_reason = ""
        """The failure that opened it; empty while calls pass."""

        self._name = name
        self._probe = probe
        self._max_failures = max_failures
        self._pause = pause
        self._lock = threading.Lock()
        self._failures = 0
        self._probing = False
        self._next = 0.0

    def check(self) -> None:
        """Pass, or start a probe.

        Raises:
            UnreachableError: while the breaker is open.
        """
        reason = self.open_reason
        if not reason:
            return
        with self._lock:
            due = not self._probing and time.monotonic() >= self._next
            self._probing = self._probing or due
        if due:
            threading.Thread(target=self._run_probe, name="probe", daemon=True).start()
        raise UnreachableError(f"unreachable: {reason}")

    def record_success(self) -> None:
        """Note that a call was answered."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def record_failure(self, reason: str) -> None:
        """Note that a call failed, and open after too many in a row."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._max_failures:
                self._open(reason)

    def open(self, reason: str) -> None:
        """Open at once."""
        with self._lock:
            self._open(reason)

    def _open(self, reason: str) -> None:
        if not self.open_reason:
            self.open_reason, self._next = reason, time.monotonic() + self._pause
            log.warning("%s is unreachable: %s", self._name, reason)

    def _run_probe(self) -> None:
        failure = "the probe failed"
        try:
            self._probe()
            failure = ""
        except TightropeError as error:
            failure = str(error)
        finally:
            with self._lock:
                self.open_reason, self._failures = failure, 0
                self._probing, self._next = False, time.monotonic() + self._pause
            if not failure:
                log.warning("%s is back", self._name)
