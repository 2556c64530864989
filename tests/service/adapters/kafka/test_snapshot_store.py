"""The judges' store over a bus; the bus is the embedded one, which keeps the same contract as Kafka's."""

import pytest

from tightrope.monitors.records import Event
from tightrope.service.adapters.kafka import snapshot_store
from tightrope.service.adapters.kafka.snapshot_store import Snapshot, SnapshotStore, decode, encode
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import Place
from tightrope.service.adapters.topics import EVENTS, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError

START = {(topic(name), 0): 0 for name in snapshot_store.JUDGED}
COMPARED: Place = (topic("comparisons"), 0)
EVENT = Event("e1", 1.0, "m", "breach", "model", "judge", "because")


@pytest.fixture(autouse=True)
def _put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_store, "EVERY", 60.0)


def begun(bus: MemoryBus, *models: str) -> SnapshotStore:
    """A judge's store that has begun with these models, and has written once."""
    store = SnapshotStore(bus)
    store.positions("l", models)
    store.save("l", {}, dict.fromkeys(models, b"first"), [])
    return store


def written(bus: MemoryBus) -> list[tuple[str, bytes, int]]:
    """Every snapshot in the topic: model, state, and how many comparisons it stands for."""
    found = [(str(r.key), decode(r.value)) for r in bus.subscribe(topic(SNAPSHOTS)).poll(1000, 0.0)]
    return [(model, snapshot.state, snapshot.positions[COMPARED]) for model, snapshot in found]


def test_snapshot_comes_back_as_it_was() -> None:
    """State and place in one record, so that they cannot come apart."""
    one = Snapshot("l", b"\x00state", {COMPARED: 7, ("t", 3): 1})
    assert decode(encode(one)) == one
    with pytest.raises(WireError, match="snapshot"):
        decode(record_codec.pack(snapshot_store.SNAPSHOT, {"log": "l", "state": b""}))
    with pytest.raises(WireError, match="schema"):
        decode(record_codec.encode_event(EVENT))


def test_model_that_nobody_judged_begins_with_everything_that_is_kept() -> None:
    """Whatever the group had committed: it counts for nothing without a state."""
    store = SnapshotStore(MemoryBus())
    assert store.positions("l", ["m"]) == {"m": START}
    assert store.snapshot("m") is None


def test_judge_that_takes_over_goes_on_where_the_other_was() -> None:
    """From its latest snapshot, with the place that it stands for; other models are not its own."""
    bus = MemoryBus()
    first = begun(bus, "m", "n")
    first.save("l", {COMPARED: 9}, {"m": b"later"}, [EVENT])
    second = SnapshotStore(bus)
    assert second.positions("l", ["m"]) == {"m": {**START, COMPARED: 9}}
    assert second.snapshot("m") == b"later"
    with pytest.raises(KeyError):
        second.snapshot("n")


def test_place_in_another_log_means_nothing() -> None:
    """The state goes on; its topics were made anew."""
    bus = MemoryBus()
    begun(bus, "m").save("l", {COMPARED: 9}, {"m": b"later"}, [EVENT])
    store = SnapshotStore(bus)
    assert store.positions("another", ["m"]) == {"m": START}
    assert store.snapshot("m") == b"later"


def test_snapshot_without_a_decision_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It follows from the same records again; in a quiet moment it is written, with the latest place."""
    bus = MemoryBus()
    store = begun(bus, "m")
    store.save("l", {COMPARED: 5}, {"m": b"second"}, [])
    store.save("l", {COMPARED: 8}, {"m": b"third"}, [])
    store.rest(lambda: True)
    assert written(bus) == [("m", b"first", 0)]
    monkeypatch.setattr(snapshot_store, "EVERY", 0.0)
    store.rest(lambda: False)
    assert written(bus) == [("m", b"first", 0)], "somebody else judges it now"
    store.rest(lambda: True)
    assert written(bus)[1:] == [("m", b"third", 8)]
    store.rest(lambda: True)
    assert len(written(bus)) == 2


def test_decision_is_written_at_once_and_its_event_before_it() -> None:
    """A snapshot never says that something happened which the trail does not have."""
    bus = MemoryBus()
    store = begun(bus, "m")
    order: list[str] = []
    publish = bus.publish
    bus.publish = lambda t, v, k=None: (order.append(t), publish(t, v, k))[1]  # type: ignore[method-assign,func-returns-value]
    store.save("l", {COMPARED: 5}, {"m": b"second"}, [EVENT])
    assert order == [topic(EVENTS), topic(SNAPSHOTS)]
    (record,) = bus.subscribe(topic(EVENTS)).poll(10, 0.0)
    assert (record_codec.decode_event(record.value), record.key) == (EVENT, "m")


def test_quiet_model_moves_on_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a judge that takes over would read for it what it has long passed."""
    bus = MemoryBus()
    store = begun(bus, "m", "quiet")
    monkeypatch.setattr(snapshot_store, "IDLE", 0.0)
    store.save("l", {COMPARED: 5}, {"m": b"second"}, [])
    assert written(bus)[2:] == [("quiet", b"first", 5)]


def test_what_was_put_off_is_forgotten_when_models_are_dealt_out_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another judge's to write now."""
    bus = MemoryBus()
    store = begun(bus, "m", "n")
    store.save("l", {COMPARED: 5}, {"m": b"mine", "n": b"mine"}, [])
    assert set(store.positions("l", ["n"])) == {"n"}
    assert store.snapshot("n") == b"first"
    monkeypatch.setattr(snapshot_store, "EVERY", 0.0)
    store.rest(lambda: True)
    assert len(written(bus)) == 2


def test_unreadable_snapshot_is_passed_over() -> None:
    """The latest that can be read counts."""
    bus = MemoryBus()
    begun(bus, "m")
    bus.publish(topic(SNAPSHOTS), b"garbage", "m")
    store = SnapshotStore(bus)
    store.positions("l", ["m"])
    assert store.snapshot("m") == b"first"


def test_unreadable_snapshot_without_an_older_one_is_not_nothing() -> None:
    """A model whose modes are lost is not a model that nobody has watched yet."""
    bus = MemoryBus()
    bus.publish(topic(SNAPSHOTS), b"a version to come", "m")
    store = SnapshotStore(bus)
    assert store.positions("l", ["m"]) == {"m": START}
    assert store.snapshot("m") == b"a version to come"
