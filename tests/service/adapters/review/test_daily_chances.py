"""The days of reviews survive a restart and a failing disk, and rows bring the probabilities of their day."""

import logging
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tightrope.monitors.records import MODEL_SCOPE, Comparisons
from tightrope.monitors.review.daily_cap import SECONDS_PER_DAY, DailyCap, GroupRows
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.adapters.review.daily_chances import DailyChances
from tightrope.service.adapters.sqlite.review_table import ReviewTable
from tightrope.service.errors import UnavailableError

CAP = DailyCap(LabelDraw(disagreements=0.5, random=0.0, floor=0.05), rows=20)


class Days:
    """The days of model ``m`` in a file, at a time that the test sets."""

    def __init__(self, folder: Path, cap: DailyCap = CAP, day: float = 20_000.0) -> None:
        self.table = ReviewTable(folder / "review.db")
        self.now = day * SECONDS_PER_DAY
        self.chances = DailyChances(self.table, {"m": cap}, lambda: self.now)

    def compare(self, n: int, model: str = "m") -> list[float]:
        """Compare disagreements; returns the different probabilities that they bring."""
        rows = Comparisons.from_columns(n, model=model, disagree=True, draw=np.arange(n) / n * 2.0**-27)
        stamped = self.chances.stamp(rows)
        return sorted({*stamped.chances[:, 0].tolist()}) if stamped.chances.shape[1] else []

    def at(self, day: float) -> "Days":
        """Set the clock, in days since 1970."""
        self.now = day * SECONDS_PER_DAY
        return self


@pytest.fixture
def days(tmp_path: Path) -> Days:
    """The first day, without any rows."""
    return Days(tmp_path)


def test_cap_lowers_the_probability_of_tomorrow_and_never_stops_today(days: Days) -> None:
    """A half of two hundred disagreements is drawn; the next day a tenth."""
    assert [days.compare(100), days.compare(100)] == [[0.5], [0.5]]
    assert days.chances.today("m").rows == {MODEL_SCOPE: GroupRows(200, 200, 100)}
    assert days.at(20_000.99999).compare(1) == [0.5]
    assert days.at(20_001).compare(1) == [20 / 201]


def test_rows_of_other_models_stay_as_they_are(days: Days) -> None:
    """They have no cap."""
    assert days.compare(3, "n") == []


def test_days_go_on_after_a_restart(tmp_path: Path, days: Days) -> None:
    """With today's probabilities, its rows so far, and those of the days before."""
    days.compare(200)
    days.at(20_001).compare(40)
    days.chances.save()
    again = Days(tmp_path, day=20_001.5)
    assert again.chances.today("m") == days.chances.today("m")
    assert again.compare(10) == [0.1]
    assert again.at(20_002).compare(1) == [0.1]
    assert again.chances.today("m").completed[20_001] == {MODEL_SCOPE: GroupRows(50, 50, 5)}


def test_restart_after_midnight_fixes_the_new_day_by_the_old_ones(tmp_path: Path, days: Days) -> None:
    """Nothing was stored on the day itself."""
    days.compare(400)
    days.chances.save()
    assert Days(tmp_path, day=20_001).compare(1) == [0.05]


def test_another_cap_after_a_restart_holds_at_once(tmp_path: Path, days: Days) -> None:
    """From the completed days; the rows of today are kept, and decide on nothing yet."""
    days.compare(200)
    days.at(20_001).compare(1_000)
    days.chances.save()
    again = Days(tmp_path, replace(CAP, rows=40), day=20_001)
    assert again.compare(1) == [0.2]
    assert again.chances.today("m").rows[MODEL_SCOPE].rows == 1_001


def test_unchanged_days_are_not_written_again(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each save of a change is one document."""
    stored: list[str] = []
    monkeypatch.setattr(days.table, "store_days", lambda model, _: stored.append(model))
    days.chances.save()
    days.compare(1)
    days.chances.save()
    days.chances.save()
    assert stored == ["m"]


def test_failing_disk_loses_no_row_of_today(tmp_path: Path, days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written the next time."""

    def fail(model: str, document: bytes) -> None:
        raise UnavailableError(f"{model}: no space left for {len(document)} bytes")

    days.compare(200)
    with monkeypatch.context() as broken:
        broken.setattr(days.table, "store_days", fail)
        with pytest.raises(UnavailableError, match="no space left"):
            days.chances.save()
    days.chances.save()
    assert Days(tmp_path).chances.today("m") == days.chances.today("m")


@pytest.mark.parametrize("document", [b"", b"{}", b'{"cap": 3}', b"\xff"])
def test_unreadable_days_begin_anew_and_are_told(
    tmp_path: Path, days: Days, document: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Without known days there is no cap today."""
    days.table.store_days("m", document)
    with caplog.at_level(logging.WARNING):
        assert Days(tmp_path).compare(1) == [0.5]
    assert "m: the rows reviewed on earlier days cannot be read, so today has no cap yet" in caplog.text


def test_groups_over_the_cap_at_the_least_probability_are_told_when_a_day_begins(
    days: Days, caplog: pytest.LogCaptureFixture
) -> None:
    """A twentieth of 1,000 disagreements is drawn, 50 instead of 20; the warning comes once a day."""
    days.compare(1_000)
    with caplog.at_level(logging.WARNING):
        days.at(20_001).compare(1)
        days.compare(1)
    (record,) = caplog.records
    assert record.getMessage() == (
        "m: about 50 rows of model may be drawn for review today, more than per_group_daily, 20: "
        "no disagreement is drawn with less than 0.05"
    )


def test_threads_lose_no_row(days: Days) -> None:
    """The page asks while the worker counts."""
    threads = [threading.Thread(target=lambda: [days.compare(10) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert days.chances.today("m").rows[MODEL_SCOPE].rows == 2_000
