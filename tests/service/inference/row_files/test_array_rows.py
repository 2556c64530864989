from pathlib import Path

import numpy as np
import pytest

from tests.support.serving import row_models
from tests.support.serving.service_harness import pair_of
from tightrope.service.inference.row_files.array_rows import read_arrays
from tightrope.service.inference.row_files.row_file import RowFile, RowFileError
from tightrope.service.inference.row_files.row_schema import RowSchema, schema_of
from tightrope.service.protocol.tensors import TensorSpec

SPECS = (TensorSpec("x", "FP32", (-1, 2)), TensorSpec("k", "INT32", (-1, 1)), TensorSpec("s", "BYTES", (-1, 1)))
SCHEMA = RowSchema("m", SPECS)
GOOD = {"x": np.zeros((3, 2)), "k": np.ones((3, 1), np.int64), "s": np.array([["a"], ["b"], ["c"]])}


def rows(folder: Path, **changed: np.ndarray) -> RowFile:
    """Read the good arrays with changes."""
    np.savez(folder / "rows.npz", **(GOOD | changed))  # type: ignore[arg-type]
    return read_arrays(folder / "rows.npz", SCHEMA)


def test_arrays_are_cast_where_nothing_is_lost(tmp_path: Path) -> None:
    """Floats freely, integers that fit, strings as objects; labels and parameters beside them."""
    found = rows(tmp_path, label=np.array([0, 1, 0]), **{"parameter:who": np.array(["u", "v", "w"])})
    assert {name: tensor.dtype.str for name, tensor in found.parts[0].items()} == {"x": "<f4", "k": "<i4", "s": "|O"}
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 0]
    assert found.parameters == [{"who": "u"}, {"who": "v"}, {"who": "w"}]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": np.zeros((3, 3))}, r"array 'x': has shape \[3, 3\], must be \[rows, 2\]"),
        ({"x": np.zeros((3, 2), int)}, "array 'x': is int64, must be float32"),
        ({"x": np.array([[0, 0], [0, np.nan], [0, 0]])}, "array 'x': row 1: has values that are not finite FP32"),
        (
            {"k": np.full((3, 1), 2**31)},
            "array 'k': has values from 2147483648 to 2147483648, more than INT32 can hold",
        ),
        ({"k": np.ones((4, 1), int)}, r"array 'k': has shape \[4, 1\], and 'x' has 3 rows"),
        ({"s": np.zeros((3, 1))}, "array 's': is float64, must hold strings"),
        ({"s": np.array([["a"], [{}], [1]], object)}, "array 's': no array of numbers or strings: .*allow_pickle"),
        ({"label": np.array([0.5, 1, 1])}, "array 'label': must hold a class index"),
        ({"label": np.zeros((3, 2), int)}, "array 'label': must hold a class index"),
        ({"parameter:p": np.zeros((3, 1))}, "array 'parameter:p': must hold a text, number or boolean a row"),
        ({"y": np.zeros(3)}, "array 'y': is no input; the inputs are k, s, x"),
    ],
)
def test_array_that_does_not_fit_is_named(tmp_path: Path, changed: dict[str, np.ndarray], message: str) -> None:
    """One line names the file, the array and the reason; what is pickled is never loaded."""
    with pytest.raises(RowFileError, match=f"rows.npz: {message}"):
        rows(tmp_path, **changed)


def test_folder_is_mapped(tmp_path: Path) -> None:
    """An array of the model's own type is not copied into memory."""
    for name, array in (GOOD | {"x": np.zeros((3, 2), np.float32)}).items():
        np.save(tmp_path / f"{name}.npy", array)
    assert isinstance(read_arrays(tmp_path, SCHEMA).parts[0]["x"], np.memmap)


@pytest.mark.parametrize("text", [None, b"", b"PK nothing"])
def test_file_that_is_no_archive_is_refused(tmp_path: Path, text: bytes | None) -> None:
    """Missing, empty or damaged: one line with the file."""
    path = tmp_path / "rows.npz"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(RowFileError, match=r"rows\.npz: "):
        read_arrays(path, SCHEMA)


def test_damaged_archive_is_refused_in_one_line(tmp_path: Path) -> None:
    """Wherever the damage is: in the directory, in the header of an array, in compressed data."""
    np.savez_compressed(tmp_path / "good.npz", **GOOD)  # type: ignore[arg-type]
    good = (tmp_path / "good.npz").read_bytes()
    refused = []
    for position in range(0, len(good), 5):
        (tmp_path / "rows.npz").write_bytes(good[:position] + b"\xfe" + good[position + 1 :])
        try:
            read_arrays(tmp_path / "rows.npz", SCHEMA)
        except RowFileError as error:
            refused.append(str(error))
    assert len(refused) > 50
    assert [error for error in refused if "\n" in error or len(error) > 400] == []


def test_missing_array_is_named(tmp_path: Path) -> None:
    """Every input needs one."""
    np.savez(tmp_path / "rows.npz", x=np.zeros((1, 2)))
    with pytest.raises(RowFileError, match="has no array 'k'; the inputs are k, s, x"):
        read_arrays(tmp_path / "rows.npz", SCHEMA)


def test_first_rows_are_enough(tmp_path: Path) -> None:
    """Every array is cut, and a label that is not asked for may be anything."""
    np.savez(tmp_path / "rows.npz", **GOOD, label=np.zeros((3, 7)))  # type: ignore[arg-type]
    rows = read_arrays(tmp_path / "rows.npz", SCHEMA, labelled=False, most=2)
    assert (len(rows), rows.labels) == (2, None)
    assert {name: len(tensor) for name, tensor in rows.parts[0].items()} == {"x": 2, "k": 2, "s": 2}


def test_number_that_a_float_cannot_hold_stays_a_mistake(tmp_path: Path) -> None:
    """Also where callers may send infinity."""
    schema = RowSchema("m", SPECS[:1], allow_nan=True)
    np.savez(tmp_path / "rows.npz", x=np.array([[np.inf, np.nan]]))
    assert not np.isfinite(read_arrays(tmp_path / "rows.npz", schema).parts[0]["x"]).any()
    np.savez(tmp_path / "rows.npz", x=np.array([[0, 0], [1e39, 0]]))
    with pytest.raises(RowFileError, match="row 1: has values that are not finite FP32"):
        read_arrays(tmp_path / "rows.npz", schema)


def test_arrays_have_the_axes_that_callers_send(tmp_path: Path) -> None:
    """The rows of a state on axis 1, and a scalar that all rows share; what is read has its rows first."""
    model = str(row_models.listening(tmp_path / "m.onnx"))
    schema = schema_of(pair_of(tmp_path, baseline=model, compressed=model, decision={"output": "probabilities"}))
    state = np.arange(48, dtype=np.float32).reshape(2, 3, 8)
    np.savez(tmp_path / "rows.npz", input=np.zeros((3, 6)), state=state, sr=16000)
    rows = read_arrays(tmp_path / "rows.npz", schema, most=2)
    assert {name: tensor.shape for name, tensor in rows.parts[0].items()} == {
        "input": (2, 6),
        "state": (2, 2, 8),
        "sr": (2,),
    }
    assert rows.parts[0]["state"][1].tolist() == state[:, 1].tolist()
    np.savez(tmp_path / "rows.npz", input=np.zeros((3, 6)), state=state[:, :2], sr=16000)
    with pytest.raises(RowFileError, match=r"array 'state': has shape \[2, 2, 8\], and 'input' has 3 rows"):
        read_arrays(tmp_path / "rows.npz", schema)
    np.savez(tmp_path / "rows.npz", input=np.zeros((3, 6)), state=np.moveaxis(state, 1, 0), sr=16000)
    with pytest.raises(RowFileError, match=r"array 'state': has shape \[3, 2, 8\], must be \[2, rows, 8\]"):
        read_arrays(tmp_path / "rows.npz", schema)
