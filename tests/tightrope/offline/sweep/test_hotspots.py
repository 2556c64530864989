from pathlib import Path
from typing import cast

import pytest

from tests.support.sweeps import small_sweep
from tightrope.offline.sweep import hotspots, sweep
from tightrope.offline.sweep.making import tensor_changes
from tightrope.offline.sweep.making.tensor_changes import TensorChange
from tightrope.offline.sweep.sweep import SweepOptions

CHANGES = cast("dict[TensorChange, object]", tensor_changes._CHANGES)
HOT = SweepOptions(hotspots=True)


def test_each_tensor_is_changed_alone(tmp_path: Path) -> None:
    """The only weight of the baseline has one value that is not zero, which both changes keep but for rounding."""
    report = small_sweep(tmp_path, HOT)
    assert (report.hotspots, report.untried) == ([], 0)


def test_time_and_number_bound_the_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of those that were not made is on record; what was measured is kept for the next run."""
    monkeypatch.setitem(CHANGES, TensorChange.EIGHT_BITS, lambda values: values * 0.5)
    assert [each.change for each in small_sweep(tmp_path, HOT).hotspots] == ["8 bits, one scale"]
    assert small_sweep(tmp_path, SweepOptions(hotspots=True, seconds=0.0)).untried == 1
    monkeypatch.setattr(hotspots, "MOST_TRIALS", 0)
    assert small_sweep(tmp_path, HOT).untried == 1


def test_a_changed_model_that_cannot_answer_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without shares."""
    monkeypatch.setitem(CHANGES, TensorChange.EIGHT_BITS, lambda values: values * 1e38)
    (found,) = small_sweep(tmp_path, HOT).hotspots
    assert (found.seen, found.worst) == ({}, None)


def test_the_extra_is_asked_for_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after an hour of judging."""

    def refuse() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "require_extra", refuse)
    monkeypatch.setattr(sweep, "find_variants", lambda *_: pytest.fail("the variants were looked for"))
    with pytest.raises(KeyboardInterrupt):
        small_sweep(tmp_path, HOT)
