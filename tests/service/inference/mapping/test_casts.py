"""Values keep what they say, or the cast fails."""

import numpy as np
import pytest

from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.inference.mapping.casts import can_cast, cast, cast_output


@pytest.mark.parametrize(
    ("given", "wanted", "can"),
    [
        ("FP32", "FP16", True),
        ("FP16", "FP64", True),
        ("INT8", "INT64", True),
        ("UINT8", "INT16", True),
        ("INT64", "INT32", True),
        ("INT64", "INT8", False),
        ("UINT32", "INT32", False),
        ("FP32", "INT64", False),
        ("INT32", "FP64", False),
        ("BOOL", "INT8", False),
        ("BYTES", "FP32", False),
        ("BYTES", "BYTES", True),
    ],
)
def test_floats_become_floats_and_integers_wider_ones(given: str, wanted: str, *, can: bool) -> None:
    """INT64 may also become INT32, whose values are checked."""
    assert can_cast(given, wanted) is can


def test_equal_types_are_not_copied() -> None:
    """A cast that changes nothing costs nothing."""
    tensor = np.ones(3, np.float32)
    assert cast("x", tensor, "FP32") is tensor
    assert cast_output("x", tensor, "FP32") is tensor


@pytest.mark.parametrize(
    ("tensor", "datatype"), [(np.array([65600.0], np.float32), "FP16"), (np.array([2**31], np.int64), "INT32")]
)
def test_values_that_do_not_fit_fail(tensor: np.ndarray, datatype: str) -> None:
    """They are never cut off or made infinite for a model."""
    with pytest.raises(RunFailedError, match=f"'x': a value of .* is too large for the model's {datatype}"):
        cast("x", tensor, datatype)


def test_missing_values_and_infinity_stay() -> None:
    """Where callers may send them, a model gets them."""
    sent = np.array([np.nan, np.inf, 1], np.float32)
    assert np.array_equal(cast("x", sent, "FP16"), sent.astype(np.float16), equal_nan=True)


def test_outputs_that_do_not_fit_are_infinite_or_fail() -> None:
    """Infinity is a fault that monitoring knows; an integer has no such value."""
    assert np.isinf(cast_output("p", np.array([1e300]), "FP32")).all()
    with pytest.raises(RunFailedError):
        cast_output("p", np.array([2**40]), "INT32")
