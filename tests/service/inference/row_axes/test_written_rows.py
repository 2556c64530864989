"""Rows that the configuration writes overrule the probe, unless a run contradicts them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.serving import row_models
from tests.support.serving.graph_models import clip, weighted
from tests.support.serving.mapped_pairs import network
from tests.support.serving.service_harness import GatewayHarness, pair_of, settings_of
from tests.support.serving.transports import assert_close, everywhere, status_over_http, together
from tightrope.monitors.records import Role
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.open_inference.model import EndpointModel
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.loading.pair_building import build
from tightrope.service.inference.loading.pair_loading import load_model
from tightrope.service.inference.row_axes.written_rows import by_written_rows
from tightrope.service.protocol.tensors import Tensor
from tightrope.wiring.candidates.trial import tried_pair


def shared_factors(folder: Path, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any key of a model
    """A pair whose rows share the input ``factors``."""
    return {
        "baseline": weighted(folder / "b.onnx"),
        "compressed": weighted(folder / "c.onnx", 0.05),
        "probe": {"seconds": 60},
        **more,
    }


def given(rows: int, seed: int = 0) -> dict[str, Tensor]:
    """A request to that pair, with factors of its own."""
    random = np.random.default_rng(seed)
    tensors = {"x": random.normal(size=(rows, 5)), "factors": random.normal(size=5)}
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def alone(folder: Path, tensors: dict[str, Tensor], *outputs: str) -> dict[str, Tensor]:
    """The compressed model's own answer."""
    return dict(OnnxModel(folder / "c.onnx").run(tensors, list(outputs)))


def problems_of(folder: Path, **model: Any) -> list[str]:  # noqa: ANN401 - any key of a model
    """The mistakes of a pair."""
    with pytest.raises(ConfigError) as caught:
        pair_of(folder, **model)
    return [problem.removeprefix("models.m.") for problem in caught.value.problems]


def test_shared_input_with_a_free_side_is_written(tmp_path: Path) -> None:
    """Runs cannot prove it, because broadcasting would seem to; written, callers get their own rows everywhere."""
    assert pair_of(tmp_path, **shared_factors(tmp_path)).batchability.is_closed
    bench = GatewayHarness(tmp_path, {"m": shared_factors(tmp_path, rows={"x": 0, "factors": "shared"})})
    assert bench.pairs["m"].batchability.is_open
    for found in everywhere(bench, given(2)):
        assert_close(found, alone(tmp_path, given(2), "p"))
    every = [given(1 + n % 3, n) for n in range(16)]
    for answer, one in zip(together(bench, every), every, strict=True):
        assert answer.parameters["served_by"] == "compressed"
        assert_close(answer.outputs, alone(tmp_path, one, "p"))


def test_rows_that_runs_contradict_are_refused(tmp_path: Path) -> None:
    """With the role and what its runs have shown, also in the process of a trial."""
    model = shared_factors(tmp_path, rows={"x": 0, "factors": 0})
    (problem,) = [line for line in problems_of(tmp_path, **model) if "baseline" in line]
    assert problem.startswith(
        "rows: is {factors: 0, x: 0}, but runs of the baseline model contradict it: 'p': two rows cannot share a run: "
    )
    assert problem.endswith("; write rows: request if a request is one row")
    with pytest.raises(ConfigError, match="contradict it"):
        tried_pair("m", settings_of(tmp_path, {"m": model}))


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ({"y": 0}, "rows.y: there is no such input; there are x, factors"),
        ({"factors": 1}, "rows.factors: is 1, but the input has the shape [-1]"),
        (
            {"x": "shared", "factors": "shared"},
            "rows: says that rows share all inputs; write rows: request if a request is one row",
        ),
    ],
)
def test_rows_must_fit_the_inputs(tmp_path: Path, rows: dict[str, Any], fault: str) -> None:
    """Each mistake with its key."""
    assert problems_of(tmp_path, **shared_factors(tmp_path, rows=rows))[0] == fault


def test_axes_that_are_written_are_those_that_runs_find(tmp_path: Path) -> None:
    """A voice detector with its state on axis 1 is served as without them; inputs that are not named are the rule."""
    path = str(row_models.listening(tmp_path / "m.onnx"))
    pair = {"baseline": path, "compressed": path, "decision": {"output": "probabilities"}}
    found, written = pair_of(tmp_path, **pair), pair_of(tmp_path, **pair, rows={"state": 1})
    assert (found.layout, found.batchability.is_open) == (written.layout, written.batchability.is_open)
    plain = network(tmp_path / "n.onnx")
    assert pair_of(tmp_path, baseline=plain, compressed=plain, rows={"x": 0}).layout is None


def test_endpoints_have_no_written_rows(tmp_path: Path) -> None:
    """Their server decides; so it is for one that is deployed in the place of a file."""
    (model, other), mistakes = pair_of(tmp_path, **shared_factors(tmp_path)).models.values(), list[str]()
    remote = EndpointModel.__new__(EndpointModel)
    remote.inputs = model.inputs
    models = {Role.BASELINE: other, Role.COMPRESSED: remote}
    by_written_rows(models, "request", lambda key, text: mistakes.append(f"{key}: {text}"))
    assert mistakes == ["rows: is for files, not for an endpoint"]


class TestRequestAsRow:
    """A model of one clip: a request is a row."""

    def bench(self, folder: Path, **more: Any) -> GatewayHarness:  # noqa: ANN401 - any key of a model
        """A gateway of a pair of such models."""
        files = {"baseline": clip(folder / "b.onnx"), "compressed": clip(folder / "c.onnx", 0.05)}
        return GatewayHarness(folder, {"m": {**files, "rows": "request", "decision": {"output": "p"}, **more}})

    def frames(self, length: int) -> dict[str, Tensor]:
        """A clip."""
        return {"frames": np.random.default_rng(length).normal(size=(length, 4)).astype(np.float32)}

    def test_outputs_are_given_whole(self, tmp_path: Path) -> None:
        """Over every transport, alone and among sixteen callers, in the declared shapes."""
        bench = self.bench(tmp_path)
        pair = bench.pairs["m"]
        assert [spec.shape for spec in (*pair.declared_inputs, *pair.declared_outputs)] == [(-1, 4), (3,), (-1, 3)]
        assert pair.batchability.describe().startswith("run apart: 'p' of the baseline model: a request is a row")
        for found in everywhere(bench, self.frames(6)):
            assert_close(found, alone(tmp_path, self.frames(6), "p", "best"))
        every = [self.frames(1 + n % 4) for n in range(16)]
        for answer, one in zip(together(bench, every), every, strict=True):
            assert answer.parameters["served_by"] == "compressed"
            assert_close(answer.outputs, alone(tmp_path, one, "p", "best"))

    def test_request_is_a_row_by_itself_where_the_output_has_no_rows(self, tmp_path: Path) -> None:
        """As if it were written, with a note; also by way of a trial, and the same evidence counts."""
        self.bench(tmp_path)
        files = {"baseline": str(tmp_path / "b.onnx"), "compressed": str(tmp_path / "c.onnx")}
        section = {**files, "decision": {"output": "p"}}
        written, found = pair_of(tmp_path, **section, rows="request"), pair_of(tmp_path, **section)
        assert found.layout == written.layout
        assert found.plan.digest == written.plan.digest
        assert not written.notes
        (note,) = found.notes
        assert note.startswith("rows: request, because 'p' has no axis of rows: a request is one row")
        tried = tried_pair("m", settings_of(tmp_path, {"m": section}))
        assert (tried.layout, tried.plan.digest, tried.notes) == (found.layout, found.plan.digest, found.notes)

    def test_sample_is_one_row(self, tmp_path: Path) -> None:
        """The worker compares one decision a request."""
        bench = self.bench(tmp_path)
        together(bench, [self.frames(6)])
        bench.engine.sample_answers()
        (sample,) = bench.published()[0]
        assert sample.inputs["frames"].shape == (1, 6, 4)
        assert sample.outputs["p"].shape == (1, 3)

    def test_several_rows_run_one_by_one(self, tmp_path: Path) -> None:
        """As golden rows and samples may ask for."""
        model = self.bench(tmp_path).pairs["m"].models[Role.COMPRESSED]
        rows = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
        found = model.run({"frames": rows}, ["p"])["p"]
        assert_close({"p": found[2]}, alone(tmp_path, {"frames": rows[2]}, "p"))

    def test_clip_without_frames_is_refused(self, tmp_path: Path) -> None:
        """It has no row to answer."""
        status, error, _ = status_over_http(self.bench(tmp_path), {"frames": np.zeros((0, 4), np.float32)}, binary=True)
        assert (status, "at least one row" in error) == (400, True)

    def test_pair_passes_its_trial(self, tmp_path: Path) -> None:
        """The other process finds the same layout."""
        self.bench(tmp_path)
        files = {"baseline": str(tmp_path / "b.onnx"), "compressed": str(tmp_path / "c.onnx")}
        settings = settings_of(tmp_path, {"m": {**files, "rows": "request", "decision": {"output": "p"}}})
        tried, built = tried_pair("m", settings), build("m", settings, load_model)
        assert tried.layout == built.layout
        assert tried.batchability.is_closed
