"""The events of one process on the topic of events: a chain of its own, and each event carries its signed head.

How it works. The record of an event has its place in the chain beside its fields, which older members ignore: the link
before it, and a seal over its number and link. A process begins a new chain, under a random name.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict
from time import time

from tightrope.monitors.records import Event
from tightrope.service.adapters.audit.chain import ORIGIN, LinkedEvent, link_of
from tightrope.service.adapters.audit.key_files import keys_of_process
from tightrope.service.adapters.audit.redaction import redacted
from tightrope.service.adapters.audit.seals import AuditKeys, Seal, SealError, SealKind, decode_seal
from tightrope.service.adapters.ports import Bus
from tightrope.service.adapters.topics import EVENTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import mapping, unpack

WRITER_BYTES = 8
BEFORE = "before"
"""The key of the link before an event, beside the fields of its seal."""


class EventPublisher:
    """Publishes events over a bus, with digests in place of request ids; the keys are the process's own by default. Not
    shared between threads; ``now`` is the wall clock.
    """

    def __init__(self, bus: Bus, keys: AuditKeys | None = None, now: Callable[[], float] = time) -> None:
        self._bus = bus
        self._keys = keys or keys_of_process()
        self._now = now
        self._writer = secrets.token_hex(WRITER_BYTES)
        self._number, self._link = 0, ORIGIN

    def redacted(self, events: Sequence[Event]) -> Sequence[Event]:
        """The events as they are published."""
        return redacted(events, self._keys)

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events in order; `Bus.flush` waits for them."""
        for event in events:
            before = self._number, self._link
            try:
                self._bus.publish(topic(EVENTS), self.encode(event), event.model)
            except BaseException:
                self._number, self._link = before
                raise

    def encode(self, event: Event) -> bytes:
        """The record of the next event of the chain."""
        (event,) = self.redacted([event])
        before = self._link
        self._number += 1
        self._link = link_of(before, self._number, event_parts(self._writer, event))
        head = Seal(SealKind.HEAD, 1, self._number, ORIGIN, self._link, self._now(), self._writer)
        return record_codec.encode_event(event, {BEFORE: before, **asdict(self._keys.sign(head)), "kind": "head"})


def event_parts(writer: str, event: Event) -> list[bytes]:
    """The bytes of an event that its link covers: its writer, and its fields as JSON with sorted keys."""
    return [writer.encode(), json.dumps(asdict(event), sort_keys=True, separators=(",", ":")).encode()]


def read_linked_event(data: bytes) -> tuple[LinkedEvent, Seal] | None:
    """The event of a record with its place in the chain, and the head that it carries; None without a chain.

    Raises:
        WireError: when the record is no event.
        SealError: when its place in the chain cannot be read.
    """
    event, body = record_codec.decode_event(data), unpack(data, record_codec.EVENT_SCHEMA)
    if "chain" not in mapping(body, "event"):
        return None
    chain = mapping(mapping(body, "event")["chain"], "event.chain")
    seal = decode_seal({key: value for key, value in chain.items() if key != BEFORE})
    before = chain.get(BEFORE)
    if not isinstance(before, str):
        raise SealError(f"{BEFORE}: must be text")
    return LinkedEvent(seal.last, event_parts(seal.writer, event), before, seal.link), seal
