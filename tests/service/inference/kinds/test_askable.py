"""The configuration says which classes are asked again; what cannot be is refused with one line."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.serving.service_harness import pair_of
from tightrope.service.config.loader import ConfigError

THREE = np.eye(3, dtype=np.float32)


def files(folder: Path, rows: np.ndarray = THREE, *, scores: bool = False) -> dict[str, str]:
    """The two files of a pair."""
    return {name: str(classifier(folder / f"{name}.onnx", rows, scores=scores)) for name in ("baseline", "compressed")}


def test_every_class_is_asked_again(tmp_path: Path) -> None:
    """In the order of the variants of the monitor; by default none is."""
    asking = pair_of(tmp_path, **files(tmp_path), class_gain="ask_again")
    assert asking.plan.askable == (0, 1, 2)
    (gain,) = (rule for rule in asking.plan.rules if rule.monitor.name == "class_gain")
    assert len(gain.variants) == 3
    default = pair_of(tmp_path, **files(tmp_path))
    assert (default.plan.askable, default.reads_eagerly, asking.reads_eagerly) == ((), False, True)


def test_setting_changes_no_evidence(tmp_path: Path) -> None:
    """The count goes on; the change is told."""
    asking, default = (pair_of(tmp_path, **files(tmp_path), class_gain=each) for each in ("ask_again", "fall_back"))
    assert asking.plan.digest == default.plan.digest
    assert (asking.plan.settings["class_gain"], default.plan.settings["class_gain"]) == ("ask_again", "fall_back")


def test_values_cannot_be_asked_again(tmp_path: Path) -> None:
    """A regression has no classes."""
    value = files(tmp_path, np.array([[1.0], [2.0]], np.float32), scores=True)
    expected = r"models.m.class_gain: ask_again needs a decision with one class a row; write class_gain: fall_back"
    with pytest.raises(ConfigError, match=expected):
        pair_of(tmp_path, **value, decision={"scale": "regression"}, class_gain="ask_again")


def test_monitor_must_be_on(tmp_path: Path) -> None:
    """A class that is not watched is never said too often."""
    expected = (
        r"models.m.class_gain: ask_again needs the monitor class_gain, which limits.class_gain: null switches off"
    )
    with pytest.raises(ConfigError, match=expected):
        pair_of(tmp_path, **files(tmp_path), limits={"class_gain": None}, class_gain="ask_again")


def test_states_exclude_it(tmp_path: Path) -> None:
    """The role that wrote a state answers."""
    with pytest.raises(ConfigError, match=r"class_gain: ask_again and state_tensors exclude each other"):
        pair_of(tmp_path, **files(tmp_path), state_tensors={"state": "input"}, class_gain="ask_again")
