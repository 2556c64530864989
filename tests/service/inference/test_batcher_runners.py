"""How queued requests are divided among runners, and which runs occupy the event loop."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from tests.support.serving.batcher_harness import (
    LOOPS,
    Caller,
    FakeEngine,
    ask,
    long_profile,
    make_batcher,
    make_request,
    run_on,
)
from tests.support.serving.fake_clock import FakeClock
from tightrope.service.inference.autotune import BRIEF_SECONDS, SHORT_SECONDS, RunProfile
from tightrope.service.inference.batch import BatchItem
from tightrope.service.inference.batcher import Batcher
from tightrope.service.inference.contention import Contention
from tightrope.service.inference.engine import BatchAnswers


@LOOPS
@pytest.mark.parametrize("runners", [1, 2])
def test_batch_waits_for_the_callers_of_the_last_one(
    monkeypatch: pytest.MonkeyPatch, loop: Callable[[], asyncio.AbstractEventLoop], runners: int
) -> None:
    """Each sends its next request a moment after its answer: the next batch has a runner's whole share, though the
    first one comes alone. It starts as soon as the share is queued.
    """
    monkeypatch.setattr("tightrope.service.inference.batcher.MIN_RETURN_GAP_SECONDS", 20.0)
    monkeypatch.setattr("tightrope.service.inference.batcher.RETURN_SHARE", 1000.0)
    engine, began = FakeEngine(0.1), time.perf_counter()

    async def caller(batcher: Batcher, number: int) -> None:
        for turn in range(3):
            await ask(batcher, make_request(f"{number}:{turn}"))
            await asyncio.sleep(0.002 * number)

    async def run() -> None:
        batcher = make_batcher(engine, long_profile(runners=runners))
        await asyncio.gather(*(caller(batcher, number) for number in range(8)))

    run_on(loop, run())
    assert [len(batch) for batch in engine.batches] == [8 // runners] * 3 * runners
    assert time.perf_counter() - began < 20.0


def test_runners_share_the_queue() -> None:
    """Half each: no runner takes all of it while the other one is idle."""
    engine = FakeEngine(0.05)

    async def run() -> None:
        batcher = make_batcher(engine, long_profile(runners=2))
        await asyncio.gather(*(ask(batcher, make_request(str(number))) for number in range(9)))

    asyncio.run(run())
    assert [len(batch) for batch in engine.batches] == [5, 4]
    assert len(engine.threads) == 2


def test_short_batch_is_not_divided() -> None:
    """One run on the event loop takes less time than two."""
    engine = FakeEngine()

    async def run() -> None:
        profile = RunProfile(runners=2, measured={8: SHORT_SECONDS / 10, 32: 2 * SHORT_SECONDS})
        batcher = make_batcher(engine, profile)
        await asyncio.gather(*(ask(batcher, make_request(str(number))) for number in range(8)))

    asyncio.run(run())
    assert [len(batch) for batch in engine.batches] == [8]


@pytest.mark.parametrize(("callers", "first"), [(2, 1), (8, 2), (32, 8), (64, 8)])
def test_batches_are_small_where_they_save_only_the_work_around_the_model(callers: int, first: int) -> None:
    """Half of a runner's share, so that no caller waits long for the others."""
    engine, profile = FakeEngine(0.01), RunProfile(2, 8, {1: 10 * SHORT_SECONDS}, pays=False)

    async def run() -> None:
        batcher = make_batcher(engine, profile)
        await asyncio.gather(*(ask(batcher, make_request(str(number))) for number in range(callers)))

    asyncio.run(run())
    assert len(engine.batches[0]) == first
    assert sum(map(len, engine.batches)) == callers


@LOOPS
def test_caller_without_contention_is_answered_on_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """That delays no other request and saves a thread hop; a run that is not even brief goes to a thread."""
    monkeypatch.setattr("tightrope.service.inference.batcher.time", FakeClock())  # a busy machine would slow the runs
    brief, slow = FakeEngine(), FakeEngine()

    async def run() -> None:
        contention = Contention()
        profiles = ((brief, long_profile()), (slow, RunProfile(measured={1: 2 * BRIEF_SECONDS})))
        for engine, profile in profiles:
            batcher = make_batcher(engine, profile, contention=contention)
            for name in "abc":
                await Caller(batcher, name).answered()

    run_on(loop, run())
    assert brief.threads == {threading.main_thread()}
    assert threading.main_thread() not in slow.threads


class _SignallingEngine(FakeEngine):
    """Writes to a socket when it runs the request named first."""

    def __init__(self, signal: socket.socket) -> None:
        super().__init__()
        self._signal = signal

    def answer(self, model: str, items: Sequence[BatchItem], **_: bool) -> BatchAnswers:
        """Signal, and answer."""
        if items[0].request.id == "first":
            self._signal.send(b"1")
        return super().answer(model, items)


@LOOPS
@pytest.mark.parametrize("same", [True, False], ids=["of the same model", "of another model"])
def test_request_that_comes_during_a_run_on_the_event_loop_is_contention(
    monkeypatch: pytest.MonkeyPatch, loop: Callable[[], asyncio.AbstractEventLoop], *, same: bool
) -> None:
    """It is seen only when that run is over, and counts for a while; then runs return to the event loop."""
    monkeypatch.setattr("tightrope.service.inference.contention.CONTENTION_SECONDS", 0.3)
    here, there = socket.socketpair()
    engine, contention = _SignallingEngine(there), Contention()

    async def run() -> list[bool]:
        batcher = make_batcher(engine, long_profile(), contention=contention)
        other = batcher if same else make_batcher(FakeEngine(), model="n", contention=contention)
        came: list[Caller] = []

        def arrive() -> None:
            here.recv(1)
            came.append(Caller(other, "second"))

        asyncio.get_running_loop().add_reader(here, arrive)
        on_loop: list[bool] = []
        for name, pause in (("first", 0.0), ("third", 0.4), ("fourth", 0.0)):
            engine.threads.clear()
            await Caller(batcher, name).answered()
            on_loop.append(threading.main_thread() in engine.threads)
            await asyncio.gather(*(caller.answered() for caller in came))
            await asyncio.sleep(pause)
        asyncio.get_running_loop().remove_reader(here)
        return on_loop

    with here, there:
        assert run_on(loop, run()) == [True, False, True]


def test_run_that_took_too_long_on_the_event_loop_goes_to_a_thread_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other role's model may have answered, which takes longer."""
    monkeypatch.setattr("tightrope.service.inference.contention.CONTENTION_SECONDS", 20.0)
    engine = FakeEngine(2 * BRIEF_SECONDS)

    async def run() -> list[bool]:
        batcher, on_loop = make_batcher(engine, long_profile()), []
        for name in "ab":
            engine.threads.clear()
            await Caller(batcher, name).answered()
            on_loop.append(threading.main_thread() in engine.threads)
        return on_loop

    assert asyncio.run(run()) == [True, False]


def test_last_core_is_left_to_another_model_with_requests() -> None:
    """Where batches pay, a second run at a time gains less than the other model's callers would lose."""
    engine, contention = FakeEngine(0.1), Contention()

    async def run() -> None:
        batcher = make_batcher(engine, long_profile(runners=2), contention=contention)
        other = make_batcher(FakeEngine(), model="n", contention=contention)
        first = [Caller(batcher, name) for name in "ab"]
        await asyncio.to_thread(engine.began.wait, 30.0)
        neighbour = Caller(other, "neighbour")
        next_ones = [Caller(batcher, name) for name in "cdef"]
        await asyncio.gather(*(caller.answered() for caller in (*first, neighbour, *next_ones)))

    asyncio.run(run())
    assert [len(batch) for batch in engine.batches] == [1, 1, 4]
