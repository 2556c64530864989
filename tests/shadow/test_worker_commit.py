import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import make_plan, open_tick_rows
from tests.support.judgement.crash_injection import Fuse, FusedBus, KilledError
from tests.support.samples import BASELINE, WorkerHarness, sample, watched
from tightrope.monitors import watch
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Role
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import Bus, BusFullError, BusUnavailableError, Subscription
from tightrope.service.adapters.topics import COMPARISONS, topic


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the folder of the models of this file."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def shop(folder: Path) -> WorkerHarness:
    """Provide two pairs of models, with three records of samples for each, and one more for ``m``."""
    return filled(folder)


def filled(folder: Path) -> WorkerHarness:
    """Make a fresh bus with the same samples every time."""
    for name in ("m", "n"):
        (folder / name).mkdir(exist_ok=True)
    shop = WorkerHarness({"m": watched(folder / "m"), "n": watched(folder / "n", BASELINE, BASELINE)})
    rows = np.random.default_rng(1).normal(size=(7, 2))
    for number in range(3):
        names = ("m", "n", "m")
        made = [
            sample(shop.watched[name], [rows[number + i]], model=name, number=number) for i, name in enumerate(names)
        ]
        shop.publish(*made)
    shop.publish(sample(shop.watched["m"], rows[5:], number=3))
    return shop


class FullBus:
    """A bus that refuses comparisons for the first ``tries`` attempts."""

    def __init__(self, bus: MemoryBus, tries: float, tried: threading.Event) -> None:
        self.log = bus.log
        self._bus = bus
        self._tries = tries
        self._tried = tried

    def generation(self, *topics: str) -> int:
        """Delegate to the bus."""
        return self._bus.generation(*topics)

    def publish(self, name: str, value: bytes, key: str | None = None) -> None:
        """Refuse comparisons while tries are left."""
        if name == topic(COMPARISONS) and self._tries > 0:
            self._tries -= 1
            self._tried.set()
            raise BusFullError(name)
        self._bus.publish(name, value, key)

    def flush(self, timeout: float) -> None:
        """Delegate to the bus."""
        self._bus.flush(timeout)

    def subscribe(self, *topics: str, group: str | None = None) -> Subscription:
        """Delegate to the bus."""
        return self._bus.subscribe(*topics, group=group)


def drain(shop: WorkerHarness, bus: Bus | None = None) -> None:
    """Step until no records are left."""
    worker = shop.worker(bus)
    while worker.step(0):
        pass


def judged(shop: WorkerHarness) -> dict[str, list[str]]:
    """List the rows that a judge counts, in order by model: each must appear once."""
    counted: dict[str, list[str]] = {"m": [], "n": []}
    states = {name: initial_state(_plan(shop, name)) for name in counted}
    for batch in shop.comparisons():
        before = states[batch.model]
        states[batch.model], _ = watch.step(_plan(shop, batch.model), before, batch)
        counted[batch.model] = list(open_tick_rows(states[batch.model]).request_id)
    return counted


def _plan(shop: WorkerHarness, name: str) -> Plan:
    baseline, compressed = (shop.watched[name].models[role].digest for role in Role)
    made = make_plan(scopes=("half=left",), tick_rows=1000, model=name)
    return replace(made, baseline_digest=baseline, compressed_digest=compressed)


EXPECTED = {"m": ["r-0", "r-0", "r-1", "r-1", "r-2", "r-2", "r-3", "r-3"], "n": ["r-0", "r-1", "r-2"]}


def test_acknowledged_comparisons_are_committed(shop: WorkerHarness) -> None:
    """The next member of the group finds no records."""
    drain(shop)
    assert judged(shop) == EXPECTED
    assert shop.worker().step(0) == 0


def test_nothing_is_committed_before_it_is_published(shop: WorkerHarness) -> None:
    """After a crash behind the first of two batches, the next worker compares both again."""
    with pytest.raises(KilledError):
        shop.worker(FusedBus(shop.bus, Fuse(2))).step(0)
    assert [batch.model for batch in shop.comparisons()] == ["m"]
    drain(shop)
    assert [batch.model for batch in shop.comparisons()] == ["m", "m", "n"]
    assert judged(shop) == EXPECTED


class Unacknowledged(FusedBus):
    """A bus that never acknowledges."""

    def flush(self, timeout: float) -> None:
        """Time out."""
        raise TimeoutError(f"not within {timeout} s")


def test_nothing_is_committed_before_it_is_acknowledged(shop: WorkerHarness) -> None:
    """Without an acknowledgement the offset stays."""
    with pytest.raises(TimeoutError):
        shop.worker(Unacknowledged(shop.bus, Fuse(1000))).step(0)
    assert len(shop.comparisons()) == 2
    assert shop.worker().step(0) == 7


@settings(deadline=None, max_examples=40)
@given(lives=st.lists(st.integers(0, 9), max_size=6))
def test_worker_that_crashes_anywhere_loses_and_doubles_nothing(folder: Path, lives: list[int]) -> None:
    """The judge counts each row once, in the order of the log."""
    shop = filled(folder)
    for length in lives:
        with suppress(KilledError):
            drain(shop, FusedBus(shop.bus, Fuse(length)))
    drain(shop)
    assert judged(shop) == EXPECTED


def test_worker_waits_while_the_bus_is_full(shop: WorkerHarness) -> None:
    """A slow judge slows the worker down, and no record is lost."""
    drain(shop, FullBus(shop.bus, 3, threading.Event()))
    assert judged(shop) == EXPECTED


def test_worker_that_stops_while_the_bus_is_full_commits_nothing(shop: WorkerHarness) -> None:
    """The next worker finds the samples again."""
    tried = threading.Event()
    stuck = threading.Thread(target=shop.worker(FullBus(shop.bus, float("inf"), tried)).step, args=(0,))
    stuck.start()
    assert tried.wait(10)
    assert stuck.is_alive()
    shop.stopping.set()
    stuck.join(10)
    assert not stuck.is_alive()
    assert shop.comparisons() == []
    shop.stopping.clear()
    drain(shop)
    assert judged(shop) == EXPECTED


def test_worker_begins_again_when_the_samples_were_made_anew(
    shop: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its comparisons carry the id of the samples' topic, and its offsets are of the old one."""
    worker = shop.worker()
    monkeypatch.setattr(shop.bus, "generation", lambda *_: 1)
    with pytest.raises(BusUnavailableError, match="samples was made anew"):
        worker.step(0)
