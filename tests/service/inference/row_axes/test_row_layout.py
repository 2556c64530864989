"""Callers and models have declared shapes; between them every tensor has its rows first."""

import numpy as np

from tightrope.service.inference.row_axes.row_layout import RowLayout
from tightrope.service.protocol.tensors import TensorSpec

LAYOUT = RowLayout(
    (TensorSpec("x", "FP32", (-1, -1)), TensorSpec("state", "FP32", (2, -1, 4)), TensorSpec("sr", "INT64", ())),
    {"x": 0, "state": 1, "sr": None},
)


def test_shapes_have_their_rows_first() -> None:
    """A shared input has one entry a row."""
    assert [spec.shape for spec in LAYOUT.specs()] == [(-1, -1), (-1, 2, 4), (-1,)]
    assert LAYOUT.shared == {"sr"}


def test_rows_are_moved_and_moved_back() -> None:
    """Nothing is lost on the way, and a scalar is a scalar again."""
    random = np.random.default_rng(1)
    given = {
        "x": random.normal(size=(3, 5)).astype(np.float32),
        "state": random.normal(size=(2, 3, 4)).astype(np.float32),
        "sr": np.array(16000),
    }
    moved = LAYOUT.rows_first(given)
    assert moved["sr"].tolist() == [16000] * 3
    for row in range(3):
        np.testing.assert_array_equal(moved["state"][row], given["state"][:, row])
    back = LAYOUT.as_declared(moved)
    for name, tensor in given.items():
        assert (back[name].dtype, back[name].shape) == (tensor.dtype, tensor.shape)
        np.testing.assert_array_equal(back[name], tensor)
