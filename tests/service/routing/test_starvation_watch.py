"""The gateway sends a scope to the baseline while too few of its requests are kept."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.service.routing.test_router import Batch
from tests.support.serving.service_harness import eventually
from tightrope.monitors.intake.sight_notes import REPEAT_SECONDS, STARVED_BEGAN, STARVED_ENDED
from tightrope.monitors.records import MODEL_SCOPE, Event, Role, Routes
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.routing.router import STARVED_MODEL, Router
from tightrope.service.routing.starvation_watch import StarvationWatch
from tightrope.service.sampling.served_counts import ServedCounts

SCOPES = ("group=a", "group=b", "group=other")


@dataclass
class Watched:
    """A watch over model ``m``."""

    blind_seconds: float = 10.0
    now: float = 0.0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.router = Router({"m": SCOPES})
        self.metrics = Metrics(CollectorRegistry())
        self.served = ServedCounts()
        self.watch = StarvationWatch(
            self.router,
            {"m": SCOPES},
            {"m": self.blind_seconds},
            self.served.totals,
            self.events.append,
            self.metrics,
            lambda: self.now,
        )

    def serve(self, expected: tuple[float, ...], kept: tuple[float, ...]) -> list[Role]:
        """Serve requests of the model and its subgroups, then check; returns the role for each subgroup."""
        self.served.add("m", np.array(expected), np.array(kept))
        self.watch.check()
        return self.roles()

    def roles(self) -> list[Role]:
        """The roles for one request of each subgroup."""
        return self.router.route("m", Batch(np.eye(3, dtype=bool), [1, 2, 3]))[0]

    def kinds(self) -> list[tuple[str, str]]:
        """The events so far."""
        return [(event.kind, event.scope) for event in self.events]

    def metric(self, scope: str) -> float | None:
        """The gauge of a scope, as a scrape shows it."""
        list(self.metrics.registry.collect())
        return self.metrics.registry.get_sample_value("tightrope_starved", {"model": "m", "scope": scope})


@pytest.fixture
def watched() -> Watched:
    """A watch whose model has had good traffic."""
    watched = Watched()
    watched.serve((500.0, 250.0, 250.0, 0.0), (510.0, 240.0, 270.0, 0.0))
    return watched


def test_subgroup_whose_requests_are_not_kept_goes_to_the_baseline_alone(watched: Watched) -> None:
    """Undeclared values follow it; the model's own evidence is against it."""
    assert watched.serve((120.0, 20.0, 100.0, 0.0), (101.0, 0.0, 101.0, 0.0)) == [Role.COMPRESSED] * 3
    assert watched.serve((120.0, 20.0, 100.0, 0.0), (99.0, 0.0, 99.0, 0.0)) == [
        Role.BASELINE,
        Role.COMPRESSED,
        Role.BASELINE,
    ]
    assert watched.kinds() == [(STARVED_BEGAN, "group=a")]
    assert [watched.metric(scope) for scope in (MODEL_SCOPE, *SCOPES)] == [0.0, 1.0, 0.0, 0.0]
    assert watched.router.explain("m") == ""


def test_model_whose_requests_are_not_kept_goes_to_the_baseline(watched: Watched) -> None:
    """One event tells it, not one for each subgroup; newer modes do not end it, nor does the end of a blindness."""
    assert watched.serve((80.0, 40.0, 40.0, 0.0), (0.0,) * 4) == [Role.BASELINE] * 3
    assert watched.kinds() == [(STARVED_BEGAN, MODEL_SCOPE)]
    watched.router.apply(Routes("m", 1, (), {}))
    watched.router.set_blind("m", "")
    assert watched.roles() == [Role.BASELINE] * 3
    assert watched.router.explain("m") == STARVED_MODEL


def test_starvation_ends_when_requests_are_kept_again(watched: Watched) -> None:
    """Not by a few of them; the evidence begins anew."""
    watched.serve((80.0, 40.0, 40.0, 0.0), (0.0,) * 4)
    assert watched.serve((10.0, 5.0, 5.0, 0.0), (10.0, 5.0, 5.0, 0.0)) == [Role.BASELINE] * 3
    assert watched.serve((25.0, 12.0, 13.0, 0.0), (22.0, 12.0, 10.0, 0.0)) == [Role.COMPRESSED] * 3
    assert watched.kinds() == [(STARVED_BEGAN, MODEL_SCOPE), (STARVED_ENDED, MODEL_SCOPE)]
    assert watched.serve((25.0, 12.0, 13.0, 0.0), (22.0, 12.0, 10.0, 0.0)) == [Role.COMPRESSED] * 3
    assert watched.metric(MODEL_SCOPE) == 0.0


def test_starved_scope_with_too_few_kept_requests_stays_so(watched: Watched) -> None:
    """A third is not enough; what was not kept before does not count against it."""
    watched.serve((120.0, 40.0, 80.0, 0.0), (80.0, 0.0, 80.0, 0.0))
    assert watched.serve((120.0, 40.0, 80.0, 0.0), (93.0, 13.0, 80.0, 0.0))[0] is Role.BASELINE
    assert watched.serve((120.0, 40.0, 80.0, 0.0), (105.0, 25.0, 80.0, 0.0)) == [Role.COMPRESSED] * 3
    assert watched.kinds() == [(STARVED_BEGAN, "group=a"), (STARVED_ENDED, "group=a")]


def test_starvation_that_lasts_is_told_again(watched: Watched) -> None:
    """A judge believes nothing for long; where it ends, nothing is told again."""
    watched.serve((120.0, 40.0, 80.0, 0.0), (80.0, 0.0, 80.0, 0.0))
    for _ in range(5):
        watched.now += 0.5 * REPEAT_SECONDS
        watched.watch.check()
    assert watched.kinds() == 3 * [(STARVED_BEGAN, "group=a")]
    watched.serve((40.0, 40.0, 0.0, 0.0), (40.0, 40.0, 0.0, 0.0))
    watched.now += 2 * REPEAT_SECONDS
    watched.watch.check()
    assert watched.kinds()[3:] == [(STARVED_ENDED, "group=a")]


def test_zero_seconds_never_starve() -> None:
    """As they never blind."""
    watched = Watched(blind_seconds=0.0)
    assert watched.serve((1e6, 1e6, 1e6, 0.0), (0.0,) * 4) == [Role.COMPRESSED] * 3


def test_started_watch_checks_until_it_is_stopped(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own thread finds that the model is starved."""
    monkeypatch.setattr(watched.watch._periodic, "_seconds", 0.001)
    watched.watch.start()
    watched.served.add("m", np.full(4, 90.0), np.zeros(4))
    eventually(lambda: watched.roles()[0] is Role.BASELINE)
    watched.watch.stop(10.0)
    assert not watched.watch._periodic.alive
