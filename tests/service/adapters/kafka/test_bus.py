import pytest

from tests.support.cluster.kafka_buses import PARTITIONS, bus_on, every_topic, options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.ports import BusAwayError


def test_log_is_named_by_the_samples_topic_itself(kafka: Broker) -> None:
    """Every process has the same name for it, and one that was made anew has another."""
    own, other = options(kafka.address), options(kafka.address)
    every_topic(own)
    every_topic(other)
    with bus_on(own) as one, bus_on(own) as two, bus_on(other) as three:
        assert one.log == two.log
        assert one.log != three.log


def test_missing_topics_are_named_with_their_remedy(kafka: Broker) -> None:
    """By whoever needs to know something of them."""
    with bus_on(options(kafka.address)) as bus:
        with pytest.raises(BusAwayError, match=r"there is no topic .*-tightrope\.samples; `tightrope topics` makes it"):
            _ = bus.log
        with pytest.raises(BusAwayError, match="`tightrope topics` makes it"):
            bus.partition("tightrope.comparisons", "m")


def test_records_stand_where_the_bus_says(kafka: Broker) -> None:
    """So a judge knows which models are its own."""
    own = options(kafka.address)
    every_topic(own)
    with bus_on(own) as bus:
        keys = [f"model{number}" for number in range(12)]
        for key in keys:
            bus.publish("tightrope.comparisons", b"", key)
            bus.publish("tightrope.comparisons", b"", f"{key}/scope=a")
        bus.flush(5.0)
        assert bus.waiting == 0
        reader = bus.subscribe("tightrope.comparisons")
        found: list[tuple[str, int]] = []
        while len(found) < 24:
            found += [(str(record.key), record.partition) for record in reader.poll(100, 5.0)]
        assert all(bus.partition("tightrope.comparisons", key) == partition for key, partition in found)
        assert {partition for _, partition in found} == set(range(PARTITIONS))
