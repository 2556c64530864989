"""Golden rows are read from a file of any form that fits the model's inputs."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.configs import ROOT, write_config
from tests.support.harmful_pair import config
from tests.support.token_models import token_settings
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import ConfigError, Settings, load
from tightrope.service.inference.loading.pair_loading import golden_rows
from tightrope.service.inference.row_files.row_file import RowFile

LANGUAGES = ["en", "de", "xx"]
IDS = [[1, 2], [3, 4], [5, 6]]
TABLE = "\n".join(["ids[0],ids[1],weight,tag_language", *(f"{a},{b},1,{x}" for (a, b), x in zip(IDS, LANGUAGES))])  # noqa: B905


def golden(folder: Path, settings: Settings, name: str = "rows.csv") -> RowFile:
    """Load the pair of tokens with golden rows in this file."""
    section = settings.models["m"].model_copy(update={"golden": folder / name})
    settings = settings.model_copy(update={"models": {"m": section}})
    rows = golden_rows(load_pairs(settings)["m"], settings)
    assert rows is not None
    return rows


def written(folder: Path, name: str) -> None:
    """Write the rows in the form that the name says."""
    arrays = {"ids": np.array(IDS), "weight": np.ones((3, 1)), "parameter:language": np.array(LANGUAGES)}
    if name == "rows.csv":
        (folder / name).write_text(TABLE)
    elif name == "rows.npz":
        np.savez(folder / name, **arrays)  # type: ignore[arg-type]
    elif name == "rows.parquet":
        parquet.write_table(pa.table({"ids": IDS, "weight": [1, 1, 1], "tag_language": LANGUAGES}), folder / name)
    elif name == "rows.jsonl":
        (folder / name).write_text("\n".join(map(request, IDS, LANGUAGES)))
    else:
        (folder / name).mkdir()
        for key, array in arrays.items():
            np.save(folder / name / f"{key}.npy", array)


def request(ids: list[int], language: str) -> str:
    """Return a request of one row."""
    inputs = [
        {"name": "ids", "datatype": "INT64", "shape": [1, len(ids)], "data": ids},
        {"name": "weight", "datatype": "FP32", "shape": [1, 1], "data": [1]},
    ]
    return json.dumps({"parameters": {"language": language}, "inputs": inputs})


@pytest.mark.parametrize("name", ["rows.csv", "rows.npz", "rows.parquet", "rows", "rows.jsonl"])
def test_golden_rows_may_have_any_form(tmp_path: Path, name: str) -> None:
    """With the same subgroups by parameter."""
    written(tmp_path, name)
    settings = token_settings(tmp_path)
    rows = golden(tmp_path, settings, name)
    assert rows.parts[0]["ids"].tolist() == IDS
    subgroups = load_pairs(settings)["m"].subgroups
    assert subgroups.scopes == ("language=en", "language=de", "language=other")
    assert rows.members(subgroups).tolist() == np.eye(3, dtype=bool).tolist()


def test_rows_are_read_up_to_the_limit(tmp_path: Path) -> None:
    """A file may be large: a report takes `reference_rows`; the label is not read."""
    lines = "\n".join(f"{line},old" for line in TABLE.splitlines()[1:])
    (tmp_path / "rows.csv").write_text(f"ids[0],ids[1],weight,tag_language,label\n{lines}\nx,x,x,x,x")
    settings = token_settings(tmp_path)
    few = settings.model_copy(update={"reports": settings.reports.model_copy(update={"reference_rows": 2})})
    assert len(golden(tmp_path, few)) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no header row that names the columns"),
        ("ids[0],weight\n", "has too few rows: 0, and at least 1 are needed"),
        ("ids[0],weight,name\n1,2,3\n", "line 1: column 'name': is no input"),
        ("ids[0],weight\n1,2\n1\n", "line 3: has 1 fields; the header has 2"),
        ("ids[0],weight\n1,two\n", "line 2: column 'weight': 'two' is not a number"),
        ("ids[0],weight\n1,nan\n", "line 2: column 'weight': 'nan' is not a number"),
    ],
)
def test_file_that_does_not_fit_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """One line names the setting, the file and the mistake."""
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(ConfigError) as refused:
        golden(tmp_path, token_settings(tmp_path))
    (problem,) = refused.value.problems
    assert problem.startswith(f"models.m.golden: {tmp_path}/rows.csv: {message}")


def test_missing_file_stops_the_start(tmp_path: Path) -> None:
    """Like every other mistake in the settings, before requests are served."""
    path = write_config(tmp_path, config(tmp_path, golden="nowhere.csv"))
    with pytest.raises(ConfigError, match=r"models\.m\.golden: .*nowhere\.csv: cannot be read: No such file"):
        load_pairs(load(path, {}))


def test_golden_rows_of_the_demo_are_read() -> None:
    """Columns of a single input may have any names."""
    settings = load(ROOT / "demo" / "tightrope.yaml", {})
    section = settings.models["employment"].model_copy(update={"golden": ROOT / "demo/data/golden.csv"})
    settings = settings.model_copy(update={"models": {"employment": section}})
    rows = golden_rows(load_pairs(settings)["employment"], settings)
    assert rows is not None
    assert rows.parts[0]["input"].shape == (4000, 16)
    assert list(rows.columns[:2]) == ["AGEP", "SCHL"]
