"""The ledger: days, restarts, clocks that jump, and disks that are full."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest

from tightrope.monitors.cost.amounts import CostAmounts
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.ledger.cost_table import COSTS_FILE, CostTable
from tightrope.service.errors import UnavailableError
from tightrope.service.sampling.ledger.ledger import CHECKS_PER_WRITE, CostLedger, open_ledger, utc_day

NOON = 1_796_040_000.0
TODAY, DAY = date(2026, 11, 30), 86_400.0
ONE = CostAmounts(answer=1.0, rows_compressed=2)


class Source:
    """A part that counts what a test says."""

    def __init__(self, part: str = "gateway") -> None:
        self.part = part
        self.amounts = CostAmounts()
        self.checks = 0

    def check_sight(self) -> None:
        """Count the call."""
        self.checks += 1

    def take(self) -> Mapping[str, CostAmounts]:
        """Return the amounts that were set, once."""
        amounts, self.amounts = self.amounts, CostAmounts()
        return {"m": amounts}


class Room(FreeSpace):
    """A volume that is short of space while a test says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.short = False

    def is_short(self) -> bool:
        """Return the value that was set."""
        return self.short


class Bench:
    """A ledger on a clock and a volume that a test sets. A new bench on a folder is a restart after SIGKILL."""

    def __init__(self, folder: Path, *sources: Source) -> None:
        self.now = NOON
        self.room = Room(folder)
        self.failures: list[str] = []
        self.source = sources[0] if sources else Source()
        table = CostTable(folder / "costs.db")
        self.ledger = CostLedger(table, sources or [self.source], self.room, self.failures.append, lambda: self.now)

    def count(self, amounts: CostAmounts = ONE) -> None:
        """Count amounts, and write them."""
        self.source.amounts = amounts
        self.ledger.write()

    def seconds(self, first: date = TODAY, last: date = TODAY) -> dict[date, float]:
        """The CPU seconds of answers by day."""
        return {day.day: day.cpu.answer for day in self.ledger.between("m", first, last)}


def test_noon_is_that_of_today() -> None:
    """The tests' own clock."""
    assert utc_day(NOON) == TODAY


def test_day_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Portions that were written stay, whether the process stopped or was killed."""
    first = Bench(tmp_path)
    first.count()
    first.source.amounts = ONE
    first.ledger.stop(1.0)
    killed = Bench(tmp_path)
    killed.count()
    killed.source.amounts = ONE  # counted, and not written
    assert Bench(tmp_path).seconds() == {TODAY: 3.0}


def test_days_are_those_of_utc(tmp_path: Path) -> None:
    """A second before midnight, and midnight itself; days without anything are left out."""
    bench = Bench(tmp_path)
    for now in (NOON + DAY / 2 - 1, NOON + DAY / 2, NOON + 3 * DAY):
        bench.now = now
        bench.count()
    tomorrow, later = TODAY + timedelta(1), TODAY + timedelta(3)
    assert bench.seconds(TODAY, later) == {TODAY: 1.0, tomorrow: 1.0, later: 1.0}
    assert bench.seconds(tomorrow, TODAY + timedelta(2)) == {tomorrow: 1.0}


def test_day_of_a_clock_that_ran_ahead_counts_as_today(tmp_path: Path) -> None:
    """Each second is in one day of an answer, also after a restart on the corrected clock, and until that day comes."""
    ahead = Bench(tmp_path)
    ahead.now = NOON + 2 * DAY
    ahead.count()
    ahead.now = NOON
    ahead.count()
    assert ahead.seconds(TODAY, TODAY + timedelta(9)) == {TODAY: 2.0}
    restarted = Bench(tmp_path)
    assert restarted.seconds() == {TODAY: 2.0}
    restarted.now = NOON + 2 * DAY
    assert restarted.seconds(TODAY, TODAY + timedelta(9)) == {TODAY: 1.0, TODAY + timedelta(2): 1.0}


def test_day_begins_with_zeros_of_each_part(tmp_path: Path) -> None:
    """A worker that ran nothing is distinguished from one that does not count here; it is written once."""
    bench = Bench(tmp_path, Source("gateway"), Source("worker"))
    bench.ledger.write()
    (day,) = bench.ledger.between("m", TODAY, TODAY)
    assert (day.parts, day.cpu.shadow) == (("gateway", "worker"), 0.0)
    changed = (tmp_path / COSTS_FILE).stat().st_mtime_ns
    bench.ledger.write()
    assert (tmp_path / COSTS_FILE).stat().st_mtime_ns == changed


def test_full_disk_keeps_the_costs_in_memory_and_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is written before the reserve, all of it afterwards, and nothing twice."""
    bench = Bench(tmp_path)
    bench.room.short = True
    bench.count()
    bench.count()
    assert not (tmp_path / COSTS_FILE).exists()
    assert (bench.failures, bench.seconds()) == (["disk_short", "disk_short"], {TODAY: 2.0})
    assert caplog.text.count("short of space") == 1
    bench.room.short = False
    bench.count()
    assert bench.seconds() == Bench(tmp_path).seconds() == {TODAY: 3.0}


def test_file_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    """It is counted each time; a reader is told that the days are not known now."""
    blocked = tmp_path / "state"
    blocked.write_text("")
    bench = Bench(blocked)
    bench.count()
    assert bench.failures == ["unwritable"]
    blocked.unlink()
    bench.count()
    assert bench.seconds() == {TODAY: 2.0}
    bench.ledger.stop(1.0)
    (blocked / "costs.db").unlink()
    (blocked / "costs.db").mkdir()
    with pytest.raises(UnavailableError):
        bench.seconds()


def test_every_fifth_check_writes(tmp_path: Path) -> None:
    """Those before it only check the sight."""
    bench = Bench(tmp_path)
    for _ in range(CHECKS_PER_WRITE - 1):
        bench.ledger.check()
    assert (bench.source.checks, (tmp_path / COSTS_FILE).exists()) == (CHECKS_PER_WRITE - 1, False)
    bench.ledger.check()
    assert (tmp_path / COSTS_FILE).exists()


def test_failure_becomes_a_counter(tmp_path: Path) -> None:
    """With its reason as the label."""
    blocked = tmp_path / "state"
    blocked.write_text("")
    counted: list[Mapping[str, Mapping[tuple[str, ...], float]]] = []
    ledger = open_ledger(blocked, [Source()], counted.append)
    ledger.write()
    assert counted[0]["cost_ledger_failures"] in ({("unwritable",): 1}, {("disk_short",): 1})
