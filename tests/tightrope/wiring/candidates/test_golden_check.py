"""The check of the golden rows, by role."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import BASELINE, config
from tests.support.onnx_models import classifier
from tightrope.monitors.records import Role
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import ConfigError, Settings, load
from tightrope.wiring.candidates.golden_check import check_golden_rows


def settings_of(folder: Path, **model: object) -> Settings:
    """Settings of a pair whose compressed model answers NaN."""
    classifier(folder / "nan.onnx", np.float32(np.nan) * BASELINE)
    return load(write_config(folder, config(folder, compressed=str(folder / "nan.onnx"), **model)), {})


def test_role_with_unreadable_answers_is_named(tmp_path: Path) -> None:
    """Only the roles that are asked for are run."""
    (tmp_path / "golden.csv").write_text("left,right,group,harm\n1,0,0,0\n0,1,1,0\n")
    settings = settings_of(tmp_path, golden="golden.csv")
    pair = load_pairs(settings)["m"]
    check_golden_rows(pair, settings, [Role.BASELINE])
    with pytest.raises(ConfigError) as caught:
        check_golden_rows(pair, settings, list(Role))
    assert caught.value.problems == ["models.m.compressed: 2 golden rows have no readable answer"]


def test_pair_without_golden_rows_passes(tmp_path: Path) -> None:
    """There is nothing to check."""
    settings = settings_of(tmp_path)
    check_golden_rows(load_pairs(settings)["m"], settings, list(Role))
