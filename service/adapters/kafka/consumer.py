"""Reading from Kafka: a member of a group with commits by hand, or a reader of everything. Away is not an error: there
is nothing to read then, and the next poll tries again.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    KafkaError,
    KafkaTimeoutError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import MemberState

from tightrope.service.adapters.kafka.client import connected, within
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.rejoin_patch import Joining
from tightrope.service.adapters.ports import Begin, BusAwayError, Place, Record

log = logging.getLogger(__name__)

ANSWER_MS = 5_000
"""How long Kafka may take to say where a topic ends, or to note a commit."""

COMPLAIN_EVERY = 60.0
MOVED = (CommitFailedError, FencedInstanceIdError, RebalanceInProgressError, UnknownMemberIdError)
"""A commit came too late: somebody else has the places now, or will have in a moment. They are read again."""

Rebalanced = Callable[[str], None]
"""Told the group whose places were dealt out anew."""


class KafkaSubscription:
    """Implements `ports.Subscription`. Connects when it is first needed."""

    def __init__(
        self,
        options: KafkaOptions,
        topics: tuple[str, ...],
        group: str | None,
        begin: Begin | None,
        rebalanced: Rebalanced,
    ) -> None:
        self._options = options
        self._topics = [options.prefix + topic for topic in topics]
        self._group = group
        self._begin = begin
        self._rebalanced = rebalanced
        self._consumer: Any = None
        self._joining: Joining | None = None
        self._generation: object = None
        self._polled: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._sought: dict[TopicPartition, int] = {}
        self._complained = 0.0

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """The next records, in the order of each partition."""
        deadline = time.monotonic() + timeout
        if not self._connected(timeout):
            time.sleep(max(0.0, min(deadline - time.monotonic(), 1.0)))
            return []
        while True:
            left = max(0.0, deadline - time.monotonic())
            found = self._fetch(int(left * 1000), limit)
            if self._joining is not None:
                self._joining.insist()
            if not self._dealt_anew(found) or not left:
                break
        self._polled |= {place: messages[-1].offset + 1 for place, messages in found.items()}
        return [record_of(m, self._options) for messages in found.values() for m in messages]

    def _fetch(self, timeout_ms: int, limit: int) -> dict[TopicPartition, list[Any]]:
        """A member of a group that may not read must begin anew; whoever reads alone goes on trying."""
        try:
            found: dict[TopicPartition, list[Any]] = self._consumer.poll(timeout_ms=timeout_ms, max_records=limit)
        except KafkaError as error:
            if self._group is not None:
                raise
            self._complain(str(error) or type(error).__name__)
            time.sleep(timeout_ms / 1000)
            return {}
        return found

    def commit(self) -> None:
        """The group goes on from here. Where it comes too late, what was polled will come again."""
        if self._group is not None and self._consumer is not None:
            mine = self._consumer.assignment()
            self._commit({place: offset for place, offset in self._polled.items() if place in mine})

    def mine(self) -> bool:
        """The group's coordinator says so, or not: it refuses the commit of a member that it has given up."""
        if self._group is None or self._consumer is None:
            return True
        return self._generation_now() == self._generation and self._commit(dict(self._committed))

    def _commit(self, offsets: Mapping[TopicPartition, int]) -> bool:
        try:
            self._consumer.commit(
                {place: OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()}, timeout_ms=ANSWER_MS
            )
        except MOVED as error:
            log.info("%s: a commit came too late: %s", self._group, type(error).__name__)
            return False
        except KafkaError as error:
            self._complain(f"a commit was not noted: {error or type(error).__name__}")
            return False
        self._committed |= offsets
        return True

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on from ``offset``: now, or as soon as the place is this reader's."""
        place = TopicPartition(self._options.prefix + topic, partition)
        self._sought[place] = offset
        if self._consumer is not None:
            self._place(self._consumer.assignment())

    def back(self, number: int) -> None:
        """Go on from so many records before the end of every place.

        Raises:
            BusAwayError: when Kafka cannot be asked.
        """
        if not self._connected(ANSWER_MS / 1000):
            raise BusAwayError(f"Kafka at {', '.join(self._options.servers)}: does not answer, or has no such topic")
        places = list(self._consumer.assignment())
        starts = _answer(self._consumer.beginning_offsets, places)
        for place, end in _answer(self._consumer.end_offsets, places).items():
            self._go(place, max(starts[place], end - number))

    def lag(self) -> int:
        """Records not polled yet, of the places that this reader has."""
        if not self._connected(1.0):
            raise BusAwayError("Kafka does not answer")
        places = list(self._consumer.assignment())
        try:
            ends = _answer(self._consumer.end_offsets, places) if places else {}
            return sum(max(0, end - self._position(place)) for place, end in ends.items())
        except KafkaError as error:
            self._renew()
            raise BusAwayError(f"Kafka does not say how far it is: {error}") from error

    def _renew(self) -> None:
        """Where the client is told that another broker leads a partition it asks the same one again, until its metadata
        are five minutes old (3.0.12). A member of a group learns it as it polls; whoever reads alone begins with a new
        client, at the same places.
        """
        if self._group is None:
            self._sought = {**self._polled, **self._sought}
            self.close()

    def close(self) -> None:
        """Leave the group at once, so that others take over."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaTimeoutError):
                within(2 * ANSWER_MS / 1000, consumer.close, autocommit=False, timeout_ms=ANSWER_MS)

    def _position(self, place: TopicPartition) -> int:
        return int(self._consumer.position(place, timeout_ms=ANSWER_MS) or 0)

    def _connected(self, timeout: float) -> bool:
        if self._consumer is not None:
            return True
        consumer = None
        try:
            consumer = connected(self._options, KafkaConsumer, self._options.consumer(self._group, timeout))
            self._attach(consumer)
        except (KafkaError, OSError, BusAwayError) as error:
            if consumer is not None:
                consumer.close(autocommit=False, timeout_ms=0)
            self._complain(str(error) or type(error).__name__)
            return False
        self._consumer = consumer
        self._place(consumer.assignment())
        return True

    def _attach(self, consumer: Any) -> None:  # noqa: ANN401 - the client ships no types
        """Join the group; without one, take all partitions from their beginning."""
        places = [TopicPartition(t, p) for t in self._topics for p in consumer.partitions_for_topic(t) or ()]
        missing = set(self._topics) - {place.topic for place in places}
        if missing:
            raise BusAwayError(f"there is no topic {', '.join(sorted(missing))}; `tightrope topics` makes them")
        if self._group is not None:
            consumer.subscribe(self._topics)
            self._joining = Joining(consumer)
            return
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        if not self._polled:
            self._ask(places)

    def _dealt_anew(self, found: dict[TopicPartition, list[Any]]) -> bool:
        """Whether the group's places were dealt out since the last poll: then ``found`` is put back, because whoever
        keeps positions is asked for them first.
        """
        now = self._generation_now()
        if now is None or now == self._generation:
            return False
        self._generation = now
        self._rebalanced(str(self._group))
        places = self._consumer.assignment()
        for place, messages in found.items():
            self._consumer.seek(place, messages[0].offset)
        found.clear()
        self._polled.clear()
        self._ask(places)
        self._place(places)
        self._committed = {place: self._position(place) for place in places}
        return True

    def _ask(self, places: Iterable[TopicPartition]) -> None:
        if self._begin is not None:
            known = self._begin(sorted(self._logical(place) for place in places))
            self._sought |= {TopicPartition(self._options.prefix + t, p): at for (t, p), at in known.items()}

    def _place(self, places: Iterable[TopicPartition]) -> None:
        for place in set(self._sought) & set(places):
            self._go(place, self._sought.pop(place))

    def _go(self, place: TopicPartition, offset: int) -> None:
        self._consumer.seek(place, offset)
        if self._group is None:
            self._polled[place] = offset

    def _generation_now(self) -> object:
        """What changes with every dealing out; None without a group, or while the group deals."""
        if self._group is None:
            return None
        known = self._consumer.group_metadata()
        if known.generation_id < 0 or known.state != MemberState.STABLE:
            return None
        return known.generation_id, frozenset(self._consumer.assignment())

    def _logical(self, place: TopicPartition) -> Place:
        return place.topic.removeprefix(self._options.prefix), place.partition

    def _complain(self, text: str) -> None:
        if time.monotonic() - self._complained > COMPLAIN_EVERY:
            self._complained = time.monotonic()
            log.warning("Kafka: %s", text)


def _answer(
    ask: Callable[..., Mapping[TopicPartition, int]], places: list[TopicPartition]
) -> Mapping[TopicPartition, int]:
    """Offsets of places."""
    return within(2 * ANSWER_MS / 1000, ask, places, timeout_ms=ANSWER_MS)


def record_of(message: Any, options: KafkaOptions) -> Record:  # noqa: ANN401 - the client ships no types
    """A record as the client has it."""
    key = None if message.key is None else message.key.decode("utf-8", "replace")
    topic = message.topic.removeprefix(options.prefix)
    return Record(topic, message.partition, message.offset, key, message.value or b"", message.timestamp / 1000)
