import numpy as np
import pytest

from tightrope.service.inference.row_files.row_file import RowFileError
from tightrope.service.inference.row_files.value_casts import cast_values, require_shape
from tightrope.service.protocol.tensors import Tensor, TensorSpec


def cast(array: Tensor, datatype: str) -> Tensor:
    """Cast an array of rows."""
    return cast_values("rows", array, TensorSpec("x", datatype, (-1,)), 0, allow_nan=False)


@pytest.mark.parametrize(
    ("given", "datatype", "dtype"),
    [
        ("f8", "FP32", "<f4"),
        ("f2", "FP64", "<f8"),
        ("i8", "INT8", "|i1"),
        ("u1", "INT32", "<i4"),
        ("U3", "BYTES", "|O"),
    ],
)
def test_values_that_fit_are_cast(given: str, datatype: str, dtype: str) -> None:
    """Floats to floats, integers to integers, strings to objects."""
    found = cast(np.array([1, 2]).astype(given), datatype)
    assert (found.dtype.str, [float(value) for value in found]) == (dtype, [1.0, 2.0])


@pytest.mark.parametrize(
    ("array", "datatype", "message"),
    [
        (np.array([1, 300]), "UINT8", "has values from 1 to 300, more than UINT8 can hold"),
        (np.array([0.5]), "INT64", r"is float64, must be int64 \(INT64\)"),
        (np.array([1]), "BYTES", "is int64, must hold strings"),
        (np.array([0.0, 7e4]), "FP16", "row 1: has values that are not finite FP16 numbers"),
    ],
)
def test_values_that_do_not_fit_are_named(array: Tensor, datatype: str, message: str) -> None:
    """Nothing is wrapped, rounded to an integer, or made infinite."""
    with pytest.raises(RowFileError, match=message):
        cast(array, datatype)


def test_side_beside_the_rows_may_be_empty() -> None:
    """A state has no past at first; no rows are a mistake."""
    past = TensorSpec("past", "INT64", (2, -1, -1))
    empty = np.zeros((2, 3, 0), int)
    require_shape("rows", empty, past, 1)
    assert cast_values("rows", empty, past, 1, allow_nan=False).shape == (2, 3, 0)
    with pytest.raises(RowFileError, match=r"rows: has shape \[2, 0, 3\], must be \[2, rows, -1\]"):
        require_shape("rows", np.zeros((2, 0, 3), int), past, 1)
