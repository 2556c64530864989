"""What the baseline can bear when a whole model falls back to it, measured while it does.

The share of requests that it gets is cut when answers come too late, and grows step by step while none does (additive
increase, multiplicative decrease: Chiu and Jain, "Analysis of the increase and decrease algorithms for congestion
avoidance in computer networks", 1989). Within the share the most uncertain answers go first: there the compressed model
is most likely to be wrong. Harmed subgroups are no part of it: whoever uses this sends them to the baseline always.
"""

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

WINDOW, ANSWERS, PAUSE = 1.0, 10, 10.0
"""A window ends after so many seconds, and not before so many answers; after a pause of so many it begins anew."""

LATE = 0.1
"""Of a window's answers so many may be late before the share is cut."""

CUT, STEP, LEAST = 0.7, 0.05, 0.01
"""The share times this when answers are late; plus this when none is; and the least, so that the way back is seen."""

REMEMBERED, RANKED = 512, 64
"""Uncertainties that the next one is ranked among, and after how many the rank is taken anew."""


@dataclass(frozen=True, slots=True)
class Window:
    """What became of a window: the share before and after it, its answers, and how many of them were late."""

    before: float
    after: float
    answers: int
    late: int

    @property
    def turns(self) -> bool:
        """Whether the baseline was enough before and is not now, or the other way round."""
        return (self.before < 1.0) != (self.after < 1.0)


class Capacity:
    """The share of one model's fallback, in (0, 1]. Threads may share it; nothing here waits for anything."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.share = 1.0
        self._lock = threading.Lock()
        self._begun = self._last = float("-inf")
        self._answers = self._late = self._asked = 0
        self._recent: deque[float] = deque(maxlen=REMEMBERED)
        self._threshold = float("-inf")

    def takes(self, uncertainty: float) -> bool:
        """Whether the baseline is asked for this one: the highest uncertainties are, up to the share."""
        with self._lock:
            self._recent.append(uncertainty)
            self._asked += 1
            if self._asked % RANKED == 0:
                self._threshold = float(np.quantile(self._recent, 1.0 - self.share))
            return uncertainty >= self._threshold

    def took(self, seconds: float, now: float) -> Window | None:
        """An answer of the fallback took so long, waiting included; ``now`` in seconds of any clock. The window that
        ended with it, if one did.
        """
        with self._lock:
            if now - self._last > PAUSE:
                self._begun, self._answers, self._late = now, 0, 0
            self._last = now
            self._answers += 1
            self._late += seconds > self.seconds
            if now - self._begun < WINDOW or self._answers < ANSWERS:
                return None
            window = Window(self.share, self._next(), self._answers, self._late)
            self.share, self._begun, self._answers, self._late = window.after, now, 0, 0
            return window

    def _next(self) -> float:
        if self._late > LATE * self._answers:
            return max(self.share * CUT, LEAST)
        return min(self.share + STEP, 1.0) if self._late == 0 else self.share
