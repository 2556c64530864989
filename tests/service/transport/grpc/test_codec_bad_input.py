"""Every request that a model cannot run is refused in one line that names the tensor."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.serving.grpc_requests import ROW, decode, infer_message
from tightrope.service.errors import CallerError
from tightrope.service.protocol.rest import MAX_ID_LENGTH
from tightrope.service.protocol.tensors import TensorSpec
from tightrope.service.transport.grpc.codec import CONTENT_FIELDS, decode_request, fill, parse
from tightrope.service.transport.grpc.messages import InferParameter, ModelInferRequest

DATATYPES = (*CONTENT_FIELDS, "FP16")


def changed(change: Callable[[ModelInferRequest], object], *, raw: bool = True) -> ModelInferRequest:
    """A valid request, changed."""
    message = infer_message(ROW, "FP32", raw=raw)
    change(message)
    return message


def typed(datatype: str, field: str, values: list[Any], shape: list[int]) -> Callable[[], ModelInferRequest]:
    """A request whose input x has these typed contents."""

    def make() -> ModelInferRequest:
        message = ModelInferRequest()
        getattr(message.inputs.add(name="x", datatype=datatype, shape=shape).contents, field).extend(values)
        return message

    return make


BAD: list[tuple[str, Callable[[], ModelInferRequest]]] = [
    ("inputs: missing x", ModelInferRequest),
    ("input name is 'z', must be one of x", lambda: infer_message(ROW, "FP32", raw=True, name="z")),
    ("input name is ''", lambda: infer_message(ROW, "FP32", raw=True, name="")),
    ("input 'x' is given twice", lambda: changed(lambda m: m.inputs.append(m.inputs[0]), raw=False)),
    ("input 'x': datatype is 'INT64', must be FP32", lambda: infer_message(ROW.astype(np.int64), "INT64", raw=True)),
    (
        "input 'x': datatype is 'BF16', must be FP32",
        lambda: changed(lambda m: setattr(m.inputs[0], "datatype", "BF16")),
    ),
    ("input 'x': shape is [], must have 2 dimensions", lambda: changed(lambda m: m.inputs[0].ClearField("shape"))),
    (
        "input 'x': shape is [1, 4], must be [-1, 3]",
        lambda: infer_message(np.zeros((1, 4), np.float32), "FP32", raw=True),
    ),
    ("input 'x': shape is [0, 3], must have at least one row", lambda: infer_message(ROW[:0], "FP32", raw=True)),
    ("input 'x': shape is [-1, 3]", lambda: changed(lambda m: m.inputs[0].shape.__setitem__(0, -1))),
    ("input 'x': 12 bytes of binary data", lambda: changed(lambda m: m.inputs[0].shape.__setitem__(0, 2**62))),
    ("input 'x': 11 bytes of binary data", lambda: changed(lambda m: m.raw_input_contents.__setitem__(0, b"x" * 11))),
    ("raw_input_contents has 2 tensors, must have 1", lambda: changed(lambda m: m.raw_input_contents.append(b""))),
    ("input 'x': has fp32_contents beside raw", lambda: changed(lambda m: fill(m.inputs[0].contents, "FP32", ROW))),
    (
        "input 'x': contents has nothing, FP32 goes into fp32",
        lambda: changed(lambda m: m.ClearField("raw_input_contents")),
    ),
    ("input 'x': contents has fp64_contents, FP32 goes", typed("FP32", "fp64_contents", [1, 2, 3], [1, 3])),
    ("input 'x': data has 2 elements, shape [1, 3] needs 3", typed("FP32", "fp32_contents", [1, 2], [1, 3])),
    ("input 'x': data has 3 elements, shape", typed("FP32", "fp32_contents", [1, 2, 3], [2**62, 3])),
    ("parameters.binary_data_output is 'yes'", lambda: parameter("binary_data_output", string_param="yes")),
    ("request: parameters['p'] must be a string, a number or a boolean", lambda: parameter("p")),
    (
        f"must have at most {MAX_ID_LENGTH} characters",
        lambda: infer_message(ROW, "FP32", raw=True, id="x" * (MAX_ID_LENGTH + 1)),
    ),
    ("output name is 'x', must be one of p, q", lambda: changed(lambda m: m.outputs.add(name="x"))),
    ("output 'p' is requested twice", lambda: changed(lambda m: [m.outputs.add(name="p") for _ in range(2)])),
    ("output 'p': parameters.classification is not supported", lambda: extended("outputs", "p", "classification")),
    ("input 'x': parameters.shared_memory_region is not", lambda: extended("inputs", "x", "shared_memory_region")),
]


def parameter(name: str, **value: Any) -> ModelInferRequest:  # noqa: ANN401 - a field of the message
    """A valid request with one bad parameter."""
    return changed(lambda message: message.parameters[name].CopyFrom(InferParameter(**value)))


def extended(side: str, name: str, key: str) -> ModelInferRequest:
    """A request with one tensor that has a parameter of an extension."""
    message = ModelInferRequest() if side == "inputs" else infer_message(ROW, "FP32", raw=True)
    getattr(message, side).add(name=name).parameters[key].int64_param = 1
    return message


@pytest.mark.parametrize(("words", "make"), BAD, ids=[words for words, _ in BAD])
def test_bad_request_is_refused(words: str, make: Callable[[], ModelInferRequest]) -> None:
    """The error names the tensor, and what would be right."""
    with pytest.raises(CallerError) as caught:
        decode(parse(ModelInferRequest, make().SerializeToString()))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("datatype", "field", "value", "words"),
    [
        ("INT8", "int_contents", 128, "data element 1 is 128, must be a whole number from -128 to 127"),
        ("INT16", "int_contents", -32769, "data element 1 is -32769, must be a whole number from -32768"),
        ("UINT8", "uint_contents", 256, "data element 1 is 256, must be a whole number from 0 to 255"),
        ("UINT16", "uint_contents", 65536, "data element 1 is 65536, must be a whole number from 0 to 65535"),
        ("BYTES", "bytes_contents", b"\xff", "data element 1 is not valid UTF-8"),
    ],
)
def test_value_out_of_range_is_named(datatype: str, field: str, value: object, words: str) -> None:
    """The field is wider than the datatype: no value is wrapped or replaced."""
    message = typed(datatype, field, [b"" if datatype == "BYTES" else 0, value], [2])()
    with pytest.raises(CallerError, match=f"input 'x': {words}"):
        decode_request(message, [TensorSpec("x", datatype, (-1,))], [])


def test_half_precision_is_raw_only() -> None:
    """As the protocol requires; the error says how to send it."""
    message = typed("FP16", "fp32_contents", [1.0], [1])()
    with pytest.raises(CallerError, match="input 'x': FP16 has no typed contents, send it in raw_input_contents"):
        decode_request(message, [TensorSpec("x", "FP16", (-1,))], [])


@given(st.binary(max_size=200))
def test_random_bytes_are_the_callers_error(raw: bytes) -> None:
    """Any bytes are either a request that could be read, or a CallerError."""
    with contextlib.suppress(CallerError):
        decode(parse(ModelInferRequest, raw))


@pytest.mark.parametrize("datatype", DATATYPES)
@given(raw=st.binary(max_size=64), shape=st.lists(st.integers(-2, 2**40), max_size=3))
def test_raw_contents_are_never_read_beyond_their_end(datatype: str, raw: bytes, shape: list[int]) -> None:
    """Any claimed shape gives a tensor of that shape, or a CallerError that names the input."""
    message = ModelInferRequest(raw_input_contents=[raw])
    message.inputs.add(name="x", datatype=datatype, shape=shape)
    said = ""
    try:
        tensor = decode_request(message, [TensorSpec("x", datatype, (-1,) * len(shape))], []).inputs["x"]
    except CallerError as error:
        said = str(error)
    assert said.startswith("input 'x': ") if said else list(tensor.shape) == shape
