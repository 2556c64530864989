from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.structs import MemberState

from tightrope.service.adapters.kafka import consumer_calls
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import BusUnavailableError, NotPermittedError

ONE, TWO = TopicPartition("p-a", 0), TopicPartition("p-a", 1)
OPTIONS = KafkaOptions(("k:1",), prefix="p-")


class Client:
    """A client with two partitions: offsets 3 to 9, where 7 is next, and an empty one at 5."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []
        self.member = SimpleNamespace(generation_id=3, state=MemberState.STABLE)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Return the numbers of the only topic's partitions."""
        return {0, 1} if topic == "p-a" else None

    def assignment(self) -> set[TopicPartition]:
        """Return both partitions."""
        return {ONE, TWO}

    def beginning_offsets(self, sources: Sequence[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        """Return the oldest offsets."""
        assert timeout_ms == consumer_calls.REQUEST_TIMEOUT_MS
        return {source: {ONE: 3, TWO: 5}[source] for source in sources}

    def end_offsets(self, sources: Sequence[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        """Return the next offsets of the log."""
        assert timeout_ms == consumer_calls.REQUEST_TIMEOUT_MS
        return {source: {ONE: 10, TWO: 5}[source] for source in sources}

    def position(self, source: TopicPartition, timeout_ms: int) -> int:
        """Return the next offsets of the reader."""
        assert timeout_ms == consumer_calls.REQUEST_TIMEOUT_MS
        return {ONE: 7, TWO: 5}[source]

    def group_metadata(self) -> SimpleNamespace:
        """Return the membership."""
        return self.member

    def subscribe(self, topics: Sequence[str]) -> None:
        """Remember the call."""
        self.calls.append(("subscribe", list(topics)))

    def assign(self, sources: Sequence[TopicPartition]) -> None:
        """Remember the call."""
        self.calls.append(("assign", list(sources)))

    def seek_to_beginning(self, *sources: TopicPartition) -> None:
        """Remember the call."""
        self.calls.append(("seek_to_beginning", list(sources)))

    def close(self, *, autocommit: bool, timeout_ms: int) -> None:
        """Remember the call."""
        assert not autocommit
        self.calls.append(("close", timeout_ms))


def connect(monkeypatch: pytest.MonkeyPatch, client: Client, topics: Sequence[str], group: str | None) -> object:
    """Connect this client; a topic that it does not show is hidden if its name says so."""

    def describe(options: KafkaOptions, names: Sequence[str], operation: str) -> dict[str, Any]:
        assert (options, operation) == (OPTIONS, "Read")
        if "hidden" in names:
            raise NotPermittedError("not for you")
        return {}

    monkeypatch.setattr(consumer_calls, "connect_client", lambda *_: client)
    monkeypatch.setattr(consumer_calls, "describe", describe)
    return consumer_calls.connect(OPTIONS, topics, group, 1.0)


def test_offsets_are_counted_over_the_assigned_partitions() -> None:
    """The unread records, and the offsets of the newest ones; a partition has no records before its oldest one."""
    client = Client()
    assert consumer_calls.unread(client) == 3
    assert consumer_calls.before_the_end(client, 2) == {ONE: 8, TWO: 5}
    assert consumer_calls.before_the_end(client, 100) == {ONE: 3, TWO: 5}


def test_generation_is_known_between_rebalances_only() -> None:
    """It has the number and the partitions."""
    client = Client()
    assert consumer_calls.generation(client) == (3, frozenset({ONE, TWO}))
    client.member = SimpleNamespace(generation_id=3, state=MemberState.REBALANCING)
    assert consumer_calls.generation(client) is None


def test_reader_joins_its_group_or_reads_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group assigns the partitions; without one they are read from their beginning."""
    member, alone = Client(), Client()
    assert connect(monkeypatch, member, ["p-a"], "g") is member
    assert member.calls == [("subscribe", ["p-a"])]
    connect(monkeypatch, alone, ["p-a"], None)
    assert alone.calls == [("assign", [ONE, TWO]), ("seek_to_beginning", [ONE, TWO])]


def test_missing_topic_is_not_a_hidden_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first must be created, the second needs a permission; the client is closed either way."""
    client = Client()
    with pytest.raises(BusUnavailableError, match="there is no topic p-b; create them with `tightrope topics`"):
        connect(monkeypatch, client, ["p-a", "p-b"], None)
    with pytest.raises(NotPermittedError, match="not for you"):
        connect(monkeypatch, client, ["p-hidden"], "g")
    assert client.calls == [("close", 0), ("close", 0)]
