import numpy as np
import pytest

from tightrope.offline.qualification.stress.columns import NotApplicableError
from tightrope.offline.qualification.stress.images import blur, contrast

DOT = np.zeros((1, 1, 5, 5), np.float32)
DOT[0, 0, 2, 2] = 9.0


@pytest.mark.parametrize(("layout", "images"), [("NCHW", DOT), ("NHWC", DOT.transpose(0, 2, 3, 1))])
def test_blur_spreads_a_dot_over_nine(layout: str, images: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    """Channels stay apart, and an even image stays as it is."""
    (part,) = blur([{"x": images}], layout)
    assert part["x"].reshape(5, 5)[1:4, 1:4] == pytest.approx(np.ones((3, 3)))
    assert part["x"].sum() == pytest.approx(9.0)
    (even,) = blur([{"x": np.full((2, 3, 4, 4), 7, np.uint8)}], layout)
    assert (even["x"] == 7).all()
    assert even["x"].dtype == np.uint8


def test_contrast_goes_up_or_down_about_the_mean() -> None:
    """Within the range of the file; the row and the seed alone say which."""
    images = np.random.default_rng(1).uniform(0, 255, (40, 3, 4, 4)).astype(np.float32)
    (part,) = contrast([{"x": images}], seed=1)
    ratio = part["x"].std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    assert {round(float(each), 1) for each in ratio} <= {0.8, 1.1, 1.2}
    assert 5 < (ratio < 1).sum() < 35
    assert part["x"].min() >= images.min()
    (turned,) = contrast([{"x": images[::-1].copy()}], seed=1)
    assert np.array_equal(turned["x"][::-1], part["x"])


def test_rows_without_four_axes_are_no_images() -> None:
    """It is said, not skipped."""
    for change in (lambda parts: blur(parts, "NCHW"), lambda parts: contrast(parts, 1)):
        with pytest.raises(NotApplicableError, match="no input has four axes"):
            change([{"x": np.zeros((2, 2))}])
