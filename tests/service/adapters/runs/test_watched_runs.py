"""A run over its deadline is an error of its own; a model that hangs gets none until a probe answers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.support.onnx_models import classifier, looping
from tests.support.serving.model_pairs import weights
from tests.support.serving.service_harness import eventually
from tightrope.monitors.records import Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import EventLoopHeldError, RunDeadlineError, RunFailedError
from tightrope.service.adapters.runs import watched_runs
from tightrope.service.adapters.runs.breaker import MAX_EXPIRED, MIN_PAUSE_SECONDS, RunBreaker
from tightrope.service.adapters.runs.watch import GRACE_SECONDS, LOOP_SECONDS, RunWatch
from tightrope.service.adapters.runs.watched_runs import (
    WatchedRuns,
    has_stuck_run,
    is_kept_away,
    limit_runs,
    runs_of,
)

LIMIT = 10.0
FOREVER = np.array([[1e12]], np.float32)
SOON = np.array([[1.0]], np.float32)


class Terminated(Exception):  # noqa: N818 - the runtime's error
    """The error of a run that was ended."""


class Bench:
    """A model whose runs do what a test says, under a watch that looks when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.watch = RunWatch(has_thread=False)
        monkeypatch.setattr(watched_runs, "RUN_WATCH", self.watch)
        self.during: Callable[[], None] = lambda: None
        self.calls = 0
        self.now = 0.0
        self.runs = WatchedRuns("m", self._call, lambda: SimpleNamespace(terminate=False), self._probe)
        self.runs.breaker = RunBreaker("m", lambda: self.now)

    def _call(self, outputs: Sequence[str], inputs: Tensors, options: Any) -> Sequence[Any]:  # noqa: ANN401
        self.calls += 1
        self.during()
        if options.terminate:
            raise Terminated
        return [outputs, inputs]

    def _probe(self, runs: WatchedRuns) -> None:
        runs.run_anyway(["zeros"], {})

    def run(self) -> Sequence[Any]:
        """Make a run."""
        return self.runs.run(["p"], {})

    def hang(self, seconds: float = LIMIT) -> None:
        """Let this time pass during a run."""
        self.watch.check(0.1)
        self.watch.check(seconds)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Provide a bench."""
    return Bench(monkeypatch)


def test_run_over_its_deadline_is_ended(bench: Bench) -> None:
    """The next one is sound: it has other options."""
    bench.during = bench.hang
    with pytest.raises(RunDeadlineError, match="no answer within 10 s"):
        bench.run()
    bench.during = lambda: None
    assert bench.run() == [["p"], {}]
    assert bench.runs.breaker.expired_in_a_row == 0


def test_other_errors_stay_what_they_are(bench: Bench) -> None:
    """The watch does not stand between a model and its errors."""
    bench.during = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        bench.run()


def test_run_that_was_hit_by_mistake_is_made_again(bench: Bench) -> None:
    """The watch ended the run before, which was over just then."""
    bench.run()
    slot = bench.runs._slots.slot
    slot.ended, slot.options.terminate = slot.number - 1, True
    assert bench.run() == [["p"], {}]
    assert bench.calls == 3


def test_answer_that_came_just_in_time_counts(bench: Bench) -> None:
    """And the spent options are not used again."""

    def late() -> None:
        bench.hang()
        bench.runs._slots.slot.options.terminate = False

    bench.during = late
    assert bench.run() == [["p"], {}]
    bench.during = lambda: None
    assert bench.run() == [["p"], {}]


def test_run_that_holds_the_event_loop_is_no_failure(bench: Bench) -> None:
    """The caller makes it in a thread."""
    bench.watch.loop_thread = watched_runs.threading.get_ident()
    bench.during = lambda: bench.hang(LOOP_SECONDS)
    with pytest.raises(EventLoopHeldError):
        bench.run()
    assert bench.runs.breaker.expired_in_a_row == 0


def test_model_that_hangs_gets_no_requests_until_a_probe_answers(bench: Bench) -> None:
    """The probe is made in a thread, once its time has come."""
    bench.during = bench.hang
    for _ in range(MAX_EXPIRED):
        with pytest.raises(RunDeadlineError):
            bench.run()
    bench.during = lambda: None
    calls = bench.calls
    with pytest.raises(RunDeadlineError, match="it hangs"):
        bench.run()
    assert (bench.calls, is_kept_away(bench)) == (calls, True)
    bench.now += MIN_PAUSE_SECONDS
    with pytest.raises(RunDeadlineError):
        bench.run()
    eventually(lambda: not is_kept_away(bench))
    assert bench.run() == [["p"], {}]


@pytest.mark.parametrize(
    ("error", "closes"),
    [(RunFailedError("no zeros"), True), (RunDeadlineError("again"), False), (ValueError("?"), False)],
)
def test_probe_that_fails_shows_whether_the_model_hangs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception, *, closes: bool
) -> None:
    """A model may refuse zeros, but then it answers."""

    def probe(_: WatchedRuns) -> None:
        raise error

    monkeypatch.setattr(bench.runs, "_probe", probe)
    for _ in range(MAX_EXPIRED):
        bench.runs.breaker.record_expired()
    bench.now += MIN_PAUSE_SECONDS
    with pytest.raises(RunDeadlineError):
        bench.run()
    eventually(lambda: bench.runs.breaker.state != "probing")
    assert is_kept_away(bench) is not closes


def test_stuck_run_is_known_while_it_goes_on(bench: Bench) -> None:
    """From outside."""
    seen = []

    def stick() -> None:
        bench.hang()
        bench.watch.check(GRACE_SECONDS)
        seen.append(has_stuck_run(bench))

    bench.during = stick
    with pytest.raises(RunDeadlineError):
        bench.run()
    assert (seen, has_stuck_run(bench)) == ([True], False)


def test_runs_of_another_part_have_another_breaker(bench: Bench) -> None:
    """And the same deadline."""
    limit_runs(bench, 3.0)
    other = bench.runs.renewed()
    assert (other.seconds, other.breaker is bench.runs.breaker) == (3.0, False)


def test_model_without_watched_runs_is_left_alone() -> None:
    """A remote one has a timeout of its own."""
    remote = SimpleNamespace(runs=[1, 2])
    limit_runs(remote, 3.0)
    assert (runs_of(remote), has_stuck_run(remote), is_kept_away(remote)) == (None, False, False)


def test_real_loop_ends_at_its_deadline(tmp_path: Path) -> None:
    """With the real watch; and a run of another input answers at once."""
    model = OnnxModel(looping(tmp_path / "l.onnx"))
    limit_runs(model, 0.2)
    with pytest.raises(RunDeadlineError, match=r"no answer within 0\.2 s"):
        model.run({"input": FOREVER}, ["probabilities"])
    assert model.run({"input": SOON}, ["probabilities"])["probabilities"].tolist() == [[0.25, 0.75]]


def test_probe_of_a_real_model_is_a_row_of_zeros(tmp_path: Path) -> None:
    """Requests are answered again without a restart."""
    model = OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))))
    now = [0.0]
    model.runs.breaker = RunBreaker("c", lambda: now[0])
    for _ in range(MAX_EXPIRED):
        model.runs.breaker.record_expired()
    now[0] += MIN_PAUSE_SECONDS
    with pytest.raises(RunDeadlineError):
        model.run({"input": SOON}, ["probabilities"])
    eventually(lambda: not is_kept_away(model))
    model.run({"input": SOON}, ["probabilities"])
