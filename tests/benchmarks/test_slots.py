"""The benchmark of slots plants what it says, and measures the parts of the search that it names."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.hunter import search
from benchmarks.slots import BOTH, LATTICE, PLANTED, SLOTS_ALONE, Planted, false_alarms, searched_by
from tightrope.monitors.budget import Budget

PLANT = Planted(codes=2, harmed=0.9, columns=6, rows=1_536)
HARMED = {(column, 1.0, 1.0) for column in range(3)}


@pytest.mark.parametrize("planted", PLANTED)
def test_no_single_column_is_over_the_limit(planted: Planted) -> None:
    """The three columns meet in the harm: a search by single columns does not find it."""
    rows = planted.drawn(0)
    rates = [rows.disagree[rows.features[:, column] == 1].mean() for column in range(3)]
    harmed = (rows.features[:, :3] == 1).all(axis=1)
    assert harmed.mean() == pytest.approx(planted.codes**-3, rel=0.2)
    assert rows.disagree[harmed].mean() == pytest.approx(planted.harmed, abs=0.12)
    assert max(rates) < 0.1


def test_parts_of_the_search_are_what_they_are_called() -> None:
    """A lattice without slots, slots without a lattice, and both."""
    plan = PLANT.plan()
    by = {parts: searched_by(plan, parts).search for parts in (LATTICE, SLOTS_ALONE, BOTH)}
    assert [parts for parts, each in by.items() if each is not None and each.slots] == [SLOTS_ALONE, BOTH]
    sizes = {parts: len(each.reference or ()) for parts, each in by.items() if each is not None}
    assert sizes[SLOTS_ALONE] == 0
    assert sizes[LATTICE] == sizes[BOTH] > 50


def test_slots_find_what_is_planted() -> None:
    """Alone; the group that is named is the planted one, or a larger one that holds it."""
    plan = searched_by(PLANT.plan(), SLOTS_ALONE)
    first = next(search(plan, PLANT.drawn(1)))
    assert {*first.predicates} <= HARMED
    assert 256 < first.row <= 1_536


def test_false_alarms_are_counted_one_by_one() -> None:
    """A found group is forgotten, so that its rows go on being searched."""
    plan = replace(searched_by(PLANT.plan(), SLOTS_ALONE), budget=Budget(3.0))
    rows = replace(PLANT.drawn(2), disagree=np.random.default_rng(5).random(PLANT.rows) < 0.3)
    assert len(list(false_alarms(plan, rows))) > 1
