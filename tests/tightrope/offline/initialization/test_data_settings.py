"""Settings from the rows of a file."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.csv_tables import SIGMOID_WEIGHTS, pair_settings, write_table
from tightrope.offline.initialization.data_settings import propose_tolerance, seen_limits
from tightrope.service.inference.row_files.row_file import RowFileError

ROWS = np.random.default_rng(5).normal(0, 2, (300, 2))


def test_limits_leave_room_for_what_was_seen(tmp_path: Path) -> None:
    """Each with its figures in words."""
    settings = pair_settings(tmp_path, SIGMOID_WEIGHTS * np.float32(1.01))
    found = seen_limits(settings, "m", write_table(tmp_path / "rows.csv", ROWS))
    limit, words = found.proposed["disagreement"]
    assert 0.0 < limit < 0.1
    assert words.startswith("0.0000 seen on 300 rows, at most 0.0")
    assert found.rows == 300
    assert f"disagreement: limit {limit:g}; {words}" in found.lines


def test_limit_above_the_default_is_told(tmp_path: Path) -> None:
    """The models differ more than is usual."""
    settings = pair_settings(tmp_path, SIGMOID_WEIGHTS * np.float32(-1))
    mirrored = np.abs(ROWS) * np.where(np.arange(len(ROWS)) % 10, 0.0, 1.0)[:, None]
    found = seen_limits(settings, "m", write_table(tmp_path / "rows.csv", mirrored))
    limit, words = found.proposed["disagreement"]
    assert 0.1 < limit < 0.3
    assert words.endswith("; more than the default 0.02")


def test_few_rows_give_no_limit(tmp_path: Path) -> None:
    """And say how many would."""
    found = seen_limits(pair_settings(tmp_path), "m", write_table(tmp_path / "rows.csv", ROWS[:12]))
    assert found.proposed == {}
    assert "disagreement: 12 rows are too few for a limit; 149 prove the default 0.02" in found.lines


def test_tolerance_is_a_share_of_the_span(tmp_path: Path) -> None:
    """It spans the answers from the 5th to the 95th percentile; a classifier has none."""
    decision = {"scale": "regression", "output": "probabilities"}
    settings = pair_settings(tmp_path, decision=decision)
    data = write_table(tmp_path / "rows.csv", ROWS)
    found = propose_tolerance(settings, "m", data)
    assert found is not None
    assert 0.7 < found.span < 1.0
    assert found.value == pytest.approx(0.05 * found.span, rel=0.2)
    assert propose_tolerance(pair_settings(tmp_path), "m", data) is None


def test_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """As `limits` does."""
    data = write_table(tmp_path / "rows.csv", ROWS[:, :1])
    with pytest.raises(RowFileError, match="has 1 input columns; the model takes 2"):
        seen_limits(pair_settings(tmp_path), "m", data)
