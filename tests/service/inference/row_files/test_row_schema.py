from pathlib import Path

from tests.support.serving import row_models
from tests.support.serving.service_harness import pair_of
from tightrope.service.inference.row_files.row_schema import RowSchema, schema_of, show_spec
from tightrope.service.protocol.tensors import TensorSpec


def test_schema_of_a_pair_is_what_callers_send(tmp_path: Path) -> None:
    """With the axes of the rows; its inputs have their rows first."""
    model = str(row_models.listening(tmp_path / "m.onnx"))
    schema = schema_of(pair_of(tmp_path, baseline=model, compressed=model, decision={"output": "probabilities"}))
    assert [show_spec(spec) for spec in schema.declared] == ["input FP32[-1, -1]", "state FP32[2, -1, 8]", "sr INT64[]"]
    assert [schema.row_axis(spec.name) for spec in schema.declared] == [0, 1, None]
    assert [show_spec(spec) for spec in schema.inputs] == ["input FP32[-1, -1]", "state FP32[-1, 2, 8]", "sr INT64[-1]"]


def test_rows_are_first_without_a_layout() -> None:
    """As in most models."""
    spec = TensorSpec("x", "FP32", (-1, 2))
    assert (RowSchema("m", (spec,)).inputs, RowSchema("m", (spec,)).row_axis("x")) == ((spec,), 0)
