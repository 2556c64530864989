"""Two parts of different kinds fail together, under the promises of `test_single.py`."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import pytest

from tests.support.faults.cases import PAIRS, UNFAULTED, Case, Reports, running, shortcomings
from tests.support.faults.faults import KINDS

OPEN: Mapping[Case, str] = {}
"""Cases that still break a promise, with the line of the issue that will mend them."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reports]:
    """All cases of this file, played by processes of their own."""
    with running(tmp_path_factory.mktemp("pairs"), PAIRS) as played:
        yield played


def test_every_two_kinds_fail_together() -> None:
    """Fifteen combinations of a judge, a worker, a disk, a clock, a client and a model."""
    expected = {frozenset(kinds) for kinds in combinations(set(KINDS.values()), 2)}
    assert {frozenset(KINDS[name] for name in pair) for pair in PAIRS} == expected
    assert len(expected) == 15


@pytest.mark.parametrize("case", PAIRS, ids="+".join)
def test_each_incident_replays_to_the_byte(reports: Reports, case: Case) -> None:
    """Two faults at once leave a record that leads to the same states, too."""
    assert reports[case].result().unequal == []


@pytest.mark.parametrize("case", PAIRS, ids="+".join)
def test_net_holds_when_two_parts_fail(reports: Reports, case: Case) -> None:
    """Each pair of faults; a case in `OPEN` must still fail, so that the list shrinks with the mends."""
    found = shortcomings(case, reports[case].result(), reports[UNFAULTED].result())
    assert bool(found) is (case in OPEN), found or f"{case} holds now: take it out of OPEN"
