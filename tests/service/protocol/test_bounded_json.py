"""JSON of callers: its depth is exact, and what a large text may hold is read as it is from a small one."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.service.errors import CallerError
from tightrope.service.protocol.bounded_json import MAX_ENTRIES, MAX_JSON_DEPTH, PLAIN_BYTES, check_depth, read_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('[]{}"\\,:a'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('[]{}"\\a', max_size=3), inner, max_size=3),
    max_leaves=30,
)


def depth_of(value: object) -> int:
    """The depth of arrays and objects."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth_of, inner), default=0)
    return 0


def is_deeper(text: bytes, most: int) -> bool:
    """Whether a text is refused for its depth."""
    try:
        check_depth(text, most)
    except CallerError:
        return True
    return False


@given(value=VALUES, ascii_only=st.booleans())
def test_depth_is_that_of_the_parsed_value(value: object, *, ascii_only: bool) -> None:
    """Brackets and quotes in strings do not count, escaped or not."""
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    depth = depth_of(value)
    assert not is_deeper(text, depth)
    if depth:
        assert is_deeper(text, depth - 1)


def test_depth_is_found_across_pieces() -> None:
    """The depth at the end of a piece of the text goes on in the next."""
    shallow = b"[],[]," * 40_000
    assert not is_deeper(b"[" + shallow + b"[[]]]", 3)
    assert is_deeper(b"[" + shallow + b"[[]]]", 2)


@pytest.mark.parametrize("unit", [b"[", b"[]", b"]", b'"', b"\\", b'"[",', b'{"', b"[" * 31 + b"]" * 31])
def test_depth_takes_time_in_proportion(unit: bytes) -> None:
    """Two megabytes of anything are read in less than half a second."""
    began = time.process_time()
    is_deeper(unit * (2_000_000 // len(unit)), MAX_JSON_DEPTH)
    assert time.process_time() - began < 0.5


def large(**fields: object) -> bytes:
    """A request that is read as a large text."""
    document: dict[str, Any] = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}], **fields}
    return json.dumps(document).encode() + b" " * PLAIN_BYTES


@pytest.mark.parametrize(
    "data",
    [None, [1, 2.5, -0.0], [True, False], ["a", ""], [[1, 2], [3, 4]], [1, None], [2**63, 2**64 - 1], [], [[]]],
    ids=str,
)
def test_large_request_is_read_as_a_small_one_is(data: object) -> None:
    """Types and values are the same; what is left out is None."""
    entry = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": data, "parameters": {"a": 1, "b": None}}
    document = {"id": "i", "parameters": {"p": True, "q": 1.0}, "inputs": [entry], "outputs": [{"name": "y"}]}
    text = json.dumps(document).encode()
    read = read_object(text + b" " * PLAIN_BYTES)
    assert repr(read | {"outputs": None}) == repr(read_object(text) | {"outputs": None})
    assert read["outputs"] == [{"name": "y", "shape": None, "datatype": None, "data": None, "parameters": None}]


def test_large_request_may_have_more_fields() -> None:
    """They are ignored, without being made objects."""
    assert "more" not in read_object(large(more=[{"a": [1]}], inputs=[{"name": "x", "more": {}}]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[]" + b" " * PLAIN_BYTES, "Expected `object`, got `array`"),
        (large() + b"x", "not valid JSON"),
        (large(inputs=[{}]), "missing required field `name`"),
        (large(inputs=[{"name": "x", "shape": ["1"]}]), "at `$.inputs[0].shape[0]`"),
        (large(inputs=[{"name": "x", "data": [{}]}]), "data of input 'x' is no array of its shape"),
        (large(inputs=[{"name": "x", "shape": [1, 1], "data": [[[1]]]}]), "data of input 'x'"),
        (large(inputs=[{"name": "x", "data": "1"}]), "data of input 'x'"),
        (large(inputs=[{"name": "x"}] * (MAX_ENTRIES + 1)), f"inputs has {MAX_ENTRIES + 1} entries"),
        (large(parameters={"a": [1]}), "at `$.parameters"),
        (large(id=7), "at `$.id`"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_large_text_of_another_form_is_refused(text: bytes, words: str) -> None:
    """With the place of what is wrong."""
    with pytest.raises(CallerError) as caught:
        read_object(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400
