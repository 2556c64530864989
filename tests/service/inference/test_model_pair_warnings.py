"""A pair of one model in both roles is served, and the operator is told that nothing guards it."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.harmful_pair import config
from tests.support.serving.model_pairs import sure_and_unsure
from tests.support.serving.service_harness import pair_of, settings_of
from tightrope.monitors.records import Role
from tightrope.service.inference.model_pair import ModelPair
from tightrope.wiring.deployer import HotSwapDeployer, ServedPairs
from tightrope.wiring.embedded import build_embedded


def same_twice(folder: Path) -> Mapping[str, str]:
    """Write one model under two names."""
    files = sure_and_unsure(folder)
    copy = shutil.copy(files["baseline"], folder / "copy.onnx")
    return {"baseline": files["baseline"], "compressed": str(copy)}


def test_same_bytes_in_both_roles_are_told(tmp_path: Path) -> None:
    """Under any name: the monitors would compare the model with itself."""
    (line,) = pair_of(tmp_path, **same_twice(tmp_path)).warnings
    assert line.startswith("models.m.compressed: is the same model as the baseline (")


def test_two_models_are_no_reason_for_a_warning(tmp_path: Path) -> None:
    """Even if they always agree."""
    assert pair_of(tmp_path, **sure_and_unsure(tmp_path)).warnings == []


def test_start_logs_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once for each pair."""
    embedded = build_embedded(settings_of(tmp_path, {"m": same_twice(tmp_path)}))
    embedded.store.close()
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len([line for line in told if "is the same model as the baseline" in line]) == 1


def test_deployment_of_the_baseline_logs_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The switch takes place: it is a way to serve the baseline."""
    settings = settings_of(tmp_path, config(tmp_path)["models"])
    settings.state.folder.mkdir(exist_ok=True)
    pair = pair_of(tmp_path, **config(tmp_path)["models"]["m"])
    events: list[Any] = []
    served = ServedPairs(pairs={"m": pair}, watched={}, plans={}, profiles={})
    deployer = HotSwapDeployer(settings, served, _unwatched, events.append)
    deployer.deploy("m", Role.COMPRESSED, Path(config(tmp_path)["models"]["m"]["baseline"]), "me", "a test")
    assert "is the same model as the baseline" in caplog.text
    assert len(events) == 1


def _unwatched(_: ModelPair) -> Any:  # noqa: ANN401 - nothing watches it here
    return None
