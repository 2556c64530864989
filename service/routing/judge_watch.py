"""The watch of a cluster's gateway over the judges: a model whose judge it does not hear goes to the baseline.

How it works. Each model has a clock of its own, which a fresh heartbeat of a judge of the model's plan sets back. The
baseline answers a model above its modes

- from the start until such a heartbeat: the topic may hold modes of a judge that ended long ago,
- while the judges judge another plan (another artefact, other subgroups): they do not count this gateway's rows,
- after ``silent_seconds`` without such a heartbeat.

A heartbeat is fresh if it was published after the topic had been read to its end, and if its judge has said something
before: one that fails at each start says one word each time. Only the monotonic clock of this process is read.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.wire.heartbeat import Heartbeat
from tightrope.service.routing.judge_heartbeats import JudgeHeartbeats
from tightrope.service.routing.periodic_check import PeriodicCheck
from tightrope.service.routing.router import Router

JUDGE_CHECK_SECONDS = 0.2
"""Time between two checks."""

OTHER_PLAN_SECONDS = 3.0
"""Time without a judge of the plan after which one of another plan counts: both may speak while one takes over."""

START, SILENT, PLAN = CAUSES = ("start", "silent", "plan")
"""Causes for which the baseline answers, as the metric has them."""

EVENT_KINDS = {SILENT: "judge-silent", PLAN: "plan-unjudged"}
"""Kinds of the events in the audit trail; the start, which every process has, makes no event."""

JUDGE_HEARD = "judge-heard"
HEARD_REASON = "a judge of this plan is heard: the modes decide which model answers"

UNHEARD = "no judge of this plan has been heard since the start"
OLDER_RELEASE = "a plan of an older release"


@dataclass(slots=True)
class _Voice:
    """The judges of one model: when one of the plan was ``heard`` (at first: the start), which ``other`` plan a judge
    named since then, and the ``cause`` for which the baseline answers.
    """

    heard: float
    trusted: bool = False
    other: str | None = None
    cause: str = START
    judges: JudgeHeartbeats = field(default_factory=JudgeHeartbeats)


class JudgeWatch:
    """Watches the judges of the models in ``plans``, which gives the coverage of each plan that is served.

    ``silent_seconds`` 0 never makes a judge silent. ``add_event`` extends the audit trail; ``clock`` is monotonic.
    ``has_heard_all`` is set once a judge of each model has been heard.
    """

    def __init__(
        self,
        router: Router,
        plans: Mapping[str, str],
        silent_seconds: float,
        add_event: Callable[[Event], None],
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._router = router
        self._plans = plans
        self._silent_seconds = silent_seconds
        self._add_event = add_event
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._voices = {model: _Voice(clock()) for model in plans}
        self.has_heard_all = threading.Event()
        self._periodic = PeriodicCheck("judge-watch", JUDGE_CHECK_SECONDS, self.check)
        for model in plans:
            router.set_judge_missing(model, UNHEARD)
        metrics.before_scrape(self.show)

    def start(self) -> None:
        """Start to check."""
        self._periodic.start()

    def stop(self, timeout: float) -> None:
        """Stop checking; the causes stay as they are."""
        self._periodic.stop(timeout)

    def show(self) -> None:
        """Update the metrics."""
        for model, voice in self._voices.items():
            self._metrics.set_judge_missing(model, {cause: cause == voice.cause for cause in CAUSES})

    def hear(self, heartbeat: Heartbeat, *, fresh: bool) -> None:
        """Take a heartbeat; a ``fresh`` one was published after the topic had been read to its end."""
        voice = self._voices.get(heartbeat.model)
        if voice is None:
            return
        with self._lock:
            before = voice.judges.replace(heartbeat)
            if not fresh or before is None:
                return
            if heartbeat.plan == self._plans[heartbeat.model]:
                voice.heard, voice.trusted, voice.other = self._clock(), True, None
                if all(each.trusted for each in self._voices.values()):
                    self.has_heard_all.set()
            else:
                voice.other = heartbeat.plan
            self._decide(heartbeat.model, voice)

    def check(self) -> None:
        """Find the models whose judge has been silent for too long."""
        with self._lock:
            for model, voice in self._voices.items():
                self._decide(model, voice)

    def _decide(self, model: str, voice: _Voice) -> None:
        """Send the model to the baseline, or back to its modes, and tell a change of the cause."""
        waited = self._clock() - voice.heard
        if voice.other is not None and (waited >= OTHER_PLAN_SECONDS or not voice.trusted):
            cause, reason = PLAN, self._other_plan(model, voice.other)
        elif waited >= self._silent_seconds > 0:
            cause, reason = SILENT, f"no judge of this plan has been heard for {waited:.0f} s"
        else:
            cause, reason = ("", "") if voice.trusted else (START, UNHEARD)
        self._router.set_judge_missing(model, reason)
        if cause != voice.cause:
            before, voice.cause = voice.cause, cause
            if cause in EVENT_KINDS or before in EVENT_KINDS:
                self._record(model, EVENT_KINDS.get(cause, JUDGE_HEARD), reason or HEARD_REASON, waited)

    def _other_plan(self, model: str, other: str) -> str:
        judged, served = other[:8] or OLDER_RELEASE, self._plans[model][:8]
        return f"no judge judges this plan: the judges judge {judged}, this gateway serves {served}"

    def _record(self, model: str, kind: str, reason: str, seconds: float) -> None:
        detail = {"seconds": round(seconds, 3), "plan": self._plans[model], "limit": self._silent_seconds}
        self._add_event(Event(uuid.uuid4().hex, time.time(), model, kind, MODEL_SCOPE, "gateway", reason, detail))
