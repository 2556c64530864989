"""Models whose work follows the values of their inputs are found; those whose work follows shapes are not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper, save_model

from tests.support.onnx_models import classifier, fragile, identity, looping, squaring
from tests.support.serving.model_pairs import weights
from tightrope.service.adapters.graph_work import SIZE_INPUTS, find_value_work

BY_SHAPE: dict[str, Callable[[Path], Path]] = {
    "classifier": lambda path: classifier(path, weights((1, 2))),
    "gather": fragile,
    "expand by shape": lambda path: identity(path, TensorProto.FLOAT),
    "matrices as wide as the input": squaring,
}
BY_VALUE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "loop": (looping, "the steps of a Loop follow values"),
    "matrices by value": (lambda path: squaring(path, by_value=True), "the size of a ConstantOfShape follows values"),
}


def graph(path: Path, *nodes: NodeProto) -> Path:
    """Write a model of nodes with the input x and the initializer k."""
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array([2]), "k")],
    )
    save_model(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


@pytest.mark.parametrize("name", BY_SHAPE)
def test_work_of_shapes_is_none_of_values(tmp_path: Path, name: str) -> None:
    """Such models may be run on the event loop."""
    assert find_value_work(BY_SHAPE[name](tmp_path / "m.onnx")) == ""


@pytest.mark.parametrize("name", BY_VALUE)
def test_work_of_values_is_found(tmp_path: Path, name: str) -> None:
    """The reason names the operator."""
    write, reason = BY_VALUE[name]
    assert find_value_work(write(tmp_path / "m.onnx")) == reason


@pytest.mark.parametrize("kind", SIZE_INPUTS)
def test_every_operator_counts_by_the_inputs_that_set_sizes(tmp_path: Path, kind: str) -> None:
    """A constant there is no work of values; a number of the input is, also after other nodes."""
    size = SIZE_INPUTS[kind][0]
    for name, reason in (("k", ""), ("c", f"the size of a {kind} follows values")):
        inputs = ["k"] * size + [name]
        nodes = helper.make_node("Cast", ["x"], ["c"], to=TensorProto.INT64), helper.make_node(kind, inputs, ["y"])
        assert find_value_work(graph(tmp_path / "m.onnx", *nodes)) == reason


def test_shape_of_a_tensor_does_not_depend_on_values(tmp_path: Path) -> None:
    """Even if the tensor does."""
    nodes = helper.make_node("Shape", ["x"], ["s"]), helper.make_node("ConstantOfShape", ["s"], ["y"])
    assert find_value_work(graph(tmp_path / "m.onnx", *nodes)) == ""


def test_graphs_within_a_graph_are_read(tmp_path: Path) -> None:
    """They see the tensors around them."""
    branch = helper.make_graph([helper.make_node("ConstantOfShape", ["c"], ["b"])], "b", [], [])
    nodes = (
        helper.make_node("Cast", ["x"], ["c"], to=TensorProto.INT64),
        helper.make_node("If", ["k"], ["y"], then_branch=branch, else_branch=branch),
    )
    assert find_value_work(graph(tmp_path / "m.onnx", *nodes)) == "the size of a ConstantOfShape follows values"


def test_unknown_operators_count_as_work_of_values(tmp_path: Path) -> None:
    """They may do anything."""
    node = helper.make_node("Slow", ["x"], ["y"], domain="mine")
    assert find_value_work(graph(tmp_path / "m.onnx", node)) == "mine.Slow is not known"


@pytest.mark.parametrize("content", [b"", b"no model", b"\x12\x03abc"])
def test_graph_that_cannot_be_read_counts_as_work_of_values(tmp_path: Path, content: bytes) -> None:
    """As a file in onnxruntime's own format."""
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert find_value_work(path).startswith("its graph cannot be read: ")
