"""The bins of confidence: fixed by the golden rows, so that each has rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.observations import TENTHS, bin_of
from tightrope.monitors.reliability.curve_bins import FEWEST_GOLDEN_ROWS, LEAST_BIN_SHARE, CurveBins, golden_edges


def test_bins_of_two_classes_all_have_rows() -> None:
    """Confidence between a half and one: tenths would leave five bins empty for ever, quintiles leave none."""
    confidence = np.linspace(0.5, 1.0, 1000)
    bins = CurveBins.from_golden(confidence)
    assert bins.model == (0.6, 0.7, 0.8, 0.9)
    assert bins.subgroups == (0.75,)
    assert np.bincount(bin_of(confidence, bins.model)).min() >= 199
    assert (np.bincount(bin_of(confidence, TENTHS), minlength=10) == 0).sum() == 5


def test_equal_edges_are_merged_and_small_bins_join_a_neighbour() -> None:
    """A model that says 1 in most rows has few bins; a fiftieth of the rows is no bin."""
    assert golden_edges(np.repeat([0.6, 1.0], [300, 700])) == (1.0,)
    assert golden_edges(np.repeat([0.6, 1.0], [20, 980])) == ()
    assert golden_edges(np.full(500, 0.9)) == ()


@given(st.lists(st.floats(0, 1), min_size=FEWEST_GOLDEN_ROWS, max_size=300))
def test_every_bin_has_its_share_of_the_golden_rows(values: list[float]) -> None:
    """For any confidences: at most five bins in order, each with a twentieth of the rows."""
    confidence = np.array(values)
    edges = golden_edges(confidence)
    assert len(edges) <= 4
    assert list(edges) == sorted(set(edges))
    counts = np.bincount(bin_of(confidence, edges), minlength=len(edges) + 1)
    assert counts.min() >= LEAST_BIN_SHARE * len(confidence)


def test_last_digits_of_a_processor_do_not_move_an_edge() -> None:
    """Judges on several hosts need the same edges: these are rounded."""
    confidence = np.linspace(0.5, 1.0, 997)
    noise = np.random.default_rng(1).normal(0, 1e-7, 997)
    assert CurveBins.from_golden(np.clip(confidence + noise, 0, 1)) == CurveBins.from_golden(confidence)


def test_few_golden_rows_choose_nothing() -> None:
    """Nor do rows without a confidence: the bins are tenths."""
    few = np.full(1000, np.nan)
    few[: FEWEST_GOLDEN_ROWS - 1] = 0.7
    assert CurveBins.from_golden(few) == CurveBins()
    assert not CurveBins().golden


def test_cells_of_scopes_follow_each_other() -> None:
    """The difference of both models, the baseline's bins, then those of the compressed model; none is used twice."""
    bins = CurveBins((0.6, 0.8), (0.7,))
    cells = bins.cells_of(np.array([0.6, 0.1]), np.array([0.9, 0.75]), 3)
    assert cells.tolist() == [[[0, 2, 6], [7, 8, 11], [12, 13, 16]], [[0, 1, 5], [7, 8, 11], [12, 13, 16]]]
    assert bins.cells(3) == 17
    assert bins.names(0) == ("0 to 0.6", "0.6 to 0.8", "0.8 to 1")
