import base64
from pathlib import Path

import numpy as np
import pytest

from tests.support.csv_tables import batch_centred, pair_config, read_settings, write_table
from tests.support.qualified_pair import sided_rows, sided_settings
from tightrope.monitors.records import Role
from tightrope.offline.pair_evaluation import prepare
from tightrope.offline.qualification.numerics import GOLDEN_ROWS, golden_rows, measure_numerics
from tightrope.offline.qualification.row_bytes import bytes_of_rows
from tightrope.service.inference.qualified.golden_answers import distances

ROWS = {"x": np.random.default_rng(1).integers(0, 9, (600, 5)).astype(np.float32)}


def test_shuffled_rows_are_nobodys() -> None:
    """None is in the file, each column has values of the file, and the seed decides."""
    rows = golden_rows([ROWS], seed=1, shuffled=True)
    assert rows["x"].shape == (GOLDEN_ROWS, 5)
    assert not set(bytes_of_rows([rows])) & set(bytes_of_rows([ROWS]))
    assert np.array_equal(rows["x"], golden_rows([ROWS], seed=1, shuffled=True)["x"])
    assert not np.array_equal(rows["x"], golden_rows([ROWS], seed=2, shuffled=True)["x"])


def test_rows_of_the_file_are_taken_where_asked() -> None:
    """For texts and images, whose columns mean nothing alone."""
    rows = golden_rows([ROWS], seed=1, shuffled=False)
    assert set(bytes_of_rows([rows])) <= set(bytes_of_rows([ROWS]))


def test_golden_answers_are_found_again_here(tmp_path: Path) -> None:
    """On the host that made them both models are within their bounds, at distance zero."""
    evaluation = prepare(sided_settings(tmp_path), None, sided_rows(tmp_path))
    record = measure_numerics(evaluation, 1, shuffled=True)
    assert distances(evaluation.pair, record, list(Role)) == dict.fromkeys(Role, 0.0)
    assert record.bound == {"baseline": 1e-4, "compressed": 1e-4}
    assert len(base64.b64decode(record.answers["baseline"])) == GOLDEN_ROWS * 2 * 4


def test_what_batches_change_widens_the_bound(tmp_path: Path) -> None:
    """Twice the largest change."""
    config = pair_config(tmp_path)
    config["models"]["m"]["compressed"] = str(batch_centred(tmp_path / "moody.onnx"))  # type: ignore[index]
    data = write_table(tmp_path / "rows.csv", np.random.default_rng(1).normal(size=(300, 2)) + 1)
    evaluation = prepare(read_settings(tmp_path, config), None, data)
    record = measure_numerics(evaluation, 1, shuffled=True)
    assert record.bound["baseline"] == pytest.approx(1e-4)
    assert record.bound["compressed"] > 0.1
