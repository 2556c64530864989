"""Whether a judge lives, judges what the gateways serve, and is heard by them."""

import pytest

from tests.support.cluster.cluster_views import NOW, PLAN, control, healthy, heartbeat, routes
from tightrope.service.adapters.kafka.admin import TopicDescription
from tightrope.wiring.doctor.cluster_view import ClusterView, SeenNote, SeenSnapshot
from tightrope.wiring.doctor.finding import Finding, Severity
from tightrope.wiring.doctor.judge_findings import judge_findings, plans_and_epochs

OTHER = "b" * 64


def bad(view: ClusterView) -> list[Finding]:
    """The findings that are not fine."""
    return [finding for finding in judge_findings(view) if finding.severity > Severity.NOTE]


def test_model_without_a_judge_is_blind() -> None:
    """The age of the last heartbeat is told, if there was one."""
    (found,) = bad(healthy(control=control(heartbeats=[heartbeat(live=False, time=NOW - 600)]), notes=[]))
    assert (found.severity, found.subject) == (Severity.BLIND, "m")
    assert found.text == "no judge: no heartbeat came within 3 s, the last one 10 min ago."
    (found,) = bad(healthy(control=control(heartbeats=[], routes=[])))
    assert found.text == "no judge: no heartbeat came within 3 s, and there is no earlier one."


def test_two_judges_of_a_model_are_told() -> None:
    """A judge that ended before the doctor listened does not count."""
    beats = [heartbeat(judge="old", live=False), heartbeat(0, time=NOW - 9, live=False), heartbeat()]
    assert bad(healthy(control=control(heartbeats=beats))) == []
    (found,) = bad(healthy(control=control(heartbeats=[*beats, heartbeat(judge="j-2")])))
    assert found.text.startswith("2 judges judge it at the same time")


def test_plan_that_no_judge_judges_is_blind() -> None:
    """A gateway with other files, or of an older release; old notes do not count."""
    notes = [SeenNote("m", 9, PLAN, NOW, NOW), SeenNote("m", 9, OTHER, NOW, NOW), SeenNote("m", 9, "c", 0.0, NOW - 90)]
    (found,) = bad(healthy(notes=notes))
    assert found.severity is Severity.BLIND
    assert found.text.startswith(f"gateways serve plan {OTHER[:12]}, but the judge judges {PLAN[:12]}: ")
    (found,) = bad(healthy(notes=[SeenNote("m", 9, "", NOW, NOW)]))
    assert "serve plan unknown (an older release)" in found.text


def test_files_of_this_machine_that_differ_are_told() -> None:
    """The members may be right, and the CONFIG of the doctor wrong."""
    (found,) = bad(healthy(plans={"m": OTHER}))
    assert (found.severity, found.text) == (
        Severity.ACT,
        f"the files of this CONFIG make plan {OTHER[:12]}, but the judge judges {PLAN[:12]}.",
    )


def test_kept_rows_without_a_judged_one_are_blind() -> None:
    """A judge that lives and counts nothing is no evidence."""
    idle = control(heartbeats=[heartbeat(5, time=NOW - 30, live=False), heartbeat(5)])
    (found,) = bad(healthy(control=idle))
    assert found.text == "gateways kept 400 rows within the last minute, and no row was judged."
    assert bad(healthy(control=idle, notes=[])) == []


def test_epochs_that_went_back_are_blind() -> None:
    """Gateways apply newer modes only."""
    (found,) = bad(healthy(control=control(routes=[routes(50), routes(4)])))
    assert found.severity is Severity.BLIND
    assert "went back from 50 to 4" in found.text


@pytest.mark.parametrize(
    ("snapshot", "text"),
    [
        (SeenSnapshot("m", {}, 3, "d", NOW, "version: 9"), "its latest snapshot cannot be read: version: 9."),
        (
            SeenSnapshot("m", {"tightrope.labels": "id-other"}, 3, "d", NOW),
            "its snapshot is of other topics than these: tightrope.labels was made anew.",
        ),
        (SeenSnapshot("m", {}, -2000, "d", NOW), "the modes have epoch 3, the judge's snapshot -2000."),
    ],
)
def test_snapshot_that_does_not_fit_is_told(snapshot: SeenSnapshot, text: str) -> None:
    """Unreadable, of another log, or far behind the modes."""
    assert [finding.text for finding in bad(healthy(snapshots={"m": snapshot}))] == [text]


def test_modes_are_told() -> None:
    """Safe mode is a note, latched scopes need a person."""
    (note,) = [
        finding
        for finding in judge_findings(healthy(control=control(routes=[routes(3, "sex=f", state="safe")])))
        if finding.severity is Severity.NOTE
    ]
    assert note.text == "the baseline answers sex=f: safe mode."
    (found,) = bad(healthy(control=control(routes=[routes(3, "sex=f", state="latched")])))
    assert found.text == "sex=f latched in safe mode."


def test_models_of_another_fleet_are_told() -> None:
    """Two fleets on one prefix overwrite each other's topics; records of another program are counted."""
    (found,) = bad(healthy(control=control(heartbeats=[*control().heartbeats, heartbeat(model="theirs")])))
    assert found.text == "judges of models that CONFIG does not have: theirs."
    (found,) = bad(healthy(control=control(unreadable=2)))
    assert found.text == "2 of the newest records cannot be read: another program or version writes there."


def test_plans_of_all_members_are_side_by_side() -> None:
    """With the number of judges and both epochs."""
    topics = {"tightrope.samples": TopicDescription("id-samples", 2)}
    assert plans_and_epochs(healthy(topics=topics)) == {
        "m": {
            "plan_of_config": PLAN,
            "plans_judged": [PLAN],
            "plans_served": [PLAN],
            "judges": 1,
            "epoch": 3,
            "epoch_of_snapshot": 3,
        }
    }
