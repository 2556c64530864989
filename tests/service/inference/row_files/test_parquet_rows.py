import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.configs import ROOT
from tightrope.service.inference.row_files.parquet_rows import read_parquet
from tightrope.service.inference.row_files.row_file import RowFile, RowFileError
from tightrope.service.inference.row_files.row_schema import RowSchema
from tightrope.service.protocol.tensors import TensorSpec

AGE, REGION = TensorSpec("age", "FP32", (-1, 1)), TensorSpec("region", "BYTES", (-1, 1))
IMAGE, IDS = TensorSpec("image", "UINT8", (-1, 2, 2)), TensorSpec("ids", "INT64", (-1, -1))


def read(folder: Path, columns: dict[str, Any], *specs: TensorSpec, most: int | None = None, **more: Any) -> RowFile:  # noqa: ANN401
    """Write columns, and read them for these inputs."""
    parquet.write_table(pa.table(columns), folder / "rows.parquet", row_group_size=2)
    return read_parquet(folder / "rows.parquet", RowSchema("m", specs, **more), most=most)


def test_columns_are_those_of_a_table(tmp_path: Path) -> None:
    """With types: integers for a float, coded strings, decimals; the label and parameters beside them."""
    columns = {
        "region": pa.array(["north", "", "north"]).dictionary_encode(),
        "age": [39, 52, 7],
        "label": [1, 0, 1],
        "parameter:lang": ["de", None, "en"],
        "tag_new": [True, False, None],
    }
    rows = read(tmp_path, columns, AGE, REGION)
    assert {name: tensor.tolist() for name, tensor in rows.parts[0].items()} == {
        "age": [[39.0], [52.0], [7.0]],
        "region": [["north"], [""], ["north"]],
    }
    assert [tensor.dtype.str for tensor in rows.parts[0].values()] == ["<f4", "|O"]
    assert rows.labels is not None
    assert rows.labels.tolist() == [1, 0, 1]
    assert rows.parameters == [{"lang": "de", "new": True}, {"new": False}, {"lang": "en"}]
    assert (list(rows.columns), rows.position(2)) == (["age", "region"], f"{tmp_path}/rows.parquet: row 2")


def test_lists_are_the_tensors_of_a_row(tmp_path: Path) -> None:
    """Nested as deep as the sides; numbers of plain columns beside them."""
    images = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    rows = read(tmp_path, {"image": images, "a": [0.5, 1.5]}, AGE, IMAGE)
    assert rows.parts[0]["image"].tolist() == images
    assert rows.parts[0]["image"].dtype == np.uint8
    assert rows.parts[0]["age"].tolist() == [[0.5], [1.5]]
    fixed = pa.FixedSizeListArray.from_arrays(pa.array([1, 2, 3, 4]), 2)
    assert read(tmp_path, {"ids": fixed}, IDS).parts[0]["ids"].tolist() == [[1, 2], [3, 4]]


def test_ragged_lists_are_parts_of_their_own(tmp_path: Path) -> None:
    """Rows of equal lengths that follow each other stay together."""
    rows = read(tmp_path, {"ids": [[1], [2], [3, 4], [5]], "age": [1.0, 2.0, 3.0, 4.0]}, IDS, AGE)
    assert [part["ids"].tolist() for part in rows.parts] == [[[1], [2]], [[3, 4]], [[5]]]
    assert [part["age"].tolist() for part in rows.parts] == [[[1], [2]], [[3]], [[4]]]


def test_first_rows_are_enough(tmp_path: Path) -> None:
    """Over the groups of a file."""
    rows = read(tmp_path, {"ids": [[1], [2], [3], [4, 5]]}, IDS, most=3)
    assert (len(rows), [part["ids"].tolist() for part in rows.parts]) == (3, [[[1], [2], [3]]])
    assert len(read(tmp_path, {"ids": pa.array([], pa.list_(pa.int64()))}, IDS, most=3)) == 0


def test_missing_number_is_nan_where_callers_may_send_it(tmp_path: Path) -> None:
    """As in a CSV file."""
    rows = read(tmp_path, {"age": [1.0, None]}, AGE, allow_nan=True)
    assert np.isnan(rows.parts[0]["age"]).tolist() == [[False], [True]]


@pytest.mark.parametrize(
    ("columns", "specs", "message"),
    [
        ({"age": [1.0, None]}, [AGE], "column 'age': row 1: is missing"),
        ({"age": [1.0, 1e39]}, [AGE], "column 'age': row 1: has values that are not finite FP32 numbers"),
        ({"age": ["old"]}, [AGE], r"column 'age': is <U3, must be float32 \(FP32\)"),
        ({"region": [1]}, [REGION], "column 'region': is int64, must hold strings"),
        ({"age": [1.0], "id": [1]}, [AGE], "column 'id': is no input"),
        ({"age": [[1.0, 2.0]]}, [AGE], r"column 'age': row 0: has shape \[1, 2\], must be \[rows, 1\]"),
        ({"ids": [[1], [2]], "id": [1, 2]}, [IDS], "column 'id': is no input; lists feed all inputs"),
        ({"ids": [[1], None]}, [IDS], "column 'ids': row 1: is missing, or its lists have several lengths"),
        ({"ids": [[1], [None, 2]]}, [IDS], "column 'ids': row 1: a value is missing"),
        ({"ids": [[1, 3], [None, 2]]}, [IDS], "column 'ids': row 1: a value is missing"),
        ({"ids": [[1], [2.5]]}, [IDS], r"column 'ids': row 0: is float64, must be int64 \(INT64\)"),
        ({"image": [[[1, 2], [3]]]}, [IMAGE], "column 'image': row 0: is missing, or its lists have several lengths"),
        ({"image": [[[1, 2], [3, 4]], [[1], [2]]]}, [IMAGE], r"'image': row 1: has shape \[1, 2, 1\], must be"),
        ({"age": [1.0], "label": [0.5]}, [AGE], "column 'label': must hold a class index"),
        ({"age": [1.0], "tag_x": [[1]]}, [AGE], "column 'tag_x': row 0: must be a text, number or boolean"),
    ],
)
def test_value_that_does_not_fit_has_its_place(
    tmp_path: Path, columns: dict[str, Any], specs: list[TensorSpec], message: str
) -> None:
    """One line names the file, the column and the row."""
    with pytest.raises(RowFileError, match=rf"^{tmp_path}/rows\.parquet: .*{message}"):
        read(tmp_path, columns, *specs)


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Missing, or no Parquet: one line with the file."""
    path = tmp_path / "rows.parquet"
    with pytest.raises(RowFileError, match=r"rows\.parquet: cannot be read: .*No such file"):
        read_parquet(path, RowSchema("m", (AGE,)))
    path.write_text("age\n1\n2\n3\n")
    with pytest.raises(RowFileError, match=r"rows\.parquet: not a Parquet file: ") as refused:
        read_parquet(path, RowSchema("m", (AGE,)))
    assert "\n" not in str(refused.value)


def test_text_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    """A damaged file, or one that another program wrote carelessly."""
    text = pa.StringArray.from_buffers(1, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff"))
    with pytest.raises(RowFileError, match=r"rows\.parquet: not a Parquet file: text that is not UTF-8"):
        read(tmp_path, {"age": [1.0], "tag_x": text}, AGE)


def test_missing_library_is_named_with_its_extra() -> None:
    """Without it everything else works."""
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from pathlib import Path\n"
        "from tightrope.service.inference.row_files.row_reader import RowFileError, RowSchema, read_rows\n"
        "try: read_rows(Path('rows.parquet'), RowSchema('m', ()))\n"
        "except RowFileError as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout == "rows.parquet: a Parquet file needs more: pip install 'tightrope[data]'\n"
