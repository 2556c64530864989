"""Topics that differ from the configuration speak against the judgement, until they fit again."""

import logging
import time
from collections.abc import Mapping

import pytest

from tests.support.cluster.cluster import wait_until
from tests.support.cluster.kafka_buses import PARTITIONS, create_all_topics, unique_options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.admin import MISSING_TOPIC, TopicDescription
from tightrope.service.adapters.ports import BusUnavailableError
from tightrope.service.adapters.topics import ALL_TOPICS, topic
from tightrope.wiring import topic_watch
from tightrope.wiring.topic_watch import TopicWatch, partition_mismatches, watch_topics

LABELS, DEAD = "tightrope.labels", "tightrope.dead"


class Cluster:
    """Topics that a test changes, the metrics and the reasons that the watch gives."""

    def __init__(self) -> None:
        self.topics = {topic(name): TopicDescription(name, 2) for name in ALL_TOPICS}
        self.available = True
        self.mismatches: dict[str, bool] = {}
        self.reasons: list[str] = []
        self.heard: list[Mapping[str, TopicDescription]] = []
        self.watch = TopicWatch(self.look, 2, self, self.reasons.append, [self.heard.append])

    def look(self) -> Mapping[str, TopicDescription]:
        """The topics, while Kafka is available."""
        if not self.available:
            raise BusUnavailableError("Kafka does not answer")
        return dict(self.topics)

    def set_topic_mismatch(self, topic: str, *, mismatch: bool) -> None:
        """Remember the metric."""
        self.mismatches[topic] = mismatch


def test_topics_that_fit_are_no_reason() -> None:
    """Every topic is shown as fitting, and the listeners get the descriptions."""
    cluster = Cluster()
    assert cluster.watch.check()
    assert (cluster.watch.reason, cluster.reasons) == ("", [])
    assert set(cluster.mismatches.values()) == {False}
    assert cluster.heard == [cluster.topics]


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (TopicDescription("x", 7), f"{LABELS} has 7 partitions where bus.kafka.partitions says 2"),
        (TopicDescription("x", 1), f"{LABELS} has 1 partitions where bus.kafka.partitions says 2"),
        (MISSING_TOPIC, f"{LABELS} is missing: create it with `tightrope topics`"),
    ],
)
def test_topic_that_differs_is_told_until_it_fits(
    found: TopicDescription, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By the reason, the metric and one line in the log; when it fits again, all of them end."""
    cluster = Cluster()
    cluster.watch.check()
    cluster.topics[LABELS] = found
    with caplog.at_level(logging.WARNING):
        assert not cluster.watch.check()
        assert not cluster.watch.check()
    assert cluster.watch.reason == line
    assert {name for name, mismatch in cluster.mismatches.items() if mismatch} == {LABELS}
    assert [record.getMessage() for record in caplog.records] == [f"topics: {line}"]
    cluster.topics[LABELS] = TopicDescription("x", 2)
    assert cluster.watch.check()
    assert cluster.reasons == [line, ""]
    assert not any(cluster.mismatches.values())


def test_topic_without_evidence_is_told_only(caplog: pytest.LogCaptureFixture) -> None:
    """No evidence and no mode is in the topic of dead records: the process stays ready."""
    cluster = Cluster()
    cluster.topics[DEAD] = TopicDescription("x", 3)
    assert not cluster.watch.check()
    assert (cluster.watch.reason, cluster.reasons) == ("", [])
    assert cluster.mismatches[DEAD]
    assert f"{DEAD} has 3 partitions" in caplog.text


def test_unavailable_kafka_changes_nothing() -> None:
    """An unknown topic is no mismatch, and a known mismatch does not end by silence."""
    cluster = Cluster()
    cluster.available = False
    assert not cluster.watch.check()
    assert cluster.watch.reason == ""
    cluster.available = True
    cluster.topics[LABELS] = TopicDescription("x", 7)
    cluster.watch.check()
    cluster.available = False
    cluster.watch.check()
    assert "has 7 partitions" in cluster.watch.reason


def test_topic_that_the_user_may_not_see_is_no_mismatch() -> None:
    """A process sees only the topics that its rights allow."""
    assert partition_mismatches({LABELS: TopicDescription("x", 2)}, 2) == {}


def test_thread_outlives_an_error(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A failed look is logged, and the next one follows."""
    monkeypatch.setattr(topic_watch, "TOPICS_RETRY_SECONDS", 0.01)
    cluster = Cluster()
    topics, cluster.topics = cluster.topics, None  # type: ignore[assignment]
    cluster.watch.start()
    wait_until(lambda: "the comparison of the topics failed" in caplog.text)
    cluster.topics = topics
    wait_until(lambda: bool(cluster.heard))
    began = time.monotonic()
    cluster.watch.stop(5.0)
    assert time.monotonic() - began < 2.0


def test_watch_of_a_process_looks_at_the_broker(kafka: Broker) -> None:
    """Topics that exist with the right numbers fit; others are missing."""
    metrics = Cluster()
    options = unique_options(kafka.address, partitions=PARTITIONS)
    watch = watch_topics(options, metrics)
    assert not watch.check()
    assert watch.reason.startswith("tightrope.samples is missing")
    create_all_topics(options)
    wait_until(watch.check)
    assert watch.reason == ""
