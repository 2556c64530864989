import pytest

from tests.support.cluster.kafka_buses import PARTITIONS, bus_on, create_all_topics, unique_options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.ports import BusUnavailableError


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
