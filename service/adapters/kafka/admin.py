"""The topics of a Kafka cluster: specified, described, created and compared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic, OffsetSpec
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from tightrope.service.adapters import topics
from tightrope.service.adapters.kafka.client import call_with_timeout, connect_client
from tightrope.service.adapters.kafka.options import MEGABYTE, KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import CREATE, DESCRIBE, DESCRIBE_CONFIGS, TOPIC, denial
from tightrope.service.adapters.ports import BusUnavailableError, LogPartition

HOUR_MS = 3_600_000

LOOK_UP_SECONDS = 20.0
"""Time limit for a look at the topics; a watch repeats it."""

COMPACTION_SETTINGS = {
    "cleanup.policy": "compact",
    "segment.bytes": str(16 * MEGABYTE),  # the newest segment is never compacted, and every reader reads it whole
    "segment.ms": str(HOUR_MS),
    "min.cleanable.dirty.ratio": "0.1",
}

EXPIRING = "compact,delete"
"""The policy of a compacted topic whose records also go after the time of its retention."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it should be."""

    name: str
    partitions: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A topic as it is."""

    id: str
    partitions: int
    settings: Mapping[str, str] = field(default_factory=dict)


MISSING_TOPIC = TopicDescription("", 0)
"""The description of a topic that does not exist."""


def topic_specs(partitions: int, record_bytes: int, hours: Mapping[str, float], copies: int = 1) -> list[TopicSpec]:
    """All topics. They have equal partitions, so that one judge reads all records of a model.

    Brokers set the timestamps: producers' clocks may be wrong, and Kafka refuses records from the future. An
    acknowledged record is on all ``copies`` but one, so that the loss of one broker loses no record.
    """
    common = {
        "max.message.bytes": str(record_bytes + MEGABYTE),
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(max(1, copies - 1)),
    }
    return [TopicSpec(topics.topic(name), partitions, common | _settings(name, hours)) for name in topics.ALL_TOPICS]


def _settings(name: str, hours: Mapping[str, float]) -> dict[str, str]:
    if name in {topics.CONTROL, topics.SNAPSHOTS}:
        return COMPACTION_SETTINGS
    if name == topics.INCIDENTS:
        return COMPACTION_SETTINGS | {"cleanup.policy": EXPIRING, "retention.ms": str(int(hours[name] * HOUR_MS))}
    return {"cleanup.policy": "delete", "retention.ms": str(int(hours[name] * HOUR_MS))}


@contextmanager
def admin_client(options: KafkaOptions) -> Iterator[Any]:
    """An admin client.

    Raises:
        BusUnavailableError: when Kafka cannot be reached, or refuses a request.
    """
    try:
        with closing(connect_client(options, KafkaAdminClient, options.admin)) as admin:
            yield admin
    except (KafkaError, OSError) as error:
        raise BusUnavailableError(f"Kafka at {', '.join(options.servers)}: {error or type(error).__name__}") from error


def describe(
    options: KafkaOptions, names: Iterable[str], *, settings: bool = False, operation: str = DESCRIBE
) -> dict[str, TopicDescription]:
    """The existing ones of these topics, with their settings on request.

    Raises:
        BusUnavailableError: when Kafka cannot be reached.
        NotPermittedError: when the brokers do not show them to this user, who needs the permission for ``operation``.
    """
    full = {options.prefix + name: name for name in names}
    with admin_client(options) as admin:
        answers = admin.describe_topics(list(full))
        existing = [t for t in answers if not t["error_code"]]
        values = _settings_of(admin, [t["name"] for t in existing]) if settings and existing else {}
    hidden = [t["name"] for t in answers if t["error_code"] == TopicAuthorizationFailedError.errno]
    if hidden:
        raise denial(options, TOPIC, hidden, operation)
    if unread := [name for name, found in values.items() if not found]:  # the client drops the error
        raise denial(options, TOPIC, unread, DESCRIBE_CONFIGS)
    return {
        full[t["name"]]: TopicDescription(str(t["topic_id"]), len(t["partitions"]), values.get(t["name"], {}))
        for t in existing
    }


def look_up(options: KafkaOptions, names: Iterable[str]) -> dict[str, TopicDescription]:
    """These topics as they are, without settings; one that does not exist is `MISSING_TOPIC`, and one that the brokers
    do not show to this user is left out.

    Raises:
        BusUnavailableError: when Kafka cannot be reached.
    """
    full = {options.prefix + name: name for name in names}
    with admin_client(options) as admin:
        answers = call_with_timeout(LOOK_UP_SECONDS, admin.describe_topics, list(full))
    found = {t["name"]: t for t in answers if t["error_code"] in {0, UnknownTopicOrPartitionError.errno}}
    return {
        name: MISSING_TOPIC if t["error_code"] else TopicDescription(str(t["topic_id"]), len(t["partitions"]))
        for name, t in ((full[each], found[each]) for each in full if each in found)
    }


def end_offsets(options: KafkaOptions, described: Mapping[str, TopicDescription]) -> dict[LogPartition, int]:
    """The offset after the last record of each partition of these topics.

    Raises:
        BusUnavailableError: when Kafka cannot be reached, or a partition is missing.
    """
    sources = [(name, number) for name, topic in described.items() for number in range(topic.partitions)]
    wanted = {TopicPartition(options.prefix + name, number): OffsetSpec.LATEST for name, number in sources}
    with admin_client(options) as admin:
        found = admin.list_partition_offsets(wanted)
    return {(source.topic.removeprefix(options.prefix), source.partition): end.offset for source, end in found.items()}


def _settings_of(admin: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:  # noqa: ANN401 - no types
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    configs = admin.describe_configs(resources, config_filter="all")
    return {
        name: {key: str(entry["value"]) for key, entry in values.items()} for name, values in configs["topic"].items()
    }


def create_topics(options: KafkaOptions, wanted: Sequence[TopicSpec], replication: int) -> None:
    """Create topics; an existing one is left as it is.

    Raises:
        BusUnavailableError: when Kafka cannot be reached, or refuses.
    """
    with admin_client(options) as admin:
        for spec in wanted:
            new = NewTopic(options.prefix + spec.name, spec.partitions, replication, topic_configs=dict(spec.settings))
            try:
                admin.create_topics([new])
            except TopicAlreadyExistsError:
                continue
            except AuthorizationError as error:
                raise denial(options, TOPIC, [new.name], CREATE) from error
        admin.wait_for_topics([options.prefix + spec.name for spec in wanted])


def differences(wanted: Sequence[TopicSpec], existing: Mapping[str, TopicDescription]) -> list[str]:
    """The differences between the specified and the existing topics, one line each."""
    lines = []
    for spec in wanted:
        actual = existing.get(spec.name)
        if actual is None:
            lines.append(f"{spec.name}: is missing")
            continue
        if actual.partitions != spec.partitions:
            lines.append(f"{spec.name}: has {actual.partitions} partitions where {spec.partitions} should be")
        lines += [
            f"{spec.name}: {key} is {actual.settings.get(key, 'not set')} where {value} should be"
            for key, value in spec.settings.items()
            if actual.settings.get(key) != value
        ]
    return lines
