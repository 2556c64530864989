"""Options of the Kafka bus: servers, sizes of the buffer, and the options of the client library.

Options of the client keep the library's names (``security_protocol``, ``sasl_mechanism``, ``ssl_cafile``, ``client_id``
and so on); each is passed to the client classes that know it. Tightrope sets those that its guarantees depend on.
"""

import importlib.util
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.net.sasl import SASL_MECHANISMS

from tightrope.service.adapters.kafka.signature import Signing
from tightrope.service.errors import quote

MEGABYTE = 1024 * 1024

RESERVED_OPTIONS = frozenset(
    (
        "acks", "allow_auto_create_topics", "auto_offset_reset", "bootstrap_servers", "bootstrap_timeout_ms",
        "delivery_timeout_ms", "enable_auto_commit", "enable_idempotence", "group_id", "group_instance_id",
        "isolation_level", "key_deserializer", "key_serializer", "max_block_ms", "max_request_size",
        "partition_assignment_strategy", "partitioner", "retries", "session_timeout_ms", "transactional_id",
        "value_deserializer", "value_serializer",
    )
)  # fmt: skip
"""Options that users cannot set: guarantees depend on them, or another key of the configuration sets them."""

CHOICES: Mapping[str, Collection[str]] = {
    "security_protocol": ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "sasl_mechanism": tuple(sorted(SASL_MECHANISMS)),
    "compression_type": ("gzip", "snappy", "lz4", "zstd"),
}
"""The values of options that are names; the client finds another one only when it connects."""

VALUE_KINDS = {bool: "true or false", str: "a text", int: "a number", float: "a number"}

IGNORED_OPTIONS = frozenset(("ssl_ciphers",))
"""Options that the client accepts and ignores (3.0.12): a user who relies on one must get an error."""

CLIENT_CLASSES: tuple[Any, ...] = (KafkaProducer, KafkaConsumer, KafkaAdminClient)

UNLIMITED_MS = 2**31 - 1

METADATA_MAX_AGE_MS = 30_000
"""Milliseconds after which a reader looks again which partitions its topics have."""


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """Servers and use of Kafka. ``prefix`` precedes every topic's and group's name; ``instance`` makes the reader a
    static member of its group; ``session`` is in seconds, sizes are in bytes. Keyed records are in the first
    ``partitions`` partitions of a topic, also after it has grown (0: in all that it has). Without ``signing``
    records are neither signed nor checked.
    """

    servers: tuple[str, ...]
    prefix: str = ""
    instance: str | None = None
    session: float = 10.0
    buffer_records: int = 20_000
    buffer_bytes: int = 64 * MEGABYTE
    record_bytes: int = 16 * MEGABYTE
    partitions: int = 0
    signing: Signing | None = None
    client: Mapping[str, Any] = field(default_factory=dict)

    def for_process(self, name: str) -> "KafkaOptions":
        """These options for one of several processes: each is a static member of its own."""
        return replace(self, instance=self.instance and f"{self.instance}-{name}")

    def with_client(self, more: Mapping[str, Any]) -> "KafkaOptions":
        """These options with more options of the client."""
        return replace(self, client={**self.client, **more})

    def client_options(self, kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a class of the client library
        """The common options of all clients that this class knows."""
        common = {"reconnect_backoff_max_ms": 1000, "request_timeout_ms": 10_000, **self.client}
        known = {name: value for name, value in common.items() if name in kind.DEFAULT_CONFIG}
        return {**known, "bootstrap_servers": list(self.servers)}

    @property
    def producer(self) -> dict[str, Any]:
        """No duplicates and no reordering. The buffer is bounded by `BufferedProducer`, not by a delivery timeout."""
        defaults = {"linger_ms": 10, "batch_size": MEGABYTE // 2, "compression_type": "lz4"}
        return {
            **defaults,
            **self.client_options(KafkaProducer),
            "acks": "all",
            "enable_idempotence": True,
            "allow_auto_create_topics": False,
            "delivery_timeout_ms": UNLIMITED_MS,
            "bootstrap_timeout_ms": 2000,
            "max_block_ms": 2000,
            "max_request_size": self.record_bytes + MEGABYTE,
        }

    def consumer(self, group: str | None, timeout: float) -> dict[str, Any]:
        """Manual commits, from the oldest record on. Members of a group wait less for a fetch: their requests for the
        end offsets (the lag) queue behind it.
        """
        defaults = {
            "fetch_max_wait_ms": 100 if group else 500,
            "max_partition_fetch_bytes": 4 * MEGABYTE,
            "heartbeat_interval_ms": 2000,
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
        }
        return {
            **defaults,
            **self.client_options(KafkaConsumer),
            "group_id": group and self.prefix + group,
            "group_instance_id": self.instance if group else None,
            "session_timeout_ms": int(self.session * 1000),
            "partition_assignment_strategy": (RangePartitionAssignor,),
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "allow_auto_create_topics": False,
            "bootstrap_timeout_ms": int(max(timeout, 1.0) * 1000),
        }

    @property
    def admin(self) -> dict[str, Any]:
        """Options to describe and create topics."""
        return {**self.client_options(KafkaAdminClient), "bootstrap_timeout_ms": 5000}


def problems(options: KafkaOptions, key: str) -> list[str]:
    """All mistakes in the options, one line each; ``key`` is their key in the configuration."""
    known = {name for kind in CLIENT_CLASSES for name in kind.DEFAULT_CONFIG}
    wrong = {name: "the Kafka client has no such option" for name in options.client if name not in known}
    wrong |= dict.fromkeys(RESERVED_OPTIONS, "is set by Tightrope") | dict.fromkeys(
        IGNORED_OPTIONS, "the Kafka client ignores this option"
    )
    wrong = {name: reason for name, value in options.client.items() if (reason := _mistake(name, value))} | wrong
    lines = [
        f"{key}.client.{name}: {wrong[name]} (it is {quote(value)})"
        for name, value in options.client.items()
        if name in wrong
    ]
    if str(options.client.get("security_protocol")).startswith("SASL_") and "sasl_mechanism" not in options.client:
        lines.append(f"{key}.client.sasl_mechanism: is missing; security_protocol needs one, such as SCRAM-SHA-512")
    if importlib.util.find_spec("crc32c") is None:
        lines.append(
            f"{key}: the package crc32c is missing; without it Kafka needs ten times the processor time:"
            " pip install 'kafka-python[crc32c,lz4,zstd]'"
        )
    return lines


def _mistake(name: str, value: object) -> str:
    """The mistake in the value of one option of the client; empty if it has no visible one."""
    if name in CHOICES:
        return "" if value in CHOICES[name] else f"must be one of {', '.join(CHOICES[name])}"
    defaults = [kind.DEFAULT_CONFIG[name] for kind in CLIENT_CLASSES if name in kind.DEFAULT_CONFIG]
    kinds = {kind for default in defaults for kind in (bool, str, int, float) if type(default) is kind}
    if not kinds or type(value) in kinds or (type(value) in {int, float} and kinds <= {int, float}):
        return ""
    return f"must be {' or '.join(sorted(VALUE_KINDS[kind] for kind in kinds))}"
