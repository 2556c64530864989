"""The ledger's amounts come from the counters of the metrics and from the time that a gateway is blind."""

from pathlib import Path

import pytest

from tests.support.serving.model_pairs import CALM, REFUSAL, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.monitors.cost.amounts import CostAmounts
from tightrope.monitors.records import Role
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.inference.runs.cpu_ratio import CpuRatio
from tightrope.service.sampling.ledger import sources
from tightrope.service.sampling.ledger.sources import GatewayCosts, WorkerCosts

UNSURE, SURE = [0.0, 1.0], [0.0, 5.0]


@pytest.fixture
def gateway(tmp_path: Path) -> GatewayHarness:
    """A gateway of the model m, which escalates."""
    refusal = {**REFUSAL, "action": "escalate"}
    return GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "refusal": refusal}})


class Sight:
    """A gateway's blindness, and a clock, that a test sets."""

    def __init__(self) -> None:
        self.reason, self.time = "", 100.0

    def blindness(self, _: str) -> str:
        """The reason."""
        return self.reason


def costs_of(gateway: GatewayHarness, sight: Sight, profile: RunProfile | None = None) -> GatewayCosts:
    """The source of a gateway."""
    profiles = {"m": profile or RunProfile()}
    return GatewayCosts(gateway.pairs, profiles, sight.blindness, gateway.metrics, lambda: sight.time)


def test_requests_and_rows_count_once_by_the_role_that_answered(gateway: GatewayHarness) -> None:
    """Two rows of the compressed model, two that were escalated, and one in safe mode; then nothing is left."""
    source = costs_of(gateway, Sight())
    gateway.infer("m", body([SURE, SURE]))
    gateway.infer("m", body([UNSURE, UNSURE]))
    gateway.safe("m", "model")
    gateway.infer("m", body([SURE]))
    taken = source.take()["m"]
    assert (taken.requests_compressed, taken.requests_baseline) == (1, 2)
    assert (taken.rows_compressed, taken.rows_baseline) == (2, 3)
    assert min(taken.answer, taken.fallback, taken.escalation) > 0.0
    assert source.take() == {"m": CostAmounts()}


def test_rows_are_untimed_while_the_other_models_time_is_not_known(gateway: GatewayHarness) -> None:
    """A remote model, or one that refuses zeros; a deployment may change that."""
    profile = RunProfile()
    source = costs_of(gateway, Sight(), profile)
    gateway.infer("m", body([SURE]))
    assert source.take()["m"].untimed_rows == 1
    profile.cpu_ratio = CpuRatio({1: 2.0})
    gateway.infer("m", body([SURE]))
    assert source.take()["m"].untimed_rows == 0


def test_time_is_blind_only_while_there_is_a_reason(gateway: GatewayHarness) -> None:
    """By the monotonic clock, from check to check."""
    sight = Sight()
    source = costs_of(gateway, sight)
    sight.time += 5.0
    source.check_sight()
    sight.reason, sight.time = "no row is judged", sight.time + 3.0
    source.check_sight()
    sight.time += 1.5
    assert source.take()["m"].blind_seconds == 4.5
    sight.reason, sight.time = "", sight.time + 9.0
    assert source.take()["m"].blind_seconds == 0.0


def test_worker_counts_the_shadow_of_both_roles(gateway: GatewayHarness) -> None:
    """The changes since the last call."""
    source = WorkerCosts(gateway.pairs, gateway.metrics)
    shadow = {("m", Role.BASELINE): 2.0, ("m", Role.COMPRESSED): 1.0, ("other", Role.BASELINE): 9.0}
    for total in (3.0, 3.0):
        gateway.metrics.record_counts({"shadow_cpu_seconds": shadow})
        assert source.take() == {"m": CostAmounts(shadow=total)}


def test_seconds_of_several_threads_are_estimated(gateway: GatewayHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the role whose runs have them, in a gateway and in a worker."""
    baseline = gateway.pairs["m"].models[Role.BASELINE]
    monkeypatch.setattr(sources, "cpu_factor", lambda model: 1 + (model is baseline))
    gateway.metrics.record_counts(
        {
            "cpu_seconds": {("m", Role.COMPRESSED, "answer"): 4.0, ("m", Role.BASELINE, "escalation"): 2.0},
            "shadow_cpu_seconds": {("m", Role.BASELINE): 3.0, ("m", Role.COMPRESSED): 1.0},
        }
    )
    assert costs_of(gateway, Sight()).take()["m"].estimated == 2.0
    assert WorkerCosts(gateway.pairs, gateway.metrics).take()["m"].estimated == 3.0
