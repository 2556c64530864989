"""The names of a model's external files are those that onnx itself finds, and broken files have no other effect."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto
from onnx.external_data_helper import ExternalDataInfo, _get_all_tensors, uses_external_data

from tests.support.onnx_models import external_tensor
from tightrope.service.adapters import model_files
from tightrope.service.adapters.model_files import MAX_DEPTH, external_names


@st.composite
def tensors(draw: st.DrawFn) -> TensorProto:
    """A tensor with values, or with values in an external file; some only mention one."""
    tensor = TensorProto(name=draw(st.text(max_size=9)), dims=draw(st.lists(st.integers(0, 2**40), max_size=3)))
    tensor.float_data.extend(draw(st.lists(st.floats(width=32), max_size=3)))
    tensor.raw_data = draw(st.binary(max_size=300))
    for key in draw(st.lists(st.sampled_from(["location", "offset", "checksum", "basepath"]), max_size=4, unique=True)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, draw(st.text(min_size=1, max_size=9)) if key != "offset" else "0"
    if "location" in {entry.key for entry in tensor.external_data} and draw(st.booleans()):
        tensor.data_location = draw(st.sampled_from([TensorProto.DEFAULT, TensorProto.EXTERNAL]))
    return tensor


@st.composite
def models(draw: st.DrawFn) -> ModelProto:
    """A model with tensors at all depths: initializers, attributes, and the graphs within both."""
    model = ModelProto(ir_version=8, producer_name=draw(st.text(max_size=20)))
    graphs, pending = draw(st.integers(0, 4)), [model.graph]
    for tensor in draw(st.lists(tensors(), max_size=6)):
        graph = draw(st.sampled_from(pending))
        place = draw(st.integers(0, 2))
        if place == 0:
            graph.initializer.append(tensor)
            continue
        attribute = graph.node.add(op_type="Constant").attribute.add(name="value", type=4)
        (attribute.tensors.append if place == 1 else attribute.t.CopyFrom)(tensor)
        if graphs:
            graphs -= 1
            branch = graph.node.add(op_type="If").attribute.add(name="then", type=5)
            branch.g.name = "branch"
            pending.append(branch.g)
    for tensor in draw(st.lists(tensors(), max_size=2)):
        node = model.functions.add(name="f").node.add(op_type="Constant")
        node.attribute.add(name="value", type=4).t.CopyFrom(tensor)
    return model


@given(models())
def test_names_are_those_that_onnx_finds(model: ModelProto) -> None:
    """In initializers, attributes, their graphs and functions, and only of tensors that are external."""
    expected = {ExternalDataInfo(tensor).location for tensor in _get_all_tensors(model) if uses_external_data(tensor)}
    assert external_names(model.SerializeToString()) == expected


@given(models(), st.data())
def test_broken_model_is_an_error_or_a_set_of_names(model: ModelProto, data: st.DataObject) -> None:
    """Bytes that are changed, cut off or invented have no other effect."""
    content = bytearray(model.SerializeToString() or b"\0")
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    broken = bytes(content[: data.draw(st.integers(0, len(content)))]) + data.draw(st.binary(max_size=20))
    try:
        assert all(isinstance(name, str) for name in external_names(broken + b"\x0a\x08location"))
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both ways are right


def test_every_message_that_leads_to_a_tensor_is_followed() -> None:
    """By onnx's own description of its messages."""
    described = {message.name: message for message in _messages(ModelProto.DESCRIPTOR, set())}
    leads = {"TensorProto"}
    while grown := {
        name for name, message in described.items() if name not in leads and leads & {*_children(message).values()}
    }:
        leads |= grown
    expected = {
        name: {number: child for number, child in _children(described[name]).items() if child in leads}
        for name in leads - {"TensorProto"}
    }
    assert expected == model_files.MESSAGES
    tensor, entry = described["TensorProto"].fields_by_name, described["StringStringEntryProto"].fields_by_name
    assert (tensor["external_data"].number, tensor["data_location"].number) == (13, 14)
    assert (entry["key"].number, entry["value"].number) == (1, 2)


def _messages(message: object, seen: set[str]) -> Iterator[object]:
    if message.name not in seen:  # type: ignore[attr-defined]
        seen.add(message.name)  # type: ignore[attr-defined]
        yield message
        for field in message.fields:  # type: ignore[attr-defined]
            if field.message_type is not None:
                yield from _messages(field.message_type, seen)


def _children(message: object) -> dict[int, str]:
    return {
        field.number: field.message_type.name
        for field in message.fields  # type: ignore[attr-defined]
        if field.message_type is not None
    }


def test_nesting_is_bounded() -> None:
    """Deeper than protobuf reads is refused, before memory runs out."""
    model = ModelProto()
    graph = model.graph
    for _ in range(MAX_DEPTH // 3 + 1):
        graph = graph.node.add(op_type="If").attribute.add(name="then", type=5).g
    graph.initializer.append(external_tensor("w.bin"))
    with pytest.raises(ValueError, match="more than 100 messages within each other"):
        external_names(model.SerializeToString())


@pytest.mark.parametrize(
    "broken",
    [b"\x0b", b"\x00", b"\x3a\x7f", b"\x3a", b"\x39", b"\xff" * 20],
    ids=["group", "number", "length", "missing", "fixed", "integer"],
)
def test_malformed_field_is_named_by_its_byte(broken: bytes) -> None:
    """No guess is made where the next field begins."""
    with pytest.raises(ValueError, match="byte"):
        external_names(b"\x0a\x08location" + broken)
