"""The document of a model's cost is made of the counters that the metrics show."""

from pathlib import Path

import pytest

from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness
from tightrope.monitors.records import Role
from tightrope.service.adapters.prometheus.metric import Component
from tightrope.service.api.cost.reader import BY_MACHINE, GATEWAY_PARTS, NO_ENERGY, CostReader
from tightrope.service.api.cost.words import UNKNOWN_COST
from tightrope.service.errors import UnknownModelError

ANSWER, FALLBACK = ("m", Role.COMPRESSED, "answer"), ("m", Role.BASELINE, "fallback")


@pytest.fixture
def gateway(tmp_path: Path) -> GatewayHarness:
    """A gateway with counts of the model m."""
    served = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    served.metrics.record_counts(
        {"cpu_seconds": {ANSWER: 4.0, FALLBACK: 2.0}, "other_model_cpu_seconds": {ANSWER: 8.0, FALLBACK: 1.0}}
    )
    return served


class Meter:
    """A meter of energy."""

    def __init__(self, joules: float | None) -> None:
        self._joules = joules

    def joules(self) -> float | None:
        """Return what it was given."""
        return self._joules


def test_parts_and_remainder_are_shown_apart(gateway: GatewayHarness) -> None:
    """The remainder is the process less the runs; with estimates above the process it is below zero, and says so."""
    gateway.metrics.record_counts({"shadow_cpu_seconds": {("m", Role.BASELINE): 1.0}})
    document = CostReader(gateway.engine, None, lambda: 10.0).document("m")
    assert {(run["part"], run["role"]): run["cpu_seconds"] for run in document["runs"]} == {
        ("answer", "compressed"): 4.0,
        ("fallback", "baseline"): 2.0,
        ("shadow", "baseline"): 1.0,
    }
    assert document["process"]["runs_cpu_seconds"] + document["process"]["remainder_cpu_seconds"] == 10.0
    assert document["full_model_cpu_seconds"] == 10.0
    assert document["sentence"] == (
        "Compression saves about 50 % of the model's CPU; watching it costs about 10 %; fallbacks cost about 10 %."
    )
    assert CostReader(gateway.engine, None, lambda: 5.0).document("m")["process"]["remainder_cpu_seconds"] == -2.0


def test_gateway_of_a_cluster_says_which_process_it_speaks_for(gateway: GatewayHarness) -> None:
    """Watching is not said to be free where the worker counts it."""
    document = CostReader(gateway.engine, None).document("m")
    assert document["process"]["parts"] == GATEWAY_PARTS
    assert document["shares"] is not None
    assert document["shares"]["watching"] is None


def test_embedded_worker_that_watched_nothing_costs_nothing(gateway: GatewayHarness) -> None:
    """Its counters exist from the start."""
    gateway.metrics.initialize(Component.WORKER, "m", ("model",))
    shares = CostReader(gateway.engine, None).document("m")["shares"]
    assert shares is not None
    assert shares["watching"] == 0.0


def test_models_that_cannot_be_timed_have_no_shares(gateway: GatewayHarness) -> None:
    """Answers without an estimate of the other model say nothing of a saving."""
    gateway.metrics.other_model_cpu_seconds.clear()
    reader = CostReader(gateway.engine, None)
    assert (reader.document("m")["shares"], reader.sentence("m")) == (None, UNKNOWN_COST)
    with pytest.raises(UnknownModelError, match="nope"):
        reader.document("nope")


@pytest.mark.parametrize(
    ("meter", "joules", "says"),
    [(None, None, NO_ENERGY), (Meter(None), None, NO_ENERGY), (Meter(7.5), 7.5, BY_MACHINE)],
)
def test_energy_is_the_machines_or_not_told(
    gateway: GatewayHarness, meter: Meter | None, joules: float | None, says: str
) -> None:
    """Never a guess."""
    assert CostReader(gateway.engine, meter).document("m")["energy"] == {"joules": joules, "says": says}
