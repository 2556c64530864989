from dataclasses import replace

import pytest

from tests.support.cluster.kafka_buses import HOURS, options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.admin import create, described, differences, specs
from tightrope.service.adapters.kafka.options import MEGABYTE, KafkaOptions
from tightrope.service.adapters.ports import BusAwayError

NAMES = [
    f"tightrope.{n}" for n in ("samples", "comparisons", "labels", "control", "snapshots", "events", "dead", "payloads")
]


def test_topics_are_as_the_data_needs_them() -> None:
    """Equal partitions, so that a judge gets all of a model; the present is compacted, history is deleted in time."""
    wanted = {spec.name: spec for spec in specs(4, MEGABYTE, HOURS | {"events": 8760.0})}
    assert list(wanted) == NAMES
    assert {spec.partitions for spec in wanted.values()} == {4}
    compacted = {name for name, spec in wanted.items() if spec.settings["cleanup.policy"] == "compact"}
    assert compacted == {"tightrope.control", "tightrope.snapshots"}
    assert wanted["tightrope.events"].settings["retention.ms"] == str(365 * 24 * 3_600_000)


def test_records_are_dated_by_the_brokers_and_stand_on_all_copies_but_one() -> None:
    """No writer's clock counts; a broker that is lost takes nothing acknowledged with it, and stops nobody."""
    for copies, kept in ((1, "1"), (2, "1"), (3, "2")):
        for spec in specs(2, MEGABYTE, HOURS, copies):
            assert spec.settings["message.timestamp.type"] == "LogAppendTime"
            assert spec.settings["min.insync.replicas"] == kept


def test_made_topics_are_as_they_should_be_and_can_be_made_again(kafka: Broker) -> None:
    """Each has an id of its own, and what another process made in the meantime is no error."""
    own = options(kafka.address)
    wanted = specs(2, own.record_bytes, HOURS)
    assert differences(wanted, described(own, NAMES)) == [f"{name}: is not there" for name in NAMES]
    create(own, wanted, 1)
    create(own, wanted, 1)
    found = described(own, NAMES, settings=True)
    assert differences(wanted, found) == []
    assert len({topic.id for topic in found.values()}) == len(NAMES)


def test_differences_name_topic_setting_and_both_values(kafka: Broker) -> None:
    """One line each."""
    own = options(kafka.address)
    wanted = specs(2, own.record_bytes, HOURS)
    other = replace(wanted[0], partitions=3, settings={"cleanup.policy": "delete", "retention.ms": "1000000"})
    create(own, [other, *wanted[1:]], 1)
    assert differences(wanted, described(own, NAMES, settings=True)) == [
        "tightrope.samples: has 3 partitions where 2 should be",
        "tightrope.samples: max.message.bytes is 1048588 where 17825792 should be",
        "tightrope.samples: message.timestamp.type is CreateTime where LogAppendTime should be",
        "tightrope.samples: retention.ms is 1000000 where 3600000 should be",
    ]


def test_kafka_that_is_away_is_said_in_one_line() -> None:
    """With its address."""
    with pytest.raises(BusAwayError, match=r"^Kafka at 127\.0\.0\.1:1: "):
        described(KafkaOptions(("127.0.0.1:1",)), NAMES)
