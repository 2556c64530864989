"""A simulated week: a trip, an order, a blind hour and a return of one model, a ledger of days, and a clock."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from tests.support.harmful_pair import MINORITY, config
from tests.support.serving.api_client import UNUSED, ApiClient
from tests.support.serving.service_harness import GatewayHarness
from tightrope.monitors.cost.days import RoleCounts
from tightrope.monitors.cost.shares import ModelCpu
from tightrope.monitors.records import MODEL_SCOPE, Event, Outcome
from tightrope.monitors.safemode import Mode
from tightrope.monitors.status.groups import GroupStatus
from tightrope.monitors.status.progress import JudgementProgress
from tightrope.monitors.status.standing import ModelStanding
from tightrope.monitors.verdict import Interval, Verdict
from tightrope.service.adapters.ledger.day_cost import DayCost
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.api import status
from tightrope.service.api.incidents.library import NO_INCIDENTS
from tightrope.service.api.letter.routes import create_router
from tightrope.service.api.overview.overview import OverviewReader
from tightrope.service.api.week.costs import HourPrice
from tightrope.service.api.week.reader import WeekReader
from tightrope.service.config.access import AccessTokens
from tightrope.service.routing.blindness import SightFacts

WEEK, NAME, OWNER = "2026-W48", "employment", "team-credit"
MONDAY = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86_400.0
NOW = MONDAY + 7 * DAY + 9 * HOUR
"""The clock: Monday after the week, 09:00."""

TRIPPED = MONDAY + DAY + 10 * HOUR
SINCE = {"number": 7_200, "earliest": 6_600, "latest": 7_560, "unit": "request", "time": TRIPPED - 30.0}
CASE = {
    "monitor": "disagreement", "variant": "", "evidence": 9.0, "threshold": 8.5, "limit": 0.2,
    "now": {"mean": 0.6, "lower": 0.5, "upper": 0.75, "rows": 60}, "since": SINCE,
}  # fmt: skip
SHARE = 0.1
"""The share of the minority among the requests."""


def move(number: int, time: float, kind: str, scope: str, state: str, actor: str = "judge", **detail: Any) -> Event:  # noqa: ANN401 - JSON
    """An event that moves a scope."""
    after = {"state": state, "held": kind.startswith("force")}
    whole = {"moved": True, "armed": True, "samples": 9_000, "after": after, **detail}
    return Event(f"e{number}", time, NAME, kind, scope, actor, detail.get("reason", "as measured"), whole)


def week_events() -> list[Event]:
    """The trip on Tuesday and the return on Thursday, an order on Wednesday, and a blind hour on Friday."""
    order, blind = MONDAY + 2 * DAY, MONDAY + 4 * DAY
    return [
        Event("e0", MONDAY - DAY, NAME, "fresh", MODEL_SCOPE, "judge", "a fresh state"),
        move(1, TRIPPED, "breach", MINORITY, "safe", monitors=[CASE]),
        move(2, order + 8 * HOUR, "force-safe", MODEL_SCOPE, "safe", "Ben", reason="incident 7"),
        move(3, order + 10 * HOUR, "release", MODEL_SCOPE, "normal", "Ben", reason="over"),
        move(4, MONDAY + 3 * DAY + 10 * HOUR, "recovered", MINORITY, "normal", monitors=[CASE]),
        Event("e5", blind + 14 * HOUR, NAME, "blind-began", MODEL_SCOPE, "gateway", "no row is judged"),
        Event("e6", blind + 15 * HOUR, NAME, "blind-ended", MODEL_SCOPE, "gateway", "rows are judged"),
    ]


def ledger_day(day: date, **changes: Any) -> DayCost:  # noqa: ANN401 - fields of the record
    """A day of 1,000 answers."""
    cpu = ModelCpu(
        answer=900.0, fallback=360.0, escalation=0.0, shadow=360.0, answer_by_baseline=3600.0,
        fallback_by_compressed=90.0,
    )  # fmt: skip
    whole = {"requests": RoleCounts(920, 80), "rows": RoleCounts(920, 80), "cpu": cpu, "parts": ("gateway", "worker")}
    return DayCost(day=day, **{**whole, **changes})


def ledger() -> list[DayCost]:
    """Three weeks of days; the Sunday of the week is not on record, and the Friday has the blind hour."""
    monday = date(2026, 11, 23)
    days = [ledger_day(monday - timedelta(days=number)) for number in range(1, 15)]
    days += [ledger_day(monday + timedelta(days=number), blind_seconds=HOUR * (number == 4)) for number in range(6)]
    return sorted(days, key=lambda each: each.day)


@dataclass
class KeptDays:
    """A ledger in memory."""

    days: Sequence[DayCost] = field(default_factory=ledger)

    def between(self, model: str, first: date, last: date) -> Sequence[DayCost]:
        """Return the days of the one model."""
        return [each for each in self.days if model == NAME and first <= each.day <= last]


def verdict(scope: str, limit: float, rows: int, **changes: Any) -> Verdict:  # noqa: ANN401 - fields of the record
    """The verdict on different answers in a scope."""
    whole: dict[str, Any] = {
        "scope": scope, "monitor": "disagreement", "outcome": Outcome.PASS, "count": rows, "needed": 373.0,
        "mean": 0.01, "recent": 0.01, "limit": limit, "evidence": 0.1, "threshold": 8.5, "recovery": None,
        "recovery_threshold": 5.0, "errors": 0, "now": Interval(0.01, 0.0, 0.03, rows),
    }  # fmt: skip
    return Verdict(**{**whole, **changes})


@dataclass
class Judged:
    """A judgement in memory. ``modes`` are those of scopes that are not in normal mode."""

    armed: bool = True
    modes: dict[str, Mode] = field(default_factory=dict)
    found: Sequence[GroupStatus] = ()
    coverage: float | None = None
    compared: int = 9_000

    def is_armed(self, _: str) -> bool:
        """Whether harm moves requests."""
        return self.armed

    def verdicts(self, _: str) -> Sequence[Verdict]:
        """Three scopes; the majority has too few rows."""
        few = {"outcome": Outcome.INSUFFICIENT}
        return [
            verdict(MODEL_SCOPE, 0.1, 9_000), verdict(MINORITY, 0.2, 900), verdict("group=majority", 0.2, 22, **few),
        ]  # fmt: skip

    def leading_verdicts(self, model: str, _: int) -> Sequence[Verdict]:
        """All of them."""
        return self.verdicts(model)

    def standing(self, _: str) -> ModelStanding | None:
        """The modes."""
        return ModelStanding(self.modes, 0.75, 10.0)

    def groups(self, _: str) -> Sequence[GroupStatus]:
        """The found groups."""
        return self.found

    def progress(self, _: str) -> JudgementProgress:
        """The compared rows of each scope."""
        scopes = {MODEL_SCOPE: self.compared, MINORITY: int(SHARE * self.compared), "group=majority": 22}
        counts = {
            name: {"compared": n, "disagreed": 0.0, "errors": 0, "refused": {"baseline": 0, "compressed": 0}}
            for name, n in scopes.items()
        }
        return {
            "seen": self.compared, "pending": 0, "stale": 0, "labels": {}, "coverage": self.coverage,
            "autocorrelation": None, "dependent": False, "noise": {"asked_twice": 0, "contradictions": 0},
            "repeats": {"uncounted": {}, "popular": []}, "scopes": counts,  # type: ignore[typeddict-item]
        }  # fmt: skip


@dataclass
class SimulatedWeek:
    """The API over a simulated week; ``now`` is its clock, which a test may set."""

    gateway: GatewayHarness
    store: SqliteStore
    days: KeptDays
    judged: Judged
    price: HourPrice
    token: str | None
    now: float = NOW
    client: ApiClient = field(init=False)

    def __post_init__(self) -> None:
        engine, reader = self.gateway.engine, self.judged
        sight = SightFacts(0, 0.0, 0.0, 1.0, 60.0)
        self.ticks = 0.0
        overview = OverviewReader(
            engine, reader, self.store, lambda _: sight, lambda _: None, self._tick, lambda: self.now,  # type: ignore[arg-type]
        )  # fmt: skip
        weeks = WeekReader(engine, reader, overview, self.store, self.days, self.price, lambda: self.now)  # type: ignore[arg-type]
        app = FastAPI()
        app.include_router(create_router(engine, weeks, AccessTokens(self.token)))
        app.include_router(
            status.create_router(engine, reader, self.store, lambda _: None, overview, UNUSED, self.days, NO_INCIDENTS)  # type: ignore[arg-type]
        )
        self.app, self.weeks, self.client = app, weeks, ApiClient(app)

    def _tick(self) -> float:
        self.ticks += 10.0
        return self.ticks

    def add(self, *events: Event) -> None:
        """Extend the audit trail."""
        self.store.save("log", {}, {}, events)

    def document(self, week: str = WEEK) -> dict[str, Any]:
        """The JSON of a week; five seconds later than the one before."""
        self.now += 5.0
        answer = self.client.get(f"/v1/weeks/{week}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def simulated_week(
    folder: Path,
    events: Sequence[Event] | None = None,
    *,
    days: Sequence[DayCost] | None = None,
    judged: Judged | None = None,
    price: HourPrice = HourPrice(0.05, "EUR"),  # noqa: B008 - frozen
    token: str | None = None,
    **model: object,
) -> Iterator[SimulatedWeek]:
    """A simulated week, until the block ends; ``model`` are changes of the model's configuration."""
    pair = config(folder, **{"owner": OWNER, "mode": "armed", **model})["models"]["m"]
    gateway = GatewayHarness(folder, {NAME: pair})
    store = SqliteStore(folder / "trail.db")
    week = SimulatedWeek(gateway, store, KeptDays(ledger() if days is None else days), judged or Judged(), price, token)
    week.add(*(week_events() if events is None else events))
    try:
        yield week
    finally:
        store.close()
