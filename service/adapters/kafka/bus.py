"""The bus on Apache Kafka: the same contract as the embedded one, across processes and machines."""

from collections.abc import Iterator

from tightrope.service.adapters.kafka.admin import Found, described
from tightrope.service.adapters.kafka.consumer import KafkaSubscription, Rebalanced
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.producer import Lost, Publisher, partition_of
from tightrope.service.adapters.kafka.replay import span
from tightrope.service.adapters.ports import Begin, BusAwayError, Record
from tightrope.service.adapters.topics import SAMPLES, topic


def _nobody(*_: object) -> None:
    """Nobody wants to be told."""


class KafkaBus:
    """Implements `ports.Bus`. Made without asking Kafka anything; `publish` never waits for it.

    ``lost`` is told of every record that will never be delivered, ``rebalanced`` of every group whose places were dealt
    out anew; ``strict`` is for those who `flush`. Not to be shared with a forked process.
    """

    def __init__(
        self, options: KafkaOptions, lost: Lost = _nobody, rebalanced: Rebalanced = _nobody, *, strict: bool = True
    ) -> None:
        self._options = options
        self._rebalanced = rebalanced
        self._publisher = Publisher(options, lost, strict=strict)
        self._known: dict[str, Found] = {}

    @property
    def log(self) -> str:
        """The samples topic's own id: one that is deleted and made anew has another."""
        return self._look(topic(SAMPLES)).id

    @property
    def waiting(self) -> int:
        """Records published and not acknowledged yet."""
        return self._publisher.waiting

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Take a record for delivery."""
        self._publisher.publish(topic, value, key)

    def flush(self, timeout: float) -> None:
        """Wait until the brokers have acknowledged everything."""
        self._publisher.flush(timeout)

    def subscribe(self, *topics: str, group: str | None = None, begin: Begin | None = None) -> KafkaSubscription:
        """A reader, which connects when it first polls."""
        return KafkaSubscription(self._options, topics, group, begin, self._rebalanced)

    def span(self, topic: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
        """By a reader of its own, which ends with the iteration."""
        return span(self._options, topic, partition, since, until)

    def partition(self, topic: str, key: str) -> int:
        """As every Kafka client has it, by what comes before a slash."""
        return partition_of(key, self._look(topic).partitions)

    def close(self, timeout: float) -> None:
        """Deliver what waits, as far as ``timeout`` seconds allow."""
        self._publisher.close(timeout)

    def _look(self, name: str) -> Found:
        """A topic as it was when this was first asked: neither its id nor its partitions may change under us."""
        if name not in self._known:
            found = described(self._options, [name])
            if name not in found:
                raise BusAwayError(f"there is no topic {self._options.prefix}{name}; `tightrope topics` makes it")
            self._known |= found
        return self._known[name]
