"""Topics that are missing or differ, and parked records."""

from tests.support.cluster.cluster_views import healthy
from tightrope.service.adapters.kafka.admin import MISSING_TOPIC, TopicDescription
from tightrope.service.adapters.topics import ALL_TOPICS, topic
from tightrope.wiring.doctor.finding import Severity
from tightrope.wiring.doctor.topic_findings import parked_findings, topic_findings

TOPICS = {topic(name): TopicDescription(name, 2) for name in ALL_TOPICS}


def test_missing_topics_are_one_finding() -> None:
    """Without a topic of the judgement no evidence arises; others need a person only."""
    found = list(topic_findings(healthy(topics=dict.fromkeys(TOPICS, MISSING_TOPIC))))
    assert [finding.severity for finding in found] == [Severity.BLIND, Severity.ACT]
    names = "tightrope.samples, tightrope.comparisons, tightrope.labels, tightrope.control, tightrope.snapshots"
    assert found[0].text == f"{names}: missing."
    assert "tightrope topics CONFIG" in found[0].remedy


def test_uneven_partitions_are_told_with_both_numbers() -> None:
    """The remedy says that a topic never shrinks."""
    (found,) = topic_findings(healthy(topics=TOPICS | {"tightrope.labels": TopicDescription("x", 7)}))
    assert (found.severity, found.subject) == (Severity.BLIND, "topics")
    assert found.text == "tightrope.labels: 7 partitions where bus.kafka.partitions says 2."
    assert "never shrink" in found.remedy


def test_settings_that_differ_need_a_person() -> None:
    """A line about partitions is not repeated."""
    lines = [
        "tightrope.labels: has 7 partitions where 2 should be",
        "tightrope.samples: retention.ms is 1 where 2 should be",
    ]
    (found,) = topic_findings(healthy(differences=lines))
    assert (found.severity, found.subject) == (Severity.ACT, "tightrope.samples")
    assert found.text == "retention.ms is 1 where 2 should be."


def test_parked_records_are_listed_by_reason() -> None:
    """The most frequent ones first; the rest is one line."""
    parked = {("tightrope.samples", f"reason {number}"): number for number in range(1, 8)}
    found = list(parked_findings(healthy(parked=parked)))
    assert found[0].text == "7 parked within the last hour: reason 7."
    assert len(found) == 6
    assert found[-1].text == "3 more parked for other reasons."
    assert {finding.severity for finding in found} == {Severity.ACT}
