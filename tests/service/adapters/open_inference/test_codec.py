"""Requests to remote models are what our gateway reads, and their responses what it writes."""

import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.service.adapters.open_inference.codec import (
    HEADER_LENGTH,
    HttpReply,
    decode_response,
    encode_request,
    error_text,
)
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.protocol.rest import InferResponse, decode_request, encode_response
from tightrope.service.protocol.tensors import Tensor, TensorSpec, datatype_of, dtype_of

DATATYPES = ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP32", "FP64", "BYTES"]


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, Tensor]:
    """Small tensors of any datatype with a JSON form."""
    found: dict[str, Tensor] = {}
    for index in range(draw(st.integers(1, 3))):
        dtype = dtype_of(draw(st.sampled_from(DATATYPES)))
        shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
        count = math.prod(shape)
        if dtype.kind == "O":
            texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
            flat = np.array(draw(st.lists(texts, min_size=count, max_size=count)), dtype=object)
        else:
            flat = np.frombuffer(draw(st.binary(min_size=count * 8, max_size=count * 8)), "<u8") % 251
            flat = flat.astype(dtype) if dtype.kind != "b" else flat % 2 > 0
            flat = flat / 7 if dtype.kind == "f" else flat
        found[f"t{index}"] = np.asarray(flat, dtype=dtype).reshape(shape)
    return found


def specs(of: dict[str, Tensor]) -> list[TensorSpec]:
    """The specs of these tensors."""
    return [TensorSpec(name, datatype_of(tensor.dtype), tensor.shape) for name, tensor in of.items()]


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two sets of tensors are bit-identical."""
    return bool(one.dtype == other.dtype and one.shape == other.shape and (one == other).all())


@given(inputs=tensors(), outputs=tensors(), binary=st.booleans())
def test_requests_and_responses_are_exact(
    inputs: dict[str, Tensor], outputs: dict[str, Tensor], *, binary: bool
) -> None:
    """A round trip through the gateway's codec is exact, as JSON and as binary data."""
    body, headers = encode_request(inputs, list(outputs), binary=binary)
    length = int(headers[HEADER_LENGTH]) if binary else None
    request = decode_request(body, length, specs(inputs), specs(outputs))
    assert all(same(inputs[name], tensor) for name, tensor in request.inputs.items())
    assert [(output.name, output.binary) for output in request.outputs] == [(name, binary) for name in outputs]
    raw, length = encode_response(InferResponse("m", "1", None, {}, outputs), request)
    answer = decode_response(HttpReply(200, {HEADER_LENGTH: str(length)} if binary else {}, raw), list(outputs))
    assert list(answer) == list(outputs)
    assert all(same(outputs[name], tensor) for name, tensor in answer.items())


@given(body=st.binary(max_size=200), length=st.none() | st.text("-0123456789x", max_size=4))
def test_any_bytes_for_an_answer_are_read_or_refused(body: bytes, length: str | None) -> None:
    """The only error is `RunFailedError`."""
    headers = {} if length is None else {HEADER_LENGTH: length}
    with pytest.raises(RunFailedError):
        decode_response(HttpReply(200, headers, body), ["p"])


WHOLE = st.integers(-(2**63), 2**63)
"""The range of orjson."""

ENTRY = {"name": "p", "datatype": "FP32", "shape": [1, 2], "data": [0.5, 0.5]}


@given(
    entry=st.fixed_dictionaries(
        {},
        optional={
            "name": st.just("p") | WHOLE,
            "datatype": st.sampled_from(["FP32", "INT8", "BF16", "", 3]),
            "shape": st.lists(st.integers(-2, 3) | st.text(max_size=2), max_size=3) | st.none(),
            "data": st.lists(st.floats(width=32) | st.booleans() | st.text(max_size=2), max_size=6) | WHOLE,
            "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-9, 99) | st.text(max_size=2)})
            | st.none() | WHOLE,
        },
    )
)  # fmt: skip
def test_any_output_of_an_answer_is_read_or_refused(entry: dict[str, object]) -> None:
    """Any JSON in place of a tensor is refused, or read with the declared shape."""
    body = orjson.dumps({"outputs": [{**ENTRY, **entry}]})
    try:
        found = decode_response(HttpReply(200, {}, body), ["p"])["p"]
    except RunFailedError:
        return
    assert found.shape == tuple(map(int, {**ENTRY, **entry}["shape"]))  # type: ignore[call-overload]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_without_a_json_form_are_refused(value: float) -> None:
    """A null would be refused with a confusing error, or read as zero."""
    with pytest.raises(RunFailedError, match="have no JSON form"):
        encode_request({"x": np.array([[value]], np.float32)}, ["p"], binary=False)
    with pytest.raises(RunFailedError, match="FP16 has no JSON form"):
        encode_request({"x": np.zeros((1, 1), np.float16)}, ["p"], binary=False)
    body, _ = encode_request({"x": np.array([[value]], np.float32)}, ["p"], binary=True)
    assert body.endswith(np.array([[value]], "<f4").tobytes())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "no\\n such"}', "no such"),
        (b'{"detail": [1]}', "{'detail': [1]}"),
        (b"<html>Bad\ngateway</html>", "<html>Bad gateway</html>"),
        (b"\xff" * 1000, "\ufffd" * 200),
        (b"", ""),
    ],
)
def test_errors_have_the_servers_text(body: bytes, words: str) -> None:
    """The text is one short line."""
    assert error_text(HttpReply(500, {}, body)) == words
    with pytest.raises(RunFailedError, match="status 500"):
        decode_response(HttpReply(500, {}, body), ["p"])


def test_output_that_is_missing_is_named() -> None:
    """The server may return other outputs than requested."""
    with pytest.raises(RunFailedError, match="has no output 'q'"):
        decode_response(HttpReply(200, {}, orjson.dumps({"outputs": [ENTRY]})), ["p", "q"])
