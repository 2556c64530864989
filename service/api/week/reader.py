"""Makes the week of all models: from the audit trail, the ledger of days, and the overview."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import json

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.adapters.ledger.day_cost import DayCost
from tightrope.service.adapters.ports import AuditTrail
from tightrope.service.api.cost.ports import DailyCosts
from tightrope.service.api.overview.overview import OverviewReader
from tightrope.service.api.ports import VerdictReader
from tightrope.service.api.week import summary
from tightrope.service.api.week.costs import HourPrice, WeekCosts, hours, safety, saving, week_costs
from tightrope.service.api.week.decisions import DecisionFacts, due_decisions
from tightrope.service.api.week.documents import (
    DueDecision,
    HarmCase,
    ModelWeek,
    WeekAnswer,
    WeekHarm,
    WeekPoint,
)
from tightrope.service.api.week.full_spans import by_full_model
from tightrope.service.api.week.harm import AnswerShares, harm_cases, harm_sentences
from tightrope.service.api.week.history import WeekHistory, WeekTrail
from tightrope.service.api.week.iso_week import Week, WeekNameError
from tightrope.service.api.week.promises import promises
from tightrope.service.api.week.spans import lost_spans, unseen_spans
from tightrope.service.api.week.unknown import UnknownFacts, unknowns
from tightrope.service.api.week.words import span_words
from tightrope.service.errors import UnavailableError
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.inference.model_pair import ModelPair

KEPT_SECONDS = 5.0
"""An answer about a week is computed anew once it is this old."""

CHART_WEEKS = 8
MOST_KEPT = 8


class WeekReader:
    """Makes the answer about a week. Safe to share between threads; ``now`` is the wall clock (s)."""

    def __init__(
        self,
        engine: InferenceEngine,
        reader: VerdictReader,
        overview: OverviewReader,
        trail: AuditTrail,
        days: DailyCosts,
        price: HourPrice,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._overview = overview
        self.trail = WeekTrail(trail)
        self._days = days
        self._price = price
        self._now = now
        self._lock = threading.Lock()
        self._answers: dict[Week, WeekAnswer] = {}

    def week(self, name: str | None) -> Week:
        """The week of a name; that of today without one.

        Raises:
            WeekNameError: when it is no name of a week, or the week is still to come.
        """
        today = Week.of_time(self._now())
        week = today if name is None else Week.parse(name)
        if week.first > today.first:
            raise WeekNameError(f"week: {week.name} is still to come; this is {today.name}")
        return week

    def answer(self, week: Week, *, fresh: bool = False) -> WeekAnswer:
        """The answer about a week; a ``fresh`` one, or one that is a few seconds old at most."""
        with self._lock:
            kept, now = self._answers.get(week), self._now()
            if kept is None or fresh or not 0 <= now - kept["at"] < KEPT_SECONDS:
                newest = sorted(self._answers.items(), key=lambda each: each[1]["at"])[1 - MOST_KEPT :]
                self._answers = dict(newest) | {week: self._make(week, now)}
            return self._answers[week]

    def _make(self, week: Week, now: float) -> WeekAnswer:
        history = self.trail.history()
        models, decisions = [], list[DueDecision]()
        for name in self._engine.pairs:
            source = self._source(name, week, now, history)
            models.append(source.document(self._price))
            decisions += source.decisions()
        decisions.sort(key=lambda each: (each["signed"] is not None, each["due"]))
        points = self._points(week)
        first = week.first
        return {
            "week": week.name,
            "title": f"Week {first.isocalendar().week} of {first.isocalendar().year}",
            "dates": span_words(first, week.last),
            "first": first.isoformat(),
            "last": week.last.isoformat(),
            "at": now,
            "complete": now >= week.until,
            "summary": summary.sentences(models, decisions, points[-1], complete=now >= week.until),
            "models": models,
            "decisions": decisions,
            "weeks": points,
            "money": {"cost_per_hour": self._price.cost_per_hour, "currency": self._price.currency},
        }

    def _source(self, name: str, week: Week, now: float, history: WeekHistory) -> "_ModelSource":
        overview: Mapping[str, Any] = json.decode(self._overview.answer(name).body)["models"][0]
        return _ModelSource(
            pair=self._engine.pair(name),
            reader=self._reader,
            model=overview,
            week=week,
            now=now,
            history=history,
            days=self._between(name, week),
        )

    def _between(self, model: str, week: Week, weeks: int = 1) -> Sequence[DayCost]:
        """The days of a model in the ledger, of a number of weeks up to one; none while it cannot be read."""
        try:
            return self._days.between(model, week.shifted(1 - weeks).first, week.last)
        except UnavailableError:
            return ()

    def _points(self, week: Week) -> list[WeekPoint]:
        """The chart's weeks: sums over the models whose hours are known."""
        weeks = [week.shifted(number) for number in range(1 - CHART_WEEKS, 1)]
        by_model = [self._between(name, week, CHART_WEEKS) for name in self._engine.pairs]
        return [_point(each, by_model) for each in weeks]


@dataclass(frozen=True, slots=True)
class _ModelSource:
    """All that the week of one model is made of."""

    pair: ModelPair
    reader: VerdictReader
    model: Mapping[str, Any]
    week: Week
    now: float
    history: WeekHistory
    days: Sequence[DayCost]

    def document(self, price: HourPrice) -> ModelWeek:
        """The week of the model."""
        costs, recorded = week_costs(self.days), bool(self.days)
        return {
            "name": self.pair.name,
            "owner": self.pair.owner,
            "harm": self._harm(),
            "saving": saving(costs, price, recorded=recorded),
            "safety": safety(costs, price, recorded=recorded),
            "unknown": unknowns(self._unknown_facts(costs)),
            "promises": promises(self.reader.verdicts(self.pair.name), armed=self.model["armed"]),
        }

    def decisions(self) -> list[DueDecision]:
        """The decisions about the model; those that follow from today only for this week and the one before."""
        is_recent = self.now < self.week.shifted(1).until
        facts = DecisionFacts(
            week=self.week,
            now=self.now,
            name=self.pair.name,
            owner=self.pair.owner,
            model=self.model if is_recent else None,
            cases=self._cases(),
            events=self.history.of(self.pair.name),
        )
        return due_decisions(facts)

    def _harm(self) -> WeekHarm:
        cases, begins = self._cases(), self.history.begins
        is_known = begins is not None and begins < min(self.week.until, self.now) and self.model["sight"]["compared"]
        answer = "yes" if cases else "not noticed" if is_known else "unknown"
        events = self.history.of(self.pair.name)
        return {
            "answer": answer,  # type: ignore[typeddict-item]
            "cases": cases,
            "by_full": by_full_model(self.pair.name, events, self.week, self.now),
            "says": harm_sentences(answer, cases),
        }

    def _cases(self) -> list[HarmCase]:
        shares = {each["scope"]: each["share"] for each in self.model["groups"]} | {MODEL_SCOPE: 1.0}
        rate, floors = self.pair.sampler.rate, self.pair.sampler.floors
        of_answers = AnswerShares(shares.get, lambda scope: max(rate, floors.get(scope, 0.0)))
        return harm_cases(self.pair.name, self.history.of(self.pair.name), self.week, self.now, of_answers)

    def _unknown_facts(self, costs: WeekCosts) -> UnknownFacts:
        events, name = self.history.of(self.pair.name), self.pair.name
        return UnknownFacts(
            week=self.week,
            now=self.now,
            model=self.model,
            searches=self.pair.plan.search is not None,
            coverage=self.reader.progress(name)["coverage"],
            takes_labels=bool(self.pair.plan.label_horizon),
            unseen=unseen_spans(events),
            lost=lost_spans(events),
            begins=self.history.begins,
            days=[each.day for each in self.days],
            costs=costs,
        )


def _point(week: Week, by_model: Sequence[Sequence[DayCost]]) -> WeekPoint:
    sums = [week_costs([day for day in days if week.first <= day.day <= week.last]) for days in by_model]
    saved = [each.saved for each in sums if each.alone is not None]
    spent = [each.safety for each in sums if each.safety is not None]
    return {
        "week": week.name,
        "saved_hours": hours(sum(saved)) if saved else None,
        "safety_hours": hours(sum(spent)) if spent else None,
    }
