"""The configuration of the bus. A field's text gives its meaning and unit; docs/configuration.md is made of them."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from tightrope.service.config.section import Section

SECRET_OPTIONS = {"sasl_plain_password": "password_file", "ssl_password": "ssl_password_file"}
"""Secret options of the client, and the configuration key that names the file of each."""

MAX_PORT = 65_535

Hours = Annotated[float, Field(gt=0)]

BROKER = re.compile(r"(?:[^:,\s/\[\]]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})")


def _is_broker(address: str) -> str:
    found = BROKER.fullmatch(address)
    if found is None:
        raise ValueError("must be one broker as host:port, such as kafka-1:9092 or [::1]:9092, without a scheme")
    if not 0 < int(found[1]) <= MAX_PORT:
        raise ValueError(f"the port must be 1 to {MAX_PORT}")
    return address


BrokerAddress = Annotated[str, AfterValidator(_is_broker)]


class RetentionSection(Section):
    """Retention of the topics, in hours; control and snapshots keep the latest record of every model for good."""

    samples: Hours = 24.0
    """Samples: at least the longest outage of the workers."""
    comparisons: Hours = 168.0
    """Comparisons: at least the longest outage of the judges, and the longest delay of labels."""
    labels: Hours = 168.0
    """Labels."""
    events: Hours = 8760.0
    """The audit trail."""
    dead: Hours = 720.0
    """Records that could not be read."""
    payloads: Hours = 1.0
    """Payload events: at least the longest outage of the gateways."""


class SigningSection(Section):
    """Signatures of the records that move modes or evidence; see docs/cluster.md."""

    secret_file: Path
    """A file with the secret of all gateways, workers and judges: at least 32 bytes, as `openssl rand -hex 32` prints,
    and no other user may read it.
    """
    previous_secret_file: Path | None = None
    """A file with a second secret that signs nothing: its signatures are valid, too, while the secret is replaced."""
    unsigned: Literal["refuse", "accept"] = "refuse"
    """Records without a signature: `refuse` them, or `accept` and count them until all processes sign."""


class KafkaSection(Section):
    """An Apache Kafka cluster, version 2.8 or newer: older ones have no topic ids."""

    servers: Annotated[list[BrokerAddress], Field(min_length=1)]
    """Addresses of some brokers, each as host:port."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    """Prefix of the names of all topics and groups, for several clusters of Tightrope on one Kafka."""
    partitions: Annotated[int, Field(ge=1, le=1000)] = 6
    """Partitions of each topic, fixed for its life: the maximum number of workers, and of judges, that share work.
    While a topic has another number, no process is ready, and the baseline answers.
    """
    replication: Annotated[int, Field(ge=1, le=100)] = 1
    """Replicas of each topic that `tightrope topics` creates: 3 on three brokers."""
    retention_hours: RetentionSection = Field(default_factory=RetentionSection)
    """Retention of the topics."""
    instance: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] | None = None
    """Static group membership: a unique name that this process keeps over restarts, so that a restart does not
    rebalance the group. TIGHTROPE_INSTANCE sets it where processes share a file.
    """
    session_seconds: Annotated[float, Field(ge=6, le=1800)] = 10.0
    """A worker or judge without a heartbeat for this long is replaced."""
    bootstrap_seconds: Annotated[float, Field(ge=0)] = 30.0
    """A gateway is not ready before it has read the modes, or has tried for this long; until it knows them the baseline
    answers.
    """
    buffer_records: Annotated[int, Field(ge=10)] = 20_000
    """Maximum number of records buffered while Kafka does not accept them; further samples are dropped and counted."""
    buffer_bytes: Annotated[int, Field(ge=1024 * 1024)] = 64 * 1024 * 1024
    """Maximum bytes of the buffered records."""
    record_bytes: Annotated[int, Field(ge=1024 * 1024, le=1024**3)] = 16 * 1024 * 1024
    """Maximum size of a record."""
    password_file: Path | None = None
    """A file with the SASL password; or set TIGHTROPE_KAFKA_PASSWORD."""
    ssl_password_file: Path | None = None
    """A file with the password of the TLS key; or set TIGHTROPE_KAFKA_SSL_PASSWORD."""
    signing: SigningSection | None = None
    """Signatures of the records that move modes or evidence. Without it a program that may write the topics can switch
    the guard off.
    """
    client: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Any option of kafka-python by its own name: security_protocol, sasl_mechanism, sasl_plain_username,
    ssl_cafile, client_id, linger_ms, compression_type and so on.
    """

    @field_validator("client")
    @classmethod
    def _no_secrets(cls, client: dict[str, object]) -> dict[str, object]:
        for name, key in SECRET_OPTIONS.items():
            if name in client:
                raise ValueError(f"{name} is a secret: name its file in bus.kafka.{key}")
        return client


class BusSection(Section):
    """The log between gateways, workers and judges."""

    kafka: KafkaSection
    """Apache Kafka."""
