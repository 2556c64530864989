"""Messages of the client become records here; those without a valid signature are counted and parked instead.

All readers of a bus share one filter: polls of groups, readers of whole topics, and replays.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from tightrope.service.adapters.kafka.client import ERROR_LOG_SECONDS
from tightrope.service.adapters.kafka.options import MEGABYTE, KafkaOptions
from tightrope.service.adapters.kafka.producer import BufferedProducer
from tightrope.service.adapters.kafka.signature import SIGNED_TOPICS, VOUCHED_TOPICS, SignatureCheck, Signing
from tightrope.service.adapters.ports import BusFullError, Record
from tightrope.service.adapters.topics import DEAD, topic

log = logging.getLogger(__name__)

PARKED_PER_MINUTE = 60
"""Most refused records that a process parks in a minute; all are counted. A flood of them must not fill the brokers."""

PARKED_RECORD_BYTES = 65_536
"""Length to which a parked record is cut."""

CheckCallback = Callable[[str, str], None]
"""Called with the topic and the `SignatureCheck` of each record that is refused, or accepted without a signature."""


def _ignore(*_: object) -> None:
    """The callback for checks without a counter, and for parked records that are lost."""


class RecordFilter:
    """Passes genuine records on. Parked records go through a producer of their own, made at the first one: a loss of
    theirs is no loss of the process's own records.
    """

    def __init__(self, options: KafkaOptions, count: CheckCallback = _ignore) -> None:
        self._options = options
        self._count = count
        self._producer: BufferedProducer | None = None
        self._lock = threading.Lock()
        self._minute = self._parked = 0
        self._logged_at = float("-inf")

    def records(self, messages: Iterable[Any]) -> list[Record]:
        """The messages that readers may have, as records."""
        signing = self._options.signing
        found = [(message, to_record(message, self._options)) for message in messages]
        if signing is None:
            return [record for _, record in found]
        return [
            _vouched(signing, message, record)
            for message, record in found
            if record.topic not in SIGNED_TOPICS or self._is_admitted(record, _check_message(signing, message))
        ]

    def close(self, timeout: float) -> None:
        """Deliver what is parked, for at most ``timeout`` seconds."""
        if self._producer is not None:
            self._producer.close(timeout)

    def _is_admitted(self, record: Record, result: SignatureCheck) -> bool:
        if result is SignatureCheck.GENUINE:
            return True
        self._count(record.topic, result)
        if result is SignatureCheck.ACCEPTED:
            return True
        self._log_refusal(record, result)
        if result is not SignatureCheck.OLD:
            self._park(record, result)
        return False

    def _park(self, record: Record, result: SignatureCheck) -> None:
        """Publish a refused record to the topic of dead records, which is not signed."""
        with self._lock:
            minute = int(time.monotonic() // 60)
            self._parked = 1 if minute != self._minute else self._parked + 1
            self._minute = minute
            if self._parked > PARKED_PER_MINUTE:
                return
            if self._producer is None:
                small = replace(self._options, buffer_records=2 * PARKED_PER_MINUTE, buffer_bytes=8 * MEGABYTE)
                self._producer = BufferedProducer(small, _ignore, strict=False)
        key = f"{record.topic}/{record.partition}/{record.offset}: {result} signature"
        try:
            self._producer.publish(topic(DEAD), record.value[:PARKED_RECORD_BYTES], key)
        except BusFullError:  # it is counted already
            return

    def _log_refusal(self, record: Record, result: SignatureCheck) -> None:
        if time.monotonic() - self._logged_at > ERROR_LOG_SECONDS:
            self._logged_at = time.monotonic()
            log.warning(
                "%s, partition %d, offset %d refused: %s; no process of this cluster wrote it with the secret of"
                " bus.kafka.signing",
                record.topic, record.partition, record.offset, result,
            )  # fmt: skip


def _vouched(signing: Signing, message: Any, record: Record) -> Record:  # noqa: ANN401 - the client ships no types
    """The record; one of a topic that anyone may write says whether a process of the cluster wrote it."""
    if record.topic not in VOUCHED_TOPICS:
        return record
    accepted = SignatureCheck.GENUINE, SignatureCheck.ACCEPTED
    return record._replace(genuine=_check_message(signing, message) in accepted)


def _check_message(signing: Signing, message: Any) -> SignatureCheck:  # noqa: ANN401 - the client ships no types
    headers, published = message.headers or (), message.timestamp / 1000
    return signing.check(message.topic, message.key, message.value, headers, published)


def to_record(message: Any, options: KafkaOptions) -> Record:  # noqa: ANN401 - the client ships no types
    """A message of the client as a record."""
    key = None if message.key is None else message.key.decode("utf-8", "replace")
    name = message.topic.removeprefix(options.prefix)
    return Record(name, message.partition, message.offset, key, message.value or b"", message.timestamp / 1000)
