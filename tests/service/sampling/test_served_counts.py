"""Requests that the draw should keep, and those that it kept, by subgroup."""

from pathlib import Path

import numpy as np
import pytest

from tests.service.inference.states.test_state_tensors import ask, chunk, voice
from tests.service.inference.test_batch import request
from tests.support.serving.engine_requests import answer_together
from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness
from tightrope.service.sampling import recorder
from tightrope.service.sampling.served_counts import ServedCounts

MANY = 200


def harness(folder: Path, **sampling: object) -> GatewayHarness:
    """A gateway whose samples are drawn at these rates."""
    return GatewayHarness(
        folder, {"m": {**sure_and_unsure(folder), **CALM, "subgroups": SUBGROUPS, "sampling": sampling}}
    )


def serve(bench: GatewayHarness, requests: int = 1) -> tuple[dict[str, float], dict[str, float]]:
    """Serve this many requests of two rows in the north; returns by scope what should be kept, and what is."""
    for number in range(requests):
        answer_together(bench.engine, "m", [request([[5.0, 1.0], [50.0, number]], f"r{number}", "north")])
    bench.engine.sample_answers()
    totals = bench.recorder.served.totals("m")
    assert totals is not None
    scopes = bench.engine.pairs["m"].plan.scopes
    return (
        dict(zip(scopes, totals.expected.tolist(), strict=True)),
        dict(zip(scopes, totals.kept.tolist(), strict=True)),
    )


def test_request_counts_once_in_each_subgroup_of_its_rows(tmp_path: Path) -> None:
    """However many rows of it are there."""
    expected, kept = serve(harness(tmp_path, rate=1.0))
    assert expected == kept
    assert {scope for scope, count in kept.items() if count} == {"model", "region=north", "band=low", "band=other"}
    assert set(kept.values()) == {0.0, 1.0}


def test_floor_raises_what_is_expected_of_all_subgroups_of_a_request(tmp_path: Path) -> None:
    """It is kept or not as a whole."""
    expected, kept = serve(harness(tmp_path, rate=0.1, floors={"region=north": 0.5}), MANY)
    assert expected["model"] == expected["band=low"] == pytest.approx(MANY / 2)
    assert 60 < kept["model"] < 140
    assert kept["model"] == kept["region=north"] == kept["band=low"]


def test_sampling_that_fails_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests that should be kept are known all the same."""
    bench = harness(tmp_path, rate=1.0)
    monkeypatch.setattr(recorder, "draw_requests", lambda *_: ())
    expected, kept = serve(bench, 3)
    assert (expected["model"], kept["model"]) == (3.0, 0.0)


def test_other_subgroups_begin_anew() -> None:
    """The totals of another configuration cannot be added."""
    counts = ServedCounts()
    counts.add("m", np.ones(2), np.zeros(2))
    counts.add("m", np.ones(2), np.ones(2))
    counts.add("m", np.ones(3), np.ones(3))
    totals = counts.totals("m")
    assert totals is not None
    assert (totals.expected.tolist(), totals.kept.tolist()) == ([1.0] * 3, [1.0] * 3)
    assert counts.totals("n") is None


def test_request_that_cannot_be_compared_is_not_expected(tmp_path: Path) -> None:
    """A stream of chunks has one fresh state; without this a pair with states would be starved for ever."""
    bench = GatewayHarness(tmp_path, {"m": voice(tmp_path)})
    state = None
    for number in range(50):
        answer = ask(bench, chunk(number, state))
        state = answer.outputs["stateN"]
    bench.engine.sample_answers()
    totals = bench.recorder.served.totals("m")
    assert totals is not None
    assert (totals.expected[0], totals.kept[0]) == (1.0, 1.0)
