"""The file with the costs by day: amounts add up, old days go, and trouble with the disk is told."""

import sqlite3
import stat
from datetime import date, timedelta
from pathlib import Path

import pytest

from tightrope.monitors.cost.amounts import CostAmounts
from tightrope.service.adapters.ledger import cost_table
from tightrope.service.adapters.ledger.cost_table import KEPT_DAYS, CostKey, CostTable
from tightrope.service.errors import UnavailableError

FIRST = date(2026, 11, 30)
KEY = CostKey(FIRST, "m", "gateway")
ONE = CostAmounts(*range(1, 1 + len(CostAmounts._fields)))


def test_amounts_are_added_to_what_an_earlier_process_wrote(tmp_path: Path) -> None:
    """Every column by itself, and the file is this user's alone."""
    table = CostTable(tmp_path / "state" / "costs.db")
    assert table.since("m", FIRST) == {}
    table.add({KEY: ONE})
    table.close()
    again = CostTable(tmp_path / "state" / "costs.db")
    again.add({KEY: ONE})
    assert again.since("m", FIRST) == {KEY: ONE.plus(ONE)}
    assert stat.S_IMODE((tmp_path / "state" / "costs.db").stat().st_mode) == 0o600


def test_processes_share_the_file(tmp_path: Path) -> None:
    """Two of them add in turn, and each reads the sum; models and earlier days are apart."""
    gateways = [CostTable(tmp_path / "costs.db") for _ in range(2)]
    for _ in range(3):
        for table in gateways:
            table.add({KEY: ONE})
    other = KEY._replace(model="other")
    gateways[0].add({other: ONE, KEY._replace(day=FIRST - timedelta(1)): ONE})
    assert gateways[1].since("m", FIRST) == {KEY: CostAmounts(*(6 * value for value in ONE))}
    assert set(gateways[1].since("m", FIRST - timedelta(1))) == {KEY, KEY._replace(day=FIRST - timedelta(1))}


def test_latest_400_days_are_kept_also_when_the_clock_jumps_ahead(tmp_path: Path) -> None:
    """A day far ahead takes the place of one day, and not of all."""
    table = CostTable(tmp_path / "costs.db")
    table.add({KEY._replace(day=FIRST + timedelta(number)): ONE for number in range(KEPT_DAYS)})
    assert len(table.since("m", FIRST)) == KEPT_DAYS
    table.add({KEY._replace(day=date(2099, 1, 1)): ONE})
    days = sorted(key.day for key in table.since("m", date.min))
    assert (len(days), days[0], days[-1]) == (KEPT_DAYS, FIRST + timedelta(1), date(2099, 1, 1))


@pytest.mark.parametrize("damage", ["bytes", "version", "columns"])
def test_file_that_cannot_be_read_is_moved_aside(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    """Damaged, or of a newer Tightrope: the costs begin anew, nothing is overwritten, and the log tells."""
    path = tmp_path / "costs.db"
    CostTable(path).add({KEY: ONE})
    if damage == "bytes":
        path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    else:
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version=99" if damage == "version" else "DROP TABLE costs")
        db.execute("CREATE TABLE IF NOT EXISTS costs (other TEXT)")
        db.commit()
        db.close()
    table = CostTable(path)
    table.add({KEY: ONE})
    assert table.since("m", FIRST) == {KEY: ONE}
    assert [*tmp_path.glob("costs.db.unreadable-*")]
    assert "moved" in caplog.text


def test_folder_that_cannot_be_written_is_told_and_tried_again(tmp_path: Path) -> None:
    """Where a file stands in the place of the folder, and once it is gone."""
    blocked = tmp_path / "state"
    blocked.write_text("")
    table = CostTable(blocked / "costs.db")
    with pytest.raises(UnavailableError, match=r"costs\.db: the costs cannot be read or written now"):
        table.add({KEY: ONE})
    blocked.unlink()
    table.add({KEY: ONE})
    assert table.since("m", FIRST) == {KEY: ONE}


def test_portion_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock of another program, and a value that fails after the first line was written."""
    monkeypatch.setattr(cost_table, "LOCK_SECONDS", 0.0)
    table = CostTable(tmp_path / "costs.db")
    table.add({KEY: ONE})
    other = KEY._replace(model="other")
    with pytest.raises(UnavailableError, match="NOT NULL"):
        table.add({KEY: ONE, other: ONE._replace(answer=float("nan"))})
    assert table.since("m", FIRST) == {KEY: ONE}
    table.close()
    locking = sqlite3.connect(tmp_path / "costs.db", isolation_level=None)
    locking.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UnavailableError, match="locked"):
        table.add({KEY: ONE})
    locking.execute("ROLLBACK")
    locking.close()
    table.add({KEY: ONE})
    assert table.since("m", FIRST) == {KEY: ONE.plus(ONE)}
