"""A compressed model that is not qualified answers no request, also where its baseline fails."""

from pathlib import Path

import pytest

from tests.service.inference.test_engine_unreadable import BAD, Moody, replace
from tests.support.onnx_models import classifier
from tests.support.serving.model_pairs import weights
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.monitors.records import Role
from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.errors import CallerError, TightropeError, UnavailableError
from tightrope.service.inference.batchability import Batchability

GOOD = [0.9, 0.1]


@pytest.fixture
def served(tmp_path: Path) -> GatewayHarness:
    """A gateway with one pair that no statement lets serve."""
    files = [str(classifier(tmp_path / f"{role}.onnx", weights((1, -1)))) for role in Role]
    gateway = GatewayHarness(tmp_path, {"m": {"baseline": files[0], "compressed": files[1]}})
    object.__setattr__(gateway.pairs["m"], "batchability", Batchability({}, "probabilities"))
    gateway.engine.router.set_unqualified("m", "expired on 2026-01-01")
    return gateway


@pytest.mark.parametrize(
    ("failure", "kind"), [(RunFailedError("no"), CallerError), (UnreachableError("gone"), UnavailableError)]
)
def test_request_that_the_baseline_fails_on_is_an_error(
    served: GatewayHarness, failure: RunFailedError, kind: type[TightropeError]
) -> None:
    """The error is that of the baseline's failure, and the compressed model does not run."""
    compressed = Moody(GOOD)
    replace(served, compressed, Moody(failure))
    with pytest.raises(kind, match=str(failure)):
        served.infer("m", body([[BAD]]))
    assert compressed.runs == []


def test_answer_of_the_baseline_that_cannot_be_read_is_kept(served: GatewayHarness) -> None:
    """It is given unmonitored: an answer of the compressed model is not better."""
    compressed = Moody(GOOD)
    replace(served, compressed, Moody([float("nan"), 0.5]))
    parameters = served.infer("m", body([[BAD]])).parameters
    assert (parameters["served_by"], parameters["monitored"]) == ("baseline", False)
    assert compressed.runs == []
