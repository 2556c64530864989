from pathlib import Path

import numpy as np
import pytest

from tightrope.service.inference.row_files.csv_rows import read_csv
from tightrope.service.inference.row_files.row_file import RowFile, RowFileError
from tightrope.service.inference.row_files.row_schema import RowSchema
from tightrope.service.protocol.tensors import TensorSpec, dtype_of

SPEC = TensorSpec("input", "FP32", (-1, 2))
SIZES = "the model takes 2 (input FP32[-1, 2]), and 'label', tag_* and parameter:* beside them"
COLUMNS = (
    TensorSpec("age", "FP32", (-1, 1)),
    TensorSpec("sees", "BOOL", (-1, 1)),
    TensorSpec("region", "BYTES", (-1, 1)),
    TensorSpec("ids", "INT64", (-1, -1)),
)


def write(folder: Path, text: str) -> Path:
    """Write a file with this text."""
    path = folder / "data.csv"
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path, *specs: TensorSpec, allow_nan: bool = False, most: int | None = None) -> RowFile:
    """Read a file for these inputs, one of two columns without any."""
    return read_csv(path, RowSchema("m", specs or (SPEC,), allow_nan=allow_nan), most=most)


def values(rows: RowFile) -> dict[str, object]:
    """Return the inputs as lists."""
    return {name: tensor.tolist() for name, tensor in rows.parts[0].items()}


def refused(path: Path, *specs: TensorSpec) -> str:
    """Return the error without the file's name."""
    with pytest.raises(RowFileError) as error:
        read(path, *specs)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


def test_input_columns_keep_their_order(tmp_path: Path) -> None:
    """Label and tags may stand anywhere, and tags may hold anything."""
    rows = read(write(tmp_path, "tag_x,b,label,a,tag_\nred,1,1,2.5,\nblue,-3,0,4e2,x\n"))
    assert values(rows) == {"input": [[1.0, 2.5], [-3.0, 400.0]]}
    assert rows.parts[0]["input"].dtype == np.float32
    assert rows.labels is not None
    assert rows.labels.tolist() == [1, 0]
    assert (rows.positions, rows.columns) == ([2, 3], ["b", "a"])


def test_label_is_optional(tmp_path: Path) -> None:
    """Without the column there are no labels."""
    assert read(write(tmp_path, "a,b\n1,2\n")).labels is None


def test_spreadsheet_formats_are_accepted(tmp_path: Path) -> None:
    """A byte order mark, blank lines, quotes, Windows line ends; line numbers are those of the file."""
    rows = read(write(tmp_path, '\ufefflabel,a,b\r\n1,"1",2\r\n\r\n0,3,4\r\n\r\n'))
    assert values(rows) == {"input": [[1, 2], [3, 4]]}
    assert rows.labels is not None
    assert rows.positions == [2, 4]


@pytest.mark.parametrize(("datatype", "text"), [("INT8", "-128"), ("UINT64", str(2**64 - 1)), ("FP64", "1e300")])
def test_integers_are_read_exactly(tmp_path: Path, datatype: str, text: str) -> None:
    """They do not pass through a float, which would lose digits."""
    tensor = read(write(tmp_path, f"a,b\n{text},1\n"), TensorSpec("input", datatype, (-1, 2))).parts[0]["input"]
    assert tensor[0, 0] == dtype_of(datatype).type(text)
    assert tensor.dtype == dtype_of(datatype)


def test_free_width_takes_any_columns(tmp_path: Path) -> None:
    """It needs at least one."""
    free = TensorSpec("input", "FP32", (-1, -1))
    assert read(write(tmp_path, "a,b,c\n1,2,3\n"), free).parts[0]["input"].shape == (1, 3)
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
            f"line 1: has 3 input columns; {SIZES}",
        ),
        (
            "a\n1\n",
            f"line 1: has 1 input columns; {SIZES}",
        ),
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


def test_integer_may_be_written_as_a_float(tmp_path: Path) -> None:
    """Programs that hold a column as floats write 39.0; one that a float does not hold exactly is a mistake."""
    whole = TensorSpec("input", "INT64", (-1, 2))
    assert values(read(write(tmp_path, "a,b\n39.0,-1e3\n"), whole)) == {"input": [[39, -1000]]}
    for text in ("1e17", "inf", "nan"):
        assert refused(write(tmp_path, f"a,b\n{text},1\n"), whole).startswith(f"line 2: column 'a': {text!r} is not")


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


def test_columns_feed_several_inputs_by_name(tmp_path: Path) -> None:
    """In any order: strings, booleans, numbers, and an input of free width; quoted text keeps its comma and blanks."""
    text = 'ids[1],region,ids[0],sees,age,label\n5," north, east",4,True,39.5,1\n7,,6,0,1e1,0\n'
    rows = read(write(tmp_path, text), *COLUMNS)
    assert values(rows) == {
        "age": [[39.5], [10.0]],
        "sees": [[True], [False]],
        "region": [[" north, east"], [""]],
        "ids": [[4, 5], [6, 7]],
    }
    assert [tensor.dtype.str for tensor in rows.parts[0].values()] == ["<f4", "|b1", "|O", "<i8"]
    assert rows.columns == ["age", "sees", "region", "ids[0]", "ids[1]"]


def test_column_fills_the_sides_of_an_input(tmp_path: Path) -> None:
    """Row-major, as a request has its data; an input without further sides takes one column."""
    specs = (TensorSpec("x", "FP32", (-1, 2, 2)), TensorSpec("k", "INT32", (-1,)))
    rows = read(write(tmp_path, "x[0],x[1],x[2],x[3],k\n1,2,3,4,5\n"), *specs)
    assert values(rows) == {"x": [[[1, 2], [3, 4]]], "k": [5]}


def test_parameters_come_from_columns(tmp_path: Path) -> None:
    """By either name; a blank one is not sent. A file without such columns has no parameters."""
    rows = read(write(tmp_path, "a,b,tag_who,parameter:lang\n1,2,u,\n3,4,,de\n"))
    assert rows.parameters == [{"who": "u"}, {"lang": "de"}]
    assert read(write(tmp_path, "a,b\n1,2\n")).parameters == []


def test_missing_numbers_are_read_where_callers_may_send_them(tmp_path: Path) -> None:
    """With allow_nan a blank field is NaN; what FP32 cannot hold stays a mistake."""
    path = write(tmp_path, "a,b\n1,\nnan,inf\n")
    tensor = read(path, allow_nan=True).parts[0]["input"]
    assert np.array_equal(tensor, [[1, np.nan], [np.nan, np.inf]], equal_nan=True)
    with pytest.raises(RowFileError, match="column 'b': '1e39' is not a number that FP32 can hold"):
        read(write(tmp_path, "a,b\n1,1e39\n"), allow_nan=True)


def test_value_of_another_input_names_its_column(tmp_path: Path) -> None:
    """The error has file, line, column and value."""
    path = write(tmp_path, "age,sees,region,ids[0]\n1,yes,north,1\n")
    assert refused(path, *COLUMNS) == "line 2: column 'sees': 'yes' is not true or false that BOOL can hold"
    path = write(tmp_path, "age,sees,region,ids[0]\n1,1,north,x\n")
    assert refused(path, *COLUMNS) == "line 2: column 'ids[0]': 'x' is not a number that INT64 can hold"


def test_first_rows_are_enough(tmp_path: Path) -> None:
    """Lines behind them are not read, and a label that is not asked for may be anything."""
    path = write(tmp_path, "a,b,label\n1,2,yes\n3,4,no\nold,5,no\n")
    rows = read_csv(path, RowSchema("m", (SPEC,)), labelled=False, most=2)
    assert (len(rows), rows.labels) == (2, None)
