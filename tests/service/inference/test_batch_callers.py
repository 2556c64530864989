"""A caller never gets rows of another one, however many are answered at once."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.samples import CountingModel
from tests.support.serving import row_models
from tests.support.serving.engine_requests import answer_together
from tests.support.serving.model_pairs import CALM
from tests.support.serving.service_harness import GatewayHarness
from tests.support.serving.transports import together
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import Model
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.protocol.rest import InferRequest, InferResponse, OutputRequest

P_ONLY = (OutputRequest("probabilities", binary=False),)


def gateway(folder: Path, path: Path, **pair: object) -> GatewayHarness:
    """A gateway of one pair, whose models are this file; their runs are counted."""
    files = {"baseline": str(path), "compressed": str(path)}
    bench = GatewayHarness(folder, {"m": {**files, "decision": {"output": "probabilities"}, **CALM, **pair}})
    models = bench.pairs["m"].models
    for role in Role:
        models[role] = CountingModel(models[role])
    return bench


def runs(bench: GatewayHarness) -> list[int]:
    """The rows of each run of the model that answers."""
    model = bench.pairs["m"].models[Role.COMPRESSED]
    assert isinstance(model, CountingModel)
    return model.runs


def request(rows: int, outputs: Sequence[OutputRequest], seed: int) -> InferRequest:
    """A request of random rows."""
    random = np.random.default_rng(seed)
    inputs = {"input": random.normal(0.0, 10.0 ** (seed % 3), (rows, 2)).astype(np.float32)}
    return InferRequest(f"r-{seed}", {}, inputs, tuple(outputs), binary_default=False)


def assert_own_rows(model: Model, asked: Sequence[InferRequest], answers: Sequence[object]) -> None:
    """Each caller has what the model gives for its rows alone."""
    for one, answer in zip(asked, answers, strict=True):
        assert isinstance(answer, InferResponse)
        alone = model.run(one.inputs, list(answer.outputs))
        for name, output in answer.outputs.items():
            assert output.shape == alone[name].shape
            np.testing.assert_allclose(output, alone[name], rtol=1e-5, atol=1e-6)


WRITERS = [
    row_models.with_state,
    row_models.with_mean,
    row_models.quantized,
    row_models.turned,
    row_models.summed,
    row_models.single,
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("batch_rows", [None, 32])
def test_callers_at_once_get_their_own_rows(
    tmp_path: Path, write: Callable[[Path], Path], batch_rows: int | None
) -> None:
    """In every output; a configured `batch_rows` overrules nothing."""
    bench = gateway(tmp_path, write(tmp_path / "m.onnx"), batch_rows=batch_rows)
    pair = bench.pairs["m"]
    most = 1 if write is row_models.single else 3
    asked = [request(1 + n % most, P_ONLY if n % 4 == 0 else (), n) for n in range(24)]
    profile = RunProfile()
    profile.batchability = pair.batchability
    responder = bench.responder(profile)

    async def ask() -> list[InferResponse]:
        return await asyncio.gather(*(responder.respond(pair, one, time.perf_counter()) for one in asked))

    assert_own_rows(pair.models[Role.COMPRESSED], asked, asyncio.run(ask()))
    assert_own_rows(pair.models[Role.COMPRESSED], asked, answer_together(bench.engine, "m", asked))


def test_callers_do_not_get_a_layer_each(tmp_path: Path) -> None:
    """As many callers of one row as the side output has layers: its length would fit, and everyone get a layer."""
    bench = gateway(tmp_path, row_models.with_state(tmp_path / "m.onnx"))
    asked = [request(1, (), n) for n in range(row_models.LAYERS)]
    assert_own_rows(bench.pairs["m"].models[Role.COMPRESSED], asked, answer_together(bench.engine, "m", asked))


def test_output_with_its_rows_on_another_axis_is_cut_there(tmp_path: Path) -> None:
    """Sixteen callers share one run, and each gets its own one to three rows of every layer."""
    bench = gateway(tmp_path, row_models.with_state(tmp_path / "m.onnx"))
    pair = bench.pairs["m"]
    assert (pair.batchability.describe(), pair.batchability.axes) == ("share runs", {"state": 1})
    asked = [request(1 + n % 3, (), n) for n in range(16)]
    answers = answer_together(bench.engine, "m", asked)
    assert runs(bench) == [sum(1 + n % 3 for n in range(16))]
    assert_own_rows(pair.models[Role.COMPRESSED], asked, answers)
    shapes = [answer.outputs["state"].shape for answer in answers if isinstance(answer, InferResponse)]
    assert shapes == [(row_models.LAYERS, 1 + n % 3, row_models.WIDTH) for n in range(16)]


def test_request_is_a_row_where_declared_rows_are_a_lie(tmp_path: Path) -> None:
    """The model gives one row however many it gets: each request has one answer, in a run of its own."""
    model = OnnxModel(row_models.averaged(tmp_path / "m.onnx"))
    bench = gateway(tmp_path, tmp_path / "m.onnx")
    asked = [request(1 + n % 3, (), n) for n in range(6)]
    assert_own_rows(model, asked, together(bench, [one.inputs for one in asked]))
    assert set(runs(bench)) == {1}


def test_requests_without_the_output_that_is_not_by_rows_share_a_run(tmp_path: Path) -> None:
    """Only those that ask for it run apart, and get it whole."""
    bench = gateway(tmp_path, row_models.with_mean(tmp_path / "m.onnx"))
    answer_together(bench.engine, "m", [request(1, P_ONLY, n) for n in range(6)])
    assert runs(bench) == [6]
    answer_together(bench.engine, "m", [request(1, (), n) for n in range(6)])
    assert runs(bench) == [6, *[1] * 6]


def test_healthy_classifier_stays_batched(tmp_path: Path) -> None:
    """Its rows are independent in both roles."""
    bench = gateway(tmp_path, classifier(tmp_path / "m.onnx", row_models.WEIGHTS))
    answer_together(bench.engine, "m", [request(2, (), n) for n in range(8)])
    assert runs(bench) == [16]


class _Surprising:
    """A model that loses the rows of an output, from four rows on: the probe runs three at most. Rows are on axis 0."""

    def __init__(self, model: Model, output: str) -> None:
        self.digest, self.inputs, self.outputs = model.digest, model.inputs, model.outputs
        self.rows: list[int] = []
        self._model = model
        self._output = output

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Run the model, and cut the output."""
        rows = len(inputs["input"])
        self.rows.append(rows)
        found = self._model.run(inputs, outputs)
        return {name: each[:3] if name == self._output and rows > 3 else each for name, each in found.items()}


@pytest.mark.parametrize("output", ["label", "probabilities"])
def test_surprise_in_service_keeps_requests_apart(tmp_path: Path, output: str) -> None:
    """The batch is run again one by one, and so is every later one; an event says it once."""
    bench = gateway(tmp_path, row_models.labelled(tmp_path / "m.onnx"))
    pair = bench.pairs["m"]
    assert pair.batchability.is_open
    sound, model = pair.models[Role.COMPRESSED], _Surprising(pair.models[Role.COMPRESSED], output)
    pair.models[Role.COMPRESSED] = model
    asked = [request(1, (), n) for n in range(5)]
    for _ in range(2):
        assert_own_rows(sound, asked, answer_together(bench.engine, "m", asked))
    assert model.rows == [5, *[1] * 10]
    reason = f"output '{output}' has shape {[3] if output == 'label' else [3, 2]} for 5 rows"
    assert pair.batchability.describe() == f"run apart: {reason}"
    (event,) = bench.published()[1]
    assert (event.kind, event.model, event.scope, event.actor, event.reason) == (
        "kept-apart",
        "m",
        "model",
        "gateway",
        reason,
    )
