"""A gateway serves the baseline while no statement lets the compressed model serve, and acts on an expiry."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tests.support.qualification_files import write_statement
from tightrope.monitors.records import Event, Role, Routes
from tightrope.service.adapters.model_files import find_files
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.config.loader import load
from tightrope.service.routing.qualification_gate import Qualification, examine_model
from tightrope.service.routing.qualification_watch import (
    EXPIRED,
    OTHER_HOST,
    QUALIFIED_AGAIN,
    UNQUALIFIED,
    QualificationWatch,
)
from tightrope.service.routing.router import Router


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Qualification:
    """The finding of the gate about a qualified pair."""
    folder = tmp_path_factory.mktemp("qualified")
    path = write_config(folder, config(folder, qualification={"require": True}, limits={}, subgroup_limits={}))
    write_statement(path)
    section = load(path, {}).models["m"]
    digests = {str(role): find_files(Path(str(getattr(section, role)))).digest for role in Role}
    found = examine_model("m", section, digests, datetime.now(UTC))
    assert found is not None
    assert not found.objections
    return replace(found, distances={Role.BASELINE: 0.0, Role.COMPRESSED: 2e-5})


@dataclass
class Pair:
    """A pair that is served."""

    qualification: Qualification | None


@dataclass
class Watched:
    """A router under a watch, with a clock that the test sets."""

    pair: Pair
    now: float = 0.0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.router = Router({"m": ()})
        self.router.apply(Routes("m", 1, (), {}))
        self.metrics = Metrics(CollectorRegistry())
        pairs = {"m": self.pair}
        self.watch = QualificationWatch(self.router, pairs, self.events.append, self.metrics, lambda: self.now)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Kinds and reasons of the events."""
        return [(event.kind, event.reason) for event in self.events]

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of a metric of the model."""
        self.watch.show()
        return self.metrics.registry.get_sample_value(f"tightrope_{name}", {"model": "m", **labels})


@pytest.mark.parametrize("required", [True, False])
def test_objection_sends_everything_to_the_baseline_where_a_statement_is_required(
    sound: Qualification, *, required: bool
) -> None:
    """From the first request on; told once."""
    watched = Watched(Pair(replace(sound, objections=("expired on 2026-01-01",), is_required=required)))
    watched.watch.check()
    reason = "compressed.onnx.intoto.jsonl: expired on 2026-01-01"
    assert watched.router.unqualified("m") == (reason if required else "")
    assert watched.told == ([(UNQUALIFIED, reason)] if required else [])
    assert watched.metric("qualification_info", verdict="unqualified") == 1


def test_sound_statement_changes_nothing(sound: Qualification) -> None:
    """No event, and the metrics show it."""
    watched = Watched(Pair(sound))
    watched.watch.check()
    assert (watched.router.explain("m"), watched.told) == ("", [])
    assert watched.metric("qualification_info", verdict="qualified") == 1
    assert watched.metric("qualification_info", verdict="unqualified") == 0
    assert watched.metric("qualification_expiry_timestamp_seconds") == sound.expires
    assert watched.metric("numerics_distance", role="compressed") == 2e-5
    assert watched.metric("numerics_bound", role="compressed") == 1e-4


def test_model_without_a_qualification_has_no_series() -> None:
    """Nothing is asked of it."""
    watched = Watched(Pair(None))
    assert watched.metric("qualification_info", verdict="unqualified") is None


@pytest.mark.parametrize("baseline", [True, False])
def test_expiry_while_it_serves_is_told_and_acted_on(sound: Qualification, *, baseline: bool) -> None:
    """With at_expiry: baseline the baseline answers; a warning alone moves nothing."""
    watched = Watched(Pair(replace(sound, falls_back_at_expiry=baseline)))
    assert sound.expires is not None
    watched.now = sound.expires - 1
    watched.watch.check()
    assert watched.told == []
    watched.now = sound.expires
    watched.watch.check()
    watched.watch.check()
    reason = sound.expiry_reason(sound.expires)
    assert watched.router.unqualified("m") == (reason if baseline else "")
    assert watched.told == ([(UNQUALIFIED, reason)] if baseline else []) + [(EXPIRED, reason)]


def test_deployment_with_a_sound_statement_ends_it(sound: Qualification) -> None:
    """The next check takes over the statement of the pair that serves now."""
    watched = Watched(Pair(replace(sound, objections=("is missing",))))
    watched.pair.qualification = sound
    watched.watch.check()
    assert watched.router.explain("m") == ""
    assert [kind for kind, _ in watched.told] == [UNQUALIFIED, QUALIFIED_AGAIN]


def test_new_class_of_host_is_told(sound: Qualification) -> None:
    """It serves: its answers are within the bound."""
    watched = Watched(Pair(replace(sound, new_host_class="this host is x, the statement was made on y")))
    assert watched.told == [(OTHER_HOST, "this host is x, the statement was made on y")]
    assert watched.router.explain("m") == ""


def test_thread_checks_and_stops(sound: Qualification) -> None:
    """It is a periodic check of its own."""
    watched = Watched(Pair(sound))
    watched.watch.start()
    watched.watch.stop(5.0)
    assert watched.told == []
