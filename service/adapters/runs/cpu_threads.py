"""The processor time of runs: by the threads that a run occupies, and in sums."""

import threading

from tightrope.service.adapters.runs.watched_runs import runs_of


def cpu_factor(model: object) -> int:
    """The factor from the processor time of a run's own thread to that of the run: 1 where it has one thread; their
    number where it has several, which is an estimate; 0 where the model runs on another server.
    """
    if runs_of(model) is None:
        return 0
    threads: int = getattr(model, "run_threads", 1)
    return threads


class CpuSum:
    """CPU seconds of runs, added by their thread and taken by another one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """Add the seconds of a run."""
        with self._lock:
            self._seconds += seconds

    def take(self) -> float:
        """Return the seconds since the last call."""
        with self._lock:
            seconds, self._seconds = self._seconds, 0.0
            return seconds
