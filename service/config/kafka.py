"""The sections of the configuration that speak of the bus. Every field says what it means, in which unit."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from tightrope.service.config.models import Section

SECRETS = {"sasl_plain_password": "password_file", "ssl_password": "ssl_password_file"}
"""Options of the client that are secrets, and the key that names their file."""

Hours = Annotated[float, Field(gt=0)]
Address = Annotated[str, Field(pattern=r"^[^:\s/]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$")]


class Retention(Section):
    """How long topics keep their records, in hours; control and snapshots keep the latest of every model for good."""

    samples: Hours = 24.0
    """Samples: as long as the workers may be away."""
    comparisons: Hours = 168.0
    """Comparisons: as long as the judges may be away, and as labels may be late."""
    labels: Hours = 168.0
    """Labels."""
    events: Hours = 8760.0
    """The audit trail."""
    dead: Hours = 720.0
    """Records that could not be used."""
    payloads: Hours = 1.0
    """Events of models that are served elsewhere: as long as the gateways may be away."""


class Kafka(Section):
    """An Apache Kafka cluster, 2.8 or newer: since then topics have ids."""

    servers: Annotated[list[Address], Field(min_length=1)]
    """Some of its brokers, each as host:port."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    """Put in front of the names of all topics and groups, where several clusters of Tightrope share one Kafka."""
    partitions: Annotated[int, Field(ge=1, le=1000)] = 6
    """Of each topic, fixed for its life: at most so many workers, and so many judges, share the work."""
    replication: Annotated[int, Field(ge=1, le=100)] = 1
    """Copies of each topic that `tightrope topics` asks for: 3 where there are three brokers."""
    retention_hours: Retention = Field(default_factory=Retention)
    """How long topics keep their records."""
    instance: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] | None = None
    """A name that this process keeps over restarts and shares with no other: its part of the work then waits for it
    instead of being dealt out anew. TIGHTROPE_INSTANCE sets it where processes share a file.
    """
    session_seconds: Annotated[float, Field(ge=6, le=1800)] = 10.0
    """A worker or judge that has not been heard of for so long is replaced."""
    bootstrap_seconds: Annotated[float, Field(ge=0)] = 30.0
    """A gateway is not ready before it has read the modes, or has tried for so long; until it knows them the baseline
    answers.
    """
    buffer_records: Annotated[int, Field(ge=10)] = 20_000
    """Records that a process holds while Kafka does not take them; then samples are dropped, and counted."""
    buffer_bytes: Annotated[int, Field(ge=1024 * 1024)] = 64 * 1024 * 1024
    """The same in bytes."""
    record_bytes: Annotated[int, Field(ge=1024 * 1024, le=1024**3)] = 16 * 1024 * 1024
    """The largest record."""
    password_file: Path | None = None
    """A file with the SASL password; or set TIGHTROPE_KAFKA_PASSWORD."""
    ssl_password_file: Path | None = None
    """A file with the password of the TLS key; or set TIGHTROPE_KAFKA_SSL_PASSWORD."""
    client: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Any option of the Kafka client by its own name: security_protocol, sasl_mechanism, sasl_plain_username,
    ssl_cafile, client_id, linger_ms, compression_type and so on.
    """

    @field_validator("client")
    @classmethod
    def _no_secrets(cls, client: dict[str, object]) -> dict[str, object]:
        for name, key in SECRETS.items():
            if name in client:
                raise ValueError(f"{name} is a secret: name its file in bus.kafka.{key}")
        return client


class Bus(Section):
    """The log between gateways, workers and judges."""

    kafka: Kafka
    """Apache Kafka."""
