"""Gives up rows and labels that waited longer than the label horizon: small portions, each in a round of its own."""

import time
from collections.abc import Callable, Mapping

from tightrope.monitors.plan import Plan
from tightrope.service.adapters.ports import OverduePortion, Store
from tightrope.shadow.intake.label_intake import LabelIntake
from tightrope.shadow.restoring.clock_jumps import CLOCK_TOLERANCE_SECONDS

PORTION_ROWS = 2_000
"""Rows and labels in one portion: about a twentieth of a second."""

EXPIRY_CHECK_SECONDS = 1.0
"""Time between two checks while nothing is overdue."""

SLACK_SHARE, MOST_SLACK_SECONDS = 0.01, 60.0
"""A portion that is not full waits until its oldest row is overdue by this share of the horizon, or these seconds."""


class LabelExpiry:
    """Finds what is overdue; ``clock`` is monotonic. ``has_more`` tells whether more may be overdue already."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.has_more = False
        self._store = store
        self._clock = clock
        self._next_check = float("-inf")

    def add_portion(self, judge_round: LabelIntake, plans: Mapping[str, Plan], now: float) -> bool:
        """Give up one portion of one model in this round, ``now`` on the wall clock; whether there is one."""
        if not self.has_more and self._clock() < self._next_check:
            return False
        self._next_check = self._clock() + EXPIRY_CHECK_SECONDS
        self.has_more = False
        for plan in plans.values():
            if plan.label_horizon and (portion := self._due_portion(plan, now)) is not None:
                judge_round.expire(plan, portion, now)
                self.has_more = True
                break
        return self.has_more

    def _due_portion(self, plan: Plan, now: float) -> OverduePortion | None:
        before, latest = now - plan.label_horizon, now + CLOCK_TOLERANCE_SECONDS
        portion = self._store.overdue_portion(plan.model, before, latest, PORTION_ROWS)
        slack = min(SLACK_SHARE * plan.label_horizon, MOST_SLACK_SECONDS)
        return portion if portion and (portion.full or portion.oldest < before - slack) else None
