"""Tensors keep their values in both wire forms, and data that does not fit the declaration is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tightrope.service.errors import CallerError, ServerError, quote
from tightrope.service.protocol.tensors import (
    Tensor,
    TensorSpec,
    check,
    datatype_of,
    decode_binary,
    decode_json,
    decode_raw,
    dtype_of,
    encode_binary,
    encode_json,
)

NUMERIC = (
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64",
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, max_side=4)


def tensors(datatype: str, *, finite: bool) -> st.SearchStrategy[Tensor]:
    """Tensors of a datatype with any shape."""
    dtype = dtype_of(datatype)
    numbers = arrays.from_dtype(dtype, allow_nan=not finite, allow_infinity=not finite)
    return arrays.arrays(dtype, SHAPES, elements=TEXT if datatype == "BYTES" else numbers)


def same(left: Tensor, right: Tensor) -> bool:
    """Equal in dtype, shape and every bit (so that NaN equals itself and 0.0 is not -0.0)."""
    return (left.dtype, left.shape) == (right.dtype, right.shape) and encode_binary(left) == encode_binary(right)


@pytest.mark.parametrize("datatype", [*NUMERIC, "BYTES"])
@given(data=st.data())
def test_binary_round_trip_keeps_every_bit(datatype: str, data: st.DataObject) -> None:
    """decode_binary inverts encode_binary, NaN included, at any offset in the body."""
    tensor, offset = data.draw(tensors(datatype, finite=False)), data.draw(st.integers(0, 9))
    body = memoryview(b"x" * offset + encode_binary(tensor))[offset:]
    decoded = decode_binary(datatype, tensor.shape, body, "input 'x'")
    assert same(decoded, tensor)
    assert decoded.flags.aligned


@pytest.mark.parametrize("datatype", [*sorted({*NUMERIC} - {"FP16"}), "BYTES"])
@given(data=st.data())
def test_json_round_trip_keeps_every_value(datatype: str, data: st.DataObject) -> None:
    """decode_json inverts encode_json, and reads the nested form as the same tensor."""
    tensor = data.draw(tensors(datatype, finite=True))
    nested = tensor.tolist() if tensor.ndim else [tensor.item()]
    for form in (encode_json(tensor), nested):
        assert same(decode_json(datatype, tensor.shape, form, "input 'x'"), tensor)


def test_binary_numbers_are_not_copied() -> None:
    """An aligned numeric tensor is a view of the body."""
    body = bytearray(8)
    decoded = decode_binary("INT64", (1,), memoryview(body), "input 'x'")
    body[0] = 7
    assert decoded[0] == 7


@pytest.mark.parametrize("array", [np.arange(6, dtype=np.int8).reshape(2, 3).T, np.arange(6, dtype=np.int8)[::2]])
def test_arrays_of_any_layout_are_written_row_major(array: Tensor) -> None:
    """Transposed and strided arrays are written in the order of their indices."""
    assert encode_json(array) == list(array.flat)
    assert encode_binary(array) == bytes(list(array.flat))


@pytest.mark.parametrize(
    ("datatype", "value", "wanted"),
    [
        ("FP32", "1.5", "a number"),
        ("FP32", True, "a number"),
        ("FP32", None, "a number"),
        ("FP32", {}, "a number"),
        ("FP32", 1e39, "FP32 can hold"),
        ("FP64", [], "a number"),
        ("INT8", 128, "from -128 to 127"),
        ("INT8", -129, "from -128 to 127"),
        ("INT32", 1.5, "a whole number"),
        ("INT64", 1.0, "a whole number"),
        ("INT64", 2**63, "a whole number"),
        ("INT64", "1", "a whole number"),
        ("INT64", False, "a whole number"),
        ("UINT64", 2**64, "from 0 to 18446744073709551615"),
        ("UINT8", -1, "from 0 to 255"),
        ("BOOL", 1, "true or false"),
        ("BOOL", "true", "true or false"),
        ("BYTES", 1, "a string"),
        ("BYTES", None, "a string"),
    ],
)
def test_invalid_json_value_is_named(datatype: str, value: object, wanted: str) -> None:
    """The error has the element's index, the value and the valid values."""
    good = {"BOOL": True, "BYTES": "a"}.get(datatype, 1)
    with pytest.raises(CallerError) as caught:
        decode_json(datatype, (3,), [good, value, good], "input 'x'")
    message = str(caught.value)
    assert message.startswith(f"input 'x': data element 1 is {quote(value)}")
    assert wanted in message


@pytest.mark.parametrize(
    ("shape", "data", "fact"),
    [
        ((1, 2), [1.0], "data has 1 elements, shape [1, 2] needs 2"),
        ((1, 2), [1.0, 2.0, 3.0], "data has 3 elements"),
        ((2, 2), [[1.0, 2.0]], "data has 2 elements"),
        ((2, 2), [[1.0, 2.0], [3.0]], "nested unlike shape [2, 2]"),
        ((2, 2), [[1.0, 2.0], 3.0], "nested unlike shape"),
        ((2, 1, 2), [[1.0, 2.0], [3.0, 4.0]], "nested unlike shape"),
        ((1, 2), [1.0, [2.0]], "element 1 is [2.0]"),
        ((1, 2), [[1.0, [2.0]]], "element 1 is [2.0]"),
        ((1, 1), [[[1.0]]], "element 0 is [1.0]"),
        ((1,), [], "data has 0 elements"),
        ((2**63, 2**63), [1.0], "data has 1 elements"),
        ((1,), "1.0", "data is '1.0', must be an array"),
        ((1,), {"0": 1.0}, "must be an array"),
        ((1,), 1.0, "must be an array"),
    ],
)
def test_json_data_that_does_not_fill_the_shape_is_refused(shape: tuple[int, ...], data: object, fact: str) -> None:
    """Too few, too many, ragged, and too deeply nested elements."""
    with pytest.raises(CallerError) as caught:
        decode_json("FP32", shape, data, "input 'x'")
    assert fact in str(caught.value)


def test_fp16_has_no_json_form() -> None:
    """Both errors name the binary form."""
    with pytest.raises(CallerError, match="binary_data_size"):
        decode_json("FP16", (1,), [1.0], "input 'x'")
    with pytest.raises(CallerError, match="binary_data"):
        encode_json(np.zeros(1, np.float16))


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "fact"),
    [
        ("FP32", (2,), b"1234567", "7 bytes of binary data, FP32 of shape [2] needs 8"),
        ("FP32", (2**62, 2**62), b"1234", "4 bytes of binary data"),
        ("BOOL", (2,), b"\x01\x02", "neither 0 nor 1"),
        ("BYTES", (2,), b"\1\0\0\0a", "too few"),
        ("BYTES", (2**62,), b"\1\0\0\0a", "too few"),
        ("BYTES", (1,), b"\2\0\0\0a", "element 0 of the binary data runs past its 5 bytes"),
        ("BYTES", (2,), b"\2\0\0\0ab\0\0", "element 1 of the binary data runs past"),
        ("BYTES", (1,), b"\xff\xff\xff\xffa", "element 0 of the binary data runs past"),
        ("BYTES", (1,), b"\1\0\0\0ab", "end at byte 5"),
        ("BYTES", (2,), b"\1\0\0\0a\1\0\0\0\xff", "element 1 of the binary data is not valid UTF-8"),
    ],
)
def test_binary_data_that_does_not_fill_the_shape_is_refused(
    datatype: str, shape: tuple[int, ...], data: bytes, fact: str
) -> None:
    """Wrong sizes, lengths beyond the end, and invalid bytes, for any shape."""
    with pytest.raises(CallerError) as caught:
        decode_binary(datatype, shape, memoryview(data), "input 'x'")
    assert fact in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "body", "expected"),
    [
        (TensorSpec("x", "FP32", (-1, 2)), b"\0" * 8, np.zeros((1, 2), "f4")),
        (TensorSpec("x", "INT16", (-1, -1, 2)), b"\1\0" * 6, np.ones((1, 3, 2), "i2")),
        (TensorSpec("x", "INT8", (2, -1)), b"\1" * 6, np.ones((2, 3), "i1")),
        (TensorSpec("x", "BYTES", (-1, -1)), "né".encode(), np.array([["né"]], object)),
        (TensorSpec("x", "BYTES", (1,)), b"", np.array([""], object)),
    ],
)
def test_shape_of_a_raw_body_follows_from_its_size(spec: TensorSpec, body: bytes, expected: Tensor) -> None:
    """The batch axis has length 1, one variable axis follows from the size; BYTES is the body itself."""
    assert same(decode_raw(spec, body, "input 'x'"), expected)


@pytest.mark.parametrize(
    ("spec", "body", "fact"),
    [
        (TensorSpec("x", "FP32", (-1, 2)), b"\0" * 16, "16 bytes of binary data, FP32 of shape [1, 2] needs 8"),
        (TensorSpec("x", "FP32", (-1, -1)), b"\0" * 7, "shape [1, 1] needs 4"),
        (TensorSpec("x", "FP32", (-1, -1)), b"", "shape [1, 1] needs 4"),
        (TensorSpec("x", "FP32", (-1, -1, -1)), b"\0" * 8, "send the shape in JSON"),
        (TensorSpec("x", "BYTES", (-1, 2)), b"ab", "one element of BYTES, shape [-1, 2] needs 2"),
        (TensorSpec("x", "BYTES", (1,)), b"\xff", "element 0 of the binary data is not valid UTF-8"),
    ],
)
def test_raw_body_without_a_matching_shape_is_refused(spec: TensorSpec, body: bytes, fact: str) -> None:
    """A second row, a partial element, two variable axes, and several strings."""
    with pytest.raises(CallerError) as caught:
        decode_raw(spec, body, "input 'x'")
    assert fact in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "datatype", "fact"),
    [
        ((1, 3), "INT8", "datatype is 'INT8', must be FP32"),
        ((1, 3), None, "datatype is None"),
        ((1, 3), ["FP32"], "datatype is ['FP32']"),
        ((3,), "FP32", "must have 2 dimensions"),
        ((1, 1, 3), "FP32", "must have 2 dimensions"),
        ((1, 4), "FP32", "shape is [1, 4], must be [-1, 3]"),
        ((0, 3), "FP32", "at least one row"),
        ((-1, 3), "FP32", "at least one row"),
    ],
)
def test_tensor_that_does_not_fit_the_spec_is_refused(shape: tuple[int, ...], datatype: object, fact: str) -> None:
    """Datatype, rank, fixed lengths, and empty axes."""
    with pytest.raises(CallerError) as caught:
        check(shape, datatype, TensorSpec("x", "FP32", (-1, 3)), "input 'x'")
    assert fact in str(caught.value)


def test_variable_axis_takes_any_length() -> None:
    """-1 in the spec."""
    check((10**6, 3), "FP32", TensorSpec("x", "FP32", (-1, 3)), "input 'x'")


@pytest.mark.parametrize("datatype", [*NUMERIC, "BYTES"])
def test_datatype_and_dtype_name_each_other(datatype: str) -> None:
    """The two mappings are inverse."""
    assert datatype_of(dtype_of(datatype)) == datatype


def test_unknown_datatypes_are_server_errors() -> None:
    """A model with BF16 or complex numbers is refused when it is loaded, or when it answers."""
    with pytest.raises(ServerError, match="'BF16' is not supported"):
        TensorSpec("x", "BF16", (1,))
    with pytest.raises(ServerError, match="complex64"):
        datatype_of(np.dtype(np.complex64))


@given(
    st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner))
)
def test_quoted_values_are_short_and_on_one_line(value: object) -> None:
    """At most 60 characters, escaped."""
    text = quote(value)
    assert len(text) <= 60
    assert text.isprintable()
