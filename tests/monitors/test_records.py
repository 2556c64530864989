"""Records keep their rows together, and each role has its counterpart."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact, make_comparisons
from tightrope.monitors.records import ADDED_ARRAYS, ROW_ARRAYS, Comparisons, Role

TEXTS = ("host_class", "shadow_host_class", "trace_id")


def distinct_rows(n: int) -> Comparisons:
    """Build rows that differ from each other in every column that can hold different values."""
    columns = {name: np.arange(n) + 100.0 * index for index, name in enumerate(ROW_ARRAYS)}
    columns |= {name: np.array([f"{name} {row}" for row in range(n)], object) for name in TEXTS}
    matrices = {name: np.eye(n, 3) + number for number, name in enumerate(("missed", "gained"))}
    more = {"fault": np.arange(n) % 4, "member": np.eye(n, 3, dtype=bool)}
    return make_comparisons(n, **columns | matrices | more)


def test_every_column_is_a_row_array() -> None:
    """Columns have one entry per row; the other fields describe the whole batch."""
    rows = distinct_rows(4)
    assert set(ROW_ARRAYS) | {"model", "baseline_digest", "compressed_digest", "log", "scopes", "request_id"} == set(
        Comparisons.__dataclass_fields__
    )
    assert {len(getattr(rows, name)) for name in (*ROW_ARRAYS, "request_id")} == {4}
    assert len(rows) == 4


def test_take_picks_the_same_rows_of_every_column() -> None:
    """A mask or a slice selects rows in order, the request ids too."""
    rows = distinct_rows(5)
    for picked in (rows.take(np.array([False, True, False, True, False])), rows.take(slice(1, 4, 2))):
        assert picked.request_id == (rows.request_id[1], rows.request_id[3])
        for name in ROW_ARRAYS:
            assert np.array_equal(getattr(picked, name), getattr(rows, name)[[1, 3]]), name
        assert (picked.model, picked.log, picked.scopes) == (rows.model, rows.log, rows.scopes)


@settings(deadline=None, max_examples=50)
@given(n=st.integers(0, 12), cut=st.integers(0, 12))
def test_join_undoes_a_cut(n: int, cut: int) -> None:
    """At any position, down to the last bit and dtype."""
    rows = distinct_rows(n)
    first, last = rows.take(slice(0, cut)), rows.take(slice(cut, None))
    assert (
        bit_exact(first.join(last))
        == bit_exact(first.join(last.take(slice(0, 1)), last.take(slice(1, None))))
        == bit_exact(rows)
    )


def test_columns_that_are_left_out_are_unknown() -> None:
    """Records of the version before lack them; such rows join rows that have them, classes included."""
    new = make_comparisons(2, loss=[0.5, 0.25], caller=[1, 2], missed=np.ones((2, 3)), host_class="x86_64")
    old = replace(new, **dict.fromkeys(ADDED_ARRAYS))
    joined = old.join(new)
    assert joined.caller.tolist() == [0, 0, 1, 2]
    assert joined.host_class.tolist() == ["", "", "x86_64", "x86_64"]
    assert np.array_equal(joined.loss, [np.nan, np.nan, 0.5, 0.25], equal_nan=True)
    assert np.array_equal(joined.missed, np.repeat([np.nan, 1.0], 2)[:, None].repeat(3, axis=1), equal_nan=True)
    assert joined.gained.shape == (4, 0)


@pytest.mark.parametrize(
    "other",
    [
        make_comparisons(1, log="log-2"),
        make_comparisons(1, scopes=("group=a", "half=left", "group=b")),
        make_comparisons(1, scopes=()),
        replace(make_comparisons(1), compressed_digest="another"),
    ],
    ids=["log", "order of scopes", "no scopes", "artefact"],
)
def test_join_refuses_rows_of_another_group(other: Comparisons) -> None:
    """Offsets of another log and memberships in other scopes must not be mixed up."""
    with pytest.raises(ValueError, match="model, log, scopes and digests must be the same"):
        make_comparisons(1).join(other)


def test_each_role_shadows_the_other() -> None:
    """The role that answered is not run again."""
    assert (Role.BASELINE.other, Role.COMPRESSED.other) == (Role.COMPRESSED, Role.BASELINE)
