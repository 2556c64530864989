"""The topics as they should be on a Kafka cluster: made where they are missing, compared where they are there."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from tightrope.service.adapters import topics
from tightrope.service.adapters.kafka.client import connected
from tightrope.service.adapters.kafka.options import MEGABYTE, KafkaOptions
from tightrope.service.adapters.ports import BusAwayError

HOUR_MS = 3_600_000

COMPACT = {
    "cleanup.policy": "compact",
    "segment.bytes": str(
        16 * MEGABYTE
    ),  # the newest segment is never compacted: a reader from the start reads it whole
    "segment.ms": str(HOUR_MS),
    "min.cleanable.dirty.ratio": "0.1",
}


@dataclass(frozen=True, slots=True)
class Spec:
    """A topic as it should be."""

    name: str
    partitions: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as it is."""

    id: str
    partitions: int
    settings: Mapping[str, str] = field(default_factory=dict)


def specs(partitions: int, record_bytes: int, hours: Mapping[str, float], copies: int = 1) -> list[Spec]:
    """All topics. What concerns one model stands in partitions of equal number, so that one judge has all of it.

    Brokers put their own time on records: a writer's clock may be wrong, and Kafka refuses what is of the future. What
    is acknowledged stands on all ``copies`` but one, so that the loss of a broker loses none of it.
    """
    common = {
        "max.message.bytes": str(record_bytes + MEGABYTE),
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(max(1, copies - 1)),
    }
    return [Spec(topics.topic(name), partitions, common | _settings(name, hours)) for name in topics.EVERY]


def _settings(name: str, hours: Mapping[str, float]) -> dict[str, str]:
    if name in {topics.CONTROL, topics.SNAPSHOTS}:
        return COMPACT
    return {"cleanup.policy": "delete", "retention.ms": str(int(hours[name] * HOUR_MS))}


def described(options: KafkaOptions, names: Iterable[str], *, settings: bool = False) -> dict[str, Found]:
    """Those of the topics that are there; with their settings only if asked.

    Raises:
        BusAwayError: when Kafka cannot be asked.
    """
    real = {options.prefix + name: name for name in names}
    try:
        with closing(connected(options, KafkaAdminClient, options.admin)) as admin:
            told = [t for t in admin.describe_topics(list(real)) if not t["error_code"]]
            given = _settings_of(admin, [t["name"] for t in told]) if settings and told else {}
    except (KafkaError, OSError) as error:
        raise BusAwayError(f"Kafka at {', '.join(options.servers)}: {error or type(error).__name__}") from error
    return {real[t["name"]]: Found(str(t["topic_id"]), len(t["partitions"]), given.get(t["name"], {})) for t in told}


def _settings_of(admin: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:  # noqa: ANN401 - no types
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found = admin.describe_configs(asked, config_filter="all")
    return {
        name: {key: str(entry["value"]) for key, entry in values.items()} for name, values in found["topic"].items()
    }


def create(options: KafkaOptions, wanted: Sequence[Spec], replication: int) -> None:
    """Make topics; one that somebody else made in the same moment is left as it is.

    Raises:
        BusAwayError: when Kafka cannot be asked, or refuses.
    """
    try:
        with closing(connected(options, KafkaAdminClient, options.admin)) as admin:
            for spec in wanted:
                new = NewTopic(
                    options.prefix + spec.name, spec.partitions, replication, topic_configs=dict(spec.settings)
                )
                try:
                    admin.create_topics([new])
                except TopicAlreadyExistsError:
                    continue
            admin.wait_for_topics([options.prefix + spec.name for spec in wanted])
    except (KafkaError, OSError) as error:
        raise BusAwayError(f"Kafka at {', '.join(options.servers)}: {error or type(error).__name__}") from error


def differences(wanted: Sequence[Spec], found: Mapping[str, Found]) -> list[str]:
    """What is not as it should be, one line each."""
    lines = []
    for spec in wanted:
        there = found.get(spec.name)
        if there is None:
            lines.append(f"{spec.name}: is not there")
            continue
        if there.partitions != spec.partitions:
            lines.append(f"{spec.name}: has {there.partitions} partitions where {spec.partitions} should be")
        lines += [
            f"{spec.name}: {key} is {there.settings.get(key, 'not set')} where {value} should be"
            for key, value in spec.settings.items()
            if there.settings.get(key) != value
        ]
    return lines
