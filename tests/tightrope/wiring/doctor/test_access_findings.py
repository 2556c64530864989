"""Signatures, permissions, the members' own pages, and what did not answer."""

from tests.support.cluster.cluster_views import control, healthy
from tests.support.configs import ROOT
from tightrope.service.adapters.kafka.admin import MISSING_TOPIC
from tightrope.service.adapters.kafka.permissions.acls import Permission
from tightrope.service.adapters.prometheus.catalogue import METRICS
from tightrope.wiring.doctor.access_findings import (
    SIGNS,
    access_findings,
    member_findings,
    signing_findings,
    unanswered_findings,
)
from tightrope.wiring.doctor.cluster_view import SeenMember
from tightrope.wiring.doctor.finding import Severity


def test_unsigned_and_refused_records_are_told() -> None:
    """No secret is a note; a record that is refused needs a person; one from before the secret does not."""
    (note,) = signing_findings(healthy(signing="bus.kafka.signing: is missing"))
    assert (note.severity, note.text) == (Severity.NOTE, "bus.kafka.signing: is missing.")
    refused = {("tightrope.control", "forged"): 3, ("tightrope.control", "old"): 9}
    (found,) = signing_findings(healthy(control=control(refused=refused)))
    assert (found.severity, found.text) == (Severity.ACT, "3 of the newest records refused: forged.")


def test_signatures_of_records_that_were_not_read_are_not_praised() -> None:
    """Kafka does not answer: nothing is known about them, and a missing secret is still told."""
    assert list(signing_findings(healthy(control=None))) == []
    (note,) = signing_findings(healthy(control=None, signing="bus.kafka.signing: is missing"))
    assert note.severity is Severity.NOTE


def test_missing_permissions_are_named() -> None:
    """A user for one role is a note; one that can act in none needs a person."""
    missing = [Permission("topic", "tightrope.samples", "Read"), Permission("group", "workers", "Read")]
    (note,) = access_findings(healthy(lacking={"gateway": [], "worker": missing}))
    assert note.severity is Severity.NOTE
    assert note.text == (
        "this user may not act as worker: it lacks Read on topic tightrope.samples, Read on group workers."
    )
    (found,) = access_findings(healthy(lacking={"worker": missing}))
    assert found.severity is Severity.ACT


def test_member_that_is_not_ready_gives_its_reason() -> None:
    """A member that does not answer is told with the error."""
    members = [SeenMember("http://a", 503, ("a topic is missing",)), SeenMember("http://b", 0, ("refused",))]
    assert [finding.text for finding in member_findings(healthy(members=members))] == [
        "is not ready: a topic is missing.",
        "does not answer: refused.",
    ]


def test_metrics_of_a_member_are_signs() -> None:
    """The worst series of each metric is told with its labels."""
    metrics = {"tightrope_judge_age_seconds": {'{model="a"}': 70.0, '{model="b"}': 400.0}}
    (found,) = member_findings(healthy(members=[SeenMember("http://a", 200, (), metrics)]))
    assert (found.severity, found.text) == (Severity.BLIND, 'has heard no judge for 400 s {model="b"}.')
    assert found.remedy == "see TightropeJudgesSilent in the runbook"


def test_signs_are_metrics_with_an_entry_in_the_runbook() -> None:
    """A metric that is renamed would be silence."""
    names = {metric.full_name(name) for name, metric in METRICS.items()}
    runbook = (ROOT / "dashboards" / "runbook.md").read_text()
    for name, _, _, _, heading in SIGNS:
        assert f"tightrope_{name}" in names
        assert not heading or f"## {heading}\n" in runbook


def test_cluster_that_does_not_answer_is_silence() -> None:
    """If only some questions fail, a person must look; a missing topic is told once."""
    reasons = {"topics": "refused", "control": "refused", "models": "no file"}
    found = list(unanswered_findings(healthy(topics=None, unanswered=reasons)))
    assert [(finding.severity, finding.subject) for finding in found] == [
        (Severity.SILENT, "Kafka"),
        (Severity.NOTE, "models"),
    ]
    (found_one,) = unanswered_findings(healthy(unanswered={"groups": "no answer within 20 s"}))
    assert found_one.severity is Severity.ACT
    topics = {**(healthy().topics or {}), "tightrope.dead": MISSING_TOPIC}
    assert list(unanswered_findings(healthy(topics=topics, unanswered={"parked": "no topic"}))) == []
