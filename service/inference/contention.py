"""Contention between the requests of all models of one event loop."""

from math import inf

CONTENTION_SECONDS = 1.0
"""How long contention counts after it was last observed."""


class Contention:
    """Contention on one event loop, in times of `time.perf_counter`. ``running`` is the number of runs under way that
    are not short; ``overlapped_at`` is when requests last overlapped, ``models_overlapped_at`` when those of two models
    did.
    """

    __slots__ = ("models_overlapped_at", "overlapped_at", "running")

    def __init__(self) -> None:
        self.running = 0
        self.overlapped_at = self.models_overlapped_at = -inf

    def note_overlap(self, now: float, *, other_model: bool) -> None:
        """A request came while a run was under way, perhaps of another model."""
        self.overlapped_at = now
        if other_model:
            self.models_overlapped_at = now

    def is_recent(self, now: float) -> bool:
        """Whether requests overlap, or did so until recently."""
        return now - self.overlapped_at < CONTENTION_SECONDS

    def is_across_models(self, now: float) -> bool:
        """Whether requests of several models overlap, or did so until recently."""
        return now - self.models_overlapped_at < CONTENTION_SECONDS
