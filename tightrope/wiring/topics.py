"""`tightrope topics`: create and compare the Kafka topics that a configuration needs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tightrope.service.adapters.kafka.admin import TopicSpec, create_topics, describe, differences, topic_specs
from tightrope.service.adapters.kafka.options import KafkaOptions, problems
from tightrope.service.adapters.kafka.permissions.acls import PERMISSIONS, grant_commands
from tightrope.service.adapters.kafka.signature import Signing
from tightrope.service.adapters.secret_file import shared_secret
from tightrope.service.adapters.topics import INCIDENTS
from tightrope.service.config.kafka import KafkaSection, SigningSection
from tightrope.service.config.loader import CLIENT_FILE_OPTIONS, ConfigError, Settings, kafka_instance, kafka_secrets
from tightrope.service.config.state import RecordSection

DAY_HOURS = 24

UNSIGNED_WARNING = (
    "bus.kafka.signing: is missing, so records are not signed: a program that may write the topics can switch the guard"
    " off; see docs/cluster.md"
)
ACCEPTING_WARNING = (
    "bus.kafka.signing.unsigned: is accept, so a program that may write the topics can switch the guard off; set it to"
    " refuse once all processes sign"
)


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
        partitions=kafka.partitions,
        client=kafka.client,
    )
    wrong = problems(options, "bus.kafka") + missing_files(kafka.client)
    if wrong:
        raise ConfigError(wrong)
    return replace(options.with_client(kafka_secrets(kafka)), signing=signing_secrets(kafka.signing))


def signing_secrets(section: SigningSection | None) -> Signing | None:
    """Return the secrets that sign and check records; None where the configuration has none.

    Raises:
        ConfigError: with each file that does not hold a secret.
    """
    if section is None:
        return None
    files = {"secret_file": section.secret_file, "previous_secret_file": section.previous_secret_file}
    found: dict[str, bytes] = {}
    wrong = []
    for key, file in files.items():
        try:
            if file is not None:
                found[key] = shared_secret(file)
        except ValueError as error:
            wrong.append(f"bus.kafka.signing.{key}: {file}: {error}")
    if wrong:
        raise ConfigError(wrong)
    return Signing(found["secret_file"], found.get("previous_secret_file"), section.unsigned == "accept")


def signing_warning(settings: Settings) -> str:
    """Return what the signatures of this configuration leave open; empty if it is nothing, or there is no cluster."""
    if settings.bus is None:
        return ""
    if settings.bus.kafka.signing is None:
        return UNSIGNED_WARNING
    return ACCEPTING_WARNING if settings.bus.kafka.signing.unsigned == "accept" else ""


def missing_files(client: Mapping[str, object]) -> list[str]:
    """Return a problem for each file that does not exist; the client itself would only say that it cannot connect."""
    named = {name: Path(str(client[name])) for name in sorted(CLIENT_FILE_OPTIONS & client.keys())}
    return [
        f"bus.kafka.client.{name}: {file}: there is no such file" for name, file in named.items() if not file.is_file()
    ]


def wanted_specs(settings: Settings) -> list[TopicSpec]:
    """Return the topics that the configuration needs."""
    kafka, record = kafka_section(settings), settings.record or RecordSection()
    hours = {**kafka.retention_hours.model_dump(), INCIDENTS: record.keep_days * DAY_HOURS}
    return topic_specs(kafka.partitions, kafka.record_bytes, hours, kafka.replication)


def acl_commands(settings: Settings, processes: Collection[str], principal: str) -> dict[str, list[str]]:
    """Return the commands of Kafka's tool that grant each of these processes, or all, its permissions; the user is the
    configuration's, or ``principal``.

    Raises:
        ConfigError: when there is no such process.
    """
    if unknown := [process for process in processes if process not in PERMISSIONS]:
        raise ConfigError([f"PROCESS: is {unknown[0]!r}; it must be one of {', '.join(PERMISSIONS)}"])
    options = kafka_options(settings)
    return {name: grant_commands(options, PERMISSIONS[name], principal) for name in processes or PERMISSIONS}


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
