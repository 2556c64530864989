"""What the baseline can bear is measured: cut when answers come late, grown step by step, the most uncertain first."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import Bench, body
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.inference.model_pair import Pair
from tightrope.service.protocol.rest import decode_request
from tightrope.service.routing.fallback_limiter import (
    ANSWERS,
    CUT,
    LEAST,
    PAUSE,
    RANKED,
    STEP,
    WINDOW,
    Capacity,
    Window,
)

SECONDS = 0.2
LATE, SOON = 2 * SECONDS, SECONDS / 2
SURE, UNSURE = [0.0, 5.0], [0.0, 1.0]


def window(of: Capacity, late: int, soon: int, begin: float) -> Window:
    """What the window says that all these answers fill."""
    times = np.linspace(begin, begin + WINDOW, late + soon)
    found = [of.took(LATE if place < late else SOON, at) for place, at in enumerate(times)]
    assert found[:-1] == [None] * (late + soon - 1)
    assert found[-1] is not None
    return found[-1]


def test_late_answers_cut_the_share_and_none_grows_it() -> None:
    """One in ten is borne; between the two the share stays."""
    of = Capacity(SECONDS)
    assert window(of, 10, 90, 0.0) == Window(1.0, 1.0, 100, 10)
    cut = window(of, 11, 89, 1.005)
    assert cut == Window(1.0, pytest.approx(CUT), 100, 11)
    assert cut.turns
    assert not window(of, 1, 99, 2.01).turns
    assert of.share == pytest.approx(CUT)
    assert window(of, 0, 100, 3.015).after == pytest.approx(CUT + STEP)


def test_window_waits_for_enough_answers() -> None:
    """One slow answer of two is no reason to leave the baseline."""
    of = Capacity(SECONDS)
    assert [of.took(LATE, float(at)) for at in range(ANSWERS - 1)] == [None] * (ANSWERS - 1)
    assert of.took(LATE, float(ANSWERS)) == Window(1.0, CUT, ANSWERS, ANSWERS)


def test_window_begins_anew_after_a_pause() -> None:
    """What was late an hour ago is no part of what is seen now."""
    of = Capacity(SECONDS)
    assert [of.took(LATE, 0.1 * at) for at in range(9)] == [None] * 9
    assert window(of, 0, 20, PAUSE + 1.0) == Window(1.0, 1.0, 20, 0)


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_share_stays_between_its_bounds(windows: list[bool]) -> None:
    """Whatever comes: never nothing, so that the way back is seen; never more than everything."""
    of = Capacity(SECONDS)
    for place, late in enumerate(windows):
        window(of, 20 * late, 20 * (not late), 1.005 * place)
        assert LEAST <= of.share <= 1.0


@pytest.mark.parametrize("late", [1, 4, 8])
def test_most_uncertain_go_first_up_to_the_share(late: int) -> None:
    """The share of requests that is taken is the one that was measured, and holds the highest uncertainties."""
    of = Capacity(SECONDS)
    for place in range(late):
        window(of, 20, 0, 1.005 * place)
    uncertainty = np.random.default_rng(1).random(40 * RANKED)
    taken = np.array([of.takes(float(u)) for u in uncertainty])[10 * RANKED :]
    settled = uncertainty[10 * RANKED :]
    assert taken.mean() == pytest.approx(of.share, abs=0.05)
    assert settled[taken].mean() > settled[~taken].mean()
    assert (settled[taken] > 1 - of.share - 0.1).all()


class Served:
    """A gateway whose whole model fell back, on a clock of its own: every answer took what it is told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **model: Any) -> None:  # noqa: ANN401 - any key
        pair = {**sure_and_unsure(folder), **CALM, "subgroups": SUBGROUPS, "fallback_seconds": SECONDS, **model}
        self.bench = Bench(folder, {"m": pair})
        self.now = 100.0
        monkeypatch.setattr("tightrope.service.inference.engine.time.perf_counter", lambda: self.now)

    def ask(self, row: list[float], took: float, times: int = 1, region: str = "") -> list[dict[str, Any]]:
        """The parameters of the answers to so many equal requests, twenty a second."""
        told = []
        for _ in range(times):
            self.now += WINDOW / 20
            pair = self.bench.gateway.pair("m")
            told.append(self._infer(pair, row, took, region))
        return told

    def _infer(self, pair: Pair, row: list[float], took: float, region: str) -> dict[str, Any]:

        asked = json.dumps(body([row], parameters={"region": region})).encode()
        request = decode_request(asked, None, pair.inputs, pair.outputs)
        return dict(self.bench.gateway.infer(pair, request, self.now - took).parameters)


def served(told: list[dict[str, Any]]) -> float:
    """The share that the baseline answered."""
    return sum(one["served_by"] == "baseline" for one in told) / len(told)


def test_everything_goes_to_the_baseline_while_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is late: nothing is held back, and nothing is said."""
    it = Served(tmp_path, monkeypatch)
    it.bench.safe("m", MODEL_SCOPE)
    assert served(it.ask(SURE, SOON, 100)) == 1.0
    assert it.bench.published()[1] == []


def test_overloaded_baseline_gets_the_harmed_and_the_most_uncertain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The harmed subgroup always, the unsure before the sure; the rest is told, and so is the audit trail."""
    it = Served(tmp_path, monkeypatch)
    it.bench.safe("m", MODEL_SCOPE, "region=north")
    it.ask(SURE, LATE, 60)
    rows = [(UNSURE if place % 5 == 0 else SURE, LATE if place % 20 == 7 else SOON) for place in range(400)]
    told = [it.ask(row, took)[0] for row, took in rows][200:]
    assert served(told[::5]) == 1.0
    assert 0 < served(told) < 0.5
    held = [one for one in told if one["served_by"] == "compressed"]
    assert {(one["safe_mode"], one["over_capacity"]) for one in held} == {(True, True)}
    assert served(it.ask(SURE, LATE, 20, "north")) == 1.0
    events = it.bench.published()[1]
    assert [event.kind for event in events] == ["fallback-rationed"]
    assert (events[0].scope, events[0].detail["share"]) == (MODEL_SCOPE, CUT)


def test_whole_fallback_returns_when_answers_are_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, and an event says when it is whole again; the gauge shows the share all along."""
    it = Served(tmp_path, monkeypatch)
    it.bench.safe("m", MODEL_SCOPE)
    it.ask(SURE, LATE, 60)
    share = it.bench.metrics.registry.get_sample_value("tightrope_fallback_share", {"model": "m"})
    assert share is not None
    assert share < CUT
    it.ask(SURE, SOON, 1000)
    assert served(it.ask(SURE, SOON, 50)) == 1.0
    assert [event.kind for event in it.bench.published()[1]] == ["fallback-rationed", "fallback-whole"]


@pytest.mark.parametrize("guard", [None, SECONDS])
def test_subgroup_alone_is_never_rationed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guard: float | None) -> None:
    """A guard is for the fallback of a whole model; without one nothing is held back even there."""
    it = Served(tmp_path, monkeypatch, **({} if guard else {"fallback_seconds": None}))
    it.bench.safe("m", "region=north" if guard else MODEL_SCOPE)
    assert served(it.ask(SURE, LATE, 200, "north")) == 1.0
    assert it.bench.published()[1] == []


def test_requests_over_capacity_are_not_escalated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That would ask the very baseline that is overloaded: they stay refused."""
    refusal = {"threshold": 0.9999, "action": "escalate"}
    it = Served(tmp_path, monkeypatch, refusal=refusal)
    it.bench.safe("m", MODEL_SCOPE)
    told = it.ask(SURE, LATE, 400)[200:]
    held = [one for one in told if one["served_by"] == "compressed"]
    assert held
    assert all(one["refused"] and "escalated" not in one for one in held)
