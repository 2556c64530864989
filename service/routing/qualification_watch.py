"""The watch of a gateway over the statements of the models that it serves.

The baseline answers a model whose statement does not let the compressed one serve, and, with `at_expiry: baseline`, one
whose statement has expired. A deployment replaces the statement with its artefact; the next check takes it over.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Protocol

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.routing.periodic_check import PeriodicCheck
from tightrope.service.routing.qualification_gate import Qualification
from tightrope.service.routing.router import Router

STATEMENT_CHECK_SECONDS = 0.5
"""Time between two checks; an expiry is acted on that late."""

UNQUALIFIED, QUALIFIED_AGAIN = "unqualified", "qualified"
EXPIRED, OTHER_HOST = "qualification-expired", "new-host-class"
"""Kinds of events."""


class QualifiedPair(Protocol):
    """A pair that is served."""

    @property
    def qualification(self) -> Qualification | None:
        """The finding about its statement; None where it needs no statement."""


class QualificationWatch:
    """Watches the statements of the ``pairs``, which a deployment replaces; ``clock`` is the wall clock, in seconds
    since the epoch.
    """

    def __init__(
        self,
        router: Router,
        pairs: Mapping[str, QualifiedPair],
        add_event: Callable[[Event], None],
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._router = router
        self._pairs = pairs
        self._add_event = add_event
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._reasons: dict[tuple[str, str], str] = {}
        self._periodic = PeriodicCheck("qualification", STATEMENT_CHECK_SECONDS, self.check)
        metrics.before_scrape(self.show)
        self.check()

    def start(self) -> None:
        """Start to check."""
        self._periodic.start()

    def stop(self, timeout: float) -> None:
        """Stop checking; the routes stay as they are."""
        self._periodic.stop(timeout)

    def show(self) -> None:
        """Update the metrics."""
        for model, pair in self._pairs.items():
            if found := pair.qualification:
                self._metrics.set_qualification(model, found.verdict, found.expires, found.numerics)

    def check(self) -> None:
        """Take over what the statements say now, and tell what changed."""
        with self._lock:
            for model, pair in list(self._pairs.items()):
                self._check_model(model, pair.qualification)

    def _check_model(self, model: str, found: Qualification | None) -> None:
        expired = found.expiry_reason(self._clock()) if found else ""
        reason = found.block_reason or (expired if found.falls_back_at_expiry else "") if found else ""
        self._router.set_unqualified(model, reason)
        self._notify(model, found, reason, UNQUALIFIED, QUALIFIED_AGAIN)
        self._notify(model, found, expired, EXPIRED, "")
        self._notify(model, found, found.new_host_class if found else "", OTHER_HOST, "")

    def _notify(self, model: str, found: Qualification | None, reason: str, kind: str, ended: str) -> None:
        """Add an event where the reason is new, or is over."""
        before = self._reasons.get((model, kind), "")
        self._reasons[model, kind] = reason
        event = kind if reason else ended
        if reason == before or not event:
            return
        text = reason or "a statement lets the compressed model serve: the modes decide which model answers"
        detail = {"statement": found.digest, "file": str(found.file)} if found else {}
        self._add_event(Event(uuid.uuid4().hex, self._clock(), model, event, MODEL_SCOPE, "gateway", text, detail))
