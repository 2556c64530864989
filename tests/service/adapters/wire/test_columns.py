"""Columns and tensors of a record are checked together; see also test_bounds.py and test_envelope_garbage.py."""

import numpy as np
import pytest

from tightrope.service.adapters.wire.columns import (
    check_row_counts,
    check_values,
    extended,
    read_tensors,
    shortened,
)
from tightrope.service.adapters.wire.envelope import WireError


def test_texts_of_a_column_are_bounded() -> None:
    """A class of hosts is the label of a metric."""
    check_values({"host_class": np.array(["x86"], dtype=object)})
    with pytest.raises(WireError, match="host_class: has a text of 5000 characters"):
        check_values({"host_class": np.array(["x" * 5000], dtype=object)})


def test_rows_must_be_those_of_the_samples() -> None:
    """The sum of the rows is that of the membership."""
    check_row_counts(np.array([1, 1]), np.zeros((2, 1), bool), 1)
    with pytest.raises(WireError, match="rows: 3 together"):
        check_row_counts(np.array([1, 2]), np.zeros((2, 1), bool), 1)


def test_tensors_must_have_a_row_for_each() -> None:
    """A tensor without the axis of rows is refused."""
    scalar = {"dtype": "<f4", "shape": [], "data": bytes(4)}
    with pytest.raises(WireError, match=r"inputs\.x: shape \(\) where 1 rows should be"):
        read_tensors({"x": scalar}, "inputs", 1)


def test_column_with_one_value_travels_once() -> None:
    """Texts, numbers and NaN alike; columns that are not named, or have several values, stay whole."""
    columns = {
        "host_class": np.array(["x86", "x86"], dtype=object),
        "loss": np.full(2, np.nan),
        "caller": np.array([1, 2], np.uint64),
        "time": np.zeros(2),
    }
    short = shortened(columns, ["host_class", "loss", "caller"])
    assert {name: len(column) for name, column in short.items()} == {  # type: ignore[arg-type]
        "host_class": 1,
        "loss": 1,
        "caller": 2,
        "time": 2,
    }
    full = extended(short, ["host_class", "loss", "caller"], 2)  # type: ignore[arg-type]
    assert all(np.array_equal(full[name].astype(str), column.astype(str)) for name, column in columns.items())


def test_short_column_is_not_taken_for_any_other() -> None:
    """A column that every release reads has one entry a row."""
    assert extended({"time": np.zeros(1)}, ["loss"], 3)["time"].shape == (1,)
