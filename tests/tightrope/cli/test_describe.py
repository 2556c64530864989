from pathlib import Path
from typing import Any

import pytest

from tests.support.harmful_pair import config
from tests.support.servers import write_config
from tests.support.serving.fake_oip_server import METADATA, far
from tightrope.cli.describe import describe
from tightrope.monitors.records import Role
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load


def facts(folder: Path, **changes: object) -> dict[str, Any]:
    """What is said of the model of a configuration."""
    pairs = load_pairs(load(write_config(folder, config(folder, **changes)), {}))
    told = describe(pairs["m"])
    assert told["baseline"] == pairs["m"].models[Role.BASELINE].digest
    assert told["compressed"] == pairs["m"].models[Role.COMPRESSED].digest
    return told


def test_facts_name_what_is_served(tmp_path: Path) -> None:
    """Name, version, mode, signature, the deciding output and its scale."""
    told = facts(tmp_path, version="7", mode="advisory")
    assert (told["name"], told["version"], told["mode"]) == ("m", "7", "advisory")
    assert (told["inputs"], told["outputs"]) == (["input FP32[-1, 4]"], ["probabilities FP32[-1, 2]"])
    assert told["decides by"] == "probabilities (probabilities)"
    assert told["baseline"] != told["compressed"]


def test_facts_say_who_is_sampled(tmp_path: Path) -> None:
    """The rate of all requests, and every subgroup's own floor."""
    assert facts(tmp_path)["sampling"] == "100% of requests"
    sampling = {"rate": 0.1, "floors": {"group=minority": 0.5}}
    assert facts(tmp_path, sampling=sampling)["sampling"] == "10% of requests, 50% of group=minority"


def test_facts_give_every_monitor_its_limits(tmp_path: Path) -> None:
    """Of the model, and of its subgroups where it has any."""
    limits = {
        "limits": {"disagreement": 0.1, "confidence": 0.05, "confidence_shape": None, "mix": 0.02},
        "subgroup_limits": {"disagreement": 0.3},
    }
    assert facts(tmp_path, **limits)["monitors"] == [
        "disagreement <= 0.1 (model), 0.3 (subgroups)",
        "confidence <= 0.05 (model), 0.1 (subgroups)",
        "mix <= 0.04 (subgroups)",
    ]
    assert facts(tmp_path, subgroups={}, subgroup_limits={})["monitors"] == ["disagreement <= 0.1 (model)"]


@pytest.mark.parametrize(("limit", "fewer"), [(0.02, 0.1), (0.1, 0.4)])
def test_smaller_limit_takes_more_rows_to_pass(tmp_path: Path, limit: float, fewer: float) -> None:
    """What is said of the wait before a pass follows the limit."""
    only = dict.fromkeys(("confidence", "confidence_shape", "mix"))

    def rows(of: float) -> int:
        (told,) = facts(tmp_path, limits=only | {"disagreement": of})["can pass after"]
        assert told.startswith("disagreement: ")
        return int(told.split()[1])

    assert rows(limit) > rows(fewer) > 10


def test_facts_state_the_promise(tmp_path: Path) -> None:
    """At most one false alarm in so many samples."""
    assert facts(tmp_path)["false alarms"].startswith("at most one in 1e+04 samples")


def test_facts_say_where_a_model_is_that_is_not_here(tmp_path: Path) -> None:
    """Its address beside what it goes by, and that it is away if it is; the one that is here is a digest alone."""
    with far() as server:
        server.pages["GET /v2/models/m/versions/1"] = (200, four(METADATA))
        role = {"endpoint": server.address, "model": "m", "version": "1", "required": False}
        path = write_config(tmp_path, config(tmp_path, baseline=role))
        there = describe(load_pairs(load(path, {}))["m"])
        address = f"{server.address}/v2/models/m/versions/1"
    away = describe(load_pairs(load(path, {}))["m"])
    digest = str(there["baseline"]).partition(" ")[0]
    assert there["baseline"] == f"{digest} at {address}"
    assert str(away["baseline"]).startswith(f"{digest} at {address} (away: ")
    assert "at" not in str(there["compressed"])


def four(metadata: dict[str, Any]) -> dict[str, Any]:
    """The same of a model of four features."""
    return {**metadata, "inputs": [{**metadata["inputs"][0], "shape": [-1, 4]}]}
