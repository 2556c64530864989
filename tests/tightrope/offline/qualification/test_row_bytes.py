import numpy as np

from tightrope.offline.qualification.row_bytes import bytes_of_rows, numeric_columns


def test_rows_are_little_endian_in_the_order_of_inputs() -> None:
    """Also of arrays that are big-endian in memory; texts are UTF-8."""
    part = {"x": np.array([[1], [2]], ">i2"), "t": np.array([["ü"], ["b"]], object)}
    assert list(bytes_of_rows([part])) == [b"\x01\x00\xc3\xbc", b"\x02\x00b"]


def test_columns_are_counted_over_inputs_of_numbers() -> None:
    """Texts and booleans have none."""
    part = {"x": np.zeros((3, 2)), "t": np.array([["a"]] * 3, object), "y": np.zeros((3, 2, 1), np.int64)}
    assert numeric_columns(part) == [("x", 0), ("x", 1), ("y", 0), ("y", 1)]
