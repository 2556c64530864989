"""Requests a second, from the counters of this gateway at several moments."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

Counters = Mapping[str, Mapping[tuple[str, ...], float]]

WINDOW_SECONDS = 30.0
"""Rates are those of about this long."""

LEAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Counters now, and their growth a second; ``has_two`` is False until there are two moments."""

    now: Counters
    before: Counters
    seconds: float

    @property
    def has_two(self) -> bool:
        """Whether there are two moments far enough apart."""
        return self.seconds >= LEAST_SECONDS

    def per_second(self, name: str, *labels: str) -> float | None:
        """The growth of a counter a second; None if it is not known."""
        if not self.has_two:
            return None
        grown = self.now[name].get(labels, 0.0) - self.before[name].get(labels, 0.0)
        return max(grown, 0.0) / self.seconds

    def total(self, name: str, *labels: str) -> float:
        """The counter now."""
        return self.now[name].get(labels, 0.0)


class TrafficWindow:
    """The counters of the last half minute. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moments: deque[tuple[float, Counters]] = deque()

    def observe(self, counters: Counters, now: float) -> Rates:
        """Add the counters at ``now`` (monotonic, s), and return the rates since the oldest moment of the window."""
        with self._lock:
            self._moments.append((now, counters))
            while len(self._moments) > 2 and now - self._moments[1][0] >= WINDOW_SECONDS:  # noqa: PLR2004 - two moments
                self._moments.popleft()
            since, before = self._moments[0]
            return Rates(counters, before, now - since)
