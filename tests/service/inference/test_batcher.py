"""What came while a batch ran is the next one; nobody waits for a full one, and nobody works for who has gone."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import NoReturn

import pytest

from tests.support.serving.batcher_harness import Caller, Model, ask, asked, batcher, long
from tightrope.service.errors import OverloadedError
from tightrope.service.inference.autotune import SHORT, Pace
from tightrope.service.inference.batcher import Batcher
from tightrope.service.inference.engine import Answer
from tightrope.service.protocol.rest import InferRequest, InferResponse


def test_requests_that_arrive_together_share_a_run() -> None:
    """And each gets its own answer."""
    model = Model()

    async def run() -> list[InferResponse]:
        of = batcher(model)
        return await asyncio.gather(*(ask(of, asked(name)) for name in "abc"))

    assert [response.id for response in asyncio.run(run())] == ["a", "b", "c"]
    assert model.batches == [["a", "b", "c"]]
    assert model.threads == {threading.main_thread()}


def test_lone_request_waits_for_nobody() -> None:
    """No timer is set for company that may never come."""
    model = Model()

    async def run() -> float:
        of, began = batcher(model, long()), time.perf_counter()
        await ask(of, asked("a"))
        return time.perf_counter() - began

    assert asyncio.run(run()) < 10.0
    assert model.batches == [["a"]]


def test_what_comes_while_a_run_lasts_is_the_next_batch() -> None:
    """In a thread: the event loop goes on taking requests."""
    model = Model(0.1)

    async def run() -> None:
        of = batcher(model, long())
        first = ask(of, asked("first"))
        await asyncio.to_thread(model.began.wait, 30.0)
        await asyncio.gather(first, *(ask(of, asked(str(number))) for number in range(5)))

    asyncio.run(run())
    assert model.batches == [["first"], ["0", "1", "2", "3", "4"]]
    assert threading.main_thread() not in model.threads


def test_batch_has_no_more_rows_than_pay() -> None:
    """The rest is the next one, in the order of arrival."""
    model = Model()

    async def run() -> None:
        of = batcher(model, Pace(most_rows=4))
        await asyncio.gather(*(ask(of, asked(name, rows)) for name, rows in (("a", 3), ("b", 2), ("c", 2), ("d", 1))))

    asyncio.run(run())
    assert model.batches == [["a"], ["b", "c"], ["d"]]


def test_large_request_runs_alone_and_small_ones_wait_for_one_at_most() -> None:
    """However many large ones were there before."""
    model = Model(0.02)

    async def run() -> None:
        of = batcher(model, long(most_rows=4))
        tasks = [ask(of, asked(f"large{number}", 100)) for number in range(3)]
        await asyncio.sleep(0.005)
        tasks += [ask(of, asked("small"))]
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert model.batches.index(["small"]) <= 2
    assert sorted(map(len, model.batches)) == [1, 1, 1, 1]


def test_as_many_runs_at_a_time_as_there_are_runners() -> None:
    """Where batches do not pay."""
    model = Model(0.05)

    async def run() -> None:
        of = batcher(model, long(runners=2, most_rows=1))
        await asyncio.gather(*(ask(of, asked(str(number))) for number in range(6)))

    began = time.perf_counter()
    asyncio.run(run())
    assert len(model.threads) == 2
    assert len(model.batches) == 6
    assert time.perf_counter() - began >= 3 * 0.05


def test_request_that_fails_costs_the_others_nothing() -> None:
    """Its caller gets its error."""

    async def run() -> list[InferResponse | BaseException]:
        of = batcher(Model())
        return await asyncio.gather(*(ask(of, asked(name)) for name in ("a", "bad", "c")), return_exceptions=True)

    first, second, third = asyncio.run(run())
    assert isinstance(second, ValueError)
    assert [getattr(answer, "id", None) for answer in (first, third)] == ["a", "c"]


@pytest.mark.parametrize("pace", [Pace(), long()], ids=["loop", "thread"])
def test_run_that_breaks_leaves_nobody_waiting(pace: Pace) -> None:
    """Whatever nobody foresaw; the next batch is run as ever."""

    def broken(requests: Sequence[InferRequest], _: Sequence[float]) -> Sequence[Answer]:
        raise ZeroDivisionError(str(len(requests)))

    async def run() -> list[InferResponse | BaseException]:
        of = Batcher("m", broken, lambda: pace, 10)
        first = await asyncio.gather(ask(of, asked("a")), ask(of, asked("b")), return_exceptions=True)
        return [*first, *await asyncio.gather(ask(of, asked("c")), return_exceptions=True)]

    assert [str(error) for error in asyncio.run(run())] == ["2", "2", "1"]


def test_nobody_works_for_a_caller_who_has_gone() -> None:
    """One who left while waiting is passed over; one who left during its run changes nothing for the others."""
    model = Model(0.05)

    async def run() -> list[InferResponse]:
        of = batcher(model, long())
        running = ask(of, asked("running"))
        await asyncio.to_thread(model.began.wait, 30.0)
        waiting = [ask(of, asked(name)) for name in ("stays", "leaves", "stays too")]
        await asyncio.sleep(0)
        waiting.pop(1).cancel()
        running.cancel()
        return await asyncio.gather(*waiting)

    assert [response.id for response in asyncio.run(run())] == ["stays", "stays too"]
    assert model.batches == [["running"], ["stays", "stays too"]]


def test_gone_callers_of_small_requests_do_not_hold_up_a_large_one() -> None:
    """It would have waited for the next request, whenever that came."""
    model = Model(0.05)

    async def run() -> list[InferResponse]:
        of = batcher(model, long(most_rows=4))
        large = [ask(of, asked(f"large{number}", 100)) for number in range(2)]
        await asyncio.to_thread(model.began.wait, 30.0)
        leaving = [ask(of, asked(name)) for name in "ab"]
        await asyncio.sleep(0)
        for one in leaving:
            one.cancel()
        return await asyncio.wait_for(asyncio.gather(*large), 30.0)

    assert [response.id for response in asyncio.run(run())] == ["large0", "large1"]
    assert model.batches == [["large0"], ["large1"]]


def test_request_that_became_large_while_it_waited_is_answered() -> None:
    """Another artefact was deployed, for which batches do not pay."""
    model, paces = Model(0.05), [long(most_rows=64)]

    async def run() -> list[InferResponse]:
        of = Batcher("m", model, lambda: paces[-1], 10)
        first = ask(of, asked("first", 5))
        await asyncio.to_thread(model.began.wait, 30.0)
        others = [ask(of, asked(name, 5)) for name in "ab"]
        await asyncio.sleep(0)
        paces.append(long(most_rows=1))
        return await asyncio.wait_for(asyncio.gather(first, *others), 30.0)

    assert [response.id for response in asyncio.run(run())] == ["first", "a", "b"]
    assert model.batches == [["first"], ["a"], ["b"]]


def test_too_many_are_refused_at_once_and_told_when_to_come_again() -> None:
    """Those who wait already are answered."""

    async def run() -> list[InferResponse | BaseException]:
        of = batcher(Model(0.01), long(most_rows=1), most=3)
        return await asyncio.gather(*(ask(of, asked(str(number))) for number in range(5)), return_exceptions=True)

    answers = asyncio.run(run())
    assert [type(answer) for answer in answers] == [InferResponse] * 3 + [OverloadedError] * 2
    refused = answers[-1]
    assert isinstance(refused, OverloadedError)
    assert refused.seconds == pytest.approx(3 * 10 * SHORT)


def test_callers_who_do_not_come_back_are_not_waited_for_long() -> None:
    """A share of what the last run took."""
    model = Model(0.1)

    async def run() -> float:
        of = batcher(model, long())
        await asyncio.gather(*(ask(of, asked(name)) for name in "abc"))
        began = time.perf_counter()
        await ask(of, asked("again"))
        return time.perf_counter() - began

    assert asyncio.run(run()) < 10.0
    assert model.batches[1:] == [["again"]]


@pytest.mark.parametrize("pace", [Pace(), long()], ids=["on the loop", "in a thread"])
def test_answers_are_told_before_what_is_done_afterwards(pace: Pace, caplog: pytest.LogCaptureFixture) -> None:
    """And whatever goes wrong there costs nobody an answer, nor the next one."""
    seen: list[str] = []

    def afterwards() -> NoReturn:
        seen.append("afterwards")
        raise RuntimeError("a mistake of ours")

    async def run() -> None:
        of = Batcher("m", Model(), lambda: pace, 10, afterwards)
        for name in "ab":
            await Caller(of, name, seen.append).answered()

    asyncio.run(run())
    assert seen[:3] == ["told a", "afterwards", "told b"]
    assert "a mistake of ours" in caplog.text
