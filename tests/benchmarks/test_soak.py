"""The soak: a short one, with what it prints."""

import os
import re
from pathlib import Path

from benchmarks.soak import HEADER, PARTS, Usage, measure, slope, soak


def test_soak_prints_a_line_for_each_part() -> None:
    """Requests are answered, with labels too; the bytes, the state and the memory are those of the server."""
    header, *lines, last = soak(0.04, 40.0, 0.5)
    assert header == HEADER
    assert len(lines) == PARTS
    figures = [[float(figure) for figure in line.split()] for line in lines]
    assert {len(each) for each in figures} == {12}
    assert sum(each[1] for each in figures) > 20
    assert sum(each[2] for each in figures) == 0
    assert figures[-1][-2] > 50
    assert re.fullmatch(r"slope of RSS after the first half: [+-][0-9.]+ MB an hour", last)


def test_slope_is_that_of_the_memory() -> None:
    """In bytes an hour."""
    points = [Usage(60.0 * n, 0, 0, 0, 10_000_000 + 1_000 * n, 0, 0, 0) for n in range(60)]
    assert round(slope(points)) == 60_000


def test_usage_is_that_of_the_process(tmp_path: Path) -> None:
    """Bytes written grow with what is written; the state is the size of the files in its folder."""
    before = measure(os.getpid(), tmp_path)
    (tmp_path / "tightrope.db-wal").write_bytes(bytes(100_000))
    after = measure(os.getpid(), tmp_path)
    assert after.wchar >= before.wchar + 100_000
    assert (after.state, after.wal) == (100_000, 100_000)
    assert after.files >= 3
