"""Calls of the client's consumer, each with a time limit: some never return while a leader changes (3.0.12)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    KafkaTimeoutError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import MemberState

from tightrope.service.adapters.kafka.admin import describe
from tightrope.service.adapters.kafka.client import call_with_timeout, connect_client
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import READ
from tightrope.service.adapters.ports import BusUnavailableError

REQUEST_TIMEOUT_MS = 5_000
"""Time limit for a request for offsets, and for a commit."""

LOST_OWNERSHIP_ERRORS = (CommitFailedError, FencedInstanceIdError, RebalanceInProgressError, UnknownMemberIdError)
"""Errors of a commit that came too late: another member owns the partitions, and reads the records again."""

Offsets = Mapping[TopicPartition, int]

Consumer = Any
"""The client ships no types."""


def connect(options: KafkaOptions, topics: Sequence[str], group: str | None, timeout: float) -> Consumer:
    """A consumer that joins a group; without one, it reads all partitions from their beginning.

    Raises:
        BusUnavailableError: when a topic does not exist.
        NotPermittedError: when the brokers do not show a topic to this user.
    """
    consumer = connect_client(options, KafkaConsumer, options.consumer(group, timeout))
    try:
        _attach(consumer, options, topics, group)
    except Exception:
        consumer.close(autocommit=False, timeout_ms=0)
        raise
    return consumer


def _attach(consumer: Consumer, options: KafkaOptions, topics: Sequence[str], group: str | None) -> None:
    sources = partitions_of(consumer, topics)
    missing = set(topics) - {source.topic for source in sources}
    if missing:
        describe(options, [name.removeprefix(options.prefix) for name in missing], operation=READ)
        raise BusUnavailableError(
            f"there is no topic {', '.join(sorted(missing))}; create them with `tightrope topics`"
        )
    if group is not None:
        consumer.subscribe(topics)
    else:
        consumer.assign(sources)
        consumer.seek_to_beginning(*sources)


def partitions_of(consumer: Consumer, topics: Iterable[str]) -> list[TopicPartition]:
    """The partitions of topics; a topic that is missing, or hidden from this user, has none."""
    return [TopicPartition(topic, number) for topic in topics for number in consumer.partitions_for_topic(topic) or ()]


def position(consumer: Consumer, source: TopicPartition) -> int:
    """The offset of the next record."""
    return int(consumer.position(source, timeout_ms=REQUEST_TIMEOUT_MS) or 0)


def unread(consumer: Consumer) -> int:
    """The number of records of the assigned partitions that are not polled yet."""
    sources = list(consumer.assignment())
    ends = _offsets(consumer.end_offsets, sources) if sources else {}
    return sum(max(0, end - position(consumer, source)) for source, end in ends.items())


def before_the_end(consumer: Consumer, number: int) -> Offsets:
    """The offset of the record ``number`` before the end of each assigned partition, or of its oldest one."""
    sources = list(consumer.assignment())
    starts = _offsets(consumer.beginning_offsets, sources)
    ends = _offsets(consumer.end_offsets, sources)
    return {source: max(starts[source], end - number) for source, end in ends.items()}


def commit(consumer: Consumer, offsets: Offsets) -> None:
    """Commit the offsets of the next records."""
    commits = {source: OffsetAndMetadata(offset, "", -1) for source, offset in offsets.items()}
    consumer.commit(commits, timeout_ms=REQUEST_TIMEOUT_MS)


def generation(consumer: Consumer) -> object:
    """A value that changes with every rebalance; None during one."""
    member = consumer.group_metadata()
    if member.generation_id < 0 or member.state != MemberState.STABLE:
        return None
    return member.generation_id, frozenset(consumer.assignment())


def close(consumer: Consumer) -> None:
    """Leave the group at once, and close the client."""
    with suppress(KafkaTimeoutError):
        call_with_timeout(
            2 * REQUEST_TIMEOUT_MS / 1000, consumer.close, autocommit=False, timeout_ms=REQUEST_TIMEOUT_MS
        )


def _offsets(request: Callable[..., Offsets], sources: list[TopicPartition]) -> Offsets:
    """The offsets that a request of the client returns for these partitions."""
    return call_with_timeout(2 * REQUEST_TIMEOUT_MS / 1000, request, sources, timeout_ms=REQUEST_TIMEOUT_MS)
