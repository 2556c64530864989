import json
from pathlib import Path

import pytest

from tests.support.token_models import token_settings
from tightrope.monitors.records import Role
from tightrope.offline.report import compare_golden
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.loading.pair_loading import golden_rows
from tightrope.wiring.candidates.golden_check import check_golden_rows


def ragged(folder: Path, *ids: list[int]) -> Settings:
    """Return the settings of a pair with a golden row of each of these lengths."""
    lines = []
    for each in ids:
        inputs = [
            {"name": "ids", "datatype": "INT64", "shape": [1, len(each)], "data": each},
            {"name": "weight", "datatype": "FP32", "shape": [1, 1], "data": [1]},
        ]
        lines.append(json.dumps({"parameters": {"language": "de" if each[0] else "en"}, "inputs": inputs}))
    (folder / "rows.jsonl").write_text("\n".join(lines))
    settings = token_settings(folder, 3.0)
    section = settings.models["m"].model_copy(update={"golden": folder / "rows.jsonl"})
    return settings.model_copy(update={"models": {"m": section}})


def test_golden_rows_of_any_lengths_are_compared(tmp_path: Path) -> None:
    """Each in a request of its own shape, with its subgroups, in order."""
    settings = ragged(tmp_path, [9, 9], [0, 1, 2], [0, 0], [0, 9, 9, 9])
    pair = load_pairs(settings)["m"]
    golden = golden_rows(pair, settings)
    assert golden is not None
    rows = compare_golden(pair, golden)
    assert rows.outcomes["prediction_baseline"].tolist() == [0, 1, 1, 0]
    assert rows.member["language=en"].tolist() == [False, True, True, True]


def test_golden_rows_of_any_lengths_are_tried(tmp_path: Path) -> None:
    """A row that a model refuses is found in every part."""
    check_golden_rows(*sound(ragged(tmp_path, [1], [2, 3])), list(Role))
    with pytest.raises(ConfigError, match=r"models\.m\.baseline: failed on the golden rows: "):
        check_golden_rows(*sound(ragged(tmp_path, [1], [2, 99])), list(Role))


def sound(settings: Settings):  # noqa: ANN201 - the arguments of the check
    """Return the pair and its settings."""
    return load_pairs(settings)["m"], settings
