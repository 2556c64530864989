"""The fast reader gives the same request as `decode_request`, or None."""

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.service.errors import CallerError
from tightrope.service.protocol.fast_json import FastReader
from tightrope.service.protocol.rest import InferRequest, decode_request
from tightrope.service.protocol.tensors import TensorSpec

INPUTS = (TensorSpec("x", "FP32", (-1, 2)), TensorSpec("y", "FP64", (-1,)))
OUTPUTS = (TensorSpec("p", "FP32", (-1, 2)), TensorSpec("q", "FP32", (-1, 2)))
READER = FastReader(INPUTS, OUTPUTS, allow_nan=True)

ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["binary_data", "a"]), inner, max_size=2)
    ),
    max_leaves=4,
)
NUMBER = st.floats(-(2.0**99), 2.0**99, width=32) | st.integers(-9, 9)


def entry(name: str, datatype: str, width: int) -> st.SearchStrategy[dict[str, Any]]:
    """An input, mostly valid; one of its fields may be replaced."""
    valid = st.integers(1, 3).flatmap(
        lambda rows: st.fixed_dictionaries(
            {
                "name": st.just(name),
                "shape": st.just([rows, width] if width > 1 else [rows]),
                "datatype": st.just(datatype),
                "data": st.lists(NUMBER, min_size=rows * width, max_size=rows * width),
            }
        )
    )
    changes = st.dictionaries(st.sampled_from(["name", "shape", "datatype", "data", "parameters"]), ANY, max_size=1)
    return st.builds(lambda entry, changed: entry | changed, valid, changes)


REQUEST = st.builds(
    lambda x, y, more: {"inputs": [x, y]} | more,
    entry("x", "FP32", 2),
    entry("y", "FP64", 1),
    st.dictionaries(st.sampled_from(["id", "parameters", "outputs", "inputs", "else"]), ANY, max_size=1)
    | st.fixed_dictionaries(
        {
            "id": st.text(max_size=3),
            "outputs": st.lists(st.fixed_dictionaries({"name": st.sampled_from("pqr")}), max_size=2),
        }
    ),
)


def same(one: InferRequest, other: InferRequest) -> bool:
    """Whether two requests are equal, bit for bit."""
    return (
        (one.id, dict(one.parameters), one.outputs, one.binary_default)
        == (other.id, dict(other.parameters), other.outputs, other.binary_default)
        and one.inputs.keys() == other.inputs.keys()
        and all(
            (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
            for a, b in ((one.inputs[name], other.inputs[name]) for name in one.inputs)
        )
    )


@given(document=REQUEST)
def test_fast_reader_agrees_with_decode_request(document: dict[str, Any]) -> None:
    """Every request that the fast reader accepts is decoded to the same values."""
    body = json.dumps(document).encode()
    fast = READER.read(body, None)
    if fast is not None:
        assert same(fast, decode_request(body, None, INPUTS, OUTPUTS))


@given(rows=st.integers(1, 4), cut=st.integers(-9, 9), size=st.integers(-1, 40), outputs=st.booleans())
def test_fast_reader_agrees_on_binary_requests(rows: int, cut: int, size: int, *, outputs: bool) -> None:
    """With right and wrong sizes."""
    x, y = np.arange(2 * rows, dtype="<f4"), np.arange(rows, dtype="<f8")
    inputs = [
        {
            "name": "x",
            "shape": [rows, 2],
            "datatype": "FP32",
            "parameters": {"binary_data_size": size if size >= 0 else x.nbytes},
        },
        {"name": "y", "shape": [rows], "datatype": "FP64", "parameters": {"binary_data_size": y.nbytes}},
    ]
    wanted = {"outputs": [{"name": "q", "parameters": {"binary_data": True}}]} if outputs else {}
    head = orjson.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}, **wanted})
    body = head + x.tobytes() + y.tobytes()
    fast = READER.read(body, len(head) + (max(0, cut)))
    if fast is None:
        assert cut > 0 or size not in {-1, x.nbytes}
    else:
        assert same(fast, decode_request(body, len(head), INPUTS, OUTPUTS))


@pytest.mark.parametrize("header_length", [None, True])
def test_common_requests_are_accepted(*, header_length: bool | None) -> None:
    """The fast reader must not return None for them."""
    x = {"name": "x", "shape": [1, 2], "datatype": "FP32"}
    y = {"name": "y", "shape": [1], "datatype": "FP64"}
    if header_length is None:
        body = json.dumps({"inputs": [x | {"data": [1, 2.5]}, y | {"data": [0.1]}]}).encode()
        assert READER.read(body, None) is not None
    else:
        sized = [x | {"parameters": {"binary_data_size": 8}}, y | {"parameters": {"binary_data_size": 8}}]
        head = json.dumps({"inputs": sized}).encode()
        assert READER.read(head + bytes(16), len(head)) is not None


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"inputs":1}', b'{"inputs":[]}', b"\xff", b'{"inputs":[{"name":"x"}]}']
)
def test_invalid_requests_are_not_accepted(body: bytes) -> None:
    """`decode_request` reports the error."""
    assert READER.read(body, None) is None
    with pytest.raises(CallerError):
        decode_request(body, None, INPUTS, OUTPUTS)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("allow", [False, True])
def test_value_that_is_not_finite_is_left_to_the_other_reader(value: float, *, allow: bool) -> None:
    """Which refuses it with its place; if it is allowed, this reader takes it."""
    entries = [
        {"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}},
        {"name": "y", "datatype": "FP64", "shape": [1], "data": [1.0]},
    ]
    head = json.dumps({"inputs": entries}).encode()
    body = head + np.array([0, value], np.float32).tobytes()
    request = FastReader(INPUTS, OUTPUTS, allow_nan=allow).read(body, len(head))
    assert (request is not None) is (allow or bool(np.isfinite(value)))
