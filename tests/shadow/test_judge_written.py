"""A judge writes what changed: not its whole state at each round."""

from pathlib import Path

import pytest

from tests.support.judgement.comparisons import RowSource, make_plan
from tests.support.judgement.judge_harness import JudgeHarness

FEW = ("group=a", "group=b")
MANY = tuple(f"group={number}" for number in range(60))
ROUNDS = 100


def written(folder: Path, scopes: tuple[str, ...]) -> tuple[float, int]:
    """Bytes written in a round of one row, and those of a snapshot, for a model with these subgroups."""
    folder.mkdir()
    harness = JudgeHarness(folder, {"m": make_plan(scopes=scopes)})
    judge = harness.judge()
    harness.drain(judge)
    traffic, before = RowSource(), wchar()
    for _ in range(ROUNDS):
        harness.publish(traffic.rows(1, scopes=scopes))
        harness.drain(judge)
    bytes_written = wchar() - before
    (snapshot,) = harness.store._all("SELECT length(body) FROM snapshots WHERE model = 'm'")[0]
    harness.store.close()
    return bytes_written / ROUNDS, snapshot


def wchar() -> int:
    """The bytes that this process has written."""
    return int(dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())["wchar"])


@pytest.mark.parametrize("scopes", [FEW, MANY], ids=["few", "many"])
def test_round_of_one_row_writes_little(tmp_path: Path, scopes: tuple[str, ...]) -> None:
    """At most 20 kB a request where each has a round of its own, however large the snapshot is."""
    bytes_written, snapshot = written(tmp_path / "state", scopes)
    assert snapshot > 4 * bytes_written
    assert bytes_written < 20_000


def test_it_does_not_grow_with_the_subgroups(tmp_path: Path) -> None:
    """Twenty times the subgroups take less than twice the bytes."""
    few, small = written(tmp_path / "few", FEW)
    many, large = written(tmp_path / "many", MANY)
    assert large > 10 * small
    assert many < 2 * few
