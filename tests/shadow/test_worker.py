"""The records that a worker compares, drops and counts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.samples import BASELINE, WorkerHarness, sample, watched
from tightrope.monitors.records import Sample


@pytest.fixture
def shop(tmp_path: Path) -> WorkerHarness:
    """Provide one pair of models, watched as ``m``."""
    return WorkerHarness({"m": watched(tmp_path)})


def old(made: Sample) -> Sample:
    """The sample with the digest of an earlier compressed model."""
    return replace(made, compressed_digest="old")


def test_samples_of_a_replaced_artefact_are_dropped(shop: WorkerHarness) -> None:
    """Some arrive after a deployment: they are counted and committed, and not parked."""
    pair = shop.watched["m"]
    rows = np.ones((1, 2))
    shop.publish(old(sample(pair, rows, number=0)))
    shop.publish(sample(pair, rows, number=1))
    assert shop.worker().step(0) == 2
    (batch,) = shop.comparisons()
    assert batch.request_id == ("r-1",)
    assert shop.metrics.total("samples_dropped", model="m", reason="old_artefact") == 1
    assert shop.parked() == {}
    assert shop.worker().step(0) == 0


def test_dropped_sample_is_counted_for_its_own_model(tmp_path: Path) -> None:
    """One poll has records of a replaced model and of another one; each sample of the replaced model counts."""
    for name in ("m", "n"):
        (tmp_path / name).mkdir()
    shop = WorkerHarness({"m": watched(tmp_path / "m"), "n": watched(tmp_path / "n", BASELINE[:, ::-1], BASELINE)})
    rows = np.ones((1, 2))
    gone = [old(sample(shop.watched["m"], rows, number=n)) for n in range(3)]
    shop.publish(*gone, sample(shop.watched["n"], rows, model="n"))
    shop.worker().step(0)
    assert [batch.model for batch in shop.comparisons()] == ["n"]
    dropped = [shop.metrics.total("samples_dropped", model=name, reason="old_artefact") for name in ("m", "n")]
    assert dropped == [3, 0]


def test_step_without_samples_returns_zero_after_its_timeout(shop: WorkerHarness) -> None:
    """Nothing is published."""
    assert shop.worker().step(0.01) == 0
    assert shop.comparisons() == []
