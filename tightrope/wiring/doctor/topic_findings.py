"""Findings about the topics: whether they exist, their partitions and settings, and what was parked."""

from collections.abc import Iterator

from tightrope.service.adapters.topics import ALL_TOPICS, topic
from tightrope.wiring.doctor.cluster_view import ClusterView
from tightrope.wiring.doctor.finding import Finding, Severity
from tightrope.wiring.topic_watch import JUDGED_TOPICS, partition_mismatches

MAX_PARKED_REASONS = 5
"""Most reasons of parked records that are listed."""

GROW_REMEDY = (
    "let all topics have the same number of partitions (they never shrink), write it into bus.kafka.partitions of all"
    " members, and restart them; the baseline answers until then"
)
MISSING_REMEDY = "create them with `tightrope topics CONFIG`; if they were deleted, restart all members, too"


def topic_findings(view: ClusterView) -> Iterator[Finding]:
    """Missing topics, numbers of partitions, settings."""
    if view.topics is None:
        return
    lines = partition_mismatches(view.topics, view.partitions)
    alike: dict[tuple[Severity, int], list[str]] = {}
    for name in (name for name in map(topic, ALL_TOPICS) if name in lines):
        severity = Severity.BLIND if name in JUDGED_TOPICS else Severity.ACT
        alike.setdefault((severity, view.topics[name].partitions), []).append(name)
    for (severity, found), names in alike.items():
        text = f"{', '.join(names)}: missing."
        if found:
            text = f"{', '.join(names)}: {found} partitions where bus.kafka.partitions says {view.partitions}."
        yield Finding(severity, "topics", text, GROW_REMEDY if found else MISSING_REMEDY)
    settings = [line for line in view.differences or () if not _is_about_partitions(line)]
    for line in settings:
        name, _, difference = line.partition(": ")
        yield Finding(Severity.ACT, name, f"{difference}.", "set it with `kafka-configs --alter`, as the line says")
    if not lines and not settings:
        count = len(view.topics)
        yield Finding(Severity.FINE, "topics", f"{count} topics with {view.partitions} partitions each, as configured.")


def _is_about_partitions(line: str) -> bool:
    """Whether a line of `admin.differences` says what `partition_mismatches` says, too."""
    return line.endswith(": is missing") or " partitions where " in line


def parked_findings(view: ClusterView) -> Iterator[Finding]:
    """Records that could not be used, by topic and reason."""
    if view.parked is None:
        return
    parked = sorted(view.parked.items(), key=lambda item: -item[1])
    for (name, reason), count in parked[:MAX_PARKED_REASONS]:
        text = f"{count} parked within the last hour: {reason}."
        yield Finding(Severity.ACT, name, text, "find their writer with `tightrope tail CONFIG dead`")
    if len(parked) > MAX_PARKED_REASONS:
        others = sum(count for _, count in parked[MAX_PARKED_REASONS:])
        yield Finding(Severity.ACT, "dead", f"{others} more parked for other reasons.")
    if not parked:
        yield Finding(Severity.FINE, "dead", "no record was parked within the last hour.")
