"""The judges' store over the embedded bus, which keeps the contract of Kafka's."""

import pytest

from tightrope.monitors.records import Event
from tightrope.service.adapters.kafka import snapshot_store
from tightrope.service.adapters.kafka.snapshot_store import Snapshot, SnapshotStore, decode_snapshot, encode_snapshot
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import LogPartition
from tightrope.service.adapters.topics import EVENTS, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError

START = {(topic(name), 0): 0 for name in snapshot_store.JUDGE_TOPICS}
COMPARED: LogPartition = (topic("comparisons"), 0)
CONTROLLED: LogPartition = (topic("control"), 0)
EVENT = Event("e1", 1.0, "m", "breach", "model", "judge", "because")


@pytest.fixture(autouse=True)
def _put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_store, "SNAPSHOT_INTERVAL_SECONDS", 60.0)


def log_of_rows() -> MemoryBus:
    """A bus of known identity with ten records of comparisons."""
    bus = MemoryBus()
    bus.log = "l"
    for _ in range(10):
        bus.publish(COMPARED[0], b"rows")
    return bus


def begun(bus: MemoryBus, *models: str) -> SnapshotStore:
    """A judge's store with these models, saved once."""
    store = SnapshotStore(bus)
    store.positions("l", models)
    store.save("l", {}, dict.fromkeys(models, b"first"), [])
    return store


def written(bus: MemoryBus) -> list[tuple[str, bytes, int]]:
    """Every snapshot in the topic: model, state, and the offset of the comparisons."""
    found = [(str(r.key), decode_snapshot(r.value)) for r in bus.subscribe(topic(SNAPSHOTS)).poll(1000, 0.0)]
    return [(model, snapshot.state, snapshot.positions[COMPARED]) for model, snapshot in found]


def test_snapshot_survives_a_round_trip() -> None:
    """State and offsets are in one record."""
    one = Snapshot("l", b"\x00state", {COMPARED: 7, ("t", 3): 1}, {COMPARED[0]: "an id"})
    assert decode_snapshot(encode_snapshot(one)) == one
    with pytest.raises(WireError, match="snapshot"):
        decode_snapshot(record_codec.pack(snapshot_store.SNAPSHOT_SCHEMA, {"log": "l", "state": b""}))
    with pytest.raises(WireError, match="schema"):
        decode_snapshot(record_codec.encode_event(EVENT))


def test_new_model_starts_with_the_oldest_records() -> None:
    """Committed offsets are ignored without a state."""
    store = SnapshotStore(log_of_rows())
    assert store.positions("l", ["m"]) == {"m": START}
    assert store.snapshot("m") is None


def test_next_judge_continues_from_the_latest_snapshot() -> None:
    """It starts from the latest snapshot and its offsets; other models are ignored."""
    bus = log_of_rows()
    first = begun(bus, "m", "n")
    first.save("l", {COMPARED: 9}, {"m": b"later"}, [EVENT])
    second = SnapshotStore(bus)
    assert second.positions("l", ["m"]) == {"m": {**START, COMPARED: 9}}
    assert second.snapshot("m") == b"later"
    with pytest.raises(KeyError):
        second.snapshot("n")


def test_snapshot_without_a_decision_is_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be judged again from the records; it is written when the judge is idle, with the latest offsets."""
    bus = log_of_rows()
    store = begun(bus, "m")
    store.save("l", {COMPARED: 5}, {"m": b"second"}, [])
    store.save("l", {COMPARED: 8}, {"m": b"third"}, [])
    store.flush_deferred(lambda: True)
    assert written(bus) == [("m", b"first", 0)]
    monkeypatch.setattr(snapshot_store, "SNAPSHOT_INTERVAL_SECONDS", 0.0)
    store.flush_deferred(lambda: False)
    assert written(bus) == [("m", b"first", 0)], "somebody else judges it now"
    store.flush_deferred(lambda: True)
    assert written(bus)[1:] == [("m", b"third", 8)]
    store.flush_deferred(lambda: True)
    assert len(written(bus)) == 2


def test_event_then_snapshot_of_a_decision_are_written_at_once() -> None:
    """No snapshot contains a decision that the audit trail lacks."""
    bus = log_of_rows()
    store = begun(bus, "m")
    order: list[str] = []
    publish = bus.publish
    bus.publish = lambda t, v, k=None: (order.append(t), publish(t, v, k))[1]  # type: ignore[method-assign,func-returns-value]
    store.save("l", {COMPARED: 5}, {"m": b"second"}, [EVENT])
    assert order == [topic(EVENTS), topic(SNAPSHOTS)]
    (record,) = bus.subscribe(topic(EVENTS)).poll(10, 0.0)
    assert (record_codec.decode_event(record.value), record.key) == (EVENT, "m")


def test_offsets_of_an_idle_model_are_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that takes over must not read long committed records again."""
    bus = log_of_rows()
    store = begun(bus, "m", "quiet")
    monkeypatch.setattr(snapshot_store, "IDLE_SNAPSHOT_SECONDS", 0.0)
    store.save("l", {COMPARED: 5}, {"m": b"second"}, [])
    assert written(bus)[2:] == [("quiet", b"first", 5)]


def test_rebalance_drops_deferred_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another judge writes it now."""
    bus = log_of_rows()
    store = begun(bus, "m", "n")
    store.save("l", {COMPARED: 5}, {"m": b"mine", "n": b"mine"}, [])
    assert set(store.positions("l", ["n"])) == {"n"}
    assert store.snapshot("n") == b"first"
    monkeypatch.setattr(snapshot_store, "SNAPSHOT_INTERVAL_SECONDS", 0.0)
    store.flush_deferred(lambda: True)
    assert len(written(bus)) == 2


def test_unreadable_snapshot_is_skipped() -> None:
    """The latest readable snapshot is used."""
    bus = log_of_rows()
    begun(bus, "m")
    bus.publish(topic(SNAPSHOTS), b"garbage", "m")
    store = SnapshotStore(bus)
    store.positions("l", ["m"])
    assert store.snapshot("m") == b"first"


def test_unreadable_first_snapshot_is_returned() -> None:
    """A model with a lost state must not look like a new one."""
    bus = log_of_rows()
    bus.publish(topic(SNAPSHOTS), b"a version to come", "m")
    store = SnapshotStore(bus)
    assert store.positions("l", ["m"]) == {"m": START}
    assert store.snapshot("m") == b"a version to come"


def test_unreadable_latest_snapshot_is_lost() -> None:
    """The judge learns why, until it has saved a readable one; the older snapshot still has modes and orders."""
    bus = log_of_rows()
    begun(bus, "m")
    bus.publish(topic(SNAPSHOTS), b"a version to come", "m")
    store = SnapshotStore(bus)
    store.positions("l", ["m"])
    assert store.snapshot("m") == b"first"
    assert store.lost("m").startswith("its latest snapshot, offset 1 of tightrope.snapshots, cannot be read: ")
    store.save("l", {COMPARED: 5}, {"m": b"second"}, [EVENT])
    store.positions("l", ["m"])
    assert (store.snapshot("m"), store.lost("m")) == (b"second", "")


def test_missing_snapshot_is_lost_if_one_is_required() -> None:
    """A model with a snapshot is not."""
    bus = log_of_rows()
    begun(bus, "m")
    store = SnapshotStore(bus, required=True)
    store.positions("l", ["m", "n"])
    assert (store.lost("m"), store.lost("n")) == ("", "no earlier state was found, and state_required is true")
    free = SnapshotStore(bus)
    free.positions("l", ["n"])
    assert free.lost("n") == ""


def test_unreadable_snapshot_is_kept_under_another_key() -> None:
    """Compaction would delete it; no judge takes it for a model's snapshot."""
    bus = log_of_rows()
    bus.publish(topic(SNAPSHOTS), b"a version to come", "m")
    store = SnapshotStore(bus)
    store.positions("l", ["m"])
    store.set_aside("m", "m.unreadable-20261128T193500Z")
    kept = bus.subscribe(topic(SNAPSHOTS)).poll(10, 0.0)[-1]
    assert (kept.key, kept.value) == ("m.unreadable-20261128T193500Z", b"a version to come")
    again = SnapshotStore(bus)
    again.positions("l", ["m"])
    assert set(again._lost) == {"m"}
