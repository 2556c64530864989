from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.judgement.comparisons import make_comparisons
from tightrope.monitors.records import ROW_ARRAYS, Comparisons
from tightrope.service.adapters.journal.row_columns import row_columns, rows_of_columns
from tightrope.service.adapters.wire.envelope import WireError, pack, unpack

SPECIAL = [0.0, -0.0, np.nan, 1.0]


def read_again(rows: Comparisons, ids: Any = None) -> Comparisons:  # noqa: ANN401 - any column of ids
    """Rows as they are written and read."""
    fields, arrays = row_columns(rows, ids)
    body = unpack(pack("tightrope.test", fields), "tightrope.test")
    return rows_of_columns(body, b"".join(arrays))  # type: ignore[arg-type]  # an array has its bytes


@given(
    st.lists(st.sampled_from(SPECIAL), min_size=1, max_size=5), st.lists(st.sampled_from("ab"), min_size=5, max_size=5)
)
def test_rows_come_back_to_the_bit(values: list[float], hosts: list[str]) -> None:
    """Columns of one value and others; 0 and -0 are two values, and NaN is one."""
    n = len(values)
    rows = replace(
        make_comparisons(n),
        distance=np.abs(values),
        bias=np.array(values),
        host_class=np.array(hosts[:n], object),
        request_id=tuple(map(str, range(n))),
    )
    again = read_again(rows)
    assert again.request_id == rows.request_id
    for name in ROW_ARRAYS:
        column = getattr(rows, name)
        same = column.tolist() if column.dtype == object else column.tobytes()
        other = getattr(again, name)
        assert same == (other.tolist() if column.dtype == object else other.tobytes())


def test_column_of_one_value_takes_no_room() -> None:
    """Texts that are equal count as one, too, whether they are one object or not."""
    texts = np.array([bytes(name).decode() for name in [b"amd"] * 100], object)
    rows = replace(make_comparisons(100), seconds=np.full(100, np.nan), host_class=texts)
    fields, arrays = row_columns(rows, None)
    assert fields["seconds"] == {"dtype": "<f8", "shape": (1,), "bytes": 8}
    assert [*fields["host_class"]] == ["amd"]  # type: ignore[call-overload]  # it is a column
    assert max(each.nbytes for each in arrays) <= 800


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (np.array([255, 1], np.uint64), ("00000000000000ff", "0000000000000001")),
        (np.full((2, 16), 171, np.uint8), ("ab" * 16, "ab" * 16)),
    ],
)
def test_ids_come_back_as_names(ids: Any, names: tuple[str, ...]) -> None:  # noqa: ANN401 - any column of ids
    """Numbers and digests, in hexadecimal."""
    assert read_again(make_comparisons(2), ids).request_id == names


def test_ids_of_another_form_are_refused() -> None:
    """A digest has sixteen bytes."""
    with pytest.raises(WireError, match=r"ids: shape \(2, 8\) where 16 bytes a row should be"):
        read_again(make_comparisons(2), np.zeros((2, 8), np.uint8))


def test_columns_that_are_cut_short_are_refused() -> None:
    """Bytes are never made up."""
    fields, arrays = row_columns(make_comparisons(2), None)
    body = unpack(pack("tightrope.test", fields), "tightrope.test")
    with pytest.raises(WireError, match="cannot be"):
        rows_of_columns(body, b"".join(arrays)[:-1])  # type: ignore[arg-type]  # an array has its bytes
