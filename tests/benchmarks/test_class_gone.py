"""The class that is never said again has the stated rates, and each method sees it as its definition says."""

import numpy as np
import pytest

from benchmarks.class_loss import CLASSES, SOUND, WINDOW, WINDOWS
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from benchmarks.situations.class_gone import (
    CHANGE,
    GONE,
    GROUP_SHARE,
    GROUPS,
    OURS,
    Classes,
    at_the_limit,
    fold,
    limit_of,
    watched,
)
from tightrope.monitors.catalogue import CATALOGUE

WHOLE, GROUPED = GONE


@pytest.mark.parametrize("name", GONE)
def test_class_is_said_until_the_change_and_then_no_more(name: str) -> None:
    """In the model, or in one subgroup; the others go on as before."""
    gone = GONE[name]
    rows = gone.draw(np.random.default_rng(1), 200_000)
    own, late = rows.baseline == 0, np.arange(200_000) >= CHANGE
    lost = own & late & ((rows.group == 0) if gone.grouped else True)
    assert own.mean() == pytest.approx(gone.share, rel=0.05)
    assert not (rows.compressed[lost] == 0).any()
    assert (rows.compressed != rows.baseline)[~lost].mean() == pytest.approx(SOUND, abs=0.0005)
    assert (rows.group == 0).mean() == pytest.approx(GROUP_SHARE, rel=0.05)


def test_loss_stays_below_all_limits_of_disagreement_and_the_groups_below_those_of_the_model() -> None:
    """Only the class's own monitor can see it, and in the subgroup only that of the subgroup."""
    whole, grouped = (GONE[name].draw(np.random.default_rng(2), 200_000) for name in (WHOLE, GROUPED))
    differs = {name: rows.compressed != rows.baseline for name, rows in (("whole", whole), ("grouped", grouped))}
    limit = CATALOGUE["disagreement"].limit
    assert differs["whole"].mean() < limit
    assert differs["grouped"].mean() < limit
    assert differs["grouped"][grouped.group == 0].mean() < 2 * limit
    assert differs["grouped"][grouped.baseline == 0].mean() < limit_of(grouped=False)


def test_quiet_rows_are_at_the_limit_of_every_class_and_subgroup() -> None:
    """Misses and gains."""
    rows = at_the_limit(np.random.default_rng(3), 400_000)
    differs = rows.baseline != rows.compressed
    for spoken in (rows.baseline, rows.compressed):
        rates = [
            differs[(spoken == each) & (rows.group == group)].mean()
            for each in range(CLASSES)
            for group in range(GROUPS)
        ]
        assert rates == pytest.approx([limit_of(grouped=True)] * len(rates), abs=0.03)


def test_class_is_seen_by_its_own_monitor() -> None:
    """By that of the model within 1,600 rows of the change, and never by disagreement."""
    rows = GONE[WHOLE].draw(np.random.default_rng(0), 10_240)
    assert CHANGE < next(fold(OURS["Tightrope"], rows)) <= CHANGE + 1_600
    assert list(fold(("disagreement",), rows)) == []


def test_class_is_seen_in_its_subgroup() -> None:
    """Its share of the rows is 0.28 %."""
    rows = GONE[GROUPED].draw(np.random.default_rng(0), 20_480)
    assert CHANGE < next(fold(OURS["Tightrope"], rows)) <= 20_480


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_see_a_gone_class_once_they_are_full_of_it(name: str) -> None:
    """Rows of other classes and subgroups do not fill them."""
    rows = GONE[GROUPED].draw(np.random.default_rng(0), 40_960)
    alarms = watched(WINDOWS[name], rows, range(1), range(1))
    own = np.flatnonzero((rows.baseline == 0) & (rows.group == 0))
    assert {*alarms} <= {*(own + 1).tolist()}
    late = own[own >= CHANGE]
    assert CHANGE < alarms[0] <= late[min(2 * WINDOW, len(late)) - 1] + 1
    assert watched(WINDOWS[name], rows, range(1), range(1, 2)) == []


def test_judgement_keeps_its_promise_at_the_limit() -> None:
    """At most one alarm in 2,000,000 rows, over all classes and subgroups."""
    rows = at_the_limit(np.random.default_rng(4), 20_480)
    assert isinstance(rows, Classes)
    assert len(list(fold(OURS["Tightrope"], rows, quiet=True))) <= 20_480 / SAMPLES_PER_FALSE_ALARM * 10
