"""Groups that do not read, and clocks that differ."""

from dataclasses import replace

from tests.support.cluster.cluster_views import GROUP, NOW, PLAN, control, healthy, heartbeat
from tightrope.service.adapters.kafka.inspection import GroupView
from tightrope.wiring.doctor.cluster_view import SeenNote
from tightrope.wiring.doctor.finding import Finding, Severity
from tightrope.wiring.doctor.flow_findings import clock_findings, group_findings

SAMPLES = "tightrope.samples"


def of_workers(before: GroupView, after: GroupView) -> Finding:
    """The finding about the workers."""
    (found,) = group_findings(healthy(groups={"workers": (before, after)}))
    return found


def behind(records: int, **changes: object) -> GroupView:
    """A group with that many records left."""
    return replace(GROUP, lag={(SAMPLES, 0): records}, **changes)  # type: ignore[arg-type]


def test_group_that_reads_is_fine() -> None:
    """A few records are always on their way."""
    assert of_workers(behind(2), behind(80)).text == "1 member, 80 records not read yet."


def test_group_without_members_is_blind() -> None:
    """Also where nothing waits yet."""
    found = of_workers(behind(7), GroupView("Empty", lag={(SAMPLES, 0): 7}))
    assert (found.severity, found.text) == (Severity.BLIND, "no process of this group runs; 7 records wait.")
    assert "`tightrope worker CONFIG`" in found.remedy


def test_lag_is_told_unless_it_shrinks() -> None:
    """Two looks tell a backlog that is worked off from one that grows."""
    assert of_workers(behind(900), behind(500)).severity is Severity.NOTE
    found = of_workers(behind(500), behind(500))
    assert (found.severity, found.text) == (
        Severity.ACT,
        "500 records behind, and not catching up; harm is found late.",
    )


def test_partitions_without_a_reader_are_told() -> None:
    """A group that is settled and does not read all partitions never will."""
    lag = {(SAMPLES, 0): 0, (SAMPLES, 1): 300}
    found = of_workers(replace(GROUP, lag=lag | {(SAMPLES, 1): 500}), replace(GROUP, lag=lag))
    assert found.text == "300 records behind, and only 1 of 2 partitions have a reader."


def test_offsets_beyond_the_end_are_blind() -> None:
    """The topic was made anew, or the broker lost its records."""
    found = of_workers(GROUP, replace(GROUP, beyond=((SAMPLES, 0),)))
    assert found.severity is Severity.BLIND
    assert "beyond the end of tightrope.samples/0" in found.text


def test_clocks_are_compared() -> None:
    """This machine's by what it heard, the gateways' by their notes."""
    view = healthy(
        control=control(heartbeats=[heartbeat(skew=-90.0), heartbeat(skew=-89.8)]),
        notes=[SeenNote("m", 1, PLAN, NOW + 3600, NOW), SeenNote("m", 1, PLAN, NOW, NOW)],
    )
    assert [finding.text for finding in clock_findings(view)] == [
        "the clock of this machine is 90 s behind the brokers'.",
        "the clock of a gateway is 3600 s ahead of the brokers'.",
    ]
    assert {finding.severity for finding in clock_findings(view)} == {Severity.ACT}
