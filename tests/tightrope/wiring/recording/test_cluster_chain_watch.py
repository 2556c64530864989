"""A judge of a cluster compares all chains on the topic of events again and again, and tells a change."""

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.support.audit_trails import note
from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.service.adapters.audit.event_publisher import EventPublisher
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import BusUnavailableError, Record
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import EVENTS, topic
from tightrope.service.adapters.wire.record_codec import decode_event
from tightrope.service.config.loader import load
from tightrope.wiring.recording.chain_watch import CHANGED
from tightrope.wiring.recording.cluster_chain_watch import COMPARISON_SECONDS, ClusterChainWatch, watch_cluster_chain

KEYS = AuditKeys(bytes(32))
HOUR = 3600.0


class EventTopic(MemoryBus):
    """A topic of events that a test changes; ``is_down`` refuses readers."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[bytes] = []
        self.is_down = False

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Append an event."""
        assert (topic, key) == ("tightrope.events", "m")
        self.values.append(value)

    def subscribe(self, *_: object, **__: object) -> "EventTopic":  # type: ignore[override]
        """A reader from the begin."""
        self._unread = [Record(topic(EVENTS), 0, offset, "m", value) for offset, value in enumerate(self.values)]
        return self

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """The next records."""
        assert limit
        assert timeout
        if self.is_down:
            raise BusUnavailableError("no broker")
        found, self._unread = self._unread[:2], self._unread[2:]
        return found

    def lag(self) -> int:
        """The records behind."""
        return len(self._unread)

    def close(self) -> None:
        """Nothing."""


class Watched:
    """Two writers with four events each, and a watch at a time that the test sets."""

    def __init__(self, folder: Path, retention: float = 24 * HOUR) -> None:
        self.folder, self.retention, self.now, self.bus = folder, retention, 1e6, EventTopic()
        for publisher in (self.writer(), self.writer()):
            publisher.publish([note(number) for number in range(4)])
        self.begin()

    def writer(self) -> EventPublisher:
        """A process that writes events."""
        return EventPublisher(self.bus, KEYS, lambda: self.now)

    def begin(self, keys: AuditKeys = KEYS) -> None:
        """Start the watch, or start it again."""
        self.metrics = Metrics(CollectorRegistry())
        file = self.folder / "heads.jsonl"
        parts = self.bus, keys, file, self.retention, lambda: ["m"], self.metrics, lambda: self.now
        self.watch = ClusterChainWatch(*parts)

    def rounds(self, count: int = 2) -> float | None:
        """Run rounds to their end; returns the number of problems."""
        for _ in range(count):
            self.now += COMPARISON_SECONDS
            for _ in range(9):
                self.watch.check()
        return self.value("problems")

    def value(self, name: str) -> float | None:
        """A metric."""
        return self.metrics.registry.get_sample_value(f"tightrope_audit_{name}", {})

    def told(self) -> list[str]:
        """The reasons of the events about changes."""
        return [event.reason for event in map(decode_event, self.bus.values) if event.kind == CHANGED]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """A sound trail."""
    return Watched(tmp_path)


def test_sound_chains_are_shown(watched: Watched) -> None:
    """The number of events, and the times at which they were compared, and their heads kept."""
    assert watched.rounds() == 0
    names = "head_number", "head_timestamp_seconds", "verified_timestamp_seconds"
    assert [watched.value(name) for name in names] == [8, watched.now, watched.now]
    assert len((watched.folder / "heads.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda values: values.insert(1, values.pop(1).replace(b"because", b"becausf")), "event 2: is not as it was"),
        (lambda values: values.pop(1), "event 2: missing: it was deleted"),
        (lambda values: values.pop(3), "event 4: missing: the head that was given has 4"),
        (lambda values: values.clear(), "event 4: all events of writer"),
    ],
)
def test_change_is_told_once(watched: Watched, change: Callable[[list[bytes]], object], problem: str) -> None:
    """An altered event, a missing one, the newest one, and all of them: by the heads that were seen before."""
    watched.rounds()
    change(watched.bus.values)
    assert watched.rounds(1) == 0
    assert (watched.rounds(3) or 0) >= 1
    (reason,) = watched.told()
    assert problem in reason


def test_change_is_told_though_the_disk_takes_no_heads(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """As when it is full. The age of the heads shows that they are not kept."""
    watched.rounds()
    kept = watched.value("head_timestamp_seconds")
    (watched.folder / "heads.part").mkdir()
    watched.bus.values.pop(1)
    assert watched.rounds(3) == 1
    assert len(watched.told()) == 1
    assert watched.value("head_timestamp_seconds") == kept
    assert "the heads of the audit trail cannot be kept on disk" in caplog.text


def test_heads_outlive_the_process(watched: Watched) -> None:
    """A judge that starts again finds what was taken away meanwhile."""
    watched.rounds()
    watched.bus.values.pop()
    watched.begin()
    assert watched.rounds() == 1


def test_newer_event_that_is_seen_before_an_older_one_is_no_change(watched: Watched) -> None:
    """It lies in another partition, and the older one is there in the next round."""
    late = watched.bus.values.pop(2)
    assert watched.rounds(1) == 0
    watched.bus.values.append(late)
    assert watched.rounds(2) == 0


def test_events_that_retention_may_delete_are_not_compared(watched: Watched) -> None:
    """Brokers delete them partition by partition, not in the order of the chain."""
    watched.rounds()
    watched.now += 23.5 * HOUR
    watched.bus.values.pop(1)
    assert watched.rounds() == 0
    assert watched.value("head_number") == 0


def test_broker_that_is_down_is_no_change(watched: Watched) -> None:
    """The time of the last comparison stands still, for which there is an alert."""
    watched.rounds()
    seen = watched.value("verified_timestamp_seconds")
    watched.bus.is_down = True
    assert watched.rounds() == 0
    assert watched.value("verified_timestamp_seconds") == seen
    watched.bus.is_down = False
    watched.rounds(1)
    assert watched.value("verified_timestamp_seconds") == watched.now


def test_head_that_another_key_signed_is_told(watched: Watched) -> None:
    """Where the processes share a key."""
    watched.begin(AuditKeys(b"\1" * 32))
    assert (watched.rounds() or 0) >= 1


@pytest.mark.parametrize(("signing", "expected"), [(True, 1), (False, 0)])
def test_signatures_are_compared_where_a_key_is_shared(tmp_path: Path, *, signing: bool, expected: int) -> None:
    """Else each process has a key of its own, and only links are compared."""
    (tmp_path / "secret").write_text("ab" * 32)
    (tmp_path / "secret").chmod(0o600)
    kafka = {"servers": ["127.0.0.1:1"], **({"signing": {"secret_file": "secret"}} if signing else {})}
    settings = load(write_config(tmp_path, {**config(tmp_path), "bus": {"kafka": kafka}}), {})
    bus, metrics = EventTopic(), Metrics(CollectorRegistry())
    EventPublisher(bus, KEYS).publish([note(1)])
    watch = watch_cluster_chain(settings, bus, lambda: ["m"], metrics)
    for _ in range(2):
        watch._next_round = 0.0
        watch.check()
    assert metrics.registry.get_sample_value("tightrope_audit_problems", {}) == expected
