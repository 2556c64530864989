"""What is needed to talk to Kafka: where it is, what this process may hold, and every option of the client.

The client's own options are passed on by its own names, whatever they are (``security_protocol``, ``sasl_mechanism``,
``ssl_cafile``, ``client_id`` and so on), each to the kinds of client that know it. Those that the guarantees depend on
are ours.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.coordinator.assignors.range import RangePartitionAssignor

from tightrope.service.errors import quote

MEGABYTE = 1024 * 1024

OURS = frozenset(
    (
        "acks", "allow_auto_create_topics", "auto_offset_reset", "bootstrap_servers", "bootstrap_timeout_ms",
        "delivery_timeout_ms", "enable_auto_commit", "enable_idempotence", "group_id", "group_instance_id",
        "isolation_level", "key_deserializer", "key_serializer", "max_block_ms", "max_request_size",
        "partition_assignment_strategy", "partitioner", "retries", "session_timeout_ms", "transactional_id",
        "value_deserializer", "value_serializer",
    )
)  # fmt: skip
"""Options that cannot be given: the guarantees depend on them, or another key of the configuration sets them."""

IGNORED = frozenset(("ssl_ciphers",))
"""Options that the client takes and does nothing with (3.0.12): whoever relies on one must know."""

KINDS: tuple[Any, ...] = (KafkaProducer, KafkaConsumer, KafkaAdminClient)

FOR_EVER_MS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """Where Kafka is, and how this process uses it. ``prefix`` is put in front of every topic's and group's name,
    ``instance`` makes this a static member of its group; sizes are in bytes, times in seconds.
    """

    servers: tuple[str, ...]
    prefix: str = ""
    instance: str | None = None
    session: float = 10.0
    buffer_records: int = 20_000
    buffer_bytes: int = 64 * MEGABYTE
    record_bytes: int = 16 * MEGABYTE
    client: Mapping[str, Any] = field(default_factory=dict)

    def in_place(self, place: str) -> "KafkaOptions":
        """The same for one of several processes: no two are the same static member."""
        return replace(self, instance=self.instance and f"{self.instance}-{place}")

    def with_client(self, more: Mapping[str, Any]) -> "KafkaOptions":
        """The same with more options of the client."""
        return replace(self, client={**self.client, **more})

    def client_options(self, kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a class of the client library
        """What clients of all kinds have in common, as far as this kind knows it."""
        common = {"reconnect_backoff_max_ms": 1000, "request_timeout_ms": 10_000, **self.client}
        known = {name: value for name, value in common.items() if name in kind.DEFAULT_CONFIG}
        return {**known, "bootstrap_servers": list(self.servers)}

    @property
    def producer(self) -> dict[str, Any]:
        """Nothing twice and nothing out of order; what waits is bounded by the publisher, not by time."""
        mine = {"linger_ms": 10, "batch_size": MEGABYTE // 2, "compression_type": "lz4"}
        return {
            **mine,
            **self.client_options(KafkaProducer),
            "acks": "all",
            "enable_idempotence": True,
            "allow_auto_create_topics": False,
            "delivery_timeout_ms": FOR_EVER_MS,
            "bootstrap_timeout_ms": 2000,
            "max_block_ms": 2000,
            "max_request_size": self.record_bytes + MEGABYTE,
        }

    def consumer(self, group: str | None, timeout: float) -> dict[str, Any]:
        """Whoever reads commits by hand, from the oldest record on. A record is fetched when it comes, however long a
        fetch may wait; but a group's member asks how far it is behind, and its question stands behind the fetch.
        """
        mine = {
            "fetch_max_wait_ms": 100 if group else 500,
            "max_partition_fetch_bytes": 4 * MEGABYTE,
            "heartbeat_interval_ms": 2000,
        }
        return {
            **mine,
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
        """For a look, or to create topics."""
        return {**self.client_options(KafkaAdminClient), "bootstrap_timeout_ms": 5000}


def problems(options: KafkaOptions, key: str) -> list[str]:
    """Everything that is wrong with the options, one line each; ``key`` is where the configuration has them."""
    known = {name for kind in KINDS for name in kind.DEFAULT_CONFIG}
    wrong = {name: "the Kafka client has no such option" for name in options.client if name not in known}
    wrong |= dict.fromkeys(OURS, "is set by Tightrope") | dict.fromkeys(IGNORED, "the Kafka client ignores this option")
    found = [
        f"{key}.client.{name}: {wrong[name]} (it is {quote(value)})"
        for name, value in options.client.items()
        if name in wrong
    ]
    if str(options.client.get("security_protocol")).startswith("SASL_") and "sasl_mechanism" not in options.client:
        found.append(f"{key}.client.sasl_mechanism: is missing; security_protocol needs one, such as SCRAM-SHA-512")
    if importlib.util.find_spec("crc32c") is None:
        found.append(
            f"{key}: the package crc32c is missing, and without it Kafka costs ten times the processor:"
            " pip install 'kafka-python[crc32c,lz4,zstd]'"
        )
    return found
