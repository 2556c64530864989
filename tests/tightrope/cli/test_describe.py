from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import UNWRITTEN, config
from tests.support.many_classes import merged_classes
from tests.support.serving.fake_oip_server import METADATA, fake_server
from tests.support.serving.service_harness import settings_of
from tightrope.cli.describe import describe
from tightrope.monitors.records import Role
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load


def description(folder: Path, **changes: object) -> dict[str, Any]:
    """Return the description of a configuration's model."""
    settings = load(write_config(folder, config(folder, **changes)), {})
    pair = load_pairs(settings)["m"]
    result = describe(pair, settings.models["m"])
    assert result["baseline"] == pair.models[Role.BASELINE].digest
    assert result["compressed"] == pair.models[Role.COMPRESSED].digest
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


LEARNED = "the 10 % quantile of the first 1,000 rows"
"""The margin of clear rows without golden rows and without a statement."""


def test_description_has_every_monitors_limits(tmp_path: Path) -> None:
    """Limits of the model, and of its subgroups where it has any."""
    limits = {
        "limits": {
            "disagreement": 0.1,
            "clear_disagreement": 0.02,
            "confidence": 0.05,
            "confidence_shape": None,
            "confidence_jump": None,
            "class_miss": None,
            "class_gain": None,
            "mix": 0.02,
        },
        "subgroup_limits": {"disagreement": 0.3},
    }
    assert description(tmp_path, **limits)["monitors"] == [
        "disagreement <= 0.1 (model, written), 0.3 (subgroups, written)",
        f"clear_disagreement <= 0.02 (model, written), 0.1 (subgroups, default); margin above {LEARNED}",
        "confidence <= 0.05 (model, written), 0.1 (subgroups, default)",
        "mix <= 0.04 (subgroups, default)",
    ]
    alone = description(tmp_path, subgroups={}, limits={}, subgroup_limits={})["monitors"]
    assert alone[0] == "disagreement <= 0.02 (model, default)"


@pytest.mark.parametrize(
    ("changes", "mode", "source"),
    [
        ({"mode": "advisory"}, "advisory", "written"),
        ({"mode": None}, "armed", "default, because limits are written"),
        (UNWRITTEN, "advisory", "default, because neither a mode nor a limit is written"),
    ],
)
def test_description_has_the_source_of_the_mode(
    tmp_path: Path, changes: dict[str, object], mode: str, source: str
) -> None:
    """Written, or what it follows from; without a mode in the file an earlier one is kept."""
    described = description(tmp_path, **changes)
    stays = "" if source == "written" else "; a model that was armed before stays armed"
    assert (described["mode"], described["mode from"]) == (mode, source + stays)


@pytest.mark.parametrize(("limit", "fewer"), [(0.02, 0.1), (0.1, 0.4)])
def test_lower_limit_needs_more_rows_to_pass(tmp_path: Path, limit: float, fewer: float) -> None:
    """A lower limit needs more rows before a pass."""
    others = ("confidence", "confidence_shape", "confidence_jump", "mix", "class_miss", "class_gain")
    only = dict.fromkeys(("clear_disagreement", *others))

    def rows(limit: float) -> int:
        (result,) = description(tmp_path, limits=only | {"disagreement": limit})["can pass after"]
        assert result.endswith(" rows of a scope: disagreement")
        return int(result.split()[0].replace(",", ""))

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
        settings = load(path, {})
        reachable = describe(load_pairs(settings)["m"], settings.models["m"])
        address = f"{server.address}/v2/models/m/versions/1"
    unreachable = describe(load_pairs(settings)["m"], settings.models["m"])
    digest = str(reachable["baseline"]).partition(" ")[0]
    assert reachable["baseline"] == f"{digest} at {address}"
    assert str(unreachable["baseline"]).startswith(f"{digest} at {address} (unreachable: ")
    assert "at" not in str(reachable["compressed"])


def with_four_features(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a model of four features."""
    return {**metadata, "inputs": [{**metadata["inputs"][0], "shape": [-1, 4]}]}


def test_description_has_the_cells_that_golden_rows_chose(tmp_path: Path) -> None:
    """The classes with the highest limits by name, and those without a cell."""
    settings = settings_of(tmp_path, {"m": merged_classes(tmp_path)})
    described = describe(load_pairs(settings)["m"], settings.models["m"])["monitors"]
    assert isinstance(described, list)
    shown = {line.partition(" ")[0]: line for line in described}
    assert shown["class_miss"] == (
        "class_miss <= 0.1 (model, default; by the golden rows class 3 0.7, class 2 0.177, class 4 0.177 and 20 more; "
        "class 0: seen as disagreement)"
    )
    assert shown["disagreement"] == "disagreement <= 0.02 (model, default)"


def test_description_has_the_classes_of_subgroups(tmp_path: Path) -> None:
    """The critical ones of many, with the limits that the golden rows give, and all others; one line of rows each."""
    subgroups = {"first": {"column": 0, "values": {"yes": [1]}}}
    settings = settings_of(
        tmp_path, {"m": merged_classes(tmp_path, decision={"critical": [3, 5]}, subgroups=subgroups)}
    )
    described = describe(load_pairs(settings)["m"], settings.models["m"])
    monitors, passing = described["monitors"], described["can pass after"]
    assert isinstance(monitors, list)
    assert isinstance(passing, list)
    assert "class_miss <= 0.2 (subgroups, default; class 3 0.7, class 5 0.354, all other classes)" in monitors
    assert [line.rpartition(" ")[2] for line in passing].count("class_miss") == 1


def test_description_says_why_the_model_has_no_cells_of_classes(tmp_path: Path) -> None:
    """Both are frequent on the golden rows, so that a lost one is a breach of disagreement; not so in subgroups."""
    np.savez(tmp_path / "golden.npz", input=np.eye(4, dtype=np.float32)[np.arange(200) % 2])
    monitors = description(tmp_path, golden="golden.npz", limits={}, subgroup_limits={})["monitors"]
    (shown,) = (line for line in monitors if line.startswith("class_miss"))
    assert shown.endswith("none (model: every class is seen as disagreement)")
    assert "(subgroups, default)" in shown
