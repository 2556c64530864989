"""Rows at a judge that lost their model are deleted, and the log says how many."""

from pathlib import Path

import pytest

from tests.support.judgement.review_rows import review_row
from tightrope.service.adapters.review.handover import ABANDON_SECONDS, ReviewHandover
from tightrope.service.adapters.sqlite.review_table import ReviewTable


def test_rows_go_ten_minutes_after_another_judge_took_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A rebalance, or a start, is shorter and deletes none."""
    table, now, judged = ReviewTable(tmp_path / "review.db"), [0.0], {"m"}
    handover = ReviewHandover(table, ["m"], judged.__contains__, lambda: now[0])
    table.add([review_row("1"), review_row("2")], 9)
    now[0] = 5 * ABANDON_SECONDS
    handover.check()
    judged.clear()
    now[0] += ABANDON_SECONDS
    handover.check()
    assert table.waiting("m", "ana") == 2
    now[0] += 1
    handover.check()
    handover.check()
    assert table.waiting("m", "ana") == 0
    assert [each.message for each in caplog.records] == [
        "m: another judge has taken over, so 2 rows are not reviewed here any more"
    ]
