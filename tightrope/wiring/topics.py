"""`tightrope topics`: create and compare the Kafka topics that a configuration needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tightrope.service.adapters.kafka.admin import TopicSpec, create_topics, describe, differences, topic_specs
from tightrope.service.adapters.kafka.options import KafkaOptions, problems
from tightrope.service.config.kafka import KafkaSection
from tightrope.service.config.loader import CLIENT_FILE_OPTIONS, ConfigError, Settings, kafka_instance, kafka_secrets


@dataclass(frozen=True, slots=True)
class TopicStatus:
    """Names of the configuration's topics, of those created just now, and one line for each difference."""

    topics: list[str]
    made: list[str]
    differences: list[str]


def kafka_section(settings: Settings) -> KafkaSection:
    """Return the section of Kafka.

    Raises:
        ConfigError: when the section is missing.
    """
    if settings.bus is None:
        raise ConfigError(["bus: is missing; a cluster needs bus: {kafka: {servers: [host:port]}}"])
    return settings.bus.kafka


def kafka_options(settings: Settings) -> KafkaOptions:
    """Return the checked options of the adapter.

    Raises:
        ConfigError: with every problem.
    """
    kafka = kafka_section(settings)
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
    wrong = problems(options, "bus.kafka") + missing_files(kafka.client)
    if wrong:
        raise ConfigError(wrong)
    return options.with_client(kafka_secrets(kafka))


def missing_files(client: Mapping[str, object]) -> list[str]:
    """Return a problem for each file that does not exist; the client itself would only say that it cannot connect."""
    named = {name: Path(str(client[name])) for name in sorted(CLIENT_FILE_OPTIONS & client.keys())}
    return [
        f"bus.kafka.client.{name}: {file}: there is no such file" for name, file in named.items() if not file.is_file()
    ]


def wanted_specs(settings: Settings) -> list[TopicSpec]:
    """Return the topics that the configuration needs."""
    kafka = kafka_section(settings)
    return topic_specs(kafka.partitions, kafka.record_bytes, kafka.retention_hours.model_dump(), kafka.replication)


def ensure_topics(settings: Settings, *, check: bool) -> TopicStatus:
    """Create the missing topics, unless ``check``, and return how the topics differ from the configuration.

    Raises:
        ConfigError: when the configuration cannot be used.
        BusUnavailableError: when Kafka does not answer.
    """
    options, wanted = kafka_options(settings), wanted_specs(settings)
    existing = describe(options, [spec.name for spec in wanted], settings=True)
    missing = [] if check else [spec for spec in wanted if spec.name not in existing]
    if missing:
        create_topics(options, missing, kafka_section(settings).replication)
        existing = describe(options, [spec.name for spec in wanted], settings=True)
    made = [options.prefix + spec.name for spec in missing]
    return TopicStatus([options.prefix + spec.name for spec in wanted], made, differences(wanted, existing))
