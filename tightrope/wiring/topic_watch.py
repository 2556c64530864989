"""The watch of a cluster's process over its topics: compared with the configuration at start and every minute.

Records of a model are judged by one judge because its topics have equal numbers of partitions. Where a topic is
missing, or has another number than the configuration says, rows, labels, orders and modes may reach no reader: the
process reports that it is not ready, with the reason, and a gateway gives every request to the baseline. The number of
partitions of a topic never shrinks, so that this lasts until the configuration or the topics are corrected.

Keyed records stay in the first ``bus.kafka.partitions`` partitions (`kafka.producer.partition_of`), also after a topic
has grown: a change moves no key under running processes.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tightrope.service.adapters.kafka.admin import TopicDescription, look_up
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import BusUnavailableError
from tightrope.service.adapters.topics import ALL_TOPICS, COMPARISONS, CONTROL, LABELS, SAMPLES, SNAPSHOTS, topic

log = logging.getLogger(__name__)

TOPICS_CHECK_SECONDS = 60.0
"""Time between two looks at the topics."""

TOPICS_RETRY_SECONDS = 2.0
"""Time between two looks while a topic differs, or Kafka does not answer."""

JUDGED_TOPICS = frozenset(map(topic, (SAMPLES, COMPARISONS, LABELS, CONTROL, SNAPSHOTS)))
"""Topics that the judgement depends on. A difference of another one is told only."""

TopicsCallback = Callable[[Mapping[str, TopicDescription]], bool | None]
"""Called with the topics as they are, by name without the prefix; False asks for the next look soon."""


class TopicMetrics(Protocol):
    """The metrics of the watch."""

    def set_topic_mismatch(self, topic: str, *, mismatch: bool) -> None:
        """Show whether a topic is missing or has another number of partitions than the configuration."""


def partition_mismatches(described: Mapping[str, TopicDescription], partitions: int) -> dict[str, str]:
    """One line for each topic that is missing or has another number of partitions; topics left out are unknown."""
    lines = {}
    for name, found in described.items():
        if not found.partitions:
            lines[name] = f"{name} is missing: create it with `tightrope topics`"
        elif found.partitions != partitions:
            lines[name] = f"{name} has {found.partitions} partitions where bus.kafka.partitions says {partitions}"
    return lines


class TopicWatch:
    """Compares the topics in a thread. ``describe_topics`` returns them as they are, and ``listeners`` get every answer
    of it; ``distrust`` is called with each new reason against the judgement, empty when the topics fit again.
    """

    def __init__(
        self,
        describe_topics: Callable[[], Mapping[str, TopicDescription]],
        partitions: int,
        metrics: TopicMetrics,
        distrust: Callable[[str], None] = lambda _: None,
        listeners: Sequence[TopicsCallback] = (),
    ) -> None:
        self.reason = ""
        self._describe_topics = describe_topics
        self._partitions = partitions
        self._metrics = metrics
        self._distrust = distrust
        self._listeners = listeners
        self._lines: Mapping[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="topics", daemon=True)

    def start(self) -> None:
        """Start to watch."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop watching."""
        self._stopping.set()
        self._thread.join(timeout)

    def check(self) -> bool:
        """Look at the topics once; returns whether Kafka answered and all of them fit. Without an answer nothing new is
        known, and the latest reason stays.
        """
        try:
            described = self._describe_topics()
        except BusUnavailableError as error:
            log.info("the topics cannot be compared now: %s", error)
            return False
        lines = partition_mismatches(described, self._partitions)
        for name in described:
            self._metrics.set_topic_mismatch(name, mismatch=name in lines)
        if lines != self._lines:
            self._report(lines)
        content = [listener(described) is not False for listener in self._listeners]
        return not lines and all(content)

    def _report(self, lines: Mapping[str, str]) -> None:
        for name, line in lines.items():
            if self._lines.get(name) != line:
                log.error("topics: %s", line)
        if not lines:
            log.warning("topics: all of them fit the configuration again")
        self._lines = lines
        reason = "; ".join(line for name, line in lines.items() if name in JUDGED_TOPICS)
        if reason != self.reason:
            self.reason = reason
            self._distrust(reason)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                fits = self.check()
            except Exception:  # the watch must outlive every error
                log.exception("the comparison of the topics failed; the next one follows")
                fits = False
            self._stopping.wait(TOPICS_CHECK_SECONDS if fits else TOPICS_RETRY_SECONDS)


def watch_topics(
    options: KafkaOptions,
    metrics: TopicMetrics,
    distrust: Callable[[str], None] = lambda _: None,
    listeners: Sequence[TopicsCallback] = (),
) -> TopicWatch:
    """The watch of a process over all topics of these options."""
    names = [topic(name) for name in ALL_TOPICS]
    return TopicWatch(lambda: look_up(options, names), options.partitions, metrics, distrust, listeners)
