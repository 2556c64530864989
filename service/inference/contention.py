"""Who is there at the same time, over all models of an event loop."""

from math import inf

RECENT = 1.0
"""Seconds for which company counts after it was last seen."""


class Company:
    """Belongs to one event loop. ``running`` is how many runs are under way that are not short, ``met`` when requests
    were last there at once, ``crossed`` when they were of two models (of `time.perf_counter`).
    """

    __slots__ = ("crossed", "met", "running")

    def __init__(self) -> None:
        self.running = 0
        self.met = self.crossed = -inf

    def meet(self, at: float, *, others: bool) -> None:
        """A request came while something ran; of ``others``: of another model."""
        self.met = at
        if others:
            self.crossed = at

    def is_there(self, at: float) -> bool:
        """Whether a request that came at this time is not alone, or was not a moment ago."""
        return at - self.met < RECENT

    def is_shared(self, at: float) -> bool:
        """Whether several models are asked."""
        return at - self.crossed < RECENT
