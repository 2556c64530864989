"""Threads for runs: daemons, so that a run which never ends keeps no process alive, and replaceable: a thread that is
stuck in a run is given up, and another one takes its place.
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NamedTuple

from tightrope.service.adapters.runs.watch import RUN_WATCH

IDLE_SECONDS = 30.0
"""A thread without work ends after this time."""


class _Job(NamedTuple):
    """Work for a thread. ``abandon`` is called, on another thread, if it is stuck in a run."""

    work: Callable[[], None]
    abandon: Callable[[], None]


class _Worker:
    """The state of one thread: its job, and whether it was given up."""

    __slots__ = ("given_up", "job")

    def __init__(self) -> None:
        self.job: _Job | None = None
        self.given_up = False


class RunThreads:
    """At most ``most`` threads, besides those that were given up; they start when they are needed."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._count = self._idle = self._waiting = 0

    def submit(self, work: Callable[[], None], abandon: Callable[[], None]) -> None:
        """Do ``work``, which must not raise, in a thread. ``abandon`` is called if it is stuck in a run; it may end
        later all the same.
        """
        with self._lock:
            self._waiting += 1
            grows = self._grow()
        self._jobs.put(_Job(work, abandon))
        if grows:
            self._start()

    def _grow(self) -> bool:
        """Whether another thread is needed; it is counted at once."""
        grows = self._waiting > self._idle and self._count < self._most
        self._count += grows
        self._idle += grows
        return grows

    def _start(self) -> None:
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        worker = _Worker()
        RUN_WATCH.own_thread(lambda: self._give_up(worker))
        try:
            while (job := self._next(worker)) is not None:
                job.work()
                with self._lock:
                    worker.job = None
                    if worker.given_up:
                        return
                    self._idle += 1
        finally:
            RUN_WATCH.disown_thread()

    def _next(self, worker: _Worker) -> _Job | None:
        """The next job; None if no job comes for a while."""
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_SECONDS)
            except Empty:
                with self._lock:
                    if self._waiting:
                        continue
                    self._idle -= 1
                    self._count -= 1
                return None
            with self._lock:
                self._waiting -= 1
                self._idle -= 1
                worker.job = job
            return job

    def _give_up(self, worker: _Worker) -> None:
        """Give up a thread that is stuck; called on the watch's thread."""
        with self._lock:
            job = worker.job
            if job is None or worker.given_up:
                return
            worker.given_up = True
            self._count -= 1
            grows = self._grow()
        if grows:
            self._start()
        job.abandon()
