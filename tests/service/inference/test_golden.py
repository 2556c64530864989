"""Golden rows are read from a CSV file that fits the model's inputs."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.configs import ROOT, write_config
from tests.support.harmful_pair import config
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import ConfigError, load
from tightrope.service.inference.golden import GoldenRows, read_golden
from tightrope.service.inference.subgroups import IntervalScopes, ParameterScopes, Subgroups, TextValues
from tightrope.service.protocol.tensors import TensorSpec

SPECS = (TensorSpec("x", "FP32", (-1, 2)), TensorSpec("word", "BYTES", (-1,)), TensorSpec("n", "INT64", (-1, 1)))
SUBGROUPS = Subgroups(
    ("region=north", "x=high"),
    (ParameterScopes("region", TextValues({"north": 0})),),
    (IntervalScopes.from_intervals("x", [(1, 5.0, float("inf"), 1)]),),
)
TEXT = "a,b,word,n,label,tag_region\n1,2,hello,3,0,north\n4,5.5,,6,1,south\n7,8,ä,9,1,\n"


def golden(folder: Path, text: str, most: int = 100) -> GoldenRows:
    """Read a file with this text."""
    (folder / "golden.csv").write_text(text, encoding="utf-8")
    return read_golden(folder / "golden.csv", "models.m.golden", SPECS, SUBGROUPS, most)


def test_columns_are_those_of_the_inputs_in_their_order(tmp_path: Path) -> None:
    """Under any name; the label and tags are not inputs."""
    rows = golden(tmp_path, TEXT)
    assert {name: tensor.tolist() for name, tensor in rows.inputs.items()} == {
        "x": [[1, 2], [4, 5.5], [7, 8]],
        "word": ["hello", "", "ä"],
        "n": [[3], [6], [9]],
    }
    assert [rows.inputs[spec.name].dtype for spec in SPECS] == [np.float32, object, np.int64]
    assert rows.columns == ("a", "b", "word", "n")


def test_subgroups_come_from_columns_and_tags(tmp_path: Path) -> None:
    """A tag stands for a request parameter."""
    assert golden(tmp_path, TEXT).member.tolist() == [[True, False], [False, True], [False, True]]


def test_rows_are_read_up_to_the_limit(tmp_path: Path) -> None:
    """A file may be large."""
    assert golden(tmp_path, TEXT, 2).inputs["n"].tolist() == [[3], [6]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 columns and 0 rows; the inputs have 4 columns"),
        ("a,b,word,n\n", "has 4 columns and 0 rows"),
        ("a,b,n\n1,2,3\n", "has 3 columns and 1 rows; the inputs have 4 columns"),
        ("a,b,word,n\n1,2,x,3\n1,2,x\n", "line 3: has 3 values, not 4"),
        ("a,b,word,n\n1,two,x,3\n", "could not convert string to float: 'two'; every value"),
        ("a,b,word,n\n1,,x,3\n", "every value of this input must be a number"),
    ],
)
def test_file_that_does_not_fit_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """One line names the setting, the file and the mistake."""
    with pytest.raises(ConfigError) as refused:
        golden(tmp_path, text)
    assert str(refused.value).startswith("models.m.golden: ")
    assert message in str(refused.value)
    assert len(refused.value.problems) == 1


def test_missing_file_stops_the_start(tmp_path: Path) -> None:
    """Like every other mistake in the settings, before requests are served."""
    path = write_config(tmp_path, config(tmp_path, golden="nowhere.csv"))
    with pytest.raises(ConfigError, match=r"models\.m\.golden: .*nowhere\.csv: cannot be read: No such file"):
        load_pairs(load(path, {}))


def test_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "golden.csv").write_bytes(b"a,b\xff\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_golden(tmp_path / "golden.csv", "models.m.golden", SPECS, SUBGROUPS, 10)


def test_golden_rows_of_the_demo_are_read() -> None:
    """The file is the example for others."""
    specs = (TensorSpec("input", "FP32", (-1, 16)),)
    rows = read_golden(ROOT / "demo/data/golden.csv", "key", specs, Subgroups((), (), ()), 5000)
    assert rows.inputs["input"].shape == (4000, 16)
    assert rows.columns[:2] == ("AGEP", "SCHL")
