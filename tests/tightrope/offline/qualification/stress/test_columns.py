import numpy as np
import pytest

from tightrope.offline.qualification.stress.columns import NotApplicableError, missing, quantised
from tightrope.service.config.loader import ConfigError

ROWS = np.stack([np.arange(400.0), np.zeros(400), np.arange(400.0) % 7], axis=1).astype(np.float32)
COUNTS = np.arange(400, dtype=np.int64)[:, None]


def test_each_row_loses_one_of_the_named_columns() -> None:
    """The row and the seed alone say which; the file's own rows stay as they are."""
    (lost,) = missing([{"x": ROWS, "n": COUNTS}], {0: float("nan"), 3: -1}, seed=1)
    in_first, in_last = np.isnan(lost["x"][:, 0]), lost["n"][:, 0] == -1
    assert (in_first ^ in_last).all()
    assert 100 < in_first.sum() < 300
    assert np.array_equal(lost["x"][:, 1:], ROWS[:, 1:])
    assert np.isfinite(ROWS).all()
    (turned,) = missing([{"x": ROWS[::-1], "n": COUNTS[::-1]}], {0: float("nan"), 3: -1}, seed=1)
    assert np.array_equal(turned["n"][::-1], lost["n"])


def test_integers_have_no_missing_number() -> None:
    """A code has to stand for it; and a column that is not there is named."""
    with pytest.raises(NotApplicableError, match="column 0 holds integers; write an integer"):
        missing([{"n": COUNTS}], {0: float("nan")}, seed=1)
    with pytest.raises(ConfigError, match=r"scenarios.missing: there is no column 9; the inputs have 1 numbers"):
        missing([{"n": COUNTS}], {9: 0.0}, seed=1)


def test_values_are_rounded_to_steps_of_the_range_of_the_file() -> None:
    """Over all parts of the file; missing values and equal ones stay."""
    rows = ROWS.copy()
    rows[0, 2] = np.nan
    parts = quantised([{"x": rows[:100]}, {"x": rows[100:]}], {0: 4, 1: 3, 2: 2})
    found = np.concatenate([part["x"] for part in parts])
    assert np.unique(found[:, 0]).tolist() == [0.0, 99.75, 199.5, 299.25, 399.0]
    assert np.abs(found[:, 0] - ROWS[:, 0]).max() <= 399 / 8
    assert np.isnan(found[0, 2])
    assert (found[:, 1] == 0).all()
