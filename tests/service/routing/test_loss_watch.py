"""The gateway tells where most of the rows that it keeps do not reach the judge."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.support.serving.service_harness import eventually
from tightrope.monitors.intake.sight_notes import LOST_BEGAN, LOST_ENDED, REPEAT_SECONDS
from tightrope.monitors.records import MODEL_SCOPE, Event, Ints
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.wire.heartbeat import Heartbeat
from tightrope.service.routing.loss_watch import (
    AGAIN_SECONDS,
    ARRIVAL_SECONDS,
    LOSS_CHECK_SECONDS,
    LossWatch,
)

SCOPES = ("group=a", "group=b")


@dataclass
class Watched:
    """A watch over model ``m`` on a clock of the test's own, and its judge."""

    now: float = 100.0
    judged: Ints = field(default_factory=lambda: np.zeros(2, np.int64))
    rows: dict[str, int] = field(default_factory=lambda: {"m": 0})
    drawn: dict[str, Ints] = field(default_factory=lambda: {"m": np.zeros(2, np.int64)})
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.metrics = Metrics(CollectorRegistry())
        self.watch = LossWatch({"m": SCOPES}, self.rows, self.drawn, self.events.append, self.metrics, lambda: self.now)
        self.judge((0, 0))

    def judge(self, rows: tuple[int, int], name: str = "j") -> None:
        """Receive a heartbeat, with this number of further rows of each subgroup judged."""
        self.judged = self.judged + np.array(rows, np.int64)
        in_scopes = dict(zip(SCOPES, self.judged.tolist(), strict=True))
        self.watch.hear(Heartbeat("m", name, self.now, int(self.judged.sum()), in_scopes))

    def run(self, seconds: float, kept: tuple[int, int], judged: tuple[int, int]) -> None:
        """Keep and judge this many rows of each subgroup in each interval of checks."""
        for _ in range(int(seconds / LOSS_CHECK_SECONDS)):
            self.now += LOSS_CHECK_SECONDS
            self.rows["m"] += sum(kept)
            self.drawn["m"] = self.drawn["m"] + np.array(kept)
            self.judge(judged)
            self.watch.check()

    def kinds(self) -> list[tuple[str, str]]:
        """The events so far."""
        return [(event.kind, event.scope) for event in self.events]

    def metric(self, scope: str) -> float | None:
        """The gauge of a scope, as a scrape shows it."""
        list(self.metrics.registry.collect())
        return self.metrics.registry.get_sample_value("tightrope_lost", {"model": "m", "scope": scope})


@pytest.fixture
def watched() -> Watched:
    """A watch whose judge has sent its first heartbeat."""
    return Watched()


def test_subgroup_whose_rows_are_lost_is_told_alone(watched: Watched) -> None:
    """A third arrives; a minute passes first, and the event has the numbers."""
    watched.run(ARRIVAL_SECONDS, (30, 300), (10, 300))
    assert watched.kinds() == []
    watched.run(6 * ARRIVAL_SECONDS, (30, 300), (10, 300))
    assert watched.kinds() == [(LOST_BEGAN, "group=a")]
    detail = watched.events[0].detail
    assert 2 * detail["judged"] < detail["kept"]
    assert [watched.metric(scope) for scope in (MODEL_SCOPE, *SCOPES)] == [0.0, 1.0, 0.0]


def test_loss_ends_when_rows_arrive_again(watched: Watched) -> None:
    """One event tells the end, and the evidence begins anew: what was lost before does not count again."""
    watched.run(200.0, (30, 30), (5, 5))
    watched.run(3 * AGAIN_SECONDS, (30, 30), (30, 30))
    kinds = list(dict.fromkeys(watched.kinds()))
    assert len(kinds) == 6
    assert sorted(kinds[:3]) == [(LOST_BEGAN, scope) for scope in sorted((MODEL_SCOPE, *SCOPES))]
    assert sorted(kinds[3:]) == [(LOST_ENDED, scope) for scope in sorted((MODEL_SCOPE, *SCOPES))]
    assert watched.metric(MODEL_SCOPE) == 0.0


def test_rows_that_come_within_a_minute_are_not_lost(watched: Watched) -> None:
    """A judge that is fifty seconds behind, at any rate of traffic, which may end."""
    watched.run(50.0, (300, 0), (0, 0))
    watched.run(200.0, (300, 0), (300, 0))
    watched.run(50.0, (0, 0), (300, 0))
    watched.run(200.0, (300, 0), (300, 0))
    watched.run(300.0, (0, 0), (0, 0))
    assert watched.kinds() == []
    watched.run(200.0, (3_000, 0), (300, 0))
    assert watched.kinds() == [(LOST_BEGAN, MODEL_SCOPE), (LOST_BEGAN, "group=a")], "a tenth arrives"


def test_chance_of_more_than_half_is_never_told(watched: Watched) -> None:
    """Three of five rows arrive in the mean, each by chance, for an hour."""
    random = np.random.default_rng(1)
    for a, b in random.binomial(30, 0.6, (720, 2)).tolist():
        watched.run(LOSS_CHECK_SECONDS, (30, 30), (a, b))
    assert watched.kinds() == []


def test_loss_that_lasts_is_told_again(watched: Watched) -> None:
    """A judge believes nothing for long; a scrape still shows one loss."""
    watched.run(ARRIVAL_SECONDS + 2.5 * REPEAT_SECONDS, (0, 30), (0, 0))
    assert watched.kinds() == 3 * [(LOST_BEGAN, MODEL_SCOPE), (LOST_BEGAN, "group=b")]
    assert [watched.metric(scope) for scope in (MODEL_SCOPE, *SCOPES)] == [1.0, 0.0, 1.0]


def test_few_rows_and_a_late_judge_tell_nothing(watched: Watched) -> None:
    """Under about thirty rows nothing is told, nor before a first heartbeat."""
    watched.run(ARRIVAL_SECONDS + 100.0, (1, 0), (0, 0))
    assert watched.kinds() == []
    watched.run(100.0, (1, 0), (0, 0))
    assert watched.kinds() == [(LOST_BEGAN, MODEL_SCOPE), (LOST_BEGAN, "group=a")]
    silent = Watched()
    silent.watch._models["m"].judges.by_judge.clear()
    for _ in range(100):
        silent.now += LOSS_CHECK_SECONDS
        silent.rows["m"] += 100
        silent.watch.check()
    assert silent.kinds() == []


def test_restarted_judge_takes_nothing_away(watched: Watched) -> None:
    """The counts of another start of the judge begin anew: rows in between may be missing, not negative."""
    watched.run(300.0, (30, 30), (30, 30))
    watched.judged[:] = 0
    watched.judge((0, 0), name="another")
    before = watched.watch._models["m"].judged.tolist()
    watched.now += 1.0
    watched.judge((30, 30), name="another")
    assert watched.watch._models["m"].judged.tolist() == [before[0] + 60, before[1] + 30, before[2] + 30]


def test_started_watch_checks_until_it_is_stopped(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own thread sets the marks."""
    monkeypatch.setattr(watched.watch._periodic, "_seconds", 0.001)
    watched.watch.start()
    eventually(lambda: len(watched.watch._models["m"].marks) > 1)
    watched.watch.stop(10.0)
    assert not watched.watch._periodic.alive
