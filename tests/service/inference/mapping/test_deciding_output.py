"""The output that decides is found, or refused with what to write."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.serving.api_client import api_client
from tests.support.serving.service_harness import GatewayHarness, pair_of
from tests.support.serving.transport_answers import TRANSPORTS, are_close, ask
from tests.support.serving.zip_map_models import ROWS, listed, zip_map
from tightrope.monitors.records import Role
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.mapping.deciding_output import deciding_output
from tightrope.service.protocol.tensors import TensorSpec

LABEL, SCORES = TensorSpec("label", "INT64", (-1,)), TensorSpec("scores", "FP32", (-1, 3))
PIXELS = TensorSpec("pixels", "FP32", (-1, 8, 8))


def refusal(folder: Path, **model: Any) -> list[str]:  # noqa: ANN401 - any key of a model
    """The mistakes of a pair."""
    with pytest.raises(ConfigError) as caught:
        pair_of(folder, **model)
    return [problem.removeprefix("models.m.") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("outputs", "configured", "found"),
    [
        ([LABEL, SCORES], None, "scores"),
        ([LABEL, SCORES, PIXELS], None, "scores"),
        ([LABEL], None, "label"),
        ([SCORES, TensorSpec("more", "FP64", (-1,))], None, None),
        ([LABEL, PIXELS], None, None),
        ([LABEL, SCORES], "label", "label"),
        ([], None, None),
    ],
)
def test_only_floats_by_rows_decide(outputs: list[TensorSpec], configured: str | None, found: str | None) -> None:
    """The written one comes first; two of them leave a choice."""
    assert deciding_output(outputs, configured) == found


@pytest.mark.parametrize("labels", [(0, 1, 2), ("a", "b", "c")])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_maps_of_classes_are_served_as_a_matrix(
    tmp_path: Path, transport: str, labels: tuple[int, ...] | tuple[str, ...]
) -> None:
    """Beside the label, with one class a column, and nothing written."""
    files = {"baseline": zip_map(tmp_path / "b.onnx", labels), "compressed": zip_map(tmp_path / "c.onnx", labels, 0.1)}
    served = GatewayHarness(tmp_path, {"m": files})
    pair = served.pairs["m"]
    assert pair.output == "output_probability"
    assert pair.outputs[1].classes == tuple(map(str, labels))
    metadata = api_client(served).get("/v2/models/m").json()["outputs"]
    assert metadata[1] == {"name": "output_probability", "datatype": "FP32", "shape": [-1, 3]}
    answer = ask(served, transport, {"X": ROWS})
    assert (answer.status, answer.error) == (200, "")
    kind = "BYTES" if isinstance(labels[0], str) else "INT64"
    assert answer.datatypes == {"output_label": kind, "output_probability": "FP32"}
    expected = pair.models[Role.COMPRESSED].run({"X": ROWS}, pair.output_names)
    assert all(are_close(answer.outputs[name], expected[name]) for name in pair.output_names)


def test_matrix_and_maps_are_a_pair(tmp_path: Path) -> None:
    """The classes are those of the model that tells them."""
    files = {"baseline": zip_map(tmp_path / "b.onnx", form="matrix"), "compressed": zip_map(tmp_path / "c.onnx")}
    pair = pair_of(tmp_path, **files)
    assert pair.outputs[1].classes == ("0", "1", "2")
    answers = [model.run({"X": ROWS}, ["output_probability"])["output_probability"] for model in pair.models.values()]
    assert np.array_equal(*answers)


def test_maps_of_other_classes_are_refused(tmp_path: Path) -> None:
    """Their columns would be compared with those of others."""
    files = {"baseline": zip_map(tmp_path / "b.onnx", (0, 1)), "compressed": zip_map(tmp_path / "c.onnx", (1, 2))}
    expected = "compressed: output 'output_probability' has the classes '1', '2', but the baseline's are '0', '1'"
    assert refusal(tmp_path, **files) == [expected]


def test_other_sequences_are_not_offered(tmp_path: Path) -> None:
    """One that does not decide is left out, and told."""
    path = listed(tmp_path / "l.onnx")
    pair = pair_of(tmp_path, baseline=path, compressed=path)
    assert [spec.name for spec in pair.outputs] == ["p"]
    text = "output 'all' is a seq(tensor(float)), which no tensor of the protocol can hold"
    assert list(pair.notes) == [f"{role}: {text}: it is not offered" for role in Role]


@pytest.mark.parametrize("beside", [False, True])
def test_sequence_that_decides_is_refused(tmp_path: Path, *, beside: bool) -> None:
    """Because it is written, or because there is no other; the sentence says what to write."""
    path = listed(tmp_path / "l.onnx", beside=beside)
    decision = {"decision": {"output": "all"}} if beside else {}
    problems = refusal(tmp_path, baseline=path, compressed=path, **decision)
    text = "output 'all' is a seq(tensor(float)), which no tensor of the protocol can hold"
    assert [line for line in problems if "seq" in line] == [
        f"{role}: {text}; write {role}_tensors.read" for role in (Role.BASELINE, Role.COMPRESSED)
    ]
