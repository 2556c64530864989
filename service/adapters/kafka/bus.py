"""The bus on Apache Kafka: the contract of the embedded bus, across processes and machines."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock

from tightrope.service.adapters.kafka.admin import TopicDescription, describe, end_offsets
from tightrope.service.adapters.kafka.consumer import KafkaSubscription, RebalanceCallback
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.producer import BufferedProducer, LossCallback, partition_of
from tightrope.service.adapters.kafka.record_filter import CheckCallback, RecordFilter
from tightrope.service.adapters.kafka.replay import replay
from tightrope.service.adapters.ports import BusUnavailableError, LogPartition, Record, StartOffsets
from tightrope.service.adapters.topics import SAMPLES, topic

log = logging.getLogger(__name__)

PARKED_CLOSE_SECONDS = 1.0
"""Seconds that a closing bus gives to the delivery of refused records."""


def _ignore(*_: object) -> None:
    """The default callback."""


class KafkaBus:
    """Implements `ports.Bus`. Construction makes no connection; `publish` never waits for Kafka.

    ``lost`` is called with every record that will never be delivered, ``rebalanced`` with every group whose partitions
    were assigned anew, ``checked`` with every record that is refused, or accepted without a signature; ``strict`` is
    for callers that `flush`. ``on_made_anew`` is called with every topic that was made anew while the bus was in use.
    Not to be shared with a forked process.
    """

    def __init__(
        self,
        options: KafkaOptions,
        lost: LossCallback = _ignore,
        rebalanced: RebalanceCallback = _ignore,
        checked: CheckCallback = _ignore,
        *,
        strict: bool = True,
    ) -> None:
        self._options = options
        self._rebalanced = rebalanced
        self._producer = BufferedProducer(options, lost, strict=strict)
        self._filter = RecordFilter(options, checked)
        self._descriptions: dict[str, TopicDescription] = {}
        self._made_anew: Counter[str] = Counter()
        self._noticing = Lock()
        self.on_made_anew: Callable[[str], None] = _ignore

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
        return KafkaSubscription(self._options, topics, group, start_offsets, self._rebalanced, self._filter)

    def replay(self, topic: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
        """Records read by a consumer of their own, which closes with the iterator."""
        return replay(self._options, self._filter, topic, partition, since, until)

    def partition(self, topic: str, key: str) -> int:
        """The partition of a key: Kafka's default hash of the part before a slash."""
        return partition_of(key, self._describe(topic).partitions, self._options.partitions)

    def close(self, timeout: float) -> None:
        """Deliver the buffered records, for at most ``timeout`` seconds."""
        self._producer.close(timeout)
        self._filter.close(PARKED_CLOSE_SECONDS)

    def generation(self, *topics: str) -> int:
        """How often one of these topics was made anew, as far as `notice` or a request has seen."""
        return sum(self._made_anew[name] for name in topics)

    def identities(self, topics: Sequence[str]) -> dict[str, str]:
        """The ids of topics as they are now; a topic that was made anew counts as noticed."""
        return {name: found.id for name, found in self._request(topics).items()}

    def ends(self, topics: Sequence[str]) -> dict[LogPartition, int]:
        """The offset after the last record of each partition."""
        return end_offsets(self._options, self._request(topics))

    def notice(self, described: Mapping[str, TopicDescription]) -> None:
        """Compare topics as they are now with what this bus knows: another id is another log under the same name. A
        topic that is missing is waited for.
        """
        anew = []
        with self._noticing:
            for name, found in described.items():
                known = self._descriptions.get(name)
                if found.id and known is not None and known.id != found.id:
                    self._made_anew[name] += 1
                    anew.append(name)
                if found.id and (known is None or known.id != found.id):
                    self._descriptions[name] = found
        for name in anew:
            log.error("topic %s%s was made anew: its readers begin again", self._options.prefix, name)
            self.on_made_anew(name)

    def _request(self, names: Sequence[str]) -> dict[str, TopicDescription]:
        found = describe(self._options, names)
        for name in names:
            if name not in found:
                raise BusUnavailableError(
                    f"there is no topic {self._options.prefix}{name}; create it with `tightrope topics`"
                )
        self.notice(found)
        return found

    def _describe(self, name: str) -> TopicDescription:
        """A topic as first described since it was made."""
        return self._descriptions.get(name) or self._request([name])[name]
