"""`tightrope topics`: the topics of a cluster as the configuration wants them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tightrope.service.adapters.kafka.admin import Spec, create, described, differences, specs
from tightrope.service.adapters.kafka.options import KafkaOptions, problems
from tightrope.service.config.kafka import Kafka
from tightrope.service.config.loader import CLIENT_FILES, ConfigError, Settings, kafka_instance, kafka_secrets


@dataclass(frozen=True, slots=True)
class Topics:
    """What there is: the topics that were made just now, and what is not as the configuration says."""

    topics: list[str]
    made: list[str]
    differences: list[str]


def kafka_of(settings: Settings) -> Kafka:
    """The configuration's Kafka.

    Raises:
        ConfigError: when it has none.
    """
    if settings.bus is None:
        raise ConfigError(["bus: is missing; a cluster needs bus: {kafka: {servers: [host:port]}}"])
    return settings.bus.kafka


def options_of(settings: Settings) -> KafkaOptions:
    """What the adapter needs, checked.

    Raises:
        ConfigError: with every mistake in it.
    """
    kafka = kafka_of(settings)
    options = KafkaOptions(
        servers=tuple(kafka.servers),
        prefix=kafka.prefix,
        instance=kafka_instance(kafka),
        session=kafka.session_seconds,
        buffer_records=kafka.buffer_records,
        buffer_bytes=kafka.buffer_bytes,
        record_bytes=kafka.record_bytes,
        client=kafka.client,
    )
    found = problems(options, "bus.kafka") + absent(kafka.client)
    if found:
        raise ConfigError(found)
    return options.with_client(kafka_secrets(kafka))


def absent(client: Mapping[str, object]) -> list[str]:
    """Files that the client would look for in vain: it says no more than that it cannot connect."""
    named = {name: Path(str(client[name])) for name in sorted(CLIENT_FILES & client.keys())}
    return [
        f"bus.kafka.client.{name}: {file}: there is no such file" for name, file in named.items() if not file.is_file()
    ]


def wanted(settings: Settings) -> list[Spec]:
    """The topics as they should be."""
    kafka = kafka_of(settings)
    return specs(kafka.partitions, kafka.record_bytes, kafka.retention_hours.model_dump(), kafka.replication)


def topics(settings: Settings, *, check: bool) -> Topics:
    """Make the topics that are missing, unless this is only a ``check``, and say what is not as it should be.

    Raises:
        ConfigError: when the configuration cannot be used.
        BusAwayError: when Kafka cannot be asked.
    """
    options, should = options_of(settings), wanted(settings)
    there = described(options, [spec.name for spec in should], settings=True)
    missing = [] if check else [spec for spec in should if spec.name not in there]
    if missing:
        create(options, missing, kafka_of(settings).replication)
        there = described(options, [spec.name for spec in should], settings=True)
    made = [options.prefix + spec.name for spec in missing]
    return Topics([options.prefix + spec.name for spec in should], made, differences(should, there))
