"""The records that a worker compares, drops and counts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.samples import BASELINE, WorkerHarness, sample, watched
from tightrope.monitors.records import Comparisons, Sample
from tightrope.service.adapters.ports import ComparedBatch, NoArchive
from tightrope.shadow.worker import Worker


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


def test_comparisons_are_stamped_before_they_are_published(shop: WorkerHarness) -> None:
    """The archive gets the same rows as the judge: with the probabilities of their draw."""

    def stamp(rows: Comparisons) -> Comparisons:
        return replace(rows, chances=np.full((len(rows), 2), 0.25))

    archived: list[ComparedBatch] = []

    class Kept(NoArchive):
        append = staticmethod(archived.append)

    shop.publish(sample(shop.watched["m"], np.ones((3, 2)), number=0))
    Worker(shop.bus, shop.watched, shop.metrics, shop.stopping, Kept(), stamp).step(0)
    (published,) = shop.comparisons()
    assert published.chances.tolist() == archived[0].comparisons.chances.tolist() == [[0.25, 0.25]] * 3


def test_comparisons_without_a_stamp_bring_no_probabilities(shop: WorkerHarness) -> None:
    """Those of the plan hold."""
    shop.publish(sample(shop.watched["m"], np.ones((3, 2)), number=0))
    shop.worker().step(0)
    assert shop.comparisons()[0].chances.shape == (3, 0)
