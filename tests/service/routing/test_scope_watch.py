"""The gateway sends a subgroup to the baseline while rows of it are kept and not judged, though others are."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.service.routing.test_router import Batch
from tests.support.serving.service_harness import eventually
from tightrope.monitors.records import Event, Ints, Role
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.wire.heartbeat import Heartbeat
from tightrope.service.routing.router import Router
from tightrope.service.routing.scope_watch import MIN_WAITING_ROWS, SCOPE_BLIND_BEGAN, SCOPE_BLIND_ENDED, ScopeWatch

BLIND_SECONDS = 10.0
SCOPES = ("group=a", "group=b", "group=other")


@dataclass
class Watched:
    """A watch over model ``m`` on a clock of the test's own, and its judge."""

    blind_seconds: float = BLIND_SECONDS
    now: float = 100.0
    beats: int = 0
    judged: Ints = field(default_factory=lambda: np.zeros(3, np.int64))
    drawn: dict[str, Ints] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.router = Router({"m": SCOPES, "plain": ()})
        self.metrics = Metrics(CollectorRegistry())
        limits = {"m": self.blind_seconds, "plain": self.blind_seconds}
        scopes = {"m": SCOPES, "plain": ()}
        self.watch = ScopeWatch(
            self.router, scopes, limits, self.drawn, self.events.append, self.metrics, lambda: self.now
        )
        self.beat(0, 0, 0)

    def beat(self, *rows: int, judge: str = "a") -> None:
        """Receive a heartbeat, with this number of further rows of each subgroup judged."""
        self.beats += 1
        self.judged = self.judged + np.array(rows, np.int64)
        in_scopes = dict(zip(SCOPES, self.judged.tolist(), strict=True)) if rows else {}
        self.watch.hear(Heartbeat("m", judge, float(self.beats), int(self.judged.sum()), in_scopes))

    def keep(self, *rows: int) -> None:
        """Keep this number of further rows of each subgroup, then check."""
        self.drawn["m"] = self.drawn.get("m", np.zeros(3, np.int64)) + np.array(rows)
        self.watch.check()

    def pass_time(self, seconds: float) -> None:
        """Check after this time."""
        self.now += seconds
        self.watch.check()

    def roles(self) -> list[Role]:
        """The roles for one request of each subgroup."""
        return self.router.route("m", Batch(np.eye(3, dtype=bool), [1, 2, 3]))[0]

    def metric(self, scope: str) -> float | None:
        """The gauge of a subgroup, as a scrape shows it."""
        list(self.metrics.registry.collect())
        return self.metrics.registry.get_sample_value("tightrope_scope_blind", {"model": "m", "scope": scope})


@pytest.fixture
def watched() -> Watched:
    """A watch whose judge has sent its first heartbeat."""
    return Watched()


def test_subgroup_without_judged_rows_goes_to_the_baseline_alone(watched: Watched) -> None:
    """Not before ``blind_seconds``; undeclared values follow it, as they follow a subgroup in safe mode."""
    watched.keep(MIN_WAITING_ROWS, 500, 0)
    watched.beat(0, 400, 0)
    watched.pass_time(BLIND_SECONDS - 0.1)
    assert watched.roles() == [Role.COMPRESSED] * 3
    watched.pass_time(0.2)
    assert watched.roles() == [Role.BASELINE, Role.COMPRESSED, Role.BASELINE]
    assert [(event.kind, event.scope) for event in watched.events] == [(SCOPE_BLIND_BEGAN, "group=a")]
    assert (watched.metric("group=a"), watched.metric("group=b")) == (1.0, 0.0)


def test_blindness_ends_when_rows_of_the_subgroup_are_judged(watched: Watched) -> None:
    """Rows of another one do not end it; one event tells the end."""
    watched.keep(MIN_WAITING_ROWS, 0, 0)
    watched.pass_time(BLIND_SECONDS)
    watched.beat(0, 50, 0)
    assert watched.roles()[0] is Role.BASELINE
    watched.beat(1, 0, 0)
    assert watched.roles() == [Role.COMPRESSED] * 3
    assert [event.kind for event in watched.events] == [SCOPE_BLIND_BEGAN, SCOPE_BLIND_ENDED]
    watched.pass_time(10 * BLIND_SECONDS)
    assert watched.roles() == [Role.COMPRESSED] * 3, "no row waits any more"


def test_few_waiting_rows_and_judged_rows_do_not_blind(watched: Watched) -> None:
    """A lost request is no blindness, nor is a subgroup whose rows are judged all the time."""
    watched.keep(MIN_WAITING_ROWS - 1, 0, 0)
    for _ in range(5):
        watched.keep(0, 30, 0)
        watched.beat(0, 20, 0)
        watched.pass_time(BLIND_SECONDS / 2)
    assert watched.roles() == [Role.COMPRESSED] * 3


def test_judge_that_gives_no_subgroups_blinds_none(watched: Watched) -> None:
    """A heartbeat of an older judge has only the model's rows."""
    watched.watch.hear(Heartbeat("m", "a", 50.0, 0))
    watched.keep(MIN_WAITING_ROWS, 0, 0)
    watched.pass_time(2 * BLIND_SECONDS)
    assert watched.roles() == [Role.COMPRESSED] * 3


def test_blind_model_has_no_blind_subgroups(watched: Watched) -> None:
    """Its judgement has stopped as a whole; afterwards each subgroup has the full time again."""
    watched.keep(MIN_WAITING_ROWS, 0, 0)
    watched.router.set_blind("m", "no row judged")
    watched.pass_time(3 * BLIND_SECONDS)
    assert watched.events == []
    watched.router.set_blind("m", "")
    watched.pass_time(0.1)
    watched.pass_time(BLIND_SECONDS - 0.1)
    assert watched.roles()[0] is Role.COMPRESSED
    watched.pass_time(0.2)
    assert watched.roles()[0] is Role.BASELINE


def test_zero_seconds_never_blind() -> None:
    """As for the model as a whole."""
    watched = Watched(blind_seconds=0.0)
    watched.keep(10_000, 0, 0)
    watched.pass_time(1e6)
    assert watched.roles() == [Role.COMPRESSED] * 3


def test_restarted_judge_and_repeated_heartbeat_end_nothing(watched: Watched) -> None:
    """The counts of another start of the judge begin anew, and a record that is read again is not a new one."""
    watched.keep(MIN_WAITING_ROWS, 0, 0)
    watched.pass_time(BLIND_SECONDS)
    watched.beat(5, 0, 0, judge="b")
    watched.watch.hear(Heartbeat("m", "b", 0.5, 9, {"group=a": 9}))
    assert watched.roles()[0] is Role.BASELINE


def test_started_watch_checks_until_it_is_stopped(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own thread finds that a subgroup is blind."""
    monkeypatch.setattr(watched.watch._periodic, "_seconds", 0.001)
    watched.drawn["m"] = np.array([MIN_WAITING_ROWS, 0, 0])
    watched.watch.start()
    eventually(lambda: watched.watch._models["m"].since[0] == watched.now)
    watched.now += BLIND_SECONDS + 1.0
    eventually(lambda: watched.roles()[0] is Role.BASELINE)
    watched.watch.stop(10.0)
    assert not watched.watch._periodic.alive
