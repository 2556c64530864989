"""A pair whose baseline decides otherwise when rows are alone is kept apart, with an event and a metric."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.serving import row_models
from tests.support.serving.service_harness import GatewayHarness
from tightrope.monitors.status.progress import NoiseCounts
from tightrope.service.inference.batching.sharing_watch import MIN_ASKED_TWICE, SharingWatch
from tightrope.service.protocol.rest import InferRequest


class Watched:
    """A watch over the pair m of a gateway, and the counts that its judge has."""

    def __init__(self, folder: Path, **pair: object) -> None:
        path = str(classifier(folder / "m.onnx", row_models.WEIGHTS))
        self.gateway = GatewayHarness(folder, {"m": {"baseline": path, "compressed": path, **pair}})
        self.asked = self.contradicted = 0
        engine, metrics = self.gateway.engine, self.gateway.metrics
        self.watch = SharingWatch(engine.pairs, lambda _: self.counts(), engine.keep_apart, metrics)

    def counts(self) -> NoiseCounts:
        """The judge's counts."""
        return NoiseCounts(asked_twice=self.asked, contradictions=self.contradicted)

    def see(self, asked: int, contradicted: int) -> bool:
        """Whether the pair is kept apart once the judge has these counts."""
        self.asked, self.contradicted = asked, contradicted
        self.watch.check()
        return self.gateway.pairs["m"].batchability.is_kept_apart

    @property
    def shown(self) -> float | None:
        """The metric."""
        self.gateway.metrics.exposition("")
        return self.gateway.metrics.registry.get_sample_value("tightrope_kept_apart", {"model": "m"})


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """A pair whose rows are proven to be independent."""
    return Watched(tmp_path)


def test_contradictions_keep_requests_apart(watched: Watched) -> None:
    """From then on each runs alone; one event and the metric say so."""
    assert watched.shown == 0
    assert not watched.see(MIN_ASKED_TWICE, 2)
    assert watched.see(MIN_ASKED_TWICE, 3)
    assert watched.see(2 * MIN_ASKED_TWICE, 300)
    assert watched.shown == 1
    pair = watched.gateway.pairs["m"]
    reason = f"the baseline decides 1.5% of {MIN_ASKED_TWICE} rows otherwise when they are alone in their run"
    assert pair.batchability.describe() == f"run apart: {reason}"
    request = InferRequest("r", {}, {"input": np.ones((1, 2), np.float32)}, (), binary_default=False)
    assert not pair.can_share_run([request, request])
    (event,) = watched.gateway.published()[1]
    assert (event.kind, event.model, event.reason) == ("kept-apart", "m", reason)


def test_few_rows_say_nothing(watched: Watched) -> None:
    """Neither does one in a hundred: rounding decides rows near a tie."""
    assert not watched.see(MIN_ASKED_TWICE - 1, MIN_ASKED_TWICE - 1)
    assert not watched.see(1000, 10)


def test_deployed_pair_begins_anew(watched: Watched) -> None:
    """The counts of the one before are not its own, where the judges count on and where they begin again."""
    assert not watched.see(10_000, 100)
    watched.gateway.pairs["m"] = replace(watched.gateway.pairs["m"])
    assert not watched.see(10_000, 5000)
    assert not watched.see(10_000 + MIN_ASKED_TWICE, 5002)
    assert not watched.see(100, 0)
    assert watched.see(MIN_ASKED_TWICE, 4)


def test_pair_that_is_apart_by_configuration_raises_no_alert(tmp_path: Path) -> None:
    """There is nothing to change, and no surprise."""
    watched = Watched(tmp_path, batch_rows=1)
    assert not watched.see(1000, 500)
    assert watched.shown == 0


@pytest.mark.parametrize(("tolerance", "apart"), [(0.0, False), (0.1, True)])
def test_regression_needs_a_tolerance(tmp_path: Path, tolerance: float, *, apart: bool) -> None:
    """Without one rounding is another decision."""
    watched = Watched(tmp_path, decision={"scale": "regression", "tolerance": tolerance})
    assert watched.see(1000, 500) is apart
