"""The watch over the audit trail of a cluster, at each judge: it reads the topic of events again and again, compares
all links there, and the end of each chain with the head that it has seen before.
"""

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.adapters.audit.chain import Problem
from tightrope.service.adapters.audit.cluster_chains import ChainCollector, ClusterTrail, find_cluster_problems
from tightrope.service.adapters.audit.event_publisher import EventPublisher
from tightrope.service.adapters.audit.seals import AuditKeys, Seal, SealError, decode_seal, encode_seal
from tightrope.service.adapters.ports import Bus, BusFullError, BusUnavailableError, NotPermittedError, Subscription
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import EVENTS, topic
from tightrope.service.config.loader import Settings
from tightrope.service.routing.periodic_check import PeriodicCheck
from tightrope.wiring.audit_keys import audit_keys, shared_keys
from tightrope.wiring.recording.chain_watch import CHAIN_CHECK_SECONDS, CHANGED
from tightrope.wiring.topics import kafka_section

log = logging.getLogger(__name__)

POLLED_EVENTS = 2_000
"""Events of a portion: a tenth of a second."""

COMPARISON_SECONDS = 300.0
"""Seconds between the starts of two rounds, which take longer with many events."""

TRAIL_RETRY_SECONDS = 60.0
"""Seconds before the next attempt while the topic cannot be read."""

PORTION_SECONDS = 1.0
"""Longest time to wait for a portion."""

HOUR_SECONDS = 3600.0

RETENTION_MARGIN_SECONDS = HOUR_SECONDS
"""Time before the end of their retention from which events are not compared: brokers delete them by partition."""

HEADS_FILE = "audit-heads.jsonl"
"""Name of the file in the state folder with the newest head of each writer, as `tightrope audit head` prints them."""


@dataclass(frozen=True, slots=True)
class UncheckedKeys(AuditKeys):
    """The keys of a cluster whose processes have each a secret of their own: signatures of others cannot be checked."""

    def has_signed(self, seal: Seal) -> bool:
        """Taken for granted."""
        del seal
        return True


class ClusterChainWatch:
    """Watches all chains on a bus. ``file`` has the heads, ``retention`` is that of events in seconds, ``judged`` tells
    the models of this judge, for which a change is told as an event; ``now`` is the wall clock (s).

    How it works. A portion of the topic is read every ten seconds. At its end the chains are compared: events of one
    writer lie in several partitions, so that a newer one can be seen before an older one, and a place counts as
    changed once two rounds in a row have found it.
    """

    def __init__(
        self,
        bus: Bus,
        keys: AuditKeys,
        file: Path,
        retention: float,
        judged: Callable[[], Iterable[str]],
        metrics: Metrics,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._bus, self._keys, self._file, self._judged, self._now = bus, keys, file, judged, now
        self._compared_seconds = retention - min(RETENTION_MARGIN_SECONDS, retention / 2)
        self._metrics = metrics.record
        self._events = EventPublisher(bus, keys)
        self._reader: Subscription | None = None
        self._collector = ChainCollector(compact=True)
        self._next_round = float("-inf")
        self._before: list[Problem] = []
        self._is_told = False
        self._heads = _read_heads(file)
        self._check = PeriodicCheck("chain-watch", CHAIN_CHECK_SECONDS, self.check)
        self._metrics.audit_verified_timestamp_seconds.set(now())

    def start(self) -> None:
        """Start to compare."""
        self._check.start()

    def stop(self, timeout: float) -> None:
        """Stop."""
        self._check.stop(timeout)
        self._close()

    def check(self) -> None:
        """Read the next portion; at the end of the topic compare all chains."""
        if self._reader is None:
            if self._now() < self._next_round:
                return
            self._next_round = self._now() + COMPARISON_SECONDS
            self._reader, self._collector = self._bus.subscribe(topic(EVENTS)), ChainCollector(compact=True)
        try:
            for record in self._reader.poll(POLLED_EVENTS, PORTION_SECONDS):
                self._collector.add(record)
            if self._reader.lag():
                return
        except BusUnavailableError as error:
            is_denied = isinstance(error, NotPermittedError)
            log.log(logging.WARNING if is_denied else logging.INFO, "judge: %s", error)
            self._next_round = self._now() + TRAIL_RETRY_SECONDS
            self._close()
            return
        self._close()
        self._compare(self._collector.trail(self._now() - self._compared_seconds))

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _compare(self, trail: ClusterTrail) -> None:
        since = self._now() - self._compared_seconds
        self._heads = {writer: head for writer, head in self._heads.items() if head.time >= since}
        found, _ = find_cluster_problems(trail, self._keys, [*self._heads.values()])
        problems = [problem for problem in found if problem in self._before]
        self._before = found
        self._metrics.audit_verified_timestamp_seconds.set(self._now())
        self._metrics.audit_head_number.set(sum(len(stored.events) for stored in trail.chains.values()))
        self._metrics.audit_problems.set(len(problems))
        if problems and not self._is_told:
            self._is_told = True
            self._report(str(problems[0]))
        try:
            self._keep_heads(trail)
        except OSError as error:
            log.warning("the heads of the audit trail cannot be kept on disk: %s", error)

    def _keep_heads(self, trail: ClusterTrail) -> None:
        """Keep the newest head of each writer; what was kept is not replaced by one of the same number."""
        for writer, stored in trail.chains.items():
            known, head = self._heads.get(writer), stored.head
            if head is not None and self._keys.has_signed(head) and (known is None or head.last > known.last):
                self._heads[writer] = head
        draft = self._file.with_suffix(".part")
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text("".join(f"{encode_seal(head)}\n" for head in self._heads.values()))
        draft.replace(self._file)
        self._metrics.audit_head_timestamp_seconds.set(self._now())

    def _report(self, problem: str) -> None:
        log.error("the audit trail was changed: %s; `tightrope audit verify` tells more", problem)
        models = [*self._judged()]
        try:
            self._events.publish(
                [Event(uuid.uuid4().hex, self._now(), name, CHANGED, MODEL_SCOPE, "judge", problem) for name in models]
            )
        except BusFullError as error:
            log.warning("the event about it could not be published: %s", error)


def _read_heads(file: Path) -> dict[str, Seal]:
    """The heads in a file; none where it is missing, or cannot be read: then they are kept anew from now on."""
    try:
        heads = [decode_seal(json.loads(line)) for line in file.read_text().splitlines()]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, SealError) as error:
        log.warning("%s cannot be read, so the heads before are not known: %s", file, error)
        return {}
    return {head.writer: head for head in heads}


def watch_cluster_chain(
    settings: Settings, bus: Bus, judged: Callable[[], Iterable[str]], metrics: Metrics
) -> ClusterChainWatch:
    """The watch of a judge. Where the processes share no key, signatures are not compared: links are."""
    keys = audit_keys(settings)
    if shared_keys(settings) is None and keys.verifier is None:
        keys = UncheckedKeys(keys.secret)
    retention = kafka_section(settings).retention_hours.events * HOUR_SECONDS
    return ClusterChainWatch(bus, keys, settings.state / HEADS_FILE, retention, judged, metrics)
