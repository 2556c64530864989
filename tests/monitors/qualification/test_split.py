import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.house.sources import ROOT
from tightrope.monitors.qualification.split import choosing_rows, draw, judging_rows


def golden_rows() -> list[bytes]:
    """Return the bytes of the rows of the demo's golden file."""
    rows = np.loadtxt(ROOT / "demo/data/golden.csv", delimiter=",", skiprows=1, usecols=range(16))
    return [row.tobytes() for row in rows.astype("<f4")]


def test_draws_of_the_golden_file_are_fixed() -> None:
    """The first row's draw, and the number of rows that choose, with the seed 1."""
    rows = golden_rows()
    assert round(draw("split", 1, rows[0]), 12) == 0.798765022591
    assert int(choosing_rows(rows, 1).sum()) == 1204


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40), st.integers(0, 5))
def test_equal_rows_are_in_one_part(rows: list[bytes], seed: int) -> None:
    """Whether a row chooses depends on nothing but its bytes and the seed."""
    chosen = choosing_rows(rows, seed).tolist()
    assert all(chosen[i] == chosen[rows.index(row)] for i, row in enumerate(rows))


def test_rows_of_withheld_scopes_do_not_judge() -> None:
    """Withheld scopes are served by the baseline, so the others are judged without their rows."""
    member = np.array([[True, True, False], [True, False, True], [True, False, False]])
    assert judging_rows(np.array([False, False, False]), member, [1]).tolist() == [False, True, True]
    assert judging_rows(np.array([True, False, False]), member, []).tolist() == [False, True, True]
