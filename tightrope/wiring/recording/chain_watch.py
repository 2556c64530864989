"""The watch over the audit trail: it compares all links again and again, and keeps the time of the signed head new."""

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Protocol

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.adapters.audit.chain import StoredChain
from tightrope.service.adapters.audit.chain_walk import ChainWalk
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.routing.periodic_check import PeriodicCheck

log = logging.getLogger(__name__)

CHAIN_CHECK_SECONDS = 10.0
"""Seconds between two portions: a million events take less than six hours, and a thousandth of a processor."""

HEAD_SECONDS = 3600.0
"""Age of the head from which it is signed anew."""

CHANGED = "trail-changed"
"""The kind of the event."""


class KeptChain(Protocol):
    """A chain of events that this process writes."""

    @property
    def audit_keys(self) -> AuditKeys:
        """The keys that sign it."""

    def chain_portion(self, after: int, most: int) -> StoredChain:
        """At most ``most`` events beyond a number, and all seals."""

    def sign_head(self) -> None:
        """Sign the head anew."""


class ChainWatch:
    """Watches a chain; ``add_event`` adds to it, for these ``models``. ``now`` is the wall clock (s)."""

    def __init__(
        self,
        chain: KeptChain,
        models: Sequence[str],
        add_event: Callable[[Event], None],
        metrics: Metrics,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._chain, self._models, self._add_event, self._now = chain, models, add_event, now
        self._metrics = metrics.record
        self._walk = ChainWalk(chain.chain_portion, chain.audit_keys)
        self._rounds, self._is_told = 0, False
        self._check = PeriodicCheck("chain-watch", CHAIN_CHECK_SECONDS, self.check)
        self._metrics.audit_verified_timestamp_seconds.set(now())

    def start(self) -> None:
        """Start to compare."""
        self._check.start()

    def stop(self, timeout: float) -> None:
        """Stop."""
        self._check.stop(timeout)

    def check(self) -> None:
        """Compare the next portion, and sign the head if its time is old."""
        head = self._walk.step().head
        if head is not None:
            self._metrics.audit_head_number.set(head.last)
            self._metrics.audit_head_timestamp_seconds.set(head.time)
            if self._now() - head.time >= HEAD_SECONDS:
                self._chain.sign_head()
        if self._walk.rounds > self._rounds:
            self._rounds = self._walk.rounds
            self._metrics.audit_verified_timestamp_seconds.set(self._now())
        problems = self._walk.problems
        self._metrics.audit_problems.set(len(problems))
        if problems and not self._is_told:
            self._is_told = True
            self._report(str(problems[0]))

    def _report(self, problem: str) -> None:
        log.error("the audit trail was changed: %s; `tightrope audit verify` tells more", problem)
        for model in self._models:
            self._add_event(Event(uuid.uuid4().hex, self._now(), model, CHANGED, MODEL_SCOPE, "judge", problem))
