"""Rows have the broker's timestamp, if there is one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.samples import WorkerHarness, sample, watched
from tightrope.service.adapters.memory_bus import MemorySubscription
from tightrope.service.adapters.ports import Record

NOW = 1e9
POLL: Callable[[MemorySubscription, int, float], list[Record]] = MemorySubscription.poll


@pytest.mark.parametrize("ahead", [-7200.0, 0.0, 7200.0])
def test_newest_sample_has_the_timestamp_of_the_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    """Earlier samples keep their distance to it; the gateway's clock may be wrong."""

    def dated(self: MemorySubscription, limit: int, timeout: float) -> list[Record]:
        return [record._replace(time=NOW) for record in POLL(self, limit, timeout)]

    monkeypatch.setattr(MemorySubscription, "poll", dated)
    shop = WorkerHarness({"m": watched(tmp_path)})
    made = [replace(sample(shop.watched["m"], np.ones((2, 2)), number=n), time=NOW + ahead + 3 * n) for n in range(3)]
    shop.publish(*made)
    shop.worker().step(0)
    (batch,) = shop.comparisons()
    assert batch.time.tolist() == [NOW - 6, NOW - 6, NOW - 3, NOW - 3, NOW, NOW]
