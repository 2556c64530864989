"""Snapshots that do not fit the logs any more: the store says why, and reads from the start."""

from dataclasses import replace

import pytest

from tests.service.adapters.kafka.test_snapshot_store import COMPARED, CONTROLLED, EVENT, START, begun, log_of_rows
from tests.support.judgement.judge_harness import lenient
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Routes
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.service.adapters.kafka import snapshot_store
from tightrope.service.adapters.kafka.snapshot_store import Snapshot, SnapshotStore, decode_snapshot, encode_snapshot
from tightrope.service.adapters.topics import CONTROL, POSITION_TOPICS, SAMPLES, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError


@pytest.fixture(autouse=True)
def _put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_store, "SNAPSHOT_INTERVAL_SECONDS", 60.0)


def causes(store: SnapshotStore, model: str = "m") -> list[tuple[str, str]]:
    """The logs that a model's snapshot does not fit, each with the cause."""
    return [(reset.topic.removeprefix("tightrope."), reset.cause) for reset in store.resets(model)]


def test_log_made_anew_is_read_from_its_start() -> None:
    """The state is kept for its modes and orders; every topic that was made anew is told."""
    bus = log_of_rows()
    begun(bus, "m").save("l", {COMPARED: 9}, {"m": b"later"}, [EVENT])
    bus.log = "another"
    store = SnapshotStore(bus)
    assert store.positions("another", ["m"]) == {"m": START}
    assert store.snapshot("m") == b"later"
    every = ["samples", "comparisons", "labels", "control", "snapshots"]
    assert causes(store) == [(name, "made_anew") for name in every]
    assert "its id was l and is another" in store.resets("m")[0].reason


def test_snapshot_of_the_release_before_is_taken_over_once() -> None:
    """It has no identities, but that of the samples; the next one has them all."""
    bus = log_of_rows()
    bus.publish(topic(SNAPSHOTS), old_snapshot("l"), "m")
    store = SnapshotStore(bus)
    assert store.positions("l", ["m"]) == {"m": {**START, COMPARED: 9}}
    assert causes(store) == []
    store.save("l", {}, {"m": b"second"}, [EVENT])
    latest = decode_snapshot(bus.subscribe(topic(SNAPSHOTS)).poll(10, 0.0)[-1].value)
    assert latest.topics == dict.fromkeys(POSITION_TOPICS, "l")
    bus.publish(topic(SNAPSHOTS), old_snapshot("another"), "m")
    again = SnapshotStore(bus)
    assert again.positions("l", ["m"]) == {"m": START}
    assert causes(again) == [("samples", "made_anew")]


def old_snapshot(log: str) -> bytes:
    """A snapshot as the release before wrote it."""
    body = {"log": log, "state": b"first", "positions": [[*COMPARED, 9]]}
    return record_codec.pack(snapshot_store.SNAPSHOT_SCHEMA, body)


@pytest.mark.parametrize("offset", [11, 2**60])
def test_position_beyond_the_end_begins_again(offset: int) -> None:
    """A log that lost its last records, or a snapshot that is forged: nothing below the position would be judged."""
    bus = log_of_rows()
    begun(bus, "m").save("l", {COMPARED: offset}, {"m": b"later"}, [EVENT])
    store = SnapshotStore(bus)
    assert store.positions("l", ["m"]) == {"m": START}
    assert causes(store) == [("comparisons", "beyond_end")]
    assert f"offset {offset} of topic tightrope.comparisons, partition 0, lies beyond its end, 10" in (
        store.resets("m")[0].reason
    )


def test_negative_position_is_unreadable() -> None:
    """No reader could seek it."""
    with pytest.raises(WireError, match="partition 0: an offset is -1, must be from 0"):
        decode_snapshot(encode_snapshot(Snapshot("l", b"state", {COMPARED: -1})))


def test_counted_samples_beyond_the_end_begin_again() -> None:
    """Rows of new samples at counted offsets would pass for repeats."""
    bus = log_of_rows()
    state = replace(initial_state(lenient()), log="l", watermarks={0: 5})
    begun(bus, "m").save("l", {COMPARED: 9}, {"m": record_codec.encode_state(state)}, [EVENT])
    store = SnapshotStore(bus)
    store.positions("l", ["m"])
    assert causes(store) == [("samples", "beyond_end")]
    for _ in range(6):
        bus.publish(topic(SAMPLES), b"a sample")
    fitting = SnapshotStore(bus)
    fitting.positions("l", ["m"])
    assert causes(fitting) == []


def test_lost_snapshot_of_a_published_model_is_told() -> None:
    """Orders that it covered are not carried out again; a model without modes on the control topic is new."""
    bus = log_of_rows()
    bus.publish(topic(CONTROL), record_codec.encode_routes(Routes("m", 7, (), {})), "m")
    bus.publish(topic(CONTROL), b"garbage", "m")
    store = SnapshotStore(bus)
    assert store.positions("l", ["m", "n"]) == {"m": {**START, CONTROLLED: 2}, "n": START}
    assert causes(store) == [("snapshots", "lost")]
    assert causes(store, "n") == []
    assert (store.published_epoch("m"), store.published_epoch("n")) == (7, -1)


def test_snapshot_that_would_return_a_safe_scope_is_older() -> None:
    """A restored topic: the gateways were told of a scope in safe mode that the snapshot does not know."""
    bus = log_of_rows()
    state = replace(initial_state(lenient()), epoch=3)
    begun(bus, "m").save("l", {}, {"m": record_codec.encode_state(state)}, [EVENT])
    for epoch, safe, cause in ((3, ("model",), []), (4, (), []), (5, ("model",), [("snapshots", "older")])):
        bus.publish(topic(CONTROL), record_codec.encode_routes(Routes("m", epoch, safe, {})), "m")
        store = SnapshotStore(bus)
        store.positions("l", ["m"])
        assert causes(store) == cause
        assert store.published_epoch("m") == epoch


def test_implausible_epoch_is_not_followed() -> None:
    """Gateways refuse it, too: a judge beyond it would be deaf to them."""
    bus = log_of_rows()
    for epoch in (5, 6, 2**61, 7):
        bus.publish(topic(CONTROL), record_codec.encode_routes(Routes("m", epoch, (), {})), "m")
    store = SnapshotStore(bus)
    store.positions("l", ["m"])
    assert store.published_epoch("m") == 7


def test_topic_made_anew_while_the_judge_runs_keeps_its_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The knowledge of this judge stands for the snapshots that are gone; the next one has the new identities."""
    bus = log_of_rows()
    store = begun(bus, "m")
    store.save("l", {COMPARED: 9}, {"m": b"mine"}, [EVENT])
    fresh = log_of_rows()
    fresh.log = "another"
    monkeypatch.setattr(fresh, "generation", lambda *_: 1)
    monkeypatch.setattr(store, "_bus", fresh)
    store.save("another", {}, {"m": b"mine"}, [EVENT])
    unnoticed = decode_snapshot(fresh.subscribe(topic(SNAPSHOTS)).poll(10, 0.0)[-1].value)
    assert set(unnoticed.topics.values()) == {"l"}, "its positions are of the old logs"
    assert store.positions("another", ["m"]) == {"m": START}
    assert (store.snapshot("m"), causes(store)[-1]) == (b"mine", ("snapshots", "made_anew"))
    store.save("another", {}, {"m": b"next"}, [EVENT])
    latest = decode_snapshot(fresh.subscribe(topic(SNAPSHOTS)).poll(10, 0.0)[-1].value)
    assert (latest.state, latest.log, set(latest.topics.values())) == (b"next", "another", {"another"})


SAFE = replace(initial_state(lenient()), epoch=9, modes=(Mode(ModeState.SAFE),) * len(lenient().scopes))


def test_snapshot_of_this_moment_is_not_beyond_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge before may write one, and the modes that follow from it, while its successor reads: the modes are read
    before the snapshots, and the ends are requested after them.
    """
    bus = log_of_rows()
    before = begun(bus, "m")
    before.save("l", {}, {"m": record_codec.encode_state(initial_state(lenient()))}, [EVENT])
    store = SnapshotStore(bus)
    lag = store._reader.lag

    def write_meanwhile() -> int:
        bus.publish(COMPARED[0], b"rows")
        before.save("l", {COMPARED: 11}, {"m": record_codec.encode_state(SAFE)}, [EVENT])
        bus.publish(topic(CONTROL), record_codec.encode_routes(Routes("m", 9, ("model",), {})), "m")
        monkeypatch.setattr(store._reader, "lag", lag)
        return lag()

    monkeypatch.setattr(store._reader, "lag", write_meanwhile)
    assert store.positions("l", ["m"]) == {"m": {**START, COMPARED: 11}}
    assert causes(store) == []
