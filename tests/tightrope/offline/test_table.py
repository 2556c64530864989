from pathlib import Path

import numpy as np
import pytest

from tightrope.offline.table import TableError, read_csv
from tightrope.service.protocol.tensors import TensorSpec, dtype_of

SPEC = TensorSpec("input", "FP32", (-1, 2))


def write(folder: Path, text: str) -> Path:
    """Write a file with this text."""
    path = folder / "data.csv"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path, spec: TensorSpec = SPEC, at_least: int = 1) -> str:
    """Return the error without the file's name."""
    with pytest.raises(TableError) as error:
        read_csv(path, spec, at_least=at_least)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


def test_input_columns_keep_their_order(tmp_path: Path) -> None:
    """Label and tags may stand anywhere, and tags may hold anything."""
    table = read_csv(write(tmp_path, "tag_x,b,label,a,tag_\nred,1,1,2.5,\nblue,-3,0,4e2,x\n"), SPEC)
    assert table.inputs.tolist() == [[1.0, 2.5], [-3.0, 400.0]]
    assert table.inputs.dtype == np.float32
    assert table.labels is not None
    assert table.labels.tolist() == [1, 0]
    assert table.lines.tolist() == [2, 3]


def test_label_is_optional(tmp_path: Path) -> None:
    """Without the column there are no labels."""
    assert read_csv(write(tmp_path, "a,b\n1,2\n"), SPEC).labels is None


def test_spreadsheet_formats_are_accepted(tmp_path: Path) -> None:
    """A byte order mark, blank lines, quotes, Windows line ends; line numbers are those of the file."""
    table = read_csv(write(tmp_path, '\ufefflabel,a,b\r\n1,"1",2\r\n\r\n0,3,4\r\n\r\n'), SPEC)
    assert table.inputs.tolist() == [[1, 2], [3, 4]]
    assert table.labels is not None
    assert table.lines.tolist() == [2, 4]


@pytest.mark.parametrize(("datatype", "text"), [("INT8", "-128"), ("UINT64", str(2**64 - 1)), ("FP64", "1e300")])
def test_integers_are_read_exactly(tmp_path: Path, datatype: str, text: str) -> None:
    """They do not pass through a float, which would lose digits."""
    table = read_csv(write(tmp_path, f"a,b\n{text},1\n"), TensorSpec("input", datatype, (-1, 2)))
    assert table.inputs[0, 0] == dtype_of(datatype).type(text)
    assert table.inputs.dtype == dtype_of(datatype)


def test_free_width_takes_any_columns(tmp_path: Path) -> None:
    """It needs at least one."""
    free = TensorSpec("input", "FP32", (-1, -1))
    assert read_csv(write(tmp_path, "a,b,c\n1,2,3\n"), free).inputs.shape == (1, 3)
    assert refused(write(tmp_path, "label\n1\n"), free).startswith(
        "line 1: has 0 input columns; the model takes one or"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no header row that names the columns"),
        ("\n1,2\n", "has no header row that names the columns"),
        ("1,2\n3,4\n", "has no header row that names the columns"),
        ("a,a\n1,2\n", "line 1: column 'a' appears twice"),
        ("a,label,label\n1,2,0\n", "line 1: column 'label' appears twice"),
        (
            "a,b,c,label,tag_d\n",
            "line 1: has 3 input columns; the model takes 2 (input FP32[-1, 2]), and 'label' and tag_* beside them",
        ),
        (
            "a\n1\n",
            "line 1: has 1 input columns; the model takes 2 (input FP32[-1, 2]), and 'label' and tag_* beside them",
        ),
        ("a,b\n", "has too few rows: 0, and at least 1 are needed"),
        ("a,b\n1,2\n3\n", "line 3: has 1 fields; the header has 2"),
        ("a,b\n1,2,3\n", "line 2: has 3 fields; the header has 2"),
        ("a,b\n1,2\n\n3,old\n", "line 4: column 'b': 'old' is not a number that FP32 can hold"),
        ("a,b\n1,\n", "line 2: column 'b': '' is not a number that FP32 can hold"),
        ("a,b\nnan,1\n", "line 2: column 'a': 'nan' is not a number that FP32 can hold"),
        ("a,b\n1,-inf\n", "line 2: column 'b': '-inf' is not a number that FP32 can hold"),
        ("a,b\n1,1e39\n", "line 2: column 'b': '1e39' is not a number that FP32 can hold"),
        ("a,b,label\n1,2,yes\n", "line 2: column 'label': 'yes' is not a class index 0, 1, …"),
        ("a,b,label\n1,2,-1\n", "line 2: column 'label': '-1' is not a class index 0, 1, …"),
        ("a,b,label\n1,2,1.0\n", "line 2: column 'label': '1.0' is not a class index 0, 1, …"),
        (
            "a,b,label\n1,2,99999999999999999999\n",
            "line 2: column 'label': '99999999999999999999' is not a class index 0, 1, …",
        ),
    ],
)
def test_error_names_its_place(tmp_path: Path, text: str, said: str) -> None:
    """One line: the file, the line, the column, the reason."""
    assert refused(write(tmp_path, text)) == said


@pytest.mark.parametrize(("datatype", "text"), [("INT8", "128"), ("UINT8", "-1"), ("INT64", "2.5"), ("FP16", "70000")])
def test_number_out_of_range_is_refused(tmp_path: Path, datatype: str, text: str) -> None:
    """It is not wrapped, truncated or made infinite."""
    path = write(tmp_path, f"a,b\n1,{text}\n")
    said = refused(path, TensorSpec("input", datatype, (-1, 2)))
    assert said == f"line 2: column 'b': {text!r} is not a number that {datatype} can hold"


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A folder in its place is named too."""
    assert refused(tmp_path / "none.csv") == "cannot be read: No such file or directory"
    assert refused(tmp_path) == "cannot be read: Is a directory"


@pytest.mark.parametrize("content", [b"a,b\n\xff\xfe,1\n", b'a,b\n"' + b"x" * 200_000 + b'",1\n'])
def test_invalid_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """Not UTF-8, or a field without end."""
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    assert refused(path).startswith("not a CSV file in UTF-8: ")


def test_too_few_rows_are_counted(tmp_path: Path) -> None:
    """The error has the number of rows and the number needed."""
    path = write(tmp_path, "a,b\n1,2\n")
    assert refused(path, at_least=2) == "has too few rows: 1, and at least 2 are needed"
