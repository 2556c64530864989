"""Requests that arrive while a batch runs form the next one, and no run is spent on callers that are gone."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import pytest
from msgspec.structs import replace

from tests.support.serving.batcher_harness import Caller, FakeEngine, ask, long_profile, make_batcher, make_request
from tightrope.monitors.records import Role
from tightrope.service.errors import CallerError, OverloadedError
from tightrope.service.inference.autotune import SHORT_SECONDS, RunProfile
from tightrope.service.inference.batch import BatchItem
from tightrope.service.inference.batchability import Batchability, Proof, RowFinding
from tightrope.service.inference.batcher import Batcher
from tightrope.service.inference.contention import Contention
from tightrope.service.inference.engine import BatchAnswers
from tightrope.service.protocol.rest import InferRequest, InferResponse, OutputRequest


def test_requests_that_arrive_together_share_a_run() -> None:
    """Each gets its own answer."""
    engine = FakeEngine()

    async def run() -> list[InferResponse]:
        batcher = make_batcher(engine)
        return await asyncio.gather(*(ask(batcher, make_request(name)) for name in "abc"))

    assert [response.id for response in asyncio.run(run())] == ["a", "b", "c"]
    assert engine.batches == [["a", "b", "c"]]
    assert engine.threads == {threading.main_thread()}


def test_request_that_may_not_share_a_run_is_a_batch_alone() -> None:
    """The others do not wait for the runs of all those that were queued before them."""
    engine, profile = FakeEngine(), RunProfile()
    mixed = RowFinding(Proof.DISPROVED, "it mixes rows")
    profile.batchability = Batchability({Role.BASELINE: {"state": mixed}}, "p")

    def request(name: str) -> InferRequest:
        outputs = () if name.isupper() else (OutputRequest("p", binary=False),)
        return replace(make_request(name), outputs=outputs)

    async def run() -> None:
        batcher = make_batcher(engine, profile)
        await asyncio.gather(*(ask(batcher, request(name)) for name in "aBcD"))
        profile.batchability.keep_apart("a surprise")
        await asyncio.gather(*(ask(batcher, request(name)) for name in "ef"))

    asyncio.run(run())
    assert engine.batches == [["B"], ["a", "c"], ["D"], ["e"], ["f"]]


def test_request_alone_does_not_wait() -> None:
    """No timer is set for other requests that may never come."""
    engine = FakeEngine()

    async def run() -> float:
        batcher, began = make_batcher(engine, long_profile()), time.perf_counter()
        await ask(batcher, make_request("a"))
        return time.perf_counter() - began

    assert asyncio.run(run()) < 10.0
    assert engine.batches == [["a"]]


def test_requests_that_come_during_a_run_are_the_next_batch() -> None:
    """The run is in a thread: the event loop goes on taking requests."""
    engine = FakeEngine(0.1)

    async def run() -> None:
        batcher = make_batcher(engine, long_profile())
        first = ask(batcher, make_request("first"))
        await asyncio.to_thread(engine.began.wait, 30.0)
        await asyncio.gather(first, *(ask(batcher, make_request(str(number))) for number in range(5)))

    asyncio.run(run())
    assert engine.batches == [["first"], ["0", "1", "2", "3", "4"]]
    assert threading.main_thread() not in engine.threads


def test_batch_has_at_most_the_rows_of_the_profile() -> None:
    """The rest is the next batch, in the order of arrival."""
    engine, sizes = FakeEngine(), (("a", 3), ("b", 2), ("c", 2), ("d", 1))

    async def run() -> None:
        batcher = make_batcher(engine, RunProfile(max_rows=4))
        await asyncio.gather(*(ask(batcher, make_request(name, rows)) for name, rows in sizes))

    asyncio.run(run())
    assert engine.batches == [["a"], ["b", "c"], ["d"]]


def test_large_request_runs_alone_and_small_ones_wait_for_one_at_most() -> None:
    """Large and small requests take turns, however many large ones came first."""
    engine = FakeEngine(0.02)

    async def run() -> None:
        batcher = make_batcher(engine, long_profile(max_rows=4))
        tasks = [ask(batcher, make_request(f"large{number}", 100)) for number in range(3)]
        await asyncio.sleep(0.005)
        tasks += [ask(batcher, make_request("small"))]
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert engine.batches.index(["small"]) <= 2
    assert sorted(map(len, engine.batches)) == [1, 1, 1, 1]


def test_runs_at_a_time_are_the_runners() -> None:
    """Where batches do not pay, each request is a run of its own."""
    engine = FakeEngine(0.05)

    async def run() -> None:
        batcher = make_batcher(engine, long_profile(runners=2, max_rows=1))
        await asyncio.gather(*(ask(batcher, make_request(str(number))) for number in range(6)))

    began = time.perf_counter()
    asyncio.run(run())
    assert len(engine.threads) == 2
    assert len(engine.batches) == 6
    assert time.perf_counter() - began >= 3 * 0.05


def test_error_of_one_request_does_not_affect_the_others() -> None:
    """Its caller gets it."""

    async def run() -> list[InferResponse | BaseException]:
        batcher = make_batcher(FakeEngine())
        requests = [make_request(name) for name in ("a", "bad", "c")]
        return await asyncio.gather(*(ask(batcher, request) for request in requests), return_exceptions=True)

    first, second, third = asyncio.run(run())
    assert isinstance(second, ValueError)
    assert [getattr(answer, "id", None) for answer in (first, third)] == ["a", "c"]


def test_request_whose_inputs_differ_in_rows_is_not_queued() -> None:
    """Its caller gets the error; the others' batch is not affected."""
    engine, bad = FakeEngine(), make_request("malformed")
    bad.inputs["y"] = np.zeros((2, 1), np.float32)

    async def run() -> list[InferResponse | BaseException]:
        batcher = make_batcher(engine)
        return await asyncio.gather(ask(batcher, bad), ask(batcher, make_request("good")), return_exceptions=True)

    first, _ = asyncio.run(run())
    assert isinstance(first, CallerError)
    assert engine.batches == [["good"]]


@pytest.mark.parametrize("profile", [RunProfile(), long_profile()], ids=["loop", "thread"])
def test_unexpected_error_of_a_run_reaches_all_its_callers(profile: RunProfile) -> None:
    """The next batch runs as usual."""

    class Broken(FakeEngine):
        def answer(self, model: str, items: Sequence[BatchItem], **_: bool) -> BatchAnswers:
            raise ZeroDivisionError(f"{model} {len(items)}")

    async def run() -> list[InferResponse | BaseException]:
        batcher = make_batcher(Broken(), profile, 10)
        first = await asyncio.gather(*(ask(batcher, make_request(name)) for name in "ab"), return_exceptions=True)
        return [*first, *await asyncio.gather(ask(batcher, make_request("c")), return_exceptions=True)]

    assert [str(error) for error in asyncio.run(run())] == ["m 2", "m 2", "m 1"]


def test_no_run_is_spent_on_a_caller_that_is_gone() -> None:
    """One that left the queue is dropped; one that left during its run changes nothing for the others."""
    engine = FakeEngine(0.05)

    async def run() -> list[InferResponse]:
        batcher = make_batcher(engine, long_profile())
        running = ask(batcher, make_request("running"))
        await asyncio.to_thread(engine.began.wait, 30.0)
        queued = [ask(batcher, make_request(name)) for name in ("stays", "leaves", "stays too")]
        await asyncio.sleep(0)
        queued.pop(1).cancel()
        running.cancel()
        return await asyncio.gather(*queued)

    assert [response.id for response in asyncio.run(run())] == ["stays", "stays too"]
    assert engine.batches == [["running"], ["stays", "stays too"]]


def test_small_requests_of_gone_callers_do_not_delay_a_large_one() -> None:
    """Otherwise it would wait for the next request, whenever that came."""
    engine = FakeEngine(0.05)

    async def run() -> list[InferResponse]:
        batcher = make_batcher(engine, long_profile(max_rows=4))
        large = [ask(batcher, make_request(f"large{number}", 100)) for number in range(2)]
        await asyncio.to_thread(engine.began.wait, 30.0)
        leaving = [ask(batcher, make_request(name)) for name in "ab"]
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        return await asyncio.wait_for(asyncio.gather(*large), 30.0)

    assert [response.id for response in asyncio.run(run())] == ["large0", "large1"]
    assert engine.batches == [["large0"], ["large1"]]


def test_request_that_becomes_large_in_the_queue_is_answered() -> None:
    """A pair for which batches do not pay is deployed meanwhile."""
    engine, profiles = FakeEngine(0.05), {"m": long_profile(max_rows=64)}

    async def run() -> list[InferResponse]:
        batcher = Batcher("m", engine, profiles, 10, lambda _: None, Contention())
        first = ask(batcher, make_request("first", 5))
        await asyncio.to_thread(engine.began.wait, 30.0)
        others = [ask(batcher, make_request(name, 5)) for name in "ab"]
        await asyncio.sleep(0)
        profiles["m"] = long_profile(max_rows=1)
        return await asyncio.wait_for(asyncio.gather(first, *others), 30.0)

    assert [response.id for response in asyncio.run(run())] == ["first", "a", "b"]
    assert engine.batches == [["first"], ["a"], ["b"]]


def test_full_queue_refuses_requests_with_a_retry_delay() -> None:
    """The queued ones are answered."""

    async def run() -> list[InferResponse | BaseException]:
        batcher = make_batcher(FakeEngine(0.01), long_profile(max_rows=1), max_queued=3)
        requests = [make_request(str(number)) for number in range(5)]
        return await asyncio.gather(*(ask(batcher, request) for request in requests), return_exceptions=True)

    answers = asyncio.run(run())
    assert [type(answer) for answer in answers] == [InferResponse] * 3 + [OverloadedError] * 2
    refused = answers[-1]
    assert isinstance(refused, OverloadedError)
    assert refused.seconds == pytest.approx(3 * 10 * SHORT_SECONDS)


def test_wait_for_callers_that_do_not_return_is_short() -> None:
    """It lasts a share of the seconds of the last run."""
    engine = FakeEngine(0.1)

    async def run() -> float:
        batcher = make_batcher(engine, long_profile())
        await asyncio.gather(*(ask(batcher, make_request(name)) for name in "abc"))
        began = time.perf_counter()
        await ask(batcher, make_request("again"))
        return time.perf_counter() - began

    assert asyncio.run(run()) < 10.0
    assert engine.batches[1:] == [["again"]]


@pytest.mark.parametrize("profile", [RunProfile(), long_profile()], ids=["on the loop", "in a thread"])
def test_answers_are_delivered_before_they_are_recorded(profile: RunProfile, caplog: pytest.LogCaptureFixture) -> None:
    """An error of the recorder costs no caller an answer, nor the next one."""
    order: list[str] = []

    def record(_: BatchAnswers) -> NoReturn:
        order.append("recorded")
        raise RuntimeError("a mistake of ours")

    async def run() -> None:
        batcher = make_batcher(FakeEngine(), profile, on_answered=record)
        for name in "ab":
            await Caller(batcher, name, order.append).answered()

    asyncio.run(run())
    assert order[:3] == ["answered a", "recorded", "answered b"]
    assert "a mistake of ours" in caplog.text
