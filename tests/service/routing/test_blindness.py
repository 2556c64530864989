"""The gateway sends a model to the baseline while rows that it keeps are not judged, by its own clock alone."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.service.routing.test_router import Batch
from tests.support.serving.service_harness import eventually
from tightrope.monitors.records import Event, Role, Routes
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.wire.heartbeat import Heartbeat
from tightrope.service.routing.blindness import ROWS_JUDGED_AGAIN, BlindnessWatch
from tightrope.service.routing.judge_heartbeats import MAX_JUDGES
from tightrope.service.routing.router import Router

BLIND_SECONDS = 10.0


@dataclass
class Watched:
    """A watch over model ``m`` on a clock of the test's own, and its judge: ``judged`` rows so far."""

    blind_seconds: float = BLIND_SECONDS
    now: float = 100.0
    judged: int = 0
    beats: int = 0
    drawn: Counter[str] = field(default_factory=Counter)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.router = Router({"m": (), "other": ()})
        self.metrics = Metrics(CollectorRegistry())
        limits = {"m": self.blind_seconds, "other": self.blind_seconds}
        self.watch = BlindnessWatch(self.router, limits, self.drawn, self.events.append, self.metrics, lambda: self.now)
        self.beat()

    def beat(self, rows: int = 0, judge: str = "a", *, clock: float | None = None) -> None:
        """Receive a heartbeat of a judge, with ``rows`` more rows judged than in the one before."""
        self.judged += rows
        self.beats += 1
        self.watch.hear(Heartbeat("m", judge, float(self.beats) if clock is None else clock, self.judged))

    def pass_time(self, seconds: float, kept: int = 0) -> None:
        """Check ten times in this time; in each of them rows are kept."""
        for _ in range(10):
            self.now += seconds / 10
            self.drawn["m"] += kept
            self.watch.check()

    def roles(self, model: str = "m") -> list[Role]:
        """Return the roles for two requests."""
        return self.router.route(model, Batch(np.zeros((2, 0), dtype=bool), [1, 2]))[0]

    def metric(self, name: str) -> float | None:
        """Return a gauge of the model, as a scrape shows it."""
        list(self.metrics.registry.collect())
        return self.metrics.registry.get_sample_value(f"tightrope_{name}", {"model": "m"})

    @property
    def kinds(self) -> list[str]:
        """The kinds of all events."""
        return [event.kind for event in self.events]


@pytest.fixture
def watched() -> Watched:
    """A watch whose judge has sent its first heartbeat."""
    return Watched()


def test_rows_that_are_kept_and_not_judged_lead_to_the_baseline(watched: Watched) -> None:
    """Not before ``blind_seconds``; then for every request of this model, above its modes, and of no other."""
    watched.router.apply(Routes("m", 3, (), {"model": "normal"}))
    watched.pass_time(BLIND_SECONDS - 1.0, kept=5)
    assert watched.roles() == [Role.COMPRESSED] * 2
    watched.pass_time(1.5, kept=5)
    assert watched.roles() == [Role.BASELINE] * 2
    assert watched.roles("other") == [Role.COMPRESSED] * 2
    assert watched.router.routes("m").safe == (), "an overlay: the judge's modes stay what they are"
    watched.router.apply(Routes("m", 4, (), {"model": "normal"}))
    assert watched.roles() == [Role.BASELINE] * 2, "the judge's word changes nothing"


def test_beginning_is_told_once_by_event_and_metric(watched: Watched) -> None:
    """The event says since when and how many rows wait; the metric needs no judge and no bus."""
    watched.pass_time(BLIND_SECONDS, kept=2)
    watched.pass_time(3 * BLIND_SECONDS, kept=2)
    (event,) = watched.events
    assert (event.model, event.kind, event.scope, event.actor) == ("m", "blind-began", "model", "gateway")
    assert event.reason == "no row judged for 10 s, 20 kept: the full model answers until the judge is back"
    assert (event.detail["kept"], event.detail["limit"]) == (20, BLIND_SECONDS)
    assert watched.metric("blind") == 1.0
    assert watched.router.blindness("m") == "no row judged for 40 s, 40 kept", "the reason is of now"


def test_blindness_ends_when_rows_are_judged_again(watched: Watched) -> None:
    """With the first of them, and with one event; the modes decide again."""
    watched.pass_time(2 * BLIND_SECONDS, kept=2)
    watched.beat()
    assert watched.roles() == [Role.BASELINE] * 2, "a judge that lives and judges nothing is no judge"
    watched.beat(rows=3)
    watched.pass_time(0.5)
    assert watched.roles() == [Role.COMPRESSED] * 2
    assert watched.kinds == ["blind-began", "blind-ended"]
    assert watched.events[1].detail == {"judged": 3}
    assert watched.events[1].reason == ROWS_JUDGED_AGAIN
    assert watched.metric("blind") == 0.0
    watched.pass_time(BLIND_SECONDS, kept=1)
    assert watched.kinds == ["blind-began", "blind-ended", "blind-began"]


def test_judged_rows_end_the_wait(watched: Watched) -> None:
    """As long as rows are judged, more traffic never makes the model blind."""
    for _ in range(30):
        watched.pass_time(BLIND_SECONDS / 2, kept=7)
        watched.beat(rows=1)
    assert watched.events == []


def test_model_without_traffic_is_not_blind(watched: Watched) -> None:
    """Nothing is kept, so nothing waits, however silent the judge is: its age shows that."""
    watched.pass_time(100 * BLIND_SECONDS)
    assert watched.events == []
    assert watched.metric("judge_age_seconds") == pytest.approx(100 * BLIND_SECONDS)
    watched.beat()
    assert watched.metric("judge_age_seconds") == 0.0


def test_one_row_that_was_judged_waits_no_more(watched: Watched) -> None:
    """Its heartbeat may come before the check that would have noticed the row."""
    watched.drawn["m"] += 1
    watched.beat(rows=1)
    watched.pass_time(10 * BLIND_SECONDS)
    assert watched.events == []


def test_zero_seconds_never_make_blind() -> None:
    """The configuration switches the watch off; the age of the judge is still shown."""
    watched = Watched(blind_seconds=0.0)
    watched.pass_time(1e6, kept=100)
    assert watched.roles() == [Role.COMPRESSED] * 2
    assert watched.events == []
    assert watched.metric("judge_age_seconds") == pytest.approx(1e6)


def test_restarted_judge_does_not_confuse_the_count(watched: Watched) -> None:
    """Its count begins at zero: neither that nor the first number of a new judge counts as progress."""
    watched.beat(rows=500)
    watched.pass_time(BLIND_SECONDS - 1.0, kept=1)
    watched.judged = 0
    watched.beat(judge="b")
    watched.beat(judge="c", rows=40)
    watched.pass_time(2.0)
    assert watched.kinds == ["blind-began"]
    watched.beat(judge="c", rows=1)
    assert watched.kinds == ["blind-began", "blind-ended"]


def test_old_heartbeat_that_is_read_again_is_no_sign_of_life(watched: Watched) -> None:
    """A replica that starts reads the topic from its beginning; the judge's own clock tells old from new."""
    watched.beat(rows=9, clock=50.0)
    watched.pass_time(BLIND_SECONDS, kept=1)
    watched.beat(rows=9, clock=50.0)
    watched.beat(rows=9, clock=40.0)
    assert watched.kinds == ["blind-began"]
    assert watched.metric("judge_age_seconds") == pytest.approx(BLIND_SECONDS)


def test_number_of_known_judges_is_bounded(watched: Watched) -> None:
    """A judge that starts again every second must not fill the memory."""
    for number in range(10 * MAX_JUDGES):
        watched.beat(judge=str(number))
    assert len(watched.watch._sights["m"].judges.by_judge) == MAX_JUDGES


def test_unknown_model_is_ignored(watched: Watched) -> None:
    """The topic may carry heartbeats about models of other gateways."""
    watched.watch.hear(Heartbeat("strange", "a", 1.0, 5))
    assert watched.events == []


def test_started_watch_checks_until_it_is_stopped(watched: Watched) -> None:
    """Its own thread finds that the model is blind."""
    watched.watch.start()
    watched.drawn["m"] = 5
    eventually(lambda: watched.watch._sights["m"].waiting == 5)
    watched.now += BLIND_SECONDS + 1.0
    eventually(lambda: watched.roles() == [Role.BASELINE] * 2)
    watched.watch.stop(10.0)
    assert not watched.watch._periodic.alive


def test_facts_tell_who_waits_and_since_when_a_judge_is_silent() -> None:
    """For people: kept requests, how long they wait, and the seconds since a judge was heard, and judged a row."""
    watched = Watched()
    watched.beat(rows=5)
    watched.pass_time(4.0, kept=2)
    watched.beat()
    facts = watched.watch.facts("m")
    assert (facts.waiting, facts.heard_seconds, facts.limit) == (20, 0.0, BLIND_SECONDS)
    assert facts.judged_seconds == pytest.approx(4.0)
    assert facts.waiting_seconds == pytest.approx(4.0)
