"""The newest records of the topics, read for the doctor: it joins no group, commits nothing and parks nothing."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any

from tightrope.service.adapters.kafka.consumer import KafkaSubscription
from tightrope.service.adapters.kafka.inspection import SilentFilter
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.snapshot_store import decode_snapshot
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.sqlite.state_file import UNREADABLE_MARK
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, DEAD, SAMPLES, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError, mapping, unpack
from tightrope.service.adapters.wire.heartbeat import HEARTBEAT_SCHEMA
from tightrope.wiring.doctor.cluster_view import ControlView, SeenHeartbeat, SeenNote, SeenRoutes, SeenSnapshot

CONTROL_RECORDS, NOTE_RECORDS, SNAPSHOT_RECORDS, DEAD_RECORDS = 5000, 500, 1000, 1000
"""Newest records read of each partition."""

READ_SECONDS = 5.0
"""Longest time to read the newest records of one topic."""

DEAD_SECONDS = 3600.0
"""Age of the parked records that are counted."""

REASON_LENGTH = 60
"""Length to which the reasons of parked records are cut, so that equal ones are counted together."""


def newest(reader: KafkaSubscription, number: int, seconds: float = READ_SECONDS) -> Iterator[Record]:
    """The newest ``number`` records of each partition, as many as arrive in time; one poll of them is in memory."""
    deadline = time.monotonic() + seconds
    reader.seek_back(number)
    while time.monotonic() < deadline:
        polled = reader.poll(1000, 0.3)
        yield from polled
        if not polled and not reader.lag():
            break


def _age_order(record: Record) -> tuple[float, int, int]:
    """The key that sorts records by age, the oldest first."""
    return record.time, record.partition, record.offset


def _reader(options: KafkaOptions, name: str, record_filter: SilentFilter | None = None) -> KafkaSubscription:
    silent = record_filter or SilentFilter(options)
    return KafkaSubscription(options, (topic(name),), None, None, lambda _: None, silent)


def read_control(options: KafkaOptions, listen: float, clock: Callable[[], float] = time.time) -> ControlView:
    """The newest records of the judges, and those that they write within ``listen`` seconds."""
    refusals = SilentFilter(options)
    with closing(_reader(options, CONTROL, refusals)) as reader:
        written = sorted(newest(reader, CONTROL_RECORDS), key=_age_order)
        records: list[tuple[Record, float | None]] = [(record, None) for record in written]
        reader.seek_back(0)  # records that came too late to be read are old, not live
        deadline = time.monotonic() + listen
        heard: list[tuple[Record, float | None]] = []
        while (left := deadline - time.monotonic()) > 0:
            heard += [(record, clock()) for record in reader.poll(1000, min(left, 0.2))]
    return build_control_view([*records, *heard], refusals.refused, listen, clock())


def build_control_view(
    records: Sequence[tuple[Record, float | None]],
    refused: Mapping[tuple[str, str], int],
    listened: float,
    ended: float,
) -> ControlView:
    """The view of these records, each with the time at which it arrived while the doctor listened, else None."""
    heartbeats: list[SeenHeartbeat] = []
    routes: list[SeenRoutes] = []
    unreadable = 0
    for record, arrived in records:
        try:
            schema = record_codec.schema_of(record.value)
            body = _body(record.value, schema)
        except WireError:
            unreadable += 1
            continue
        with suppress(KeyError, TypeError, ValueError):
            if schema == HEARTBEAT_SCHEMA:
                heartbeats.append(_heartbeat(body, record, arrived))
            elif schema == record_codec.ROUTES_SCHEMA:
                routes.append(_routes(body, record))
    times = [record.time for record, _ in records]
    return ControlView(heartbeats, routes, dict(refused), unreadable, listened, max(times, default=0.0), ended)


def _body(value: bytes, schema: str) -> Mapping[str, Any]:
    return mapping(unpack(value, schema), schema)


def _heartbeat(body: Mapping[str, Any], record: Record, arrived: float | None) -> SeenHeartbeat:
    skew = 0.0 if arrived is None else arrived - record.time
    plan = str(body.get("plan", ""))
    return SeenHeartbeat(
        str(body["model"]), str(body["judge"]), int(body["judged"]), plan, record.time, arrived is not None, skew
    )


def _routes(body: Mapping[str, Any], record: Record) -> SeenRoutes:
    states = {str(scope): str(state) for scope, state in dict(body["states"]).items()}
    safe = tuple(map(str, body["safe"]))
    return SeenRoutes(str(body["model"]), int(body["epoch"]), safe, states, str(body.get("plan", "")), record.time)


def read_notes(options: KafkaOptions) -> list[SeenNote]:
    """The gateways' traffic notes among the newest comparisons, the oldest first."""
    with closing(_reader(options, COMPARISONS)) as reader:
        return sorted(traffic_notes(newest(reader, NOTE_RECORDS)), key=lambda note: note.time)


def traffic_notes(records: Iterable[Record]) -> Iterator[SeenNote]:
    """The traffic notes among these records."""
    for record in records:
        with suppress(WireError, KeyError, TypeError, ValueError):
            if record_codec.schema_of(record.value) == record_codec.TRAFFIC_SCHEMA:
                body = _body(record.value, record_codec.TRAFFIC_SCHEMA)
                plan = str(body.get("plan", ""))
                yield SeenNote(str(body["model"]), int(body["kept"]), plan, float(body["time"]), record.time)


def read_snapshots(options: KafkaOptions) -> dict[str, SeenSnapshot]:
    """The latest snapshot of each model."""
    with closing(_reader(options, SNAPSHOTS)) as reader:
        latest: dict[str, Record] = {}
        for record in newest(reader, SNAPSHOT_RECORDS):
            key = str(record.key)
            latest[key] = max(latest.get(key, record), record, key=_age_order)
    return {model: _snapshot(model, record) for model, record in latest.items() if UNREADABLE_MARK not in model}


def _snapshot(model: str, record: Record) -> SeenSnapshot:
    try:
        snapshot = decode_snapshot(record.value)
        state = record_codec.decode_state(snapshot.state)
    except WireError as error:
        return SeenSnapshot(model, {}, 0, "", record.time, str(error))
    topics = {topic(SAMPLES): snapshot.log, **snapshot.topics}
    return SeenSnapshot(model, topics, state.epoch, state.digest, record.time)


def read_parked(options: KafkaOptions, now: float) -> Counter[tuple[str, str]]:
    """The number of records that were parked within the last hour, by topic and reason."""
    with closing(_reader(options, DEAD)) as reader:
        recent = (each for each in newest(reader, DEAD_RECORDS) if each.time >= now - DEAD_SECONDS)
        return Counter(map(parked_reason, recent))


def parked_reason(record: Record) -> tuple[str, str]:
    """The topic of a parked record, and the reason, by its key: ``topic/partition/offset: reason``."""
    where, _, reason = (record.key or "").partition(": ")
    return where.partition("/")[0] or "unknown", reason[:REASON_LENGTH] or "no reason given"
