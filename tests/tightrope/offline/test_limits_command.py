import json
from pathlib import Path

import pytest

from tests.support.commands import tightrope
from tests.support.configs import ROOT
from tests.support.csv_tables import batch_centred, pair_settings, read_settings, write_table

DEMO = ROOT / "demo" / "tightrope.yaml"
GOLDEN = ROOT / "demo" / "data" / "golden.csv"


def test_result_as_json(tmp_path: Path) -> None:
    """The command prints one line of strict JSON, without an infinity in it."""
    pair_settings(tmp_path)
    data = write_table(tmp_path / "data.csv", [[number, 0] for number in range(2000)])
    options = ("--json", "--proposed", "--per-second", "100")
    ended = tightrope("limits", tmp_path / "tightrope.yaml", data, *options)
    (line,) = ended.stdout.splitlines()
    result = json.loads(line, parse_constant=pytest.fail)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (result["ok"], result["rows"], result["per_second"]) == (True, 2000, 100.0)
    assert result["harms_beyond"] == "proposed"


def test_too_few_rows_say_how_many_are_needed(tmp_path: Path) -> None:
    """Instead of a limit: 149 rows without a disagreement prove 2 %, 59 prove 5 %, and the file has 100."""
    pair_settings(tmp_path)
    data = write_table(tmp_path / "data.csv", [[number, 0] for number in range(100)])
    out = " ".join(tightrope("limits", tmp_path / "tightrope.yaml", data).stdout.split())
    few = "too few rows to prove the configured limit, without any harm: model"
    assert "proposed: none for the model" in out
    assert f"{few} (100 of 149)" in out
    assert f"{few} (100 of 273)" in out, "the mean of a confidence needs more rows for the same 2 %"


def test_limit_below_the_noise_ends_with_code_1(tmp_path: Path) -> None:
    """After the tables, one line names the key."""
    path = batch_centred(tmp_path / "moody.onnx")
    read_settings(tmp_path, {"models": {"m": {"baseline": str(path), "compressed": str(path)}}})
    data = write_table(tmp_path / "data.csv", [[2 + (-1) ** i, 0] for i in range(50)])
    ended = tightrope("limits", tmp_path / "tightrope.yaml", data)
    assert ended.returncode == 1
    assert "disagreement" in ended.stdout
    assert ended.stderr.startswith("error models.m.limits.disagreement: 0.02 (the default) lies below the noise floor")
