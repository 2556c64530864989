from dataclasses import replace

import pytest

from tests.support.cluster.kafka_buses import HOURS, unique_options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.admin import (
    MISSING_TOPIC,
    create_topics,
    describe,
    differences,
    look_up,
    topic_specs,
)
from tightrope.service.adapters.kafka.options import MEGABYTE, KafkaOptions
from tightrope.service.adapters.ports import BusUnavailableError

NAMES = [
    f"tightrope.{n}"
    for n in ("samples", "comparisons", "labels", "control", "snapshots", "events", "dead", "payloads", "incidents")
]


def test_topics_have_equal_partitions_and_their_retention() -> None:
    """Equal partitions let a judge read all records of a model; state is compacted, history expires."""
    wanted = {spec.name: spec for spec in topic_specs(4, MEGABYTE, HOURS | {"events": 8760.0})}
    assert list(wanted) == NAMES
    assert {spec.partitions for spec in wanted.values()} == {4}
    compacted = {name for name, spec in wanted.items() if spec.settings["cleanup.policy"] == "compact"}
    assert compacted == {"tightrope.control", "tightrope.snapshots"}
    assert wanted["tightrope.events"].settings["retention.ms"] == str(365 * 24 * 3_600_000)


def test_incidents_are_compacted_and_expire() -> None:
    """The latest version of a file stays until its time is over, also if its judge is gone for good."""
    (wanted,) = [spec for spec in topic_specs(4, MEGABYTE, HOURS | {"incidents": 48.0}) if "incidents" in spec.name]
    assert wanted.settings["cleanup.policy"] == "compact,delete"
    assert wanted.settings["retention.ms"] == str(48 * 3_600_000)


def test_brokers_set_timestamps_and_acknowledge_on_all_copies_but_one() -> None:
    """Producers' clocks do not matter; the loss of one broker loses no acknowledged record and blocks no producer."""
    for copies, kept in ((1, "1"), (2, "1"), (3, "2")):
        for spec in topic_specs(2, MEGABYTE, HOURS, copies):
            assert spec.settings["message.timestamp.type"] == "LogAppendTime"
            assert spec.settings["min.insync.replicas"] == kept


def test_created_topics_match_their_specification_and_can_be_created_again(kafka: Broker) -> None:
    """Each topic has its own id, and an existing topic is no error."""
    own = unique_options(kafka.address)
    wanted = topic_specs(2, own.record_bytes, HOURS)
    assert differences(wanted, describe(own, NAMES)) == [f"{name}: is missing" for name in NAMES]
    create_topics(own, wanted, 1)
    create_topics(own, wanted, 1)
    found = describe(own, NAMES, settings=True)
    assert differences(wanted, found) == []
    assert len({topic.id for topic in found.values()}) == len(NAMES)


def test_differences_name_topic_setting_and_both_values(kafka: Broker) -> None:
    """One line each."""
    own = unique_options(kafka.address)
    wanted = topic_specs(2, own.record_bytes, HOURS)
    other = replace(wanted[0], partitions=3, settings={"cleanup.policy": "delete", "retention.ms": "1000000"})
    create_topics(own, [other, *wanted[1:]], 1)
    assert differences(wanted, describe(own, NAMES, settings=True)) == [
        "tightrope.samples: has 3 partitions where 2 should be",
        "tightrope.samples: max.message.bytes is 1048588 where 17825792 should be",
        "tightrope.samples: message.timestamp.type is CreateTime where LogAppendTime should be",
        "tightrope.samples: retention.ms is 1000000 where 3600000 should be",
    ]


def test_unreachable_kafka_is_reported_in_one_line() -> None:
    """With its address."""
    with pytest.raises(BusUnavailableError, match=r"^Kafka at 127\.0\.0\.1:1: "):
        describe(KafkaOptions(("127.0.0.1:1",)), NAMES)


def test_look_up_tells_missing_topics_from_existing_ones(kafka: Broker) -> None:
    """A missing topic has no partitions and no id."""
    own = unique_options(kafka.address)
    create_topics(own, topic_specs(2, own.record_bytes, HOURS)[:1], 1)
    found = look_up(own, NAMES[:2])
    assert (found[NAMES[0]].partitions, found[NAMES[1]]) == (2, MISSING_TOPIC)
    assert found[NAMES[0]].id
