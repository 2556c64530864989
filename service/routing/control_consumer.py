"""Consumer of the control topic: applies the routes that the judges publish, and passes their heartbeats on.

Only the judges of the plan that is served here count. A judge of another one (another artefact, other subgroups)
refuses this gateway's rows as stale: its word neither shows that they are judged, nor says which role may answer them.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from tightrope.monitors.records import Routes
from tightrope.monitors.safemode import ModeState
from tightrope.service.adapters.dead_letters import describe_error
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.ports import Bus, BusUnavailableError
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.bounds import plausible_epoch
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.adapters.wire.heartbeat import HEARTBEAT_SCHEMA, Heartbeat, decode_heartbeat
from tightrope.service.routing.judge_watch import JudgeWatch
from tightrope.service.routing.router import Router

log = logging.getLogger(__name__)

CONTROL_POLL_SECONDS = 0.5
"""Timeout of a poll, after which the thread checks whether to stop."""

CONTROL_POLL_RECORDS = 100


class ControlConsumer:
    """Reads the control topic from its start, in a thread, and passes all routes to the router.

    ``caught_up`` is set once the topic has been read to its end. ``plan_of`` gives the coverage of a model's plan, None
    for one that is not served. ``on_heartbeat`` is called with each heartbeat of a judge of that plan, and
    ``judge_watch``, which is there if the judges are in other processes, with all of them.
    """

    def __init__(
        self,
        bus: Bus,
        router: Router,
        metrics: GatewayMetrics,
        plan_of: Callable[[str], str | None],
        on_heartbeat: Callable[[Heartbeat], None] = lambda _: None,
        judge_watch: JudgeWatch | None = None,
    ) -> None:
        self.caught_up = threading.Event()
        self._bus = bus
        self._generation = bus.generation(topic(CONTROL))
        self._records = bus.subscribe(topic(CONTROL))
        self._plan_of = plan_of
        self._on_heartbeat = on_heartbeat
        self._judge_watch = judge_watch
        self._last_routes = time.monotonic()
        self._router = router
        self._metrics = metrics
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop the thread; waits at most ``timeout`` seconds."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step(CONTROL_POLL_SECONDS)
            except Exception:  # the consumer must outlive every error
                log.exception("the control topic cannot be read; trying again")
                self._stopping.wait(CONTROL_POLL_SECONDS)
        self._records.close()

    def step(self, timeout: float) -> None:
        """Apply the records that arrive within ``timeout`` seconds. A record that cannot be applied is skipped."""
        self._begin_again_if_made_anew()
        for record in self._records.poll(CONTROL_POLL_RECORDS, timeout):
            try:
                self._apply(record.value)
            except Exception as error:  # noqa: BLE001 - the next record must be applied, after any error
                self._metrics.record_dead(record.topic)
                log.warning("%s, offset %d: %s", record.topic, record.offset, describe_error(error))
        self._check_caught_up()
        if self._judge_watch:  # judges in this process publish changes only, so their age means nothing
            self._metrics.set_control_age(time.monotonic() - self._last_routes)

    def _begin_again_if_made_anew(self) -> None:
        """Read a topic that was made anew from its start. Epochs are compared within one topic: the modes of the one
        before are forgotten, and the baseline answers until a judge publishes them again.
        """
        generation = self._bus.generation(topic(CONTROL))
        if generation != self._generation:
            self._generation = generation
            self._records.close()
            self._records = self._bus.subscribe(topic(CONTROL))
            self.caught_up.clear()  # what a restored topic holds is no fresh word of a judge
            self._router.forget_modes()
            log.error("the control topic was made anew: the baseline answers until a judge publishes the modes")

    def _apply(self, value: bytes) -> None:
        """Apply a record of routes or a heartbeat; other records of the topic, such as orders, are for the judges."""
        schema = record_codec.schema_of(value)
        if schema == HEARTBEAT_SCHEMA:
            self._hear(decode_heartbeat(value))
        elif schema == record_codec.ROUTES_SCHEMA:
            self._last_routes = time.monotonic()
            routes = record_codec.decode_routes(value)
            self._require_plausible(routes)
            if self._is_ours(routes) and self._router.apply(routes):
                self._metrics.set_routes(self._router.shown_routes(routes.model), ModeState)

    def _is_ours(self, routes: Routes) -> bool:
        """Whether these routes are of the plan that is served here. Those of this process are, also while a deployment
        replaces the plan.
        """
        return self._judge_watch is None or routes.plan == self._plan_of(routes.model)

    def _require_plausible(self, routes: Routes) -> None:
        """Refuse an epoch so far ahead that no later modes would be taken."""
        if self._plan_of(routes.model) is not None:
            last = self._router.routes(routes.model).epoch
            if routes.epoch > plausible_epoch(last, time.time()):
                raise WireError(f"routes.epoch: is {routes.epoch}, where {last} was the last one of {routes.model}")

    def _hear(self, heartbeat: Heartbeat) -> None:
        if self._judge_watch:
            self._judge_watch.hear(heartbeat, fresh=self.caught_up.is_set())
        if heartbeat.plan == self._plan_of(heartbeat.model):
            self._on_heartbeat(heartbeat)

    def _check_caught_up(self) -> None:
        if not self.caught_up.is_set():
            with contextlib.suppress(BusUnavailableError):
                if not self._records.lag():
                    self.caught_up.set()
