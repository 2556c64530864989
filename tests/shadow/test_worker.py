"""What a worker takes, passes over, and counts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.samples import BASELINE, Workshop, sample, watched
from tightrope.monitors.records import Sample


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """One pair of models, watched as ``m``."""
    return Workshop({"m": watched(tmp_path)})


def old(made: Sample) -> Sample:
    """The same sample, of the compressed model that was there before."""
    return replace(made, compressed_digest="old")


def test_samples_of_an_artefact_that_is_gone_are_passed_over(shop: Workshop) -> None:
    """After a deployment some are on their way: they are counted as dropped, committed, and nothing is parked."""
    of = shop.watched["m"]
    rows = np.ones((1, 2))
    shop.publish(old(sample(of, rows, number=0)))
    shop.publish(sample(of, rows, number=1))
    assert shop.worker().step(0) == 2
    (batch,) = shop.comparisons()
    assert batch.request_id == ("r-1",)
    assert shop.metrics.total("samples_dropped", model="m", reason="old_artefact") == 1
    assert shop.parked() == {}
    assert shop.worker().step(0) == 0


def test_dropped_sample_is_counted_for_its_own_model(tmp_path: Path) -> None:
    """Among the records of one poll, of which only one model was deployed anew; every sample of them counts."""
    for name in ("m", "n"):
        (tmp_path / name).mkdir()
    shop = Workshop({"m": watched(tmp_path / "m"), "n": watched(tmp_path / "n", BASELINE[:, ::-1], BASELINE)})
    rows = np.ones((1, 2))
    gone = [old(sample(shop.watched["m"], rows, number=n)) for n in range(3)]
    shop.publish(*gone, sample(shop.watched["n"], rows, model="n"))
    shop.worker().step(0)
    assert [batch.model for batch in shop.comparisons()] == ["n"]
    dropped = [shop.metrics.total("samples_dropped", model=name, reason="old_artefact") for name in ("m", "n")]
    assert dropped == [3, 0]


def test_step_waits_no_longer_than_told(shop: Workshop) -> None:
    """Without samples a step does nothing, and says so."""
    assert shop.worker().step(0.01) == 0
    assert shop.comparisons() == []
