"""Publishes modes to the gateways, and alerts to people."""

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event as Flag

from tightrope.monitors import watch
from tightrope.monitors.migration import held_breaches
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Event, Routes
from tightrope.monitors.watched_groups.plans import judged_plan
from tightrope.service.adapters.ports import Bus, Pager, publish_blocking
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.alerts import AlertFacts, active_alerts, label_texts, row_shares
from tightrope.shadow.judgement_view import JudgementView


class ModePublisher:
    """Publishes the modes of the models in ``view``: changes at once, and all of them every ``repeat_seconds``.

    While ``is_failing`` says that the judge's starts fail again and again, nothing is repeated: gateways must not rely
    on such a judge. Its changes of modes are published all the same.
    """

    def __init__(
        self,
        bus: Bus,
        view: JudgementView,
        pager: Pager,
        stopping: Flag,
        repeat_seconds: float,
        is_failing: Callable[[], bool],
    ) -> None:
        self._bus = bus
        self._view = view
        self._pager = pager
        self._stopping = stopping
        self._repeat_seconds = repeat_seconds
        self._is_failing = is_failing
        self._published = 0.0
        self._is_held_back = False

    def repeat(self, plans: Mapping[str, Plan], *, at_once: bool = False) -> None:
        """Publish the modes of these models again, ``at_once`` or if it is time."""
        if not (at_once or self._is_held_back or time.monotonic() - self._published > self._repeat_seconds):
            return
        self._is_held_back = self._is_failing()
        if not self._is_held_back:
            self._published = time.monotonic()
            states = self._view.states
            routes = [watch.build_routes(judged_plan(plan, states[name]), states[name]) for name, plan in plans.items()]
            self.publish(routes, ())

    def publish(self, routes: Sequence[Routes], events: Sequence[Event]) -> None:
        """Publish the modes to the gateways, then pass the alerts to the pager.

        All routes of a round go to the pager, so that an alert that came and went within it is sent, too.
        """
        for route in routes:
            publish_blocking(self._bus, topic(CONTROL), record_codec.encode_routes(route), route.model, self._stopping)
        for route in routes:
            state = self._view.states[route.model]
            texts = label_texts(self._view.plans[route.model], state)
            facts = AlertFacts(held_breaches(state), texts, row_shares(state))
            self._pager.set_alerts(route.model, active_alerts(route, events, facts))
