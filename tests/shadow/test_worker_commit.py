import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import plan, waiting
from tests.support.judgement.crash_injection import Fuse, FusedBus, KilledError
from tests.support.samples import BASELINE, Workshop, sample, watched
from tightrope.monitors import watch
from tightrope.monitors.plan import Plan, start
from tightrope.monitors.records import Role
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import Bus, BusFullError, Subscription
from tightrope.service.adapters.topics import COMPARISONS, topic


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the models of this file lie."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def shop(folder: Path) -> Workshop:
    """Two pairs of models, each with samples waiting: three records of ``m`` and ``n`` each, one more of ``m``."""
    return filled(folder)


def filled(folder: Path) -> Workshop:
    """A fresh bus with the same samples every time."""
    for name in ("m", "n"):
        (folder / name).mkdir(exist_ok=True)
    shop = Workshop({"m": watched(folder / "m"), "n": watched(folder / "n", BASELINE, BASELINE)})
    rows = np.random.default_rng(1).normal(size=(7, 2))
    for number in range(3):
        names = ("m", "n", "m")
        made = [sample(shop.watched[of], [rows[number + i]], model=of, number=number) for i, of in enumerate(names)]
        shop.publish(*made)
    shop.publish(sample(shop.watched["m"], rows[5:], number=3))
    return shop


class Full:
    """A bus that has no room for comparisons for so many tries."""

    def __init__(self, bus: MemoryBus, tries: float, tried: threading.Event) -> None:
        self.log = bus.log
        self._bus = bus
        self._tries = tries
        self._tried = tried

    def publish(self, name: str, value: bytes, key: str | None = None) -> None:
        """Refuse comparisons while there is no room."""
        if name == topic(COMPARISONS) and self._tries > 0:
            self._tries -= 1
            self._tried.set()
            raise BusFullError(name)
        self._bus.publish(name, value, key)

    def flush(self, timeout: float) -> None:
        """As the bus."""
        self._bus.flush(timeout)

    def subscribe(self, *topics: str, group: str | None = None) -> Subscription:
        """As the bus."""
        return self._bus.subscribe(*topics, group=group)


def drain(shop: Workshop, bus: Bus | None = None) -> None:
    """Steps until nothing is left."""
    worker = shop.worker(bus)
    while worker.step(0):
        pass


def judged(shop: Workshop) -> dict[str, list[str]]:
    """The rows that a judge counts, model by model, in their order: each must come once."""
    counted: dict[str, list[str]] = {"m": [], "n": []}
    states = {name: start(_plan(shop, name)) for name in counted}
    for batch in shop.comparisons():
        before = states[batch.model]
        states[batch.model], _ = watch.step(_plan(shop, batch.model), before, batch)
        counted[batch.model] = list(waiting(states[batch.model]).request_id)
    return counted


def _plan(shop: Workshop, name: str) -> Plan:
    baseline, compressed = (shop.watched[name].models[role].digest for role in Role)
    made = plan(scopes=("half=left",), tick_rows=1000, model=name)
    return replace(made, baseline_digest=baseline, compressed_digest=compressed)


EXPECTED = {"m": ["r-0", "r-0", "r-1", "r-1", "r-2", "r-2", "r-3", "r-3"], "n": ["r-0", "r-1", "r-2"]}


def test_comparisons_that_are_safe_are_committed(shop: Workshop) -> None:
    """Whoever reads for the group afterwards finds nothing left."""
    drain(shop)
    assert judged(shop) == EXPECTED
    assert shop.worker().step(0) == 0


def test_nothing_is_committed_before_it_is_published(shop: Workshop) -> None:
    """Killed after the first of two batches, the next worker compares both again."""
    with pytest.raises(KilledError):
        shop.worker(FusedBus(shop.bus, Fuse(2))).step(0)
    assert [batch.model for batch in shop.comparisons()] == ["m"]
    drain(shop)
    assert [batch.model for batch in shop.comparisons()] == ["m", "m", "n"]
    assert judged(shop) == EXPECTED


class Unacknowledged(FusedBus):
    """A bus that never says that what was published is safe."""

    def flush(self, timeout: float) -> None:
        """In vain."""
        raise TimeoutError(f"not within {timeout} s")


def test_nothing_is_committed_before_it_is_acknowledged(shop: Workshop) -> None:
    """Published is not safe yet: without an acknowledgement the samples stay where they are."""
    with pytest.raises(TimeoutError):
        shop.worker(Unacknowledged(shop.bus, Fuse(1000))).step(0)
    assert len(shop.comparisons()) == 2
    assert shop.worker().step(0) == 7


@settings(deadline=None, max_examples=40)
@given(lives=st.lists(st.integers(0, 9), max_size=6))
def test_worker_that_dies_anywhere_loses_and_doubles_nothing(folder: Path, lives: list[int]) -> None:
    """However many workers die, and wherever: the judge counts every row once, in the order of the log."""
    shop = filled(folder)
    for length in lives:
        with suppress(KilledError):
            drain(shop, FusedBus(shop.bus, Fuse(length)))
    drain(shop)
    assert judged(shop) == EXPECTED


def test_worker_waits_while_the_bus_is_full(shop: Workshop) -> None:
    """A slow judge slows the worker down, and loses nothing by it."""
    drain(shop, Full(shop.bus, 3, threading.Event()))
    assert judged(shop) == EXPECTED


def test_worker_told_to_stop_while_the_bus_is_full_commits_nothing(shop: Workshop) -> None:
    """It gives up waiting, and the next worker finds the samples where they were."""
    tried = threading.Event()
    stuck = threading.Thread(target=shop.worker(Full(shop.bus, float("inf"), tried)).step, args=(0,))
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
