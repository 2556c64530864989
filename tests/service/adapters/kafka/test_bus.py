import time
from contextlib import closing

import pytest
from kafka import KafkaAdminClient

from tests.support.cluster.kafka_buses import PARTITIONS, bus_on, create_all_topics, unique_options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.admin import look_up
from tightrope.service.adapters.ports import BusUnavailableError

LABELS, SAMPLED = "tightrope.labels", "tightrope.samples"


def test_log_id_is_that_of_the_samples_topic(kafka: Broker) -> None:
    """All processes read the same id, and a recreated topic has another one."""
    own, other = unique_options(kafka.address), unique_options(kafka.address)
    create_all_topics(own)
    create_all_topics(other)
    with bus_on(own) as one, bus_on(own) as two, bus_on(other) as three:
        assert one.log == two.log
        assert one.log != three.log


def test_missing_topic_is_reported_with_the_remedy(kafka: Broker) -> None:
    """Both the log's id and a key's partition need the topic."""
    with bus_on(unique_options(kafka.address)) as bus:
        with pytest.raises(
            BusUnavailableError, match=r"there is no topic .*-tightrope\.samples; create it with `tightrope topics`"
        ):
            _ = bus.log
        with pytest.raises(BusUnavailableError, match="create it with `tightrope topics`"):
            bus.partition("tightrope.comparisons", "m")


def test_records_are_in_the_partition_that_the_bus_names(kafka: Broker) -> None:
    """A judge derives its models from the partitions."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    with bus_on(own) as bus:
        keys = [f"model{number}" for number in range(12)]
        for key in keys:
            bus.publish("tightrope.comparisons", b"", key)
            bus.publish("tightrope.comparisons", b"", f"{key}/scope=a")
        bus.flush(5.0)
        assert bus.unacknowledged == 0
        reader = bus.subscribe("tightrope.comparisons")
        found: list[tuple[str, int]] = []
        while len(found) < 24:
            found += [(str(record.key), record.partition) for record in reader.poll(100, 5.0)]
        assert all(bus.partition("tightrope.comparisons", key) == partition for key, partition in found)
        assert {partition for _, partition in found} == set(range(PARTITIONS))


def test_topic_that_grows_moves_no_key(kafka: Broker) -> None:
    """Processes that started before and after it agree on the partition of a key, by their configuration's number."""
    own = unique_options(kafka.address, partitions=PARTITIONS)
    create_all_topics(own)
    keys = [f"model{number}" for number in range(12)]
    with bus_on(own) as before:
        named = {key: before.partition(LABELS, key) for key in keys}
        with closing(KafkaAdminClient(bootstrap_servers=[kafka.address])) as admin:
            admin.create_partitions({own.prefix + LABELS: 7})
        with bus_on(own) as after:
            for key in keys:
                after.publish(LABELS, b"", key)
            after.flush(5.0)
            assert {key: after.partition(LABELS, key) for key in keys} == named
            reader = after.subscribe(LABELS)
            written: dict[str, int] = {}
            while len(written) < len(keys):
                written |= {str(record.key): record.partition for record in reader.poll(100, 5.0)}
    assert written == named


def test_topic_made_anew_is_noticed_once(kafka: Broker) -> None:
    """By a look at the topics or by a request; a missing topic is waited for, and positions of the new one count."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    full = own.prefix + LABELS
    with bus_on(own) as bus, closing(KafkaAdminClient(bootstrap_servers=[kafka.address])) as admin:
        told: list[str] = []
        bus.on_made_anew = told.append
        before = bus.identities([LABELS, SAMPLED])
        bus.publish(LABELS, b"one", "m")
        bus.flush(5.0)
        assert sorted(bus.ends([LABELS]).values()) == [0, 1]
        assert bus.generation(LABELS, SAMPLED) == 0
        admin.delete_topics([full])
        while full in admin.list_topics():
            time.sleep(0.1)
        bus.notice(look_up(own, [LABELS]))
        assert (bus.generation(LABELS), told) == (0, [])
        create_all_topics(own)
        bus.notice(look_up(own, [LABELS, SAMPLED]))
        assert (bus.generation(LABELS), bus.generation(SAMPLED), told) == (1, 0, [LABELS])
        after = bus.identities([LABELS, SAMPLED])
        assert (after[LABELS] != before[LABELS], after[SAMPLED]) == (True, before[SAMPLED])
        assert (bus.generation(LABELS), told) == (1, [LABELS])
        assert set(bus.ends([LABELS]).values()) == {0}
