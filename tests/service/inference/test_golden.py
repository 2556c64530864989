from pathlib import Path

import numpy as np
import pytest

from tests.support.harmful_pair import config
from tests.support.servers import ROOT, write_config
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import ConfigError, load
from tightrope.service.inference.golden import Golden, read
from tightrope.service.inference.subgroups import Cut, Subgroups, Told
from tightrope.service.protocol.tensors import TensorSpec

SPECS = (TensorSpec("x", "FP32", (-1, 2)), TensorSpec("word", "BYTES", (-1,)), TensorSpec("n", "INT64", (-1, 1)))
SUBGROUPS = Subgroups(
    ("region=north", "x=high"), (Told("region", {"north": 0}),), (Cut.of("x", [(1, 5.0, float("inf"), 1)]),)
)
TEXT = "a,b,word,n,label,tag_region\n1,2,hello,3,0,north\n4,5.5,,6,1,south\n7,8,ä,9,1,\n"


def golden(folder: Path, text: str, most: int = 100) -> Golden:
    """What is read of a file with this text."""
    (folder / "golden.csv").write_text(text, encoding="utf-8")
    return read(folder / "golden.csv", "models.m.golden", SPECS, SUBGROUPS, most)


def test_columns_are_those_of_the_inputs_in_their_order(tmp_path: Path) -> None:
    """Whatever they are called; label and tags are not inputs."""
    rows = golden(tmp_path, TEXT)
    assert {name: tensor.tolist() for name, tensor in rows.inputs.items()} == {
        "x": [[1, 2], [4, 5.5], [7, 8]],
        "word": ["hello", "", "ä"],
        "n": [[3], [6], [9]],
    }
    assert [rows.inputs[spec.name].dtype for spec in SPECS] == [np.float32, object, np.int64]
    assert rows.columns == ("a", "b", "word", "n")


def test_subgroups_are_known_from_columns_and_from_tags(tmp_path: Path) -> None:
    """A tag stands for the parameter that a caller would send."""
    assert golden(tmp_path, TEXT).member.tolist() == [[True, False], [False, True], [False, True]]


def test_no_more_rows_are_read_than_are_wanted(tmp_path: Path) -> None:
    """A file may be large."""
    assert golden(tmp_path, TEXT, 2).inputs["n"].tolist() == [[3], [6]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has 0 columns and 0 rows; the inputs have 4 columns"),
        ("a,b,word,n\n", "has 4 columns and 0 rows"),
        ("a,b,n\n1,2,3\n", "has 3 columns and 1 rows; the inputs have 4 columns"),
        ("a,b,word,n\n1,2,x,3\n1,2,x\n", "line 3: has 3 values, not 4"),
        ("a,b,word,n\n1,two,x,3\n", "could not convert string to float: 'two'; every value"),
        ("a,b,word,n\n1,,x,3\n", "every value of this input must be a number"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """In one line that names the setting, the file, and what is wrong."""
    with pytest.raises(ConfigError) as refused:
        golden(tmp_path, text)
    assert str(refused.value).startswith("models.m.golden: ")
    assert told in str(refused.value)
    assert len(refused.value.problems) == 1


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    """As every other mistake in the settings does, before anything is served."""
    path = write_config(tmp_path, config(tmp_path, golden="nowhere.csv"))
    with pytest.raises(ConfigError, match=r"models\.m\.golden: .*nowhere\.csv: cannot be read: No such file"):
        load_pairs(load(path, {}))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A file of another kind."""
    (tmp_path / "golden.csv").write_bytes(b"a,b\xff\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "golden.csv", "models.m.golden", SPECS, SUBGROUPS, 10)


def test_the_demo_s_golden_rows_are_read() -> None:
    """The file that others are made after."""
    specs = (TensorSpec("input", "FP32", (-1, 16)),)
    rows = read(ROOT / "demo/data/golden.csv", "key", specs, Subgroups((), (), ()), 5000)
    assert rows.inputs["input"].shape == (4000, 16)
    assert rows.columns[:2] == ("AGEP", "SCHL")
