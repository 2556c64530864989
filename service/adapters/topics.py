"""Names of the topics, in the order of the data's way, and of the consumer groups that read them."""

from typing import Final

SAMPLES: Final = "samples"
COMPARISONS: Final = "comparisons"
CONTROL: Final = "control"
LABELS: Final = "labels"
EVENTS: Final = "events"
SNAPSHOTS: Final = "snapshots"
DEAD: Final = "dead"
PAYLOADS: Final = "payloads"
INCIDENTS: Final = "incidents"
ALL_TOPICS: Final = (SAMPLES, COMPARISONS, LABELS, CONTROL, SNAPSHOTS, EVENTS, DEAD, PAYLOADS, INCIDENTS)

WORKERS_GROUP: Final = "workers"
JUDGES_GROUP: Final = "judges"
INTAKE_GROUP: Final = "intake"

TOPIC_PREFIX: Final = "tightrope"


def topic(name: str, prefix: str = TOPIC_PREFIX) -> str:
    """The full name of a topic."""
    return f"{prefix}.{name}"


COMPACTED: Final = frozenset({topic(CONTROL), topic(SNAPSHOTS), topic(INCIDENTS)})
"""Topics that keep the latest record of every key."""

DELETABLE: Final = frozenset({topic(INCIDENTS)})
"""Compacted topics in which a record with an empty value deletes that of its key."""

POSITION_TOPICS = tuple(map(topic, (SAMPLES, COMPARISONS, LABELS, CONTROL, SNAPSHOTS)))
"""Topics whose identities are part of a judge's position: what it knows of a model refers to all of them."""
