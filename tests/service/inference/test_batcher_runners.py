"""How those who wait are shared out to runners, and who may hold up the event loop."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from tests.support.serving.batcher_harness import LOOPS, Caller, Model, ask, asked, batcher, long, run_on
from tightrope.service.inference.autotune import BRIEF, SHORT, Pace
from tightrope.service.inference.batcher import Batcher
from tightrope.service.inference.contention import Company
from tightrope.service.inference.engine import Answer
from tightrope.service.protocol.rest import InferRequest


@LOOPS
@pytest.mark.parametrize("runners", [1, 2])
def test_callers_of_a_batch_are_waited_for_while_they_come_back(
    monkeypatch: pytest.MonkeyPatch, loop: Callable[[], asyncio.AbstractEventLoop], runners: int
) -> None:
    """Each asks again a moment after its answer: the next batch has all of a runner's share, though the first comes
    alone. When all are there nobody waits any longer.
    """
    monkeypatch.setattr("tightrope.service.inference.batcher.LEAST", 20.0)
    monkeypatch.setattr("tightrope.service.inference.batcher.REFILL", 1000.0)
    model, began = Model(0.1), time.perf_counter()

    async def caller(of: Batcher, number: int) -> None:
        for turn in range(3):
            await ask(of, asked(f"{number}:{turn}"))
            await asyncio.sleep(0.002 * number)

    async def run() -> None:
        of = batcher(model, long(runners=runners))
        await asyncio.gather(*(caller(of, number) for number in range(8)))

    run_on(loop, run())
    assert [len(batch) for batch in model.batches] == [8 // runners] * 3 * runners
    assert time.perf_counter() - began < 20.0


def test_runners_share_those_who_wait() -> None:
    """Half of them each: none runs off with all of them, while the other has nothing to do."""
    model = Model(0.05)

    async def run() -> None:
        of = batcher(model, long(runners=2))
        await asyncio.gather(*(ask(of, asked(str(number))) for number in range(9)))

    asyncio.run(run())
    assert [len(batch) for batch in model.batches] == [5, 4]
    assert len(model.threads) == 2


def test_what_is_short_is_not_parted() -> None:
    """One run on the event loop is over sooner than two."""
    model = Model()

    async def run() -> None:
        of = batcher(model, Pace(runners=2, tried={8: SHORT / 10, 32: 2 * SHORT}))
        await asyncio.gather(*(ask(of, asked(str(number))) for number in range(8)))

    asyncio.run(run())
    assert [len(batch) for batch in model.batches] == [8]


@pytest.mark.parametrize(("callers", "first"), [(2, 1), (8, 2), (32, 8), (64, 8)])
def test_few_at_a_time_where_batches_gain_nothing_but_the_work_around_them(callers: int, first: int) -> None:
    """Half of what a runner has to do, so that nobody waits long for the answers of others."""
    model, pace = Model(0.01), Pace(2, 8, {1: 10 * SHORT}, pays=False)

    async def run() -> None:
        of = batcher(model, pace)
        await asyncio.gather(*(ask(of, asked(str(number))) for number in range(callers)))

    asyncio.run(run())
    assert len(model.batches[0]) == first
    assert sum(map(len, model.batches)) == callers


@LOOPS
def test_caller_who_is_alone_is_answered_on_the_event_loop(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Nobody is held up, and a thread hop is saved; unless the run takes too long even so."""
    brief, slow = Model(), Model()

    async def run() -> None:
        company = Company()
        for model, pace in ((brief, long()), (slow, Pace(tried={1: 2 * BRIEF}))):
            of = Batcher("m", model, lambda pace=pace: pace, 10, company=company)  # type: ignore[misc]
            for name in "abc":
                await Caller(of, name).answered()

    run_on(loop, run())
    assert brief.threads == {threading.main_thread()}
    assert threading.main_thread() not in slow.threads


@LOOPS
@pytest.mark.parametrize("same", [True, False], ids=["of the same model", "of another model"])
def test_who_comes_while_another_is_answered_on_the_event_loop_ends_that(
    monkeypatch: pytest.MonkeyPatch, loop: Callable[[], asyncio.AbstractEventLoop], *, same: bool
) -> None:
    """Though it cannot be seen before that run is over; for a while, then the next one is alone again."""
    monkeypatch.setattr("tightrope.service.inference.contention.RECENT", 0.3)
    model, other, company = Model(), Model(), Company()
    here, there = socket.socketpair()

    def answer(requests: Sequence[InferRequest], arrived: Sequence[float]) -> Sequence[Answer]:
        if requests[0].id == "first":
            there.send(b"1")
        return model(requests, arrived)

    async def run() -> list[bool]:
        of = Batcher("m", answer, lambda: pace, 10, company=company)
        beside = of if same else Batcher("n", other, Pace, 10, company=company)
        came: list[Caller] = []

        def arrive() -> None:
            here.recv(1)
            came.append(Caller(beside, "second"))

        asyncio.get_running_loop().add_reader(here, arrive)
        where: list[bool] = []
        for name, pause in (("first", 0.0), ("third", 0.4), ("fourth", 0.0)):
            model.threads.clear()
            await Caller(of, name).answered()
            where.append(threading.main_thread() in model.threads)
            await asyncio.gather(*(one.answered() for one in came))
            await asyncio.sleep(pause)
        asyncio.get_running_loop().remove_reader(here)
        return where

    pace = long()
    with here, there:
        assert run_on(loop, run()) == [True, False, True]


def test_run_that_took_too_long_for_the_event_loop_is_not_repeated_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once: the other model answers perhaps, which takes longer."""
    monkeypatch.setattr("tightrope.service.inference.contention.RECENT", 20.0)
    model = Model(2 * BRIEF)

    async def run() -> list[bool]:
        of, where = batcher(model, long()), []
        for name in "ab":
            model.threads.clear()
            await Caller(of, name).answered()
            where.append(threading.main_thread() in model.threads)
        return where

    assert asyncio.run(run()) == [True, False]


def test_last_core_is_left_to_another_model_that_is_asked() -> None:
    """Where batches pay, a second run at a time gains less than another model's callers would lose."""
    model, company = Model(0.1), Company()

    async def run() -> None:
        pace = long(runners=2)
        of = Batcher("m", model, lambda: pace, 100, company=company)
        beside = Batcher("n", Model(), Pace, 100, company=company)
        first = [Caller(of, name) for name in "ab"]
        await asyncio.to_thread(model.began.wait, 30.0)
        neighbour = Caller(beside, "neighbour")
        next_ones = [Caller(of, name) for name in "cdef"]
        await asyncio.gather(*(one.answered() for one in (*first, neighbour, *next_ones)))

    asyncio.run(run())
    assert [len(batch) for batch in model.batches] == [1, 1, 4]
