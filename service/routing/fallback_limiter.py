"""Limits the fallback of a whole model to the capacity of its baseline, which is measured while it answers.

How it works: the limiter holds the share of requests that the baseline gets. A window of answers ends after a second.
If more than a tenth of them were late, the share is multiplied by 0.7; if none was, it grows by 0.05 (additive
increase, multiplicative decrease: Chiu and Jain, "Analysis of the increase and decrease algorithms for congestion
avoidance in computer networks", 1989). Within the share the most uncertain requests go first: there the compressed
model is most likely to be wrong. Requests of harmed subgroups bypass the limiter; the engine always sends them to the
baseline.
"""

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

MIN_WINDOW_SECONDS = 1.0
MIN_WINDOW_ANSWERS = 10
"""A window ends when it has lasted this long and holds this many answers."""

IDLE_RESET_SECONDS = 10.0
"""After a pause this long a new window begins."""

MAX_LATE_SHARE = 0.1
"""Share of late answers in a window above which the share of requests is decreased."""

DECREASE_FACTOR = 0.7
INCREASE_STEP = 0.05
MIN_SHARE = 0.01
"""Minimum share of requests: the limiter must go on measuring to find out that the baseline has recovered."""

RANKED_UNCERTAINTIES = 512
"""Number of recent uncertainties whose quantile is the threshold."""

RANK_INTERVAL_REQUESTS = 64
"""Requests between two computations of the threshold."""


@dataclass(frozen=True, slots=True)
class Window:
    """A finished window: the share before and after it, its answers, and the late ones among them."""

    before: float
    after: float
    answers: int
    late: int

    @property
    def is_transition(self) -> bool:
        """Whether the limiter starts or stops to hold requests back with this window."""
        return (self.before < 1.0) != (self.after < 1.0)


class FallbackLimiter:
    """The limiter of one model. ``share``, in (0, 1], is the share of requests that the baseline gets.

    ``seconds`` is the latency above which an answer is late. All methods are thread-safe and never block.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.share = 1.0
        self._lock = threading.Lock()
        self._begun = self._last = float("-inf")
        self._answers = self._late = self._requests = 0
        self._recent: deque[float] = deque(maxlen=RANKED_UNCERTAINTIES)
        self._threshold = float("-inf")

    def admits(self, uncertainty: float) -> bool:
        """Whether the baseline gets a request with this uncertainty: the highest ones are admitted, up to the share."""
        with self._lock:
            self._recent.append(uncertainty)
            self._requests += 1
            if self._requests % RANK_INTERVAL_REQUESTS == 0:
                self._threshold = float(np.quantile(self._recent, 1.0 - self.share))
            return uncertainty >= self._threshold

    def observe(self, seconds: float, now: float) -> Window | None:
        """Count an answer of the baseline with its latency, waiting included; ``now`` is in seconds of any clock.

        Returns the window that ends with it, if one does.
        """
        with self._lock:
            if now - self._last > IDLE_RESET_SECONDS:
                self._begun, self._answers, self._late = now, 0, 0
            self._last = now
            self._answers += 1
            self._late += seconds > self.seconds
            if now - self._begun < MIN_WINDOW_SECONDS or self._answers < MIN_WINDOW_ANSWERS:
                return None
            window = Window(self.share, self._next_share(), self._answers, self._late)
            self.share, self._begun, self._answers, self._late = window.after, now, 0, 0
            return window

    def _next_share(self) -> float:
        if self._late > MAX_LATE_SHARE * self._answers:
            return max(self.share * DECREASE_FACTOR, MIN_SHARE)
        return min(self.share + INCREASE_STEP, 1.0) if self._late == 0 else self.share
