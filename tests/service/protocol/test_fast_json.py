"""The quick way to read a request finds what the thorough one finds, or leaves it to that."""

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.service.errors import CallerError
from tightrope.service.protocol.fast_json import Reader
from tightrope.service.protocol.rest import InferRequest, decode_request
from tightrope.service.protocol.tensors import TensorSpec

INPUTS = (TensorSpec("x", "FP32", (-1, 2)), TensorSpec("y", "FP64", (-1,)))
OUTPUTS = (TensorSpec("p", "FP32", (-1, 2)), TensorSpec("q", "FP32", (-1, 2)))
READER = Reader(INPUTS, OUTPUTS)

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
    """One input, nearly always right; any of its fields may be something else."""
    right = st.integers(1, 3).flatmap(
        lambda rows: st.fixed_dictionaries(
            {
                "name": st.just(name),
                "shape": st.just([rows, width] if width > 1 else [rows]),
                "datatype": st.just(datatype),
                "data": st.lists(NUMBER, min_size=rows * width, max_size=rows * width),
            }
        )
    )
    wrong = st.dictionaries(st.sampled_from(["name", "shape", "datatype", "data", "parameters"]), ANY, max_size=1)
    return st.builds(lambda whole, some: whole | some, right, wrong)


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
    """To the bit."""
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
def test_what_is_read_quickly_is_what_the_protocol_says(document: dict[str, Any]) -> None:
    """Whatever the quick way takes, the thorough one takes too, and gives the same."""
    body = json.dumps(document).encode()
    quick = READER.read(body, None)
    if quick is not None:
        assert same(quick, decode_request(body, None, INPUTS, OUTPUTS))


@given(rows=st.integers(1, 4), cut=st.integers(-9, 9), size=st.integers(-1, 40), outputs=st.booleans())
def test_binary_requests_are_read_alike(rows: int, cut: int, size: int, *, outputs: bool) -> None:
    """With sizes that are right, and with some that are not."""
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
    quick = READER.read(body, len(head) + (max(0, cut)))
    if quick is None:
        assert cut > 0 or size not in {-1, x.nbytes}
    else:
        assert same(quick, decode_request(body, len(head), INPUTS, OUTPUTS))


@pytest.mark.parametrize("header_length", [None, True])
def test_usual_requests_are_read_quickly(*, header_length: bool | None) -> None:
    """Or there would be no use in it."""
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
def test_what_is_wrong_is_left_to_the_protocol(body: bytes) -> None:
    """Which says what is wrong."""
    assert READER.read(body, None) is None
    with pytest.raises(CallerError):
        decode_request(body, None, INPUTS, OUTPUTS)
