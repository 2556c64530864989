"""Where the deciding output has no rows, a request is one row, unless the pair cannot be asked so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.support.serving.graph_models import FLOAT, graph, value
from tests.support.serving.service_harness import GatewayHarness, pair_of
from tests.support.serving.transports import assert_close, everywhere
from tightrope.monitors.records import Role
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.batchability import Batchability, Proof, RowFinding
from tightrope.service.inference.independence.row_findings import NO_AXIS, REQUEST_IS_ROW
from tightrope.service.inference.loading.row_arrangement import RowArrangement, can_take_requests


def mean(path: Path, axes: list[int], *shape: int | str) -> str:
    """Write a model of ``x`` (n, 4) whose ``p`` is the mean on some axes, of a declared shape."""
    node = helper.make_node("ReduceMean", ["x"], ["p"], axes=axes, keepdims=0)
    return graph(path, [node], [value("x", FLOAT, "n", "m")], [value("p", FLOAT, *shape)])


def refusal_of(folder: Path, **section: Any) -> str:  # noqa: ANN401 - any key of a model
    """The only mistake of a pair."""
    with pytest.raises(ConfigError) as refused:
        pair_of(folder, **section)
    (line,) = refused.value.problems
    return line


def test_one_number_of_a_request_decides(tmp_path: Path) -> None:
    """A scalar output is given as one, over every transport, and has one loss a request."""
    path = mean(tmp_path / "m.onnx", [0, 1])
    section = {"baseline": path, "compressed": path, "decision": {"scale": "regression", "tolerance": 0.1}}
    bench = GatewayHarness(tmp_path, {"m": section})
    assert [spec.shape for spec in bench.pairs["m"].declared_outputs] == [()]
    rows = {"x": np.arange(12, dtype=np.float32).reshape(3, 4)}
    for found in everywhere(bench, rows):
        assert_close(found, OnnxModel(Path(path)).run(rows, ["p"]))


def test_rows_of_one_model_alone_are_refused(tmp_path: Path) -> None:
    """The baseline gives a number a column, and the compressed model one a row."""
    files = {"baseline": mean(tmp_path / "b.onnx", [0], "k"), "compressed": mean(tmp_path / "c.onnx", [1], "k")}
    assert refusal_of(tmp_path, **files, decision={"scale": "regression", "tolerance": 0.1}) == (
        "models.m.decision.output: 'p' has no axis of rows, and the compressed model's has one; "
        "write compressed_tensors.read"
    )


def test_output_of_another_length_each_time_is_refused(tmp_path: Path) -> None:
    """As of a detector: no number of one request is that of the next."""
    nodes = [
        helper.make_node("NonZero", ["above"], ["at"]),
        helper.make_node("Cast", ["at"], ["places"], to=FLOAT),
        helper.make_node("ReduceMax", ["places"], ["p"], axes=[0], keepdims=0),
    ]
    above = [helper.make_node("Relu", ["x"], ["above"])]
    path = graph(tmp_path / "m.onnx", [*above, *nodes], [value("x", FLOAT, "n", 4)], [value("p", FLOAT, "k")])
    line = refusal_of(tmp_path, baseline=path, compressed=path, decision={"scale": "regression", "tolerance": 0.1})
    assert line.startswith("models.m.decision.output: 'p' has another length for each row")


@pytest.mark.parametrize(
    ("baseline", "compressed", "expected"),
    [
        (RowFinding(Proof.DISPROVED, f"{NO_AXIS}: 1 gave the shape [3]"), RowFinding(Proof.UNKNOWN), True),
        (
            RowFinding(Proof.DISPROVED, "an input has a fixed number of rows", entries=3),
            RowFinding(Proof.UNKNOWN),
            True,
        ),
        (RowFinding(Proof.DISPROVED, REQUEST_IS_ROW, 0), RowFinding(Proof.DISPROVED, REQUEST_IS_ROW, 0), True),
        (RowFinding(Proof.DISPROVED, f"{NO_AXIS}: 1 gave the shape [3]"), RowFinding(Proof.PROVEN, axis=0), False),
        (RowFinding(Proof.DISPROVED, "two rows cannot share a run: …"), RowFinding(Proof.UNKNOWN), False),
        (RowFinding(Proof.UNKNOWN, "no made-up row runs", error="…", entries=3), RowFinding(Proof.UNKNOWN), False),
        (RowFinding(Proof.PROVEN, axis=0), RowFinding(Proof.DISPROVED, NO_AXIS), False),
    ],
)
def test_request_is_a_row_only_where_runs_showed_it(
    baseline: RowFinding, compressed: RowFinding, *, expected: bool
) -> None:
    """Nothing is concluded from runs that failed, or from a model of one row a run."""
    findings = {Role.BASELINE: {"p": baseline}, Role.COMPRESSED: {"p": compressed}}
    arranged = RowArrangement({}, None, "p", None)
    assert can_take_requests(arranged, Batchability(findings, "p")) is expected
