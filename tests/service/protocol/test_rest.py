"""Requests are decoded, and every invalid one is refused with the field's name."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.serving.rest_messages import TAG, P, X, binary_request, decode, document, with_input
from tightrope.service.errors import CallerError
from tightrope.service.protocol.rest import InferRequest, OutputRequest, decode_request, parse_header_length
from tightrope.service.protocol.tensors import TensorSpec, datatype_of


def test_all_fields_are_decoded() -> None:
    """Id, parameters, inputs, outputs and their form."""
    request = decode(
        document(
            id="abc",
            parameters={"region": "north", "age": 41, "weight": 0.5, "urgent": True, "binary_data_output": True},
            outputs=[{"name": "label"}, {"name": "p", "parameters": {"binary_data": False}}],
        )
    )
    assert request.id == "abc"
    assert request.parameters == {"region": "north", "age": 41, "weight": 0.5, "urgent": True}
    assert request.inputs["x"].tolist() == [[1.0, 2.0, 3.0]]
    assert request.outputs == (OutputRequest("label", binary=True), OutputRequest("p", binary=False))
    assert request.binary_default


@pytest.mark.parametrize("absent", [None, {}, []])
def test_optional_fields_may_be_absent_null_or_empty(absent: object) -> None:
    """Without outputs all outputs are returned, as JSON."""
    fields = {"id": None, "parameters": absent or None, "outputs": absent or None}
    for body in (document(), document(**fields), document(unknown=1), with_input(parameters={"note": "ignored"})):
        request = decode(body)
        assert (request.id, request.parameters, request.outputs) == (None, {}, ())
        assert not request.binary_default


def test_parameters_that_are_null_are_absent() -> None:
    """Those of the request, of an input and of an output, as MLServer's and KServe's clients send them."""
    nulls = {"content_type": None, "headers": None, "binary_data": None, "binary_data_size": None}
    request = decode(
        {
            "inputs": [with_input(parameters=nulls | {"note": "kept"})["inputs"][0]],
            "outputs": [{"name": "p", "parameters": nulls | {"classification": None, "shared_memory_region": None}}],
            "parameters": nulls | {"region": "north", "binary_data_output": None},
        }
    )
    assert request.parameters == {"region": "north"}
    assert request.outputs == (OutputRequest("p", binary=False),)
    assert request.inputs["x"].tolist() == [[1.0, 2.0, 3.0]]


def test_binary_inputs_follow_the_json_in_their_order() -> None:
    """JSON and binary inputs may be mixed; binary data is consecutive."""
    inputs = [
        {"name": "b", "shape": [2], "datatype": "INT8", "parameters": {"binary_data_size": 2}},
        {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [[1, 2, 3]]},
        {"name": "a", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 6}},
    ]
    head = orjson.dumps({"inputs": inputs})
    specs = [TensorSpec("a", "BYTES", (1,)), TensorSpec("b", "INT8", (2,)), X]
    request = decode_request(head + b"\1\2" + b"\2\0\0\0hi", len(head), specs, [P])
    assert {name: tensor.tolist() for name, tensor in request.inputs.items()} == {
        "a": ["hi"],
        "b": [1, 2],
        "x": [[1.0, 2.0, 3.0]],
    }


def test_raw_body_is_one_row_with_binary_outputs() -> None:
    """Header 0: no JSON, and every output as binary data."""
    request = decode(np.array([1, 2, 3], "<f4").tobytes(), 0)
    assert request.inputs["x"].tolist() == [[1.0, 2.0, 3.0]]
    assert (request.outputs, request.binary_default) == ((), True)


def test_raw_body_needs_a_model_of_one_input() -> None:
    """With two inputs the owner of the bytes is unknown."""
    with pytest.raises(CallerError, match="Inference-Header-Content-Length is 0"):
        decode_request(bytes(12), 0, [X, TAG], [P])


BAD_DOCUMENTS: list[tuple[object, str]] = [
    (b"", "request is not valid JSON"),
    (b"{", "request is not valid JSON"),
    (b"[" * 5000, "the JSON is nested deeper than 32 levels"),
    (b'{"id": NaN}', "request is not valid JSON"),
    (b"\xff", "request is not valid JSON"),
    ([], "request is [], must be a JSON object"),
    ("text", "must be a JSON object"),
    (document(id=7), "id is 7, must be a string"),
    (document(id="i" * 257), "at most 256 characters"),
    (document(parameters=[]), "request: parameters is [], must be an object"),
    (document(parameters={"a": None, "b": [1]}), "request: parameters['b'] must be a string, a number or a boolean"),
    (document(parameters={"a": [1]}), "request: parameters['a']"),
    (document(parameters={"a": {"b": 1}}), "request: parameters['a']"),
    (document(parameters={"binary_data_output": 1}), "parameters.binary_data_output is 1, must be true or false"),
    ({}, "inputs: missing x"),
    (document(inputs=[]), "inputs: missing x"),
    (document(inputs={}), "inputs is {}, must be an array of objects"),
    (document(inputs=[1]), "inputs is [1], must be an array of objects"),
    (document(inputs=document()["inputs"] * 2), "input 'x' is given twice"),
    (with_input(name="y"), "input name is 'y', must be one of x"),
    (with_input(name=None), "input name is None"),
    (with_input(name=["x"]), "input name is ['x']"),
    (with_input(datatype="FP64"), "input 'x': datatype is 'FP64', must be FP32"),
    (with_input(datatype=32), "input 'x': datatype is 32"),
    (with_input(shape=None), "input 'x': shape is None, must be an array of whole numbers"),
    (with_input(shape=3), "input 'x': shape is 3"),
    (with_input(shape=[1.0, 3]), "input 'x': shape is [1.0, 3]"),
    (with_input(shape=[True, 3]), "input 'x': shape is [True, 3]"),
    (with_input(shape=["1", 3]), "input 'x': shape is ['1', 3]"),
    (with_input(shape=[2**80, 3]), "input 'x': shape is [1.2"),
    (with_input(shape=[]), "input 'x': shape is [], must have 2 dimensions"),
    (with_input(shape=[1] * 100_000), "input 'x': shape is [1, 1, 1, 1, ...]"),
    (with_input(shape=[1, 4]), "input 'x': shape is [1, 4], must be [-1, 3]"),
    (with_input(shape=[0, 3], data=[]), "at least one row"),
    (with_input(shape=[-1, 3]), "at least one row"),
    (with_input(shape=[2**63, 3]), "input 'x': data has 3 elements"),
    (with_input(shape=[2, 3]), "input 'x': data has 3 elements, shape [2, 3] needs 6"),
    (with_input(data=None), "input 'x': give either data or parameters.binary_data_size"),
    (with_input(parameters={"binary_data_size": 12}), "input 'x': give either data or parameters.binary_data_size"),
    (with_input(parameters=3), "input 'x': parameters is 3"),
    (with_input(parameters={"a": {}}), "input 'x': parameters['a']"),
    (with_input(data=None, parameters={"binary_data_size": None}), "give either data or parameters.binary_data_size"),
    (with_input(data=["1", 2.0, 3.0]), "input 'x': data element 0 is '1'"),
    (with_input(data=["y" * 5000] * 3), "input 'x': data element 0"),
    (with_input(data=None, parameters={"binary_data_size": 12}), "0 bytes follow the JSON"),
    (document(outputs={}), "outputs is {}"),
    (document(outputs=["p"]), "outputs is ['p']"),
    (document(outputs=[{}]), "output name is None, must be one of p, label"),
    (document(outputs=[{"name": "q"}]), "output name is 'q'"),
    (document(outputs=[{"name": "p"}, {"name": "p"}]), "output 'p' is requested twice"),
    (document(outputs=[{"name": "p", "parameters": {"binary_data": "yes"}}]), "output 'p': binary_data is 'yes'"),
    (document(outputs=[{"name": "p", "parameters": {"binary_data": 0}}]), "output 'p': binary_data is 0"),
    (document(outputs=[{"name": "p", "parameters": []}]), "output 'p': parameters is []"),
    (document(outputs=[{"name": "p", "parameters": {"classification": 3}}]), "parameters.classification"),
    (document(outputs=[{"name": "p", "parameters": {"shared_memory_region": "r"}}]), "parameters.shared_memory_region"),
]


@pytest.mark.parametrize(("body", "fact"), BAD_DOCUMENTS, ids=lambda value: value if isinstance(value, str) else "")
def test_invalid_request_names_the_field(body: object, fact: str) -> None:
    """The error is one line that does not repeat the caller's data."""
    with pytest.raises(CallerError) as caught:
        decode(body)
    message = str(caught.value)
    assert fact in message
    assert "\n" not in message
    assert len(message) < 200


@pytest.mark.parametrize(
    ("data", "size", "fact"),
    [
        (bytes(11), 12, "input 'x': binary_data_size is 12, but 11 bytes follow the JSON"),
        (bytes(13), 12, "request has 1 bytes after those binary_data_size announces"),
        (bytes(8), 8, "input 'x': 8 bytes of binary data, FP32 of shape [1, 3] needs 12"),
        (b"", 0, "input 'x': 0 bytes of binary data"),
        (bytes(12), -1, "input 'x': binary_data_size is -1, must be a number of bytes"),
        (bytes(12), "12", "input 'x': binary_data_size is '12'"),
        (bytes(12), 12.0, "input 'x': binary_data_size is 12.0"),
        (bytes(12), True, "input 'x': binary_data_size is True"),
        (bytes(12), 2**64 - 1, "input 'x': binary_data_size is 18446744073709551615"),
    ],
)
def test_wrong_binary_size_is_refused(data: bytes, size: object, fact: str) -> None:
    """The announced size, the actual size and the size of the shape must be equal."""
    body, length = binary_request(data, size)
    with pytest.raises(CallerError) as caught:
        decode(body, length)
    assert fact in str(caught.value)


def test_header_longer_than_the_body_is_refused() -> None:
    """The JSON cannot be longer than the body."""
    with pytest.raises(CallerError, match="Inference-Header-Content-Length is 9, the body has only 2 bytes"):
        decode(b"{}", 9)


@pytest.mark.parametrize(("value", "length"), [(None, None), ("0", 0), ("12", 12), ("007", 7)])
def test_header_is_a_plain_number(value: str | None, length: int | None) -> None:
    """Digits are parsed; no header gives None."""
    assert parse_header_length(value) == length


@pytest.mark.parametrize("value", ["", "-1", "+1", "1.0", "1e3", " 1", "0x10", "1_0", "٣", "²", "9" * 5000])
def test_header_other_than_digits_is_refused(value: str) -> None:
    """Also forms that int() accepts, because proxies may read them differently."""
    with pytest.raises(CallerError, match="Inference-Header-Content-Length is"):
        parse_header_length(value)


def only_caller_errors(decoding: Callable[[], InferRequest]) -> None:
    """Decode a request: it must fit the model, or raise CallerError."""
    with contextlib.suppress(CallerError):
        x = decoding().inputs["x"]
        assert (datatype_of(x.dtype), x.ndim, x.shape[1:]) == ("FP32", 2, (3,))


@given(body=st.binary(max_size=200), header=st.none() | st.integers(0, 220))
@example(body=b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,1e39]}]}', header=None)
def test_random_bytes_raise_only_caller_errors(body: bytes, header: int | None) -> None:
    """Any body with any header."""
    only_caller_errors(lambda: decode(body, header))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["id", "parameters", "inputs", "outputs", "name", "shape", "datatype", "data"]


@given(changes=st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_random_json_raises_only_caller_errors(changes: dict[str, Any]) -> None:
    """Any JSON in any field of a request or its input."""
    input_changes = {key: value for key, value in changes.items() if key not in document()}
    only_caller_errors(lambda: decode(with_input(**input_changes)))
    only_caller_errors(lambda: decode(document(**changes)))


@given(data=st.data())
def test_mutated_binary_requests_raise_only_caller_errors(data: st.DataObject) -> None:
    """With replaced, removed and inserted bytes, and a wrong header."""
    body, length = binary_request()
    offset = data.draw(st.integers(0, len(body)))
    patch, drop = data.draw(st.binary(max_size=4)), data.draw(st.integers(0, 4))
    header = length + data.draw(st.integers(-2, 2))
    only_caller_errors(lambda: decode(body[:offset] + patch + body[offset + drop :], header))
