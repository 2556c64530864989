"""The topics, by their part of the way of the data; which groups read them."""

from typing import Final

SAMPLES: Final = "samples"
COMPARISONS: Final = "comparisons"
CONTROL: Final = "control"
LABELS: Final = "labels"
EVENTS: Final = "events"
SNAPSHOTS: Final = "snapshots"
DEAD: Final = "dead"
EVERY: Final = (SAMPLES, COMPARISONS, LABELS, CONTROL, SNAPSHOTS, EVENTS, DEAD)
PAYLOADS: Final = "payloads"
"""Written by whoever serves a model elsewhere: not ours to make."""

WORKERS: Final = "workers"
JUDGES: Final = "judges"
INTAKE: Final = "intake"

PREFIX: Final = "tightrope"


def topic(name: str, prefix: str = PREFIX) -> str:
    """The full name of a topic."""
    return f"{prefix}.{name}"


COMPACTED: Final = frozenset({topic(CONTROL), topic(SNAPSHOTS)})
"""Topics that keep the latest record of every key for good."""
