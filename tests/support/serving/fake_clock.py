"""A clock that moves only when a test moves it, in the place of the module `time`: no other process can slow it."""

import threading
from collections import defaultdict


class FakeClock:
    """The wall clock, the processor time of each thread, and that of the process, in seconds."""

    def __init__(self) -> None:
        self._moving = threading.Lock()
        self._wall = self._process = 0.0
        self._threads: dict[int, float] = defaultdict(float)

    def work(self, seconds: float, *, by_others: bool = False, wall: float = 1.0) -> None:
        """Spend processor time of the calling thread, or of other threads of the process, one thread after another.

        The wall clock moves by ``wall`` seconds a second of work: by more than one where other processes are busy.
        """
        with self._moving:
            self._wall += wall * seconds
            self._process += seconds
            if not by_others:
                self._threads[threading.get_ident()] += seconds

    def perf_counter(self) -> float:
        """Seconds of the wall clock."""
        return self._wall

    def process_time(self) -> float:
        """Processor time of all threads."""
        return self._process

    def thread_time(self) -> float:
        """Processor time of the calling thread."""
        with self._moving:
            return self._threads[threading.get_ident()]


class SleepClock:
    """A clock of models that only sleep: runs in other threads sleep side by side, those in the main thread one after
    another, and neither waits for a busy machine.
    """

    def __init__(self) -> None:
        self._moving = threading.Lock()
        self._now = self._beside = 0.0

    def sleep(self, seconds: float) -> None:
        """Let a run take these seconds."""
        with self._moving:
            if threading.current_thread() is threading.main_thread():
                self._now += seconds
            else:
                self._beside = max(self._beside, seconds)

    def perf_counter(self) -> float:
        """Seconds of the wall clock, after the runs of other threads."""
        with self._moving:
            self._now, self._beside = self._now + self._beside, 0.0
            return self._now

    def process_time(self) -> float:
        """No processor time, as nothing is computed."""
        return 0.0

    thread_time = process_time


class SetClock:
    """A monotonic clock in the place of `time.monotonic`: it shows ``now``, which a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The seconds that it shows."""
        return self.now
