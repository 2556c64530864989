"""Runs that take much longer than expected leave the event loop, and stuck ones are replaced."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from tests.support.serving.batcher_harness import Caller, FakeEngine, ask, long_profile, make_batcher, make_request
from tests.support.serving.service_harness import eventually
from tightrope.service.adapters.ports import EventLoopHeldError
from tightrope.service.adapters.runs import threads
from tightrope.service.adapters.runs.watch import RUN_WATCH, RunWatch
from tightrope.service.inference.autotune import BRIEF_SECONDS, SHORT_SECONDS, RunProfile
from tightrope.service.inference.batch import BatchItem
from tightrope.service.inference.batching.batch_runs import BatchRuns
from tightrope.service.inference.batching.queued_request import QueuedRequest
from tightrope.service.inference.contention import Contention
from tightrope.service.inference.engine import BatchAnswers


class HoldingEngine(FakeEngine):
    """Its first run on the event loop is ended by the watch."""

    def answer(self, model: str, items: Sequence[BatchItem], **_: bool) -> BatchAnswers:
        """Raise the watch's error once."""
        on_loop = threading.current_thread() is threading.main_thread()
        assert (RUN_WATCH.loop_thread == threading.get_ident()) is on_loop
        if on_loop:
            raise EventLoopHeldError("m.onnx: a run held the event loop")
        return super().answer(model, items)


@pytest.mark.parametrize("seconds", [SHORT_SECONDS / 2, BRIEF_SECONDS / 2], ids=["short", "brief"])
def test_run_that_held_the_event_loop_is_made_in_a_thread(seconds: float, caplog: pytest.LogCaptureFixture) -> None:
    """The next runs of this model are, too."""
    engine, profile = HoldingEngine(), RunProfile(measured={1: seconds})

    async def run() -> None:
        batcher = make_batcher(engine, profile)
        for name in "ab":
            caller = Caller(batcher, name)
            await caller.answered()

    asyncio.run(run())
    assert engine.batches == [["a"], ["b"]]
    assert not profile.is_short(1)
    assert not profile.is_brief(1)
    assert [record.getMessage() for record in caplog.records] == [
        "models.m: m.onnx: a run held the event loop; for 600 s its runs are made in threads"
    ]
    assert RUN_WATCH.loop_thread == 0


class StuckEngine(FakeEngine):
    """A run is stuck unless stuck models are avoided, and then its requests are alone."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()
        self.stuck = threading.Event()
        self.thread = 0

    def answer(self, model: str, items: Sequence[BatchItem], *, avoid_stuck: bool = False) -> BatchAnswers:
        """Wait, or answer."""
        if not avoid_stuck and not self.stuck.is_set():
            self.thread = threading.get_ident()
            self.stuck.set()
            self.release.wait(60.0)
        return super().answer(model, items)


def test_requests_of_a_stuck_run_are_answered_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next requests do not wait for it either, and what it gives in the end is not delivered."""
    watch = RunWatch(has_thread=False)
    monkeypatch.setattr(threads, "RUN_WATCH", watch)
    engine, contention, given = StuckEngine(), Contention(), list[BatchAnswers]()

    async def run() -> None:
        batcher = make_batcher(engine, long_profile(), contention=contention, on_answered=given.append)
        requests = [ask(batcher, make_request(name)) for name in "ab"]
        await asyncio.to_thread(engine.stuck.wait, 30.0)
        watch._owners[engine.thread]()
        answers = await asyncio.wait_for(asyncio.gather(*requests), 30.0)
        assert [answer.id for answer in answers] == ["a", "b"]
        assert engine.batches == [["a"], ["b"]]
        await asyncio.wait_for(ask(batcher, make_request("c")), 30.0)
        assert contention.running == 0
        engine.release.set()
        await asyncio.to_thread(eventually, lambda: ["a", "b"] in engine.batches)
        await asyncio.sleep(0.05)
        assert contention.running == 0

    asyncio.run(run())
    assert [len(result.answers) for result in given] == [1, 1, 1]


def test_runs_are_counted_until_they_are_over() -> None:
    """Once each."""
    over, contention = list[Sequence[QueuedRequest]](), Contention()
    runs = BatchRuns("m", FakeEngine(), contention, lambda run, _: over.append(run.batch))
    run = runs.begin([], 3)
    assert (runs.count, runs.rows, contention.running) == (1, 3, 1)
    for _ in range(2):
        runs.finish(run, BatchAnswers((), ()))
    assert (runs.count, runs.rows, contention.running, over) == (0, 0, 0, [[]])
