"""The sums behind intervals on the wire: every bit comes back, and a part that does not fit is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from tests.support.cluster.estimate_records import estimates
from tests.support.cluster.wire_records import bit_identical
from tightrope.monitors.intervals.estimates import Estimates
from tightrope.service.adapters.wire.envelope import WireError, pack, unpack
from tightrope.service.adapters.wire.estimates_codec import estimates_fields, read_estimates


@given(value=estimates())
def test_every_bit_comes_back(value: Estimates) -> None:
    """NaN for a cell that has not started, too."""
    assert bit_identical(read_estimates(unpack(pack("s", estimates_fields(value)), "s")), value)


def test_a_snapshot_without_them_has_empty_ones() -> None:
    """It is of an earlier version."""
    assert read_estimates({}).fits(())


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("cohorts", "age", np.array([np.nan])),
        ("cohorts", "age", np.array([1.0, 2.0])),
        ("cohorts", "sums", np.full((1, 3, 2, 3), np.inf)),
        ("cohorts", "sums", np.zeros((1, 3, 2, 2))),
        ("cohorts", "before", np.zeros((2, 3))),
        ("checkpoints", "rows", np.array([-5])),
        ("checkpoints", "steps", np.zeros((1, 1))),
        ("checkpoints", "times", np.zeros(3)),
    ],
)
def test_a_part_that_does_not_fit_is_refused(part: str, name: str, value: Any) -> None:  # noqa: ANN401 - an array
    """By its type, its shape or its values."""
    given: dict[str, Any] = estimates_fields(Estimates.fresh(()))
    values = {slot: getattr(given[part], slot) for slot in type(given[part]).__slots__}
    broken = unpack(pack("s", {**given, part: {**values, name: value}}), "s")
    with pytest.raises(WireError, match=f"estimates.{part}"):
        read_estimates(broken)
