from pathlib import Path

import numpy as np
import pytest

from tests.support.qualified_pair import sided_rows, sided_settings
from tightrope.offline.pair_evaluation import prepare
from tightrope.offline.qualification.scenarios import Jitter, measure_flips
from tightrope.service.config.loader import ConfigError

ROWS = np.stack([np.arange(100.0), np.zeros(100)], axis=1).astype(np.float32)


def test_only_named_columns_move_and_stay_within_the_range_of_the_file() -> None:
    """Up or down by the size, a matter of the row and the seed alone."""
    (changed,) = Jitter({0: 1.0}, seed=1).apply([{"x": ROWS}])
    moved = changed["x"] - ROWS
    assert set(np.unique(moved[1:-1, 0])) == {-1.0, 1.0}
    assert (moved[:, 1] == 0).all()
    assert (changed["x"].min(), changed["x"].max()) == (0.0, 99.0)
    (reversed_,) = Jitter({0: 1.0}, seed=1).apply([{"x": ROWS[::-1].copy()}])
    assert np.array_equal(reversed_["x"][::-1], changed["x"])
    assert not np.array_equal(Jitter({0: 1.0}, seed=2).apply([{"x": ROWS}])[0]["x"], changed["x"])


def test_a_column_that_is_not_there_is_named() -> None:
    """With the number of columns."""
    with pytest.raises(ConfigError, match=r"scenarios.jitter: there is no column 7; the inputs have 2 numbers"):
        Jitter({7: 1.0}, seed=1).apply([{"x": ROWS}])


def test_equal_models_flip_alike(tmp_path: Path) -> None:
    """No row has a gap, though answers flip."""
    evaluation = prepare(sided_settings(tmp_path, [[1, 0], [0, 0]]), None, sided_rows(tmp_path))
    assert (measure_flips(evaluation, Jitter({0: 10.0}, seed=1)) == 0).all()
    harmful = prepare(sided_settings(tmp_path), None, sided_rows(tmp_path))
    assert set(np.unique(measure_flips(harmful, Jitter({0: 3.0}, seed=1)))) & {1.0, -1.0}
