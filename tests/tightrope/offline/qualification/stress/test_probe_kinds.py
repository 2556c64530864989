"""The search and the boundary report, on a pair of each kind of decision."""

from pathlib import Path

import pytest

from tests.support.kinds.planted_gaps import PLANTED, planted_pair
from tests.support.qualified_reports import judge
from tightrope.monitors.qualification.decision_margins import NO_MARGINS
from tightrope.offline.pair_evaluation import prepare
from tightrope.offline.qualification.stress.probe import SEARCHED_COLUMNS, run_probe

SEARCHED = [name for name in PLANTED if name != "labels"]
BOUNDARIES = {
    "plain classes": "margin",
    "classes": "margin",
    "binary": "margin",
    "multilabel": "distance from a threshold",
    "bands": "distance from an edge",
    "positions": "confidence",
    "any place": "confidence",
}
"""The order of the rows, of the kinds that have a boundary."""


@pytest.mark.parametrize("name", SEARCHED)
def test_planted_difference_is_found(tmp_path: Path, name: str) -> None:
    """It needs two features that are large together, as few rows have them."""
    settings, rows = planted_pair(tmp_path, PLANTED[name], is_apart=True)
    found = run_probe(prepare(settings, None, rows), 1)
    assert found.reason == ""
    assert found.found > 0.05 * found.starts
    assert found.largest is not None
    assert found.largest >= found.gap


@pytest.mark.parametrize("name", SEARCHED)
def test_nothing_is_found_in_a_good_pair(tmp_path: Path, name: str) -> None:
    """Rounding is no gap."""
    settings, rows = planted_pair(tmp_path, PLANTED[name], is_apart=False)
    found = run_probe(prepare(settings, None, rows), 1)
    assert (found.reason, found.found, found.starts) == ("", 0, 400)
    assert found.largest is not None
    assert found.largest < 0.1 * found.gap


def test_labels_have_no_gap(tmp_path: Path) -> None:
    """A search has nothing to climb on, and says so."""
    settings, rows = planted_pair(tmp_path, PLANTED["labels"], is_apart=True)
    assert run_probe(prepare(settings, None, rows), 1).reason == (
        "does not apply: two answers of kind labels differ or do not, and nothing between"
    )


def test_rows_of_many_numbers_are_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them say nothing of an image."""
    settings, rows = planted_pair(tmp_path, PLANTED["binary"], is_apart=True)
    assert SEARCHED_COLUMNS == 4096
    monkeypatch.setattr("tightrope.offline.qualification.stress.probe.SEARCHED_COLUMNS", 5)
    reason = run_probe(prepare(settings, None, rows), 1).reason
    assert reason == "does not apply: a row has 6 numbers, and two of them are too few"


@pytest.mark.parametrize("name", PLANTED)
def test_boundary_is_told_or_why_there_is_none(tmp_path: Path, name: str) -> None:
    """By what each kind has; the statement and the words have it, too."""
    settings, rows = planted_pair(tmp_path, PLANTED[name], is_apart=True)
    groups = judge(settings, rows, tmp_path, costs=False, stress=True).stress.scenarios["groups"]
    if name in BOUNDARIES:
        assert (groups["by"], groups["no_boundary"]) == (BOUNDARIES[name], "")
        assert sum(each["rows"] for each in groups["boundary"]) == 400
        margins = [each["margin"] for each in groups["boundary"]]
        assert margins == sorted(margins)
    else:
        assert (groups["boundary"], groups["no_boundary"]) == ([], NO_MARGINS)
