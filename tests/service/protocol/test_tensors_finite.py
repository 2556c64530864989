"""Values that are not finite are found, and the error names where they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tightrope.service.errors import CallerError
from tightrope.service.protocol.tensors import Tensor, is_finite, require_finite

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)


@given(st.sampled_from([np.float16, np.float32, np.float64]).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)))
def test_every_value_that_is_not_finite_is_found(tensor: Tensor) -> None:
    """Without false alarms: the sum of squares may overflow."""
    assert is_finite(tensor) is bool(np.isfinite(tensor).all())


@pytest.mark.parametrize("size", [8, 5000])
def test_error_names_input_row_and_place(size: int) -> None:
    """The first such value is named, in small and in large inputs."""
    values = np.zeros((size, 2, 2), np.float32)
    values[5:, 1, 0] = np.nan
    with pytest.raises(CallerError, match=r"^input 'x', row 5: has nan at \[1, 0\], must be finite"):
        require_finite({"whole": np.ones((size, 1), np.int64), "x": values})
    require_finite({"x": values[:5], "text": np.array(["nan"], object)})
