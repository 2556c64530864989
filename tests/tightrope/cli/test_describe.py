from pathlib import Path
from typing import Any

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tests.support.serving.fake_oip_server import METADATA, fake_server
from tightrope.cli.describe import describe
from tightrope.monitors.records import Role
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load


def description(folder: Path, **changes: object) -> dict[str, Any]:
    """Return the description of a configuration's model."""
    pairs = load_pairs(load(write_config(folder, config(folder, **changes)), {}))
    result = describe(pairs["m"])
    assert result["baseline"] == pairs["m"].models[Role.BASELINE].digest
    assert result["compressed"] == pairs["m"].models[Role.COMPRESSED].digest
    return result


def test_description_names_the_model(tmp_path: Path) -> None:
    """Name, version, mode, signature, the deciding output and its scale."""
    result = description(tmp_path, version="7", mode="advisory")
    assert (result["name"], result["version"], result["mode"]) == ("m", "7", "advisory")
    assert (result["inputs"], result["outputs"]) == (["input FP32[-1, 4]"], ["probabilities FP32[-1, 2]"])
    assert result["decides by"] == "probabilities (probabilities)"
    assert result["baseline"] != result["compressed"]
    assert result["requests"] == "share runs"


def test_description_has_the_sampling_rates(tmp_path: Path) -> None:
    """The rate of all requests, and every subgroup's own floor."""
    assert description(tmp_path)["sampling"] == "100% of requests"
    sampling = {"rate": 0.1, "floors": {"group=minority": 0.5}}
    assert description(tmp_path, sampling=sampling)["sampling"] == "10% of requests, 50% of group=minority"


def test_description_has_every_monitors_limits(tmp_path: Path) -> None:
    """Limits of the model, and of its subgroups where it has any."""
    limits = {
        "limits": {"disagreement": 0.1, "confidence": 0.05, "confidence_shape": None, "mix": 0.02},
        "subgroup_limits": {"disagreement": 0.3},
    }
    assert description(tmp_path, **limits)["monitors"] == [
        "disagreement <= 0.1 (model), 0.3 (subgroups)",
        "confidence <= 0.05 (model), 0.1 (subgroups)",
        "mix <= 0.04 (subgroups)",
    ]
    assert description(tmp_path, subgroups={}, subgroup_limits={})["monitors"] == ["disagreement <= 0.1 (model)"]


@pytest.mark.parametrize(("limit", "fewer"), [(0.02, 0.1), (0.1, 0.4)])
def test_lower_limit_needs_more_rows_to_pass(tmp_path: Path, limit: float, fewer: float) -> None:
    """A lower limit needs more rows before a pass."""
    only = dict.fromkeys(("confidence", "confidence_shape", "mix"))

    def rows(limit: float) -> int:
        (result,) = description(tmp_path, limits=only | {"disagreement": limit})["can pass after"]
        assert result.startswith("disagreement: ")
        return int(result.split()[1])

    assert rows(limit) > rows(fewer) > 10


def test_description_has_the_false_alarm_bound(tmp_path: Path) -> None:
    """The description states the bound on false alarms."""
    assert description(tmp_path)["false alarms"].startswith("at most one in 1e+04 samples")


def test_remote_model_is_described_with_its_address(tmp_path: Path) -> None:
    """A remote model has its address beside its digest, and the error while it is unavailable; a local one has its
    digest alone.
    """
    with fake_server() as server:
        server.pages["GET /v2/models/m/versions/1"] = (200, with_four_features(METADATA))
        role = {"endpoint": server.address, "model": "m", "version": "1", "required": False}
        path = write_config(tmp_path, config(tmp_path, baseline=role))
        reachable = describe(load_pairs(load(path, {}))["m"])
        address = f"{server.address}/v2/models/m/versions/1"
    unreachable = describe(load_pairs(load(path, {}))["m"])
    digest = str(reachable["baseline"]).partition(" ")[0]
    assert reachable["baseline"] == f"{digest} at {address}"
    assert str(unreachable["baseline"]).startswith(f"{digest} at {address} (unreachable: ")
    assert "at" not in str(reachable["compressed"])


def with_four_features(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a model of four features."""
    return {**metadata, "inputs": [{**metadata["inputs"][0], "shape": [-1, 4]}]}
