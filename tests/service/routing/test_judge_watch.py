"""A cluster's gateway trusts the modes of a model only while it hears a judge of the plan that it serves."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.service.routing.test_router import Batch
from tests.support.serving.service_harness import eventually
from tightrope.monitors.records import Event, Role, Routes
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.wire.heartbeat import Heartbeat
from tightrope.service.routing.judge_heartbeats import MAX_JUDGES
from tightrope.service.routing.judge_watch import OTHER_PLAN_SECONDS, JudgeWatch
from tightrope.service.routing.router import Router

SILENT_SECONDS = 20.0
OURS, THEIRS = "11111111aaaa", "22222222bbbb"


@dataclass
class Watched:
    """A watch over models ``m`` and ``other`` on a clock of the test's own, with modes that were read."""

    silent_seconds: float = SILENT_SECONDS
    now: float = 100.0
    beats: int = 0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.router = Router({"m": (), "other": ()}, cautious=True)
        self.metrics = Metrics(CollectorRegistry())
        self.watch = JudgeWatch(
            self.router,
            {"m": OURS, "other": OURS},
            self.silent_seconds,
            self.events.append,
            self.metrics,
            lambda: self.now,
        )
        for model in ("m", "other"):
            self.router.apply(Routes(model, 3, (), {"model": "normal"}))

    def beat(self, model: str = "m", judge: str = "a", plan: str = OURS, *, fresh: bool = True) -> None:
        """Receive a heartbeat of a judge."""
        self.beats += 1
        self.watch.hear(Heartbeat(model, judge, float(self.beats), 0, plan=plan), fresh=fresh)

    def pass_time(self, seconds: float, **beat: str) -> None:
        """Let time pass in ten steps, each with a heartbeat if one is given, and a check."""
        for _ in range(10):
            self.now += seconds / 10
            if beat:
                self.beat(**beat)  # type: ignore[arg-type]
            self.watch.check()

    def role(self, model: str = "m") -> Role:
        """The role that answers a request."""
        return self.router.route(model, Batch(np.zeros((1, 0), dtype=bool), [1]))[0][0]

    @property
    def missing(self) -> list[str]:
        """The causes that the metric shows for model ``m``."""
        list(self.metrics.registry.collect())
        value = self.metrics.registry.get_sample_value
        causes = ("start", "silent", "plan")
        return [cause for cause in causes if value("tightrope_judge_missing", {"model": "m", "cause": cause})]

    @property
    def kinds(self) -> list[str]:
        """The kinds of all events, with their models."""
        return [f"{event.model} {event.kind}" for event in self.events]


@pytest.fixture
def watched() -> Watched:
    """A watch that has heard a judge of both models."""
    heard = Watched()
    for model in ("m", "other"):
        heard.beat(model)
        heard.beat(model)
    return heard


def test_nothing_is_trusted_before_a_fresh_word() -> None:
    """The topic's modes and heartbeats may be of a judge that ended long ago, and one that fails at each start says one
    word each time.
    """
    watched = Watched()
    assert watched.role() is Role.BASELINE
    assert watched.missing == ["start"]
    for _ in range(3):
        watched.beat(fresh=False)
    watched.beat(judge="b")
    watched.beat(judge="c")
    assert watched.role() is Role.BASELINE
    assert watched.router.explain("m") == (
        "blind: no judge of this plan has been heard since the start, the baseline answers"
    )
    watched.beat()
    assert watched.role() is Role.COMPRESSED
    assert watched.missing == watched.events == []
    assert watched.role("other") is Role.BASELINE, "the word is about one model"
    assert not watched.watch.has_heard_all.is_set()
    watched.beat("other")
    watched.beat("other")
    assert watched.watch.has_heard_all.is_set()


def test_silence_at_the_start_becomes_an_event() -> None:
    """The topic may be empty, and no judge there at all."""
    watched = Watched()
    watched.pass_time(SILENT_SECONDS - 1)
    assert watched.events == []
    watched.pass_time(2.0)
    assert watched.kinds == ["m judge-silent", "other judge-silent"]
    assert watched.missing == ["silent"]
    assert watched.events[0].reason == "no judge of this plan has been heard for 20 s"
    assert watched.role() is Role.BASELINE


def test_each_model_has_a_clock_of_its_own(watched: Watched) -> None:
    """A judge that speaks about another model is silent about this one."""
    watched.pass_time(SILENT_SECONDS - 1, model="other")
    assert (watched.role(), watched.role("other")) == (Role.COMPRESSED, Role.COMPRESSED)
    watched.pass_time(2.0, model="other")
    assert (watched.role(), watched.role("other")) == (Role.BASELINE, Role.COMPRESSED)
    watched.pass_time(60.0, model="other")
    (event,) = watched.events
    assert (event.model, event.kind, event.scope, event.actor) == ("m", "judge-silent", "model", "gateway")
    assert event.detail["limit"] == SILENT_SECONDS
    assert watched.missing == ["silent"]
    watched.beat()
    assert watched.role() is Role.COMPRESSED
    assert watched.kinds == ["m judge-silent", "m judge-heard"]
    assert watched.missing == []


@pytest.mark.parametrize("plan", [THEIRS, ""])
def test_judges_of_another_plan_are_no_judges(watched: Watched, plan: str) -> None:
    """They refuse the rows of this gateway; the reason names both plans, and a judge of this plan ends it."""
    watched.pass_time(OTHER_PLAN_SECONDS + 0.5, judge="b", plan=plan)
    assert watched.role() is Role.BASELINE
    assert watched.role("other") is Role.COMPRESSED
    judged = "22222222" if plan else "a plan of an older release"
    reason = f"no judge judges this plan: the judges judge {judged}, this gateway serves 11111111"
    assert watched.router.blindness("m") == reason
    assert watched.events[0].reason == reason
    assert watched.missing == ["plan"]
    watched.pass_time(10 * SILENT_SECONDS)
    assert watched.missing == ["plan"]
    watched.beat("other")
    watched.beat()
    assert watched.role() is Role.COMPRESSED
    assert watched.kinds[0] == "m plan-unjudged"
    assert "m judge-heard" in watched.kinds


def test_new_gateway_does_not_trust_judges_of_another_plan() -> None:
    """From their first fresh word on the reason is the plan, not the start."""
    watched = Watched()
    watched.beat(plan=THEIRS)
    watched.beat(plan=THEIRS)
    assert watched.role() is Role.BASELINE
    assert watched.missing == ["plan"]


def test_judges_of_two_plans_may_speak_side_by_side(watched: Watched) -> None:
    """While one judge takes over from another; the judge of this plan decides."""
    for _ in range(20):
        watched.pass_time(OTHER_PLAN_SECONDS / 3, judge="b", plan=THEIRS)
        watched.beat()
    assert watched.events == []
    assert watched.role() is Role.COMPRESSED


def test_zero_seconds_never_make_a_judge_silent() -> None:
    """The modes stay; the start and another plan still count, because there the modes are not known at all."""
    watched = Watched(silent_seconds=0.0)
    watched.pass_time(1e6)
    assert watched.role() is Role.BASELINE
    watched.beat()
    watched.beat()
    watched.pass_time(1e6)
    assert watched.role() is Role.COMPRESSED
    watched.pass_time(60.0, plan=THEIRS, judge="b")
    assert watched.role() is Role.BASELINE


def test_old_heartbeat_that_is_read_again_is_no_word(watched: Watched) -> None:
    """The judge's own clock tells old from new."""
    watched.pass_time(SILENT_SECONDS - 1)
    watched.beats = 1
    watched.beat()
    watched.pass_time(2.0)
    assert watched.role() is Role.BASELINE


def test_number_of_known_judges_is_bounded(watched: Watched) -> None:
    """A judge that starts again every second must not fill the memory; models of other gateways are ignored."""
    for number in range(10 * MAX_JUDGES):
        watched.beat(judge=str(number))
        watched.beat("strange", str(number))
    assert len(watched.watch._voices["m"].judges.by_judge) == MAX_JUDGES
    assert "strange" not in watched.watch._voices


def test_started_watch_checks_until_it_is_stopped(watched: Watched) -> None:
    """Its own thread finds that the judge is silent."""
    watched.watch.start()
    watched.now += SILENT_SECONDS + 1.0
    eventually(lambda: watched.role() is Role.BASELINE)
    watched.watch.stop(10.0)
    assert not watched.watch._periodic.alive
