from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.qualified_pair import GOLDEN, demo_settings, sided_settings
from tests.support.sweeps import distinct_rows
from tightrope.offline.pair_evaluation import load_pair
from tightrope.offline.sweep.swept_rows import read_swept_rows
from tightrope.service.inference.row_files.row_file import RowFileError
from tightrope.service.inference.row_files.row_schema import schema_of


def test_three_in_ten_rows_choose(tmp_path: Path) -> None:
    """By the digest of each row: 1,204 of the demo's 4,000 with seed 1."""
    schema = schema_of(load_pair(demo_settings(tmp_path, "good_int8"), None))
    rows = read_swept_rows(GOLDEN, schema, 1)
    assert (int(rows.chosen.sum()), rows.judging) == (1204, 2796)


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    """One part would be empty."""
    schema = schema_of(load_pair(sided_settings(tmp_path), None))
    with pytest.raises(RowFileError, match="some have to choose and others to judge"):
        read_swept_rows(distinct_rows(tmp_path, 2), schema, 3)


def test_the_first_rows_that_choose_are_taken_from_all_parts(tmp_path: Path) -> None:
    """In the order of the file."""
    path = distinct_rows(tmp_path, 100)
    rows = read_swept_rows(path, schema_of(load_pair(sided_settings(tmp_path), None)), 1)
    (part,) = rows.first_chosen(5)
    (table,) = rows.table.parts
    assert (part["input"] == table["input"][rows.chosen][:5]).all()
    halves = replace(rows, table=replace(rows.table, parts=[{"input": each} for each in np.split(table["input"], 2)]))
    joined = np.concatenate([each["input"] for each in halves.first_chosen(1000)])
    assert (joined == table["input"][rows.chosen]).all()
