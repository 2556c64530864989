from pathlib import Path

import numpy as np
import pytest

from tightrope.offline.arrays import ArrayRows, read
from tightrope.offline.table import TableError
from tightrope.service.protocol.tensors import TensorSpec

SPECS = (TensorSpec("x", "FP32", (-1, 2)), TensorSpec("k", "INT32", (-1, 1)), TensorSpec("s", "BYTES", (-1, 1)))
GOOD = {"x": np.zeros((3, 2)), "k": np.ones((3, 1), np.int64), "s": np.array([["a"], ["b"], ["c"]])}


def rows(folder: Path, **changed: np.ndarray) -> ArrayRows:
    """Read the good arrays with changes."""
    np.savez(folder / "rows.npz", **(GOOD | changed))  # type: ignore[arg-type]
    return read(folder / "rows.npz", SPECS, allow_nan=False)


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
        ({"y": np.zeros(3)}, "array 'y': is no input; the inputs are k, s, x"),
    ],
)
def test_array_that_does_not_fit_is_named(tmp_path: Path, changed: dict[str, np.ndarray], message: str) -> None:
    """One line names the file, the array and the reason; what is pickled is never loaded."""
    with pytest.raises(TableError, match=f"rows.npz: {message}"):
        rows(tmp_path, **changed)


def test_folder_is_mapped(tmp_path: Path) -> None:
    """An array of the model's own type is not copied into memory."""
    for name, array in (GOOD | {"x": np.zeros((3, 2), np.float32)}).items():
        np.save(tmp_path / f"{name}.npy", array)
    assert isinstance(read(tmp_path, SPECS, allow_nan=False).parts[0]["x"], np.memmap)


@pytest.mark.parametrize("text", [None, b"", b"PK nothing"])
def test_file_that_is_no_archive_is_refused(tmp_path: Path, text: bytes | None) -> None:
    """Missing, empty or damaged: one line with the file."""
    path = tmp_path / "rows.npz"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(TableError, match=r"rows\.npz: "):
        read(path, SPECS, allow_nan=False)


def test_missing_array_is_named(tmp_path: Path) -> None:
    """Every input needs one."""
    np.savez(tmp_path / "rows.npz", x=np.zeros((1, 2)))
    with pytest.raises(TableError, match="has no array 'k'; the inputs are k, s, x"):
        read(tmp_path / "rows.npz", SPECS, allow_nan=False)
