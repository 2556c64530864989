import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import SCOPES, Traffic, bits
from tests.support.judgement.crash_injection import Fuse, FusedBus, FusedStore, KilledError
from tests.support.judgement.judge_harness import Court, story
from tightrope.monitors.records import Event, Routes
from tightrope.service.adapters.topics import COMPARISONS, topic
from tightrope.service.routing.router import Router
from tightrope.shadow import judge as module
from tightrope.shadow.judge import Judge

Publish = Callable[[], None]


def schedule(court: Court) -> Iterator[Publish]:
    """What arrives, in portions: each is judged before the next one comes. Harm, redelivery, orders, garbage."""
    batches = list(story(Traffic()))

    def again() -> None:
        """A worker died before it committed: the next one delivers the same rows in other batches."""
        court.publish(batches[11].join(batches[12]), batches[13], batches[12].join(batches[13]).join(batches[14]))

    yield lambda: court.publish(*batches[:8])
    yield lambda: court.order("force-safe", "half=left", id_="o1", time=80.0)
    yield lambda: court.publish(*batches[8:14])
    yield again
    yield lambda: court.note(Event("e1", 1.0, "m", "model-failed", "model", "gateway", "run_failed"))
    yield lambda: court.bus.publish(topic(COMPARISONS), b"garbage")
    yield lambda: court.order("force-safe", "nowhere", id_="o2")
    yield lambda: court.publish(*batches[15:30])
    yield lambda: court.order("release", "half=left", id_="o3", time=300.0)
    yield lambda: court.publish(*batches[30:])


@dataclass
class Ending:
    """What is left when everything has been judged."""

    state: object
    events: list[tuple[int, Event]]
    routes: Routes
    told: list[Routes]
    deaths: int = 0


def play(folder: Path, lives: list[int], poll: int = 256) -> Ending:
    """Judge the schedule; each judge dies after so many moments, and all it holds open with it; the last one lives."""
    court, fuses, judge, deaths = Court(folder), iter(lives), None, 0
    with patch.object(module, "POLL", poll):
        for publish in schedule(court):
            publish()
            while True:
                try:
                    judge = judge or born(court, next(fuses, math.inf))
                    court.drain(judge)
                    break
                except KilledError:
                    judge, deaths = None, deaths + 1
                    court.reopen()
    router = Router({"m": SCOPES})
    for routes in court.told:
        router.apply(routes)
    ending = Ending(bits(court.saved()), court.store.events(limit=1000), router.routes("m"), court.told, deaths)
    court.store.close()
    return ending


def born(court: Court, length: float) -> Judge:
    """A judge with so much time to live."""
    fuse = Fuse(length)
    return court.judge(FusedBus(court.bus, fuse), FusedStore(court.store, fuse))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Ending:
    """What comes of the schedule when nobody dies."""
    return play(tmp_path_factory.mktemp("undisturbed"), [])


def assert_same(ending: Ending, expected: Ending) -> None:
    """State to the last bit, audit trail with its numbering, what the gateways go by; never a step back."""
    assert ending.state == expected.state
    assert ending.events == expected.events
    assert replace(ending.routes, order="") == replace(expected.routes, order="")
    epochs = [routes.epoch for routes in ending.told]
    assert epochs == sorted(epochs)


def test_schedule_has_something_of_everything(undisturbed: Ending) -> None:
    """The restarts below would prove little on a stream without decisions."""
    kinds = [event.kind for _, event in undisturbed.events]
    assert set(kinds) >= {"breach", "dwell-elapsed", "recovered", "force-safe", "release", "order-refused"}
    assert kinds.count("model-failed") == 1
    assert undisturbed.routes.epoch > 4


MOMENTS = {
    "as it starts": [0],
    "having told the modes": [1],
    "between poll and save": [2],
    "before it saves": [3],
    "right after it has saved": [4],
    "as it commits": [5],
    "right after the commit": [6],
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("poll", [1, 4])
def test_judge_may_die_again_and_again_at_one_moment(
    tmp_path: Path, undisturbed: Ending, moment: str, poll: int
) -> None:
    """Twenty judges in a row end at the same moment of their lives; nothing is lost, nothing counts double."""
    ending = play(tmp_path, MOMENTS[moment] * 20, poll)
    assert ending.deaths == 20
    assert_same(ending, undisturbed)


@settings(deadline=None, max_examples=50)
@given(lives=st.lists(st.integers(0, 80), max_size=16), poll=st.integers(1, 9))
def test_judge_may_die_anywhere(undisturbed: Ending, lives: list[int], poll: int) -> None:
    """Whenever judges die, and however records are polled: the ending is that of an undisturbed run."""
    with TemporaryDirectory() as folder:
        assert_same(play(Path(folder), lives, poll), undisturbed)


def test_judge_that_dies_before_it_tells_has_its_successor_tell(tmp_path: Path) -> None:
    """What was saved is told at the next start: the gateways do not go by old modes for ever."""
    court = Court(tmp_path)
    judge = born(court, 2 + 1 + 2)  # told the modes, polled, saved; dies as it tells the order's outcome
    court.order("force-safe", "group=b")
    with pytest.raises(KilledError):
        court.drain(judge)
    assert court.saved().epoch == 1
    assert [(r.epoch, r.safe) for r in court.told] == [(0, ())]
    court.drain(court.judge())
    assert [(r.epoch, r.safe) for r in court.told] == [(0, ()), (1, ("group=b",))]
    assert [event.id for event in court.events()] == ["o1"]
