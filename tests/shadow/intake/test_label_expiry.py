"""Rows and labels that waited too long are given up in small portions, also when no record comes."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.support.judgement.judge_harness import JudgeHarness
from tests.support.judgement.labelled_judge import HORIZON, NOW, batches, labelled, publish_labels
from tightrope.monitors.label_records import Label
from tightrope.shadow import judge as judge_module
from tightrope.shadow.intake import label_expiry as module


@pytest.fixture(autouse=True)
def clock() -> Iterator[list[float]]:
    """Replace the judge's clock by one that stands still until it is set, and let it check at each step."""
    now = [NOW]
    with patch.object(judge_module.time, "time", lambda: now[0]), patch.object(module, "EXPIRY_CHECK_SECONDS", 0.0):
        yield now


def held(harness: JudgeHarness) -> int:
    """The number of rows on disk that wait for a label."""
    harness.write_put_off()
    return int(harness.store._all("SELECT count(*) FROM held")[0][0])


def expired(harness: JudgeHarness) -> int:
    """The number of rows that were given up, as the latest state has it."""
    return harness.saved_state().labels.get("expired", 0)


def test_a_backlog_goes_in_portions_and_without_records(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step gives up one portion; each row is counted once, whether or not the judge begins again in between."""
    monkeypatch.setattr(module, "PORTION_ROWS", 20)
    harness = JudgeHarness(tmp_path, {"m": labelled()})
    judge = harness.judge()
    harness.publish(*batches(10))
    publish_labels(harness, [Label("m", "nobody", n, 0, NOW - 5000) for n in range(5)])
    harness.drain(judge)
    assert held(harness) == 100
    clock[0] = NOW + HORIZON
    sizes = []
    for number in range(8):
        if number == 3:
            harness.reopen()
            judge = harness.judge()
        judge.step(0)
        sizes.append(held(harness))
        assert expired(harness) == 100 - sizes[-1]
    assert sizes[:5] == [80, 60, 40, 20, 0]
    assert harness.saved_state().labels["unknown"] == 5


def test_what_is_overdue_by_little_waits_for_company(tmp_path: Path, clock: list[float]) -> None:
    """A snapshot goes with each portion: one is not written for each row."""
    harness = JudgeHarness(tmp_path, {"m": labelled()})
    judge = harness.judge()
    (rows,) = batches(1, begin=NOW)
    harness.publish(rows)
    clock[0] = NOW + 10
    harness.drain(judge)
    clock[0] = NOW + HORIZON + module.MOST_SLACK_SECONDS / 2
    judge.step(0)
    assert expired(harness) == 0
    clock[0] = NOW + HORIZON + module.MOST_SLACK_SECONDS + 1
    judge.step(0)
    assert expired(harness) == len(rows)


def test_nothing_is_looked_for_at_each_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a second of a look that found nothing there is no other."""
    monkeypatch.setattr(module, "EXPIRY_CHECK_SECONDS", 1.0)
    harness = JudgeHarness(tmp_path, {"m": labelled()})
    now = [0.0]
    expiry = module.LabelExpiry(harness.store, lambda: now[0])
    judge_round = harness.judge()._new_round(harness.plans)
    looks: list[float] = []
    monkeypatch.setattr(harness.store, "overdue_portion", lambda *_: looks.append(now[0]))
    for now[0] in (0.0, 0.5, 0.9, 1.0, 1.5, 2.1):
        assert not expiry.add_portion(judge_round, harness.plans, NOW)
    assert looks == [0.0, 1.0, 2.1]
