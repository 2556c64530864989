import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import SCOPES, RowSource, bit_exact
from tests.support.judgement.crash_injection import Fuse, FusedBus, FusedStore, KilledError
from tests.support.judgement.judge_harness import JudgeHarness, harm_and_recovery
from tightrope.monitors.records import Comparisons, Event, Routes
from tightrope.service.adapters.topics import COMPARISONS, topic
from tightrope.service.routing.router import Router
from tightrope.shadow.intake import gathering
from tightrope.shadow.judge import Judge

Publish = Callable[[], None]


def schedule(harness: JudgeHarness) -> Iterator[Publish]:
    """Steps that publish harm, redelivered rows, orders and garbage; each is judged before the next one."""
    batches = [with_hosts(batch) for batch in harm_and_recovery(RowSource())]

    def redeliver() -> None:
        """Publish rows in other batches, as by a worker that died before its commit."""
        harness.publish(batches[11].join(batches[12]), batches[13], batches[12].join(batches[13]).join(batches[14]))

    yield lambda: harness.publish(*batches[:8])
    yield lambda: harness.order("force-safe", "half=left", id_="o1", time=80.0)
    yield lambda: harness.publish(*batches[8:14])
    yield redeliver
    yield lambda: harness.publish_event(Event("e1", 1.0, "m", "model-failed", "model", "gateway", "run_failed"))
    yield lambda: harness.bus.publish(topic(COMPARISONS), b"garbage")
    yield lambda: harness.order("force-safe", "nowhere", id_="o2")
    yield lambda: harness.publish(*batches[15:30])
    yield lambda: harness.order("release", "half=left", id_="o3", time=300.0)
    yield lambda: harness.publish(*batches[30:])


def with_hosts(rows: Comparisons) -> Comparisons:
    """Give the rows two classes of hosts; all disagreements come from one."""
    hosts = np.where(rows.disagree | (rows.offset % 3 == 0), "avx2", "vnni")
    return replace(rows, host_class=hosts.astype(object))


@dataclass
class Ending:
    """The result after all records are judged."""

    state: object
    events: list[tuple[int, Event]]
    routes: Routes
    published: list[Routes]
    deaths: int = 0


def play(folder: Path, lives: list[int], poll: int = 256) -> Ending:
    """Judge the schedule; each judge crashes after the given number of operations, except the last one."""
    harness, fuses, judge, deaths = JudgeHarness(folder), iter(lives), None, 0
    with patch.object(gathering, "JUDGE_POLL_RECORDS", poll):
        for publish in schedule(harness):
            publish()
            while True:
                try:
                    judge = judge or start_judge(harness, next(fuses, math.inf))
                    harness.drain(judge)
                    break
                except KilledError:
                    judge, deaths = None, deaths + 1
                    harness.reopen()
    router = Router({"m": SCOPES})
    for routes in harness.routes:
        router.apply(routes)
    ending = Ending(
        bit_exact(harness.saved_state()), harness.numbered_events(), router.routes("m"), harness.routes, deaths
    )
    harness.store.close()
    return ending


def start_judge(harness: JudgeHarness, length: float) -> Judge:
    """Start a judge that crashes after ``length`` operations."""
    fuse = Fuse(length)
    return harness.judge(FusedBus(harness.bus, fuse), FusedStore(harness.store, fuse))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Ending:
    """Judge the schedule without a crash."""
    return play(tmp_path_factory.mktemp("undisturbed"), [])


def assert_same(ending: Ending, expected: Ending) -> None:
    """Compare state, audit trail with its numbering, and published modes, whose epochs never fall."""
    assert ending.state == expected.state
    assert ending.events == expected.events
    assert replace(ending.routes, order="") == replace(expected.routes, order="")
    epochs = [routes.epoch for routes in ending.published]
    assert epochs == sorted(epochs)


def test_schedule_covers_all_cases(undisturbed: Ending) -> None:
    """A stream without decisions would prove little."""
    kinds = [event.kind for _, event in undisturbed.events]
    assert set(kinds) >= {
        "breach",
        "dwell-elapsed",
        "recovered",
        "force-safe",
        "release",
        "order-refused",
        "host-watched",
    }
    assert kinds.count("model-failed") == 1
    assert undisturbed.routes.epoch > 4
    returned = [event for _, event in undisturbed.events if event.kind == "recovered"]
    hosts = {event.scope: len(event.detail["host_classes"]) for event in returned}
    assert hosts == {"group=a": 2, "host=avx2": 1, "half=left": 0}


MOMENTS = {
    "as it starts": [0],
    "after publishing the modes": [1],
    "after the first heartbeat": [3],
    "between poll and save": [4],
    "before it saves": [5],
    "right after it has saved": [6],
    "as it commits": [7],
    "right after the commit": [8],
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("poll", [1, 4])
def test_judge_survives_repeated_crashes_at_one_operation(
    tmp_path: Path, undisturbed: Ending, moment: str, poll: int
) -> None:
    """Twenty judges in a row crash at the same operation."""
    ending = play(tmp_path, MOMENTS[moment] * 20, poll)
    assert ending.deaths == 20
    assert_same(ending, undisturbed)


@settings(deadline=None, max_examples=50)
@given(lives=st.lists(st.integers(0, 80), max_size=16), poll=st.integers(1, 9))
def test_judge_survives_a_crash_anywhere(undisturbed: Ending, lives: list[int], poll: int) -> None:
    """The result equals that of a run without a crash."""
    with TemporaryDirectory() as folder:
        assert_same(play(Path(folder), lives, poll), undisturbed)


def test_modes_that_a_crash_left_unpublished_are_published_at_the_next_start(tmp_path: Path) -> None:
    """Gateways do not keep old modes for ever."""
    harness = JudgeHarness(tmp_path)
    # It has saved the fresh state, published modes and a heartbeat, polled and saved; it crashes as it publishes
    # the outcome of the order.
    judge = start_judge(harness, 2 + 2 + 2 + 1 + 2)
    harness.order("force-safe", "group=b")
    with pytest.raises(KilledError):
        harness.drain(judge)
    assert harness.saved_state().epoch == 1
    assert [(r.epoch, r.safe) for r in harness.routes] == [(0, ())]
    harness.drain(harness.judge())
    assert [(r.epoch, r.safe) for r in harness.routes] == [(0, ()), (1, ("group=b",))]
    assert [event.id for event in harness.events()] == ["o1"]
