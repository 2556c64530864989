"""FP16 is taken in binary where the spec of an input says so."""

import numpy as np
import pytest

from tightrope.service.errors import CallerError
from tightrope.service.protocol.tensors import TensorSpec, check, decode_binary_input

SPEC, PLAIN = TensorSpec("x", "FP32", (-1,), takes_half=True), TensorSpec("x", "FP32", (-1,))


def test_half_keeps_its_values() -> None:
    """It becomes the type of the spec; that type itself is a view of the body."""
    half = np.array([0.1, 6e-8, np.nan, -np.inf], np.float16)
    assert check((4,), "FP16", SPEC, "input 'x'") == "FP16"
    tensor = decode_binary_input("FP16", SPEC, (4,), memoryview(half.tobytes()), "input 'x'")
    assert tensor.dtype == np.float32
    assert np.array_equal(tensor, half.astype(np.float32), equal_nan=True)
    body = bytearray(8)
    single = decode_binary_input(check((2,), "FP32", SPEC, ""), SPEC, (2,), memoryview(body), "input 'x'")
    body[3] = 64
    assert single[0] == 2.0


def test_other_types_are_refused() -> None:
    """With those that are taken; specs are equal all the same."""
    assert SPEC == PLAIN
    with pytest.raises(CallerError, match="datatype is 'FP64', must be FP32 or FP16, in binary"):
        check((2,), "FP64", SPEC, "input 'x'")
    with pytest.raises(CallerError, match=r"datatype is 'FP16', must be FP32$"):
        check((2,), "FP16", PLAIN, "input 'x'")
