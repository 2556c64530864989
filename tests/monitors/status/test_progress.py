"""Warnings beside verdicts: autocorrelated rows, and the share of rows with a label."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import (
    CLASS_MONITORS,
    judge_rows,
    make_comparisons,
    make_plan,
)
from tests.support.judgement.labelled_judge import labelled
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Comparisons, Stream
from tightrope.monitors.status.progress import label_coverage
from tightrope.monitors.status.verdicts import verdicts

ROW_MONITORS = [name for name, monitor in CLASS_MONITORS.items() if monitor.stream is Stream.COMPARISONS]


def make_quiet_plan(**changes: object) -> Plan:
    """Build a plan of one monitor, in ticks of four rows."""
    return make_plan("disagreement", tick_rows=4, **changes)


def bursts(n: int, chance: float) -> Comparisons:
    """Build rows that repeat the previous disagreement with this chance, or else disagree at 10 %.

    The model counts every second row.
    """
    rng = np.random.default_rng(3)
    stays, chosen = rng.random(n) < chance, rng.random(n) < 0.1
    thrown = chosen[np.maximum.accumulate(np.where(stays, 0, np.arange(n)))]
    return make_comparisons(2 * n, disagree=np.repeat(thrown, 2), draw=np.arange(2 * n) % 2)


@pytest.mark.parametrize("chance", [0.0, 0.02, 0.15, 0.5])
def test_autocorrelation_of_rows_is_reported(chance: float) -> None:
    """The lag-1 autocorrelation equals that of numpy, over the rows that the model counts."""
    plan = make_plan("disagreement", tick_rows=16, samples=1e300, rates=np.array([0.5, 1, 1, 1]))
    rows = bursts(8_000, chance)
    counted = rows.disagree[::2].astype(float)
    state, _ = judge_rows(plan, rows)
    shown = state.lag.correlation
    assert shown == pytest.approx(np.corrcoef(counted[:-1], counted[1:])[0, 1], abs=1e-3)
    assert shown == pytest.approx(chance, abs=0.03)


def test_autocorrelation_needs_variance() -> None:
    """Without rows, and without a row that differs, it is unknown."""
    plan = make_quiet_plan()
    assert initial_state(plan).lag.correlation is None
    state, _ = judge_rows(plan, make_comparisons(16, disagree=np.arange(16) < 4))
    assert (state.lag.correlation or 0) > 0.4
    assert judge_rows(plan, make_comparisons(16))[0].lag.correlation is None


def test_coverage_is_the_labelled_share_of_rows() -> None:
    """Rows that can still get their label do not count."""
    state = initial_state(make_quiet_plan())
    assert label_coverage(state) is None
    assert label_coverage(replace(state, labels={"joined": 3, "expired": 1, "unknown": 9, "duplicate": 9})) == 0.75


def test_coverage_is_shown_with_label_monitors_only() -> None:
    """A rate among labelled rows means little where few rows get a label."""
    plan = labelled()
    state = replace(initial_state(plan), labels={"joined": 1, "expired": 3})
    verdicts_by_cell = {verdict.monitor: verdict.coverage for verdict in verdicts(plan, state)}
    assert {name for name, share in verdicts_by_cell.items() if share == 0.25} == {
        name for name in verdicts_by_cell if name in CATALOGUE and CATALOGUE[name].stream is Stream.LABELS
    }
    assert verdicts_by_cell["accuracy"] == 0.25
    assert verdicts_by_cell["disagreement"] is None
