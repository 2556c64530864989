"""Tensors of every datatype round-trip, typed and raw, with ids, parameters and output requests."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.support.serving.grpc_requests import ROW, X, Y, decode, infer_message
from tightrope.service.errors import ServerError
from tightrope.service.protocol.rest import InferResponse, OutputRequest
from tightrope.service.protocol.tensors import Tensor, TensorSpec, dtype_of, encode_binary
from tightrope.service.transport.grpc.codec import CONTENT_FIELDS, decode_request, encode_response, parse
from tightrope.service.transport.grpc.messages import InferParameter, ModelInferRequest, ModelInferResponse

DATATYPES = (*CONTENT_FIELDS, "FP16")


def tensors(datatype: str) -> st.SearchStrategy[Tensor]:
    """A tensor of one to three dimensions, NaN and infinity included."""
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    elements = texts if datatype == "BYTES" else arrays.from_dtype(dtype_of(datatype))
    shapes = arrays.array_shapes(max_dims=3, max_side=4)
    return arrays.arrays(dtype_of(datatype), shapes, elements=elements, fill=st.nothing())


def seen(answer: ModelInferResponse, spec: TensorSpec) -> Tensor:
    """The one output of a response, decoded by the input side of the codec."""
    (output,) = answer.outputs
    message = ModelInferRequest(raw_input_contents=answer.raw_output_contents)
    message.inputs.add(name=output.name, datatype=output.datatype, shape=output.shape, contents=output.contents)
    return decode_request(message, [spec], []).inputs[output.name]


def same(one: Tensor, other: Tensor) -> bool:
    """Whether tensors are equal bit by bit, which makes NaN equal to itself; strings by value."""
    return (one.dtype, one.shape, encode_binary(one)) == (other.dtype, other.shape, encode_binary(other))


@pytest.mark.parametrize(
    ("datatype", "raw"), [(d, raw) for d in DATATYPES for raw in (True, False) if raw or d in CONTENT_FIELDS]
)
@given(data=st.data())
def test_tensor_round_trips(datatype: str, data: st.DataObject, *, raw: bool) -> None:
    """Into a request and out of it, into a response and out of that; in typed contents all NaN are alike."""
    tensor = data.draw(tensors(datatype))
    if not raw and datatype in {"FP32", "FP64"}:
        tensor = np.where(np.isnan(tensor), np.array(np.nan, tensor.dtype), tensor)
    spec = TensorSpec("x", datatype, tensor.shape)
    wire = infer_message(tensor, datatype, raw=raw).SerializeToString()
    request = decode_request(parse(ModelInferRequest, wire), [spec], [])
    assert request.binary_default is raw
    assert same(request.inputs["x"], tensor)
    answer = encode_response(InferResponse("m", "1", None, {}, request.inputs), request)
    assert bool(answer.raw_output_contents) is raw
    assert same(seen(answer, spec), tensor)


def test_request_is_decoded_completely() -> None:
    """Id, every type of parameter, inputs, and outputs in the requested order."""
    message = infer_message(ROW, "FP32", raw=True, id="abc")
    kinds = {"bool_param": True, "int64_param": -5, "string_param": "né", "double_param": 0.5, "uint64_param": 2**63}
    for kind, value in kinds.items():
        message.parameters[kind].CopyFrom(InferParameter(**{kind: value}))  # type: ignore[arg-type]
    for name in ("q", "p"):
        message.outputs.add(name=name)
    request = decode(message)
    assert (request.id, request.parameters) == ("abc", kinds)
    assert request.inputs["x"].tolist() == [[1.0, 2.0, 3.0]]
    assert request.outputs == (OutputRequest("q", binary=True), OutputRequest("p", binary=True))


def test_optional_fields_may_be_absent() -> None:
    """No id, no parameters, all outputs."""
    request = decode(infer_message(ROW, "FP32", raw=False))
    assert (request.id, request.parameters, request.outputs) == (None, {}, ())


def test_form_of_the_outputs_may_be_requested() -> None:
    """Otherwise outputs come as the inputs did; the parameter is not passed on."""
    for raw in (True, False):
        message = infer_message(ROW, "FP32", raw=raw)
        message.parameters["binary_data_output"].bool_param = not raw
        request = decode(message)
        assert (request.binary_default, request.parameters) == (not raw, {})


def test_response_is_encoded_completely() -> None:
    """Name, version, id, parameters by their type, and outputs in their order."""
    parameters = {"served_by": "baseline", "safe_mode": True, "confidence": 0.5, "rows": 3}
    outputs = {"q": np.array([1], np.int8), "p": np.array([[0.5, 0.25]], np.float32)}
    request = decode(infer_message(ROW, "FP32", raw=False))
    answer = encode_response(InferResponse("m", "7", "abc", parameters, outputs), request)
    assert (answer.model_name, answer.model_version, answer.id) == ("m", "7", "abc")
    kinds = {name: value.WhichOneof("parameter_choice") for name, value in answer.parameters.items()}
    assert kinds == {
        "served_by": "string_param",
        "safe_mode": "bool_param",
        "confidence": "double_param",
        "rows": "int64_param",
    }
    assert {name: getattr(value, str(kinds[name])) for name, value in answer.parameters.items()} == parameters
    assert [(output.name, output.datatype, list(output.shape)) for output in answer.outputs] == [
        ("q", "INT8", [1]),
        ("p", "FP32", [1, 2]),
    ]
    assert list(answer.outputs[0].contents.int_contents) == [1]
    assert list(answer.outputs[1].contents.fp32_contents) == [0.5, 0.25]


def test_one_output_without_typed_contents_makes_all_raw() -> None:
    """FP16 has no field; the protocol allows no mixture."""
    outputs = {"q": np.array([1], np.int8), "h": np.array([0.5], np.float16)}
    request = decode(infer_message(ROW, "FP32", raw=False))
    answer = encode_response(InferResponse("m", "7", None, {}, outputs), request)
    assert list(answer.raw_output_contents) == [b"\1", np.array([0.5], "<f2").tobytes()]
    assert not any(output.HasField("contents") for output in answer.outputs)


def test_withheld_outputs_are_an_empty_list() -> None:
    """An abstaining model has no outputs."""
    answer = encode_response(
        InferResponse("m", "7", "abc", {"refused": True}, {}), decode(infer_message(ROW, "FP32", raw=True))
    )
    assert (list(answer.outputs), list(answer.raw_output_contents)) == ([], [])


def test_output_without_a_datatype_is_a_server_error() -> None:
    """The request is valid."""
    outputs = {"z": np.array([1j])}
    with pytest.raises(ServerError, match="no datatype for arrays of complex128"):
        encode_response(InferResponse("m", "7", None, {}, outputs), decode(infer_message(ROW, "FP32", raw=True)))


def test_several_inputs_take_their_raw_contents_in_order() -> None:
    """In the order of the request, not of the model."""
    message = infer_message(np.array(["né", ""], object), "BYTES", raw=True, name="y")
    message.inputs.add(name="x", datatype="FP32", shape=[1, 3])
    message.raw_input_contents.append(encode_binary(ROW))
    read = decode_request(message, [X, Y], []).inputs
    assert {name: tensor.tolist() for name, tensor in read.items()} == {"y": ["né", ""], "x": ROW.tolist()}
