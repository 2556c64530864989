"""Threads for runs are bounded, daemons, and replaced when they are stuck."""

import threading
from collections.abc import Iterator

import pytest

from tests.support.serving.service_harness import eventually
from tightrope.service.adapters.runs import threads
from tightrope.service.adapters.runs.threads import RunThreads
from tightrope.service.adapters.runs.watch import RunWatch


class OwnedWatch(RunWatch):
    """A watch that tells the owner of a thread when the test says so."""

    def declare_stuck(self, thread: int) -> None:
        """Tell the owner of that thread."""
        self._owners[thread]()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> OwnedWatch:
    """Provide the watch of the threads that this test starts."""
    own = OwnedWatch(has_thread=False)
    monkeypatch.setattr(threads, "RUN_WATCH", own)
    return own


class Hanging:
    """Work that goes on until it is released."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.release = threading.Event()

    def __call__(self) -> None:
        """Go on."""
        self.threads.append(threading.current_thread())
        self.release.wait(60.0)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    """Provide work that ends with the test."""
    work = Hanging()
    yield work
    work.release.set()


def test_threads_are_bounded_daemons(hanging: Hanging) -> None:
    """Further work waits, and a thread is used again."""
    pool, done = RunThreads(2, "runs"), []
    for _ in range(3):
        pool.submit(hanging, list)
    eventually(lambda: len(hanging.threads) == 2)
    pool.submit(lambda: done.append(threading.current_thread()), list)
    assert not done
    hanging.release.set()
    eventually(lambda: done)
    assert len({*hanging.threads, *done}) == 2
    assert all(thread.daemon for thread in hanging.threads)


def test_stuck_thread_is_given_up_and_replaced(watch: OwnedWatch, hanging: Hanging) -> None:
    """The owner of the work is told; the thread ends when its work does, and takes no other."""
    pool, told, done = RunThreads(1, "runs"), [], []
    pool.submit(hanging, lambda: told.append("stuck"))
    eventually(lambda: hanging.threads)
    pool.submit(lambda: done.append(threading.current_thread()), list)
    thread = hanging.threads[0]
    watch.declare_stuck(thread.ident or 0)
    eventually(lambda: done)
    assert told == ["stuck"]
    assert done != [thread]
    hanging.release.set()
    thread.join(30.0)
    assert not thread.is_alive()


def test_idle_thread_cannot_be_stuck(watch: OwnedWatch) -> None:
    """Its work may have ended just before."""
    pool, done = RunThreads(1, "runs"), []
    for number in range(2):
        pool.submit(lambda: done.append(threading.current_thread()), lambda: done.append("stuck"))
        eventually(lambda count=number + 1: len(done) == count and pool._idle == 1)
        watch.declare_stuck(done[0].ident or 0)
    assert len(done) == 2
    assert done[0] is done[1]


def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next work starts another one."""
    monkeypatch.setattr(threads, "IDLE_SECONDS", 0.01)
    pool, done = RunThreads(1, "runs"), []
    for number in range(3):
        pool.submit(lambda: done.append(threading.current_thread()), list)
        eventually(lambda count=number + 1: len(done) == count)
        done[-1].join(30.0)
        assert not done[-1].is_alive()
