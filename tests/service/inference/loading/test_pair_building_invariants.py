"""The promises to callers hold for every pair whose models differ from what callers send and get."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.serving.api_client import api_client
from tests.support.serving.invariant_cases import CASES, Request
from tests.support.serving.service_harness import GatewayHarness
from tests.support.serving.transports import Outputs, assert_close, everywhere, together
from tightrope.monitors.records import MODEL_SCOPE, Role, Tensors
from tightrope.service.protocol.rest import InferRequest


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    """The name of a case."""
    return str(request.param)


@pytest.fixture
def bench(case: str, tmp_path: Path) -> GatewayHarness:
    """A gateway of its pair."""
    return GatewayHarness(tmp_path, {"m": {**CASES[case].section(tmp_path), "probe": {"seconds": 60}}})


def requests(case: str, count: int, seed: int) -> Sequence[Request]:
    """Requests of one to three rows."""
    random = np.random.default_rng(seed)
    return [CASES[case].request(int(random.integers(1, 4)), random) for _ in range(count)]


def alone(bench: GatewayHarness, role: Role, tensors: Request) -> Outputs:
    """The answer of a role's model to one request, made without the engine."""
    pair = bench.pairs["m"]
    moved = pair.rows_first(InferRequest(None, {}, tensors, (), binary_default=False))
    found = pair.models[role].run(moved.inputs, pair.output_names)
    is_request = pair.layout is not None and pair.layout.is_request
    return {name: tensor[0] if is_request else tensor for name, tensor in found.items()}


class _Blind:
    """A model whose deciding output is NaN."""

    def __init__(self, model: Any, output: str) -> None:  # noqa: ANN401 - any model
        self._model, self._output = model, output

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of any kind
        return getattr(self._model, name)

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer, but for the decision."""
        found = self._model.run(inputs, outputs)
        return {name: tensor * np.nan if name == self._output else tensor for name, tensor in found.items()}


@pytest.mark.parametrize("seed", range(3))
def test_sixteen_callers_get_their_own_rows(case: str, bench: GatewayHarness, seed: int) -> None:
    """In both modes: each answer is the one to its request alone."""
    for mode in ((), (MODEL_SCOPE,)):
        bench.safe("m", *mode)
        every = requests(case, 16, seed)
        for answer, tensors in zip(together(bench, every), every, strict=True):
            assert_close(answer.outputs, alone(bench, Role(str(answer.parameters["served_by"])), tensors))


def test_requests_that_fit_the_metadata_are_answered(case: str, bench: GatewayHarness) -> None:
    """Over JSON, binary data and gRPC, as the metadata says; by either role with the same names, types and ranks."""
    metadata = api_client(bench).get("/v2/models/m").json()
    (tensors,) = requests(case, 1, 4)
    assert {entry["name"]: len(entry["shape"]) for entry in metadata["inputs"]} == {
        name: tensor.ndim for name, tensor in tensors.items()
    }
    for mode in ((), (MODEL_SCOPE,)):
        bench.safe("m", *mode)
        for found in everywhere(bench, tensors):
            assert list(found) == [entry["name"] for entry in metadata["outputs"]]
            for entry in metadata["outputs"]:
                output = found[entry["name"]]
                assert output.dtype == np.float32
                assert entry["datatype"] == "FP32"
                assert all(side in (-1, length) for side, length in zip(entry["shape"], output.shape, strict=True))


def test_trouble_of_monitoring_is_no_trouble_of_serving(case: str, bench: GatewayHarness) -> None:
    """An answer that cannot be read is replaced by the other role's; if none can be, the routed one is given."""
    pair = bench.pairs["m"]
    every = requests(case, 4, 5)
    blind: Any = {role: _Blind(model, pair.output) for role, model in pair.models.items()}
    pair.models[Role.COMPRESSED] = blind[Role.COMPRESSED]
    for answer in together(bench, every):
        assert (answer.parameters["served_by"], answer.parameters["fallback"]) == ("baseline", "compressed")
    pair.models[Role.BASELINE] = blind[Role.BASELINE]
    for answer in together(bench, every):
        assert (answer.parameters["served_by"], answer.parameters["monitored"]) == ("compressed", False)
    bench.engine.sample_answers()
    assert bench.published() is not None
