"""One part fails: the harmful student answers no longer than `blind_seconds` where judgement stopped, elsewhere no
longer than twice the time of an unfaulted detection, and an alert stands.
"""

from collections.abc import Iterator, Mapping

import pytest

from tests.support.faults.cases import SINGLES, UNFAULTED, Case, Reports, running, shortcomings
from tests.support.faults.faults import KINDS
from tests.support.observability.firing import firing

OPEN: Mapping[Case, str] = {}
"""Cases that still break a promise, with the line of the issue that will mend them."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reports]:
    """All cases of this file, played by processes of their own."""
    with running(tmp_path_factory.mktemp("single"), SINGLES) as played:
        yield played


def test_unfaulted_detection_moves_the_minority_alone(reports: Reports) -> None:
    """The measure of all other cases: healthy traffic raises no alert; then the student is replaced where it harms."""
    report = reports[UNFAULTED].result()
    assert "group=minority" in report.safe
    assert 0 < report.harmful < 1000
    assert report.errors == []
    assert firing(report.before, report.before) == []
    assert "TightropeSafeMode" in firing(report.before, report.after)


def test_every_kind_of_part_fails() -> None:
    """A judge, a worker, a disk, a clock, a client and a model."""
    assert {KINDS[name] for (name,) in SINGLES} == {"judge", "worker", "disk", "clock", "client", "model"}


@pytest.mark.parametrize("case", [UNFAULTED, *SINGLES], ids="+".join)
def test_each_incident_replays_to_the_byte(reports: Reports, case: Case) -> None:
    """Where the judge saw the harm, it is recorded; and the limits that held repeat the moves of what is recorded."""
    report = reports[case].result()
    assert report.unequal == []
    assert (report.incidents > 0) >= any(kind == "breach" for _, kind in report.events)


@pytest.mark.parametrize("case", SINGLES, ids="+".join)
def test_net_holds_when_one_part_fails(reports: Reports, case: Case) -> None:
    """Each fault alone; a case in `OPEN` must still fail, so that the list shrinks with the mends."""
    found = shortcomings(case, reports[case].result(), reports[UNFAULTED].result())
    assert bool(found) is (case in OPEN), found or f"{case} holds now: take it out of OPEN"
