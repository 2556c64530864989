from pathlib import Path

import numpy as np
import pytest

from tests.support.serving import row_models
from tests.support.serving.service_harness import pair_of
from tightrope.service.inference.row_files.row_file import RowFile, RowFileError
from tightrope.service.inference.row_files.row_folders import holds_rows, read_row_folders
from tightrope.service.inference.row_files.row_schema import RowSchema, schema_of
from tightrope.service.protocol.tensors import Tensor, TensorSpec

SCHEMA = RowSchema("m", (TensorSpec("ids", "INT64", (-1, -1)), TensorSpec("weight", "FP32", (-1,))))


def write(folder: Path, **arrays: Tensor) -> None:
    """Write the arrays of a row."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def read(folder: Path, **more: int) -> RowFile:
    """Read the rows of a folder."""
    return read_row_folders(folder, SCHEMA, **more)


def row(*ids: int, **more: Tensor) -> dict[str, Tensor]:
    """Return the arrays of a row."""
    return {"ids": np.array(ids), "weight": np.array(0.5)} | more


def test_rows_have_any_shape_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Neighbours of equal shapes stay together; hidden folders and other files are no rows."""
    for name, ids in (("002", [5]), ("000", [1, 2]), ("001", [3, 4]), (".git", [9])):
        write(tmp_path / name, **row(*ids))
    (tmp_path / "README").write_text("rows")
    rows = read(tmp_path)
    assert [part["ids"].tolist() for part in rows.parts] == [[[1, 2], [3, 4]], [[5]]]
    assert [part["weight"].tolist() for part in rows.parts] == [[0.5, 0.5], [0.5]]
    assert rows.position(1) == f"{tmp_path}: row 001"
    assert (rows.labels, rows.parameters) == (None, [])
    assert len(read(tmp_path, most=2)) == 2


def test_label_and_parameters_are_single_values(tmp_path: Path) -> None:
    """With or without an axis; a parameter may be missing, a label may not."""
    write(tmp_path / "0", **row(1, label=np.array(1), **{"parameter:lang": np.array("de")}))
    write(tmp_path / "1", **row(2, label=np.array([0])))
    rows = read(tmp_path)
    assert rows.labels is not None
    assert (rows.labels.tolist(), rows.parameters) == ([1, 0], [{"lang": "de"}, {}])
    (tmp_path / "1" / "label.npy").unlink()
    with pytest.raises(RowFileError, match=rf"^{tmp_path}/1: has no array 'label', and other rows have"):
        read(tmp_path)


def test_row_has_its_axis_where_callers_have_it(tmp_path: Path) -> None:
    """On axis 1 of a state; a scalar that rows share has none."""
    model = str(row_models.listening(tmp_path / "m.onnx"))
    schema = schema_of(pair_of(tmp_path, baseline=model, compressed=model, decision={"output": "probabilities"}))
    state = np.arange(16, dtype=np.float32).reshape(2, 8)
    write(tmp_path / "rows" / "0", input=np.zeros(6), state=state, sr=np.array(16000))
    write(tmp_path / "rows" / "1", input=np.zeros((1, 6)), state=state[:, np.newaxis], sr=np.array(8000))
    (part,) = read_row_folders(tmp_path / "rows", schema).parts
    assert part["sr"].tolist() == [16000, 8000]
    assert part["state"].tolist() == [state.tolist()] * 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (row(1, 2) | {"ids": np.ones((1, 2, 3))}, "/0: array 'ids': has shape"),
        (row(1) | {"ids": np.ones((2, 1), int), "weight": np.ones(2)}, "/0: has 2 rows; a folder holds one"),
        (row(1) | {"ids": np.array([0.5])}, "/0: array 'ids': is float64, must be int64"),
        ({"ids": np.array([1])}, "/0: has no array 'weight'"),
        (row(1) | {"weight": np.array([{}], object)}, "/0: array 'weight': no array of numbers or strings"),
    ],
)
def test_row_that_does_not_fit_is_named(tmp_path: Path, arrays: dict[str, Tensor], message: str) -> None:
    """One line names its folder and the array; what is pickled is never loaded."""
    write(tmp_path / "0", **arrays)
    with pytest.raises(RowFileError, match=rf"^{tmp_path}{message}"):
        read(tmp_path)


def test_folder_has_arrays_or_rows(tmp_path: Path) -> None:
    """A folder with both would be half read."""
    write(tmp_path, **row(1))
    assert not holds_rows(tmp_path)
    write(tmp_path / "0", **row(1))
    assert holds_rows(tmp_path)
    with pytest.raises(RowFileError, match=r"has the array '(ids|weight)' beside folders of rows; it must have either"):
        read(tmp_path)
    assert not holds_rows(tmp_path / "nowhere")
