"""Sampling depends on the request id alone: replicas and restarts keep the same requests."""

from pathlib import Path

import pytest

from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness, body, sampled_ids

IDS = [f"request-{number}" for number in range(1000)]


def test_replicas_and_restarts_keep_the_same_requests(tmp_path: Path) -> None:
    """Another gateway with the same settings keeps the same ones, about the configured share."""
    first = sampled_ids(tmp_path, IDS, {"rate": 0.2})
    assert sampled_ids(tmp_path, IDS, {"rate": 0.2}) == first
    assert 140 < len(first) < 260


def test_models_are_sampled_independently(tmp_path: Path) -> None:
    """The samples of two models differ."""
    assert sampled_ids(tmp_path, IDS, {"rate": 0.2}) != sampled_ids(tmp_path, IDS, {"rate": 0.2}, model="n")


def test_higher_rate_keeps_what_a_lower_one_keeps(tmp_path: Path) -> None:
    """Draws are permanent: samples are nested, so one run may be counted at either rate."""
    low, high = sampled_ids(tmp_path, IDS, {"rate": 0.1}), sampled_ids(tmp_path, IDS, {"rate": 0.5})
    assert low < high


def test_floor_raises_only_its_subgroup(tmp_path: Path) -> None:
    """A rare subgroup is watched at any rate; others are not sampled more for it."""
    sampling = {"rate": 0.05, "floors": {"region=north": 0.5}}
    others = sampled_ids(tmp_path, IDS, sampling, "south")
    assert others == sampled_ids(tmp_path, IDS, {"rate": 0.05})
    assert sampled_ids(tmp_path, IDS, sampling, "north") == sampled_ids(tmp_path, IDS, {"rate": 0.5})


@pytest.mark.parametrize(("rate", "count"), [(0.0, 0), (1.0, len(IDS))])
def test_rates_of_zero_and_one_keep_none_or_all(tmp_path: Path, rate: float, count: int) -> None:
    """Zero switches the shadow off."""
    assert len(sampled_ids(tmp_path, IDS, {"rate": rate})) == count


def test_sample_has_its_inclusion_probability(tmp_path: Path) -> None:
    """The largest of the rate and the floors of its rows' subgroups."""
    sampling = {"rate": 0.25, "floors": {"region=north": 0.5, "band=low": 1.0}}
    served = GatewayHarness(
        tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS, "sampling": sampling}}
    )
    for request_id in IDS:
        served.infer("m", body([[50.0, 1.0], [9.0, 1.0]], id=request_id, parameters={"region": "north"}))
        served.infer("m", body([[50.0, 1.0]], id=request_id, parameters={"region": "south"}))
    samples, _ = served.published()
    low, high = ([s for s in samples if s.inclusion == inclusion] for inclusion in (0.25, 1.0))
    assert len(low) + len(high) == len(samples)
    assert len(high) == len(IDS)
    assert low
    assert max(sample.draw for sample in low) < 0.25
