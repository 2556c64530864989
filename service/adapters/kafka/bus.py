"""The bus on Apache Kafka: the contract of the embedded bus, across processes and machines."""

from collections.abc import Iterator

from tightrope.service.adapters.kafka.admin import TopicDescription, describe
from tightrope.service.adapters.kafka.consumer import KafkaSubscription, RebalanceCallback
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.producer import BufferedProducer, LossCallback, partition_of
from tightrope.service.adapters.kafka.replay import replay
from tightrope.service.adapters.ports import BusUnavailableError, Record, StartOffsets
from tightrope.service.adapters.topics import SAMPLES, topic


def _ignore(*_: object) -> None:
    """The default callback."""


class KafkaBus:
    """Implements `ports.Bus`. Construction makes no connection; `publish` never waits for Kafka.

    ``lost`` is called with every record that will never be delivered, ``rebalanced`` with every group whose partitions
    were assigned anew; ``strict`` is for callers that `flush`. Not to be shared with a forked process.
    """

    def __init__(
        self,
        options: KafkaOptions,
        lost: LossCallback = _ignore,
        rebalanced: RebalanceCallback = _ignore,
        *,
        strict: bool = True,
    ) -> None:
        self._options = options
        self._rebalanced = rebalanced
        self._producer = BufferedProducer(options, lost, strict=strict)
        self._descriptions: dict[str, TopicDescription] = {}

    @property
    def log(self) -> str:
        """The id of the samples topic: a topic that is deleted and created again has another id."""
        return self._describe(topic(SAMPLES)).id

    @property
    def unacknowledged(self) -> int:
        """Records published and not acknowledged yet."""
        return self._producer.unacknowledged

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Take a record for delivery."""
        self._producer.publish(topic, value, key)

    def flush(self, timeout: float) -> None:
        """Wait until the brokers have acknowledged every record."""
        self._producer.flush(timeout)

    def subscribe(
        self, *topics: str, group: str | None = None, start_offsets: StartOffsets | None = None
    ) -> KafkaSubscription:
        """A reader, which connects at its first poll."""
        return KafkaSubscription(self._options, topics, group, start_offsets, self._rebalanced)

    def replay(self, topic: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
        """Records read by a consumer of their own, which closes with the iterator."""
        return replay(self._options, topic, partition, since, until)

    def partition(self, topic: str, key: str) -> int:
        """The partition of a key: Kafka's default hash of the part before a slash."""
        return partition_of(key, self._describe(topic).partitions)

    def close(self, timeout: float) -> None:
        """Deliver the buffered records, for at most ``timeout`` seconds."""
        self._producer.close(timeout)

    def _describe(self, name: str) -> TopicDescription:
        """A topic as first described: its id and its partitions must not change while this bus is in use."""
        if name not in self._descriptions:
            found = describe(self._options, [name])
            if name not in found:
                raise BusUnavailableError(
                    f"there is no topic {self._options.prefix}{name}; create it with `tightrope topics`"
                )
            self._descriptions |= found
        return self._descriptions[name]
