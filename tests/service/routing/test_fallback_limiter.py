"""The share of a fallback falls when answers are late, grows in steps, and goes to the most uncertain requests."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.rest import decode_request
from tightrope.service.routing.fallback_limiter import (
    DECREASE_FACTOR,
    IDLE_RESET_SECONDS,
    INCREASE_STEP,
    MIN_SHARE,
    MIN_WINDOW_ANSWERS,
    MIN_WINDOW_SECONDS,
    RANK_INTERVAL_REQUESTS,
    FallbackLimiter,
    Window,
)

SECONDS = 0.2
LATE, SOON = 2 * SECONDS, SECONDS / 2
SURE, UNSURE = [0.0, 5.0], [0.0, 1.0]


def window(limiter: FallbackLimiter, late: int, soon: int, begin: float) -> Window:
    """The window that these answers complete."""
    times = np.linspace(begin, begin + MIN_WINDOW_SECONDS, late + soon)
    windows = [limiter.observe(LATE if index < late else SOON, now) for index, now in enumerate(times)]
    assert windows[:-1] == [None] * (late + soon - 1)
    assert windows[-1] is not None
    return windows[-1]


def test_late_answers_decrease_the_share() -> None:
    """From more than a tenth on; a window without late answers increases it, others leave it."""
    limiter = FallbackLimiter(SECONDS)
    assert window(limiter, 10, 90, 0.0) == Window(1.0, 1.0, 100, 10)
    decreased = window(limiter, 11, 89, 1.005)
    assert decreased == Window(1.0, pytest.approx(DECREASE_FACTOR), 100, 11)
    assert decreased.is_transition
    assert not window(limiter, 1, 99, 2.01).is_transition
    assert limiter.share == pytest.approx(DECREASE_FACTOR)
    assert window(limiter, 0, 100, 3.015).after == pytest.approx(DECREASE_FACTOR + INCREASE_STEP)


def test_window_waits_for_enough_answers() -> None:
    """A few slow answers do not decrease the share."""
    limiter = FallbackLimiter(SECONDS)
    assert [limiter.observe(LATE, float(now)) for now in range(MIN_WINDOW_ANSWERS - 1)] == [None] * (
        MIN_WINDOW_ANSWERS - 1
    )
    assert limiter.observe(LATE, float(MIN_WINDOW_ANSWERS)) == Window(
        1.0, DECREASE_FACTOR, MIN_WINDOW_ANSWERS, MIN_WINDOW_ANSWERS
    )


def test_pause_starts_a_new_window() -> None:
    """Old answers do not count."""
    limiter = FallbackLimiter(SECONDS)
    assert [limiter.observe(LATE, 0.1 * now) for now in range(9)] == [None] * 9
    assert window(limiter, 0, 20, IDLE_RESET_SECONDS + 1.0) == Window(1.0, 1.0, 20, 0)


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_share_stays_between_its_bounds(windows: list[bool]) -> None:
    """Above zero, so that a recovery is noticed, and at most one."""
    limiter = FallbackLimiter(SECONDS)
    for index, late in enumerate(windows):
        window(limiter, 20 * late, 20 * (not late), 1.005 * index)
        assert MIN_SHARE <= limiter.share <= 1.0


@pytest.mark.parametrize("late", [1, 4, 8])
def test_most_uncertain_requests_are_admitted_up_to_the_share(late: int) -> None:
    """The admitted share is the limiter's, and holds the highest uncertainties."""
    limiter = FallbackLimiter(SECONDS)
    for index in range(late):
        window(limiter, 20, 0, 1.005 * index)
    uncertainty = np.random.default_rng(1).random(40 * RANK_INTERVAL_REQUESTS)
    admitted = np.array([limiter.admits(float(u)) for u in uncertainty])[10 * RANK_INTERVAL_REQUESTS :]
    settled = uncertainty[10 * RANK_INTERVAL_REQUESTS :]
    assert admitted.mean() == pytest.approx(limiter.share, abs=0.05)
    assert settled[admitted].mean() > settled[~admitted].mean()
    assert (settled[admitted] > 1 - limiter.share - 0.1).all()


class LimitedGateway:
    """A gateway with a fallback limit, and a clock that sets the latency of every answer."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **model: Any) -> None:  # noqa: ANN401 - any key
        pair = {**sure_and_unsure(folder), **CALM, "subgroups": SUBGROUPS, "fallback_seconds": SECONDS, **model}
        self.bench = GatewayHarness(folder, {"m": pair})
        self.now = 100.0
        monkeypatch.setattr("tightrope.service.inference.engine.time.perf_counter", lambda: self.now)

    def infer(self, row: list[float], latency: float, times: int = 1, region: str = "south") -> list[dict[str, Any]]:
        """Send equal requests, twenty a second; the parameters of their answers."""
        parameters = []
        for _ in range(times):
            self.now += MIN_WINDOW_SECONDS / 20
            pair = self.bench.engine.pair("m")
            parameters.append(self._infer(pair, row, latency, region))
        return parameters

    def _infer(self, pair: ModelPair, row: list[float], latency: float, region: str) -> dict[str, Any]:
        sent = json.dumps(body([row], parameters={"region": region})).encode()
        request = decode_request(sent, None, pair.inputs, pair.outputs)
        return dict(self.bench.engine.infer(pair, request, self.now - latency).parameters)


def baseline_share(answers: list[dict[str, Any]]) -> float:
    """The share that the baseline answered."""
    return sum(one["served_by"] == "baseline" for one in answers) / len(answers)


def test_all_requests_go_to_the_baseline_within_its_capacity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without late answers no request is held back, and there is no event."""
    limited = LimitedGateway(tmp_path, monkeypatch)
    limited.bench.safe("m", MODEL_SCOPE)
    assert baseline_share(limited.infer(SURE, SOON, 100)) == 1.0
    assert limited.bench.published()[1] == []


def test_overloaded_baseline_gets_harmed_subgroups_and_the_most_uncertain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Harmed subgroups always, uncertain requests before certain ones; held ones are marked; an event reports it."""
    limited = LimitedGateway(tmp_path, monkeypatch)
    limited.bench.safe("m", MODEL_SCOPE, "region=north")
    limited.infer(SURE, LATE, 60)
    rows = [(UNSURE if index % 5 == 0 else SURE, LATE if index % 20 == 7 else SOON) for index in range(400)]
    answers = [limited.infer(row, latency)[0] for row, latency in rows][200:]
    assert baseline_share(answers[::5]) == 1.0
    assert 0 < baseline_share(answers) < 0.5
    held = [one for one in answers if one["served_by"] == "compressed"]
    assert {(one["safe_mode"], one["over_capacity"]) for one in held} == {(True, True)}
    assert baseline_share(limited.infer(SURE, LATE, 20, "north")) == 1.0
    events = limited.bench.published()[1]
    assert [event.kind for event in events] == ["fallback-rationed"]
    assert (events[0].scope, events[0].detail["share"]) == (MODEL_SCOPE, DECREASE_FACTOR)


def test_limit_ends_when_answers_are_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In steps, with an event at the end; the gauge shows the share."""
    limited = LimitedGateway(tmp_path, monkeypatch)
    limited.bench.safe("m", MODEL_SCOPE)
    limited.infer(SURE, LATE, 60)
    share = limited.bench.metrics.registry.get_sample_value("tightrope_fallback_share", {"model": "m"})
    assert share is not None
    assert share < DECREASE_FACTOR
    limited.infer(SURE, SOON, 1000)
    assert baseline_share(limited.infer(SURE, SOON, 50)) == 1.0
    assert [event.kind for event in limited.bench.published()[1]] == ["fallback-rationed", "fallback-whole"]


@pytest.mark.parametrize("seconds", [None, SECONDS])
def test_fallback_of_a_subgroup_is_never_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float | None
) -> None:
    """The limit applies to the fallback of a whole model, and only if it is configured."""
    limited = LimitedGateway(tmp_path, monkeypatch, **({} if seconds else {"fallback_seconds": None}))
    limited.bench.safe("m", "region=north" if seconds else MODEL_SCOPE)
    assert baseline_share(limited.infer(SURE, LATE, 200, "north")) == 1.0
    assert limited.bench.published()[1] == []


def test_held_requests_are_not_escalated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An escalation would load the overloaded baseline: they stay refused."""
    refusal = {"threshold": 0.9999, "action": "escalate"}
    limited = LimitedGateway(tmp_path, monkeypatch, refusal=refusal)
    limited.bench.safe("m", MODEL_SCOPE)
    answers = limited.infer(SURE, LATE, 400)[200:]
    held = [one for one in answers if one["served_by"] == "compressed"]
    assert held
    assert all(one["refused"] and "escalated" not in one for one in held)
