from pathlib import Path

import pytest

from tests.support.csv_tables import pair_settings
from tightrope.monitors.records import Role
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.loading.mistakes import Mistakes
from tightrope.service.inference.loading.pair_loading import load_model
from tightrope.service.inference.loading.role_loading import load_roles


def test_both_models_are_loaded_with_their_deadline(tmp_path: Path) -> None:
    """Each file is one model."""
    section = pair_settings(tmp_path).models["m"]
    models = load_roles(section, load_model, Mistakes("m"))
    assert set(models) == set(Role)
    assert all(model.inputs for model in models.values())


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    """Not only the first one."""
    section = pair_settings(tmp_path).models["m"]
    for role in Role:
        Path(str(getattr(section, role))).unlink()
    with pytest.raises(ConfigError) as refused:
        load_roles(section, load_model, Mistakes("m"))
    assert [line.split(":")[0] for line in refused.value.problems] == ["models.m.baseline", "models.m.compressed"]
