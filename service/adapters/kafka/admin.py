"""The topics of a Kafka cluster: specified, described, created and compared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from tightrope.service.adapters import topics
from tightrope.service.adapters.kafka.client import connect_client
from tightrope.service.adapters.kafka.options import MEGABYTE, KafkaOptions
from tightrope.service.adapters.ports import BusUnavailableError

HOUR_MS = 3_600_000

COMPACTION_SETTINGS = {
    "cleanup.policy": "compact",
    "segment.bytes": str(16 * MEGABYTE),  # the newest segment is never compacted, and every reader reads it whole
    "segment.ms": str(HOUR_MS),
    "min.cleanable.dirty.ratio": "0.1",
}


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
    return {"cleanup.policy": "delete", "retention.ms": str(int(hours[name] * HOUR_MS))}


@contextmanager
def _admin(options: KafkaOptions) -> Iterator[Any]:
    """An admin client.

    Raises:
        BusUnavailableError: when Kafka cannot be reached, or refuses a request.
    """
    try:
        with closing(connect_client(options, KafkaAdminClient, options.admin)) as admin:
            yield admin
    except (KafkaError, OSError) as error:
        raise BusUnavailableError(f"Kafka at {', '.join(options.servers)}: {error or type(error).__name__}") from error


def describe(options: KafkaOptions, names: Iterable[str], *, settings: bool = False) -> dict[str, TopicDescription]:
    """The existing ones of these topics, with their settings on request.

    Raises:
        BusUnavailableError: when Kafka cannot be reached.
    """
    full = {options.prefix + name: name for name in names}
    with _admin(options) as admin:
        existing = [t for t in admin.describe_topics(list(full)) if not t["error_code"]]
        values = _settings_of(admin, [t["name"] for t in existing]) if settings and existing else {}
    return {
        full[t["name"]]: TopicDescription(str(t["topic_id"]), len(t["partitions"]), values.get(t["name"], {}))
        for t in existing
    }


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
    with _admin(options) as admin:
        for spec in wanted:
            new = NewTopic(options.prefix + spec.name, spec.partitions, replication, topic_configs=dict(spec.settings))
            try:
                admin.create_topics([new])
            except TopicAlreadyExistsError:
                continue
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
