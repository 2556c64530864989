"""Costs of runs are counted by model, role and part, with what the other model would have taken."""

from types import SimpleNamespace
from typing import Any

import pytest

from tightrope.monitors.cost.shares import RunCost, RunPart
from tightrope.monitors.records import Role
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.inference.runs.cpu_ratio import CpuRatio
from tightrope.service.sampling import run_costs
from tightrope.service.sampling.run_costs import RunCosts


def execution(*costs: RunCost) -> Any:  # noqa: ANN401 - only what is read of it
    """An answered batch of the model m."""
    pair = SimpleNamespace(name="m", models=dict.fromkeys(Role, object()))
    return SimpleNamespace(pair=pair, costs=costs)


@pytest.fixture
def profile(monkeypatch: pytest.MonkeyPatch) -> RunProfile:
    """A profile of a baseline that takes twice as long; runs have two threads."""
    monkeypatch.setattr(run_costs, "cpu_factor", lambda _: 2)
    found = RunProfile()
    found.cpu_ratio = CpuRatio({1: 2.0})
    return found


def test_costs_are_summed_once(profile: RunProfile) -> None:
    """Two answers and a fallback; nothing is left for the next count."""
    costs = RunCosts({"m": profile})
    costs.note(execution(RunCost(RunPart.ANSWER, 1, 1.0), RunCost(RunPart.FALLBACK, 1, 4.0)))
    costs.note(execution(RunCost(RunPart.ANSWER, 1, 0.5)))
    answer, fallback = ("m", Role.COMPRESSED, RunPart.ANSWER), ("m", Role.BASELINE, RunPart.FALLBACK)
    assert costs.take() == {
        "cpu_seconds": {answer: 3.0, fallback: 8.0},
        "other_model_cpu_seconds": {answer: 6.0, fallback: 4.0},
    }
    assert costs.take() == {"cpu_seconds": {}, "other_model_cpu_seconds": {}}


def test_model_without_a_profile_has_no_estimate() -> None:
    """Its own seconds count all the same."""
    costs = RunCosts({})
    costs.note(execution(RunCost(RunPart.ANSWER, 1, 1.0)))
    assert set(costs.take()["other_model_cpu_seconds"].values()) == {0.0}
