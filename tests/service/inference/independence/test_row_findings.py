"""The finding for one output, from answers alone and together; test_row_probe.py has runs of models."""

import numpy as np

from tightrope.service.inference.batchability import Proof
from tightrope.service.inference.independence.row_findings import (
    WRONG_ORDER,
    RowFinding,
    distance_of,
    finding_of,
    holds_numbers,
)

A, B, C = (np.array([[value, -value]]) for value in (1.0, 2.0, 9.0))


def found(order: int = 1) -> RowFinding:
    """The finding for answers of rows, in their order or the other one."""
    pairs = [np.concatenate(rows[::order]) for rows in ((A, A), (B, B), (A, B), (B, A), (A, C), (C, A), (A, A, B))]
    return finding_of(A, B, *pairs)


def test_answers_in_the_order_of_their_rows_prove_the_axis() -> None:
    """In another order a caller would get the rows of another one."""
    assert (found().proof, found().axis) == (Proof.PROVEN, 0)
    assert found(-1).proof is Proof.DISPROVED
    assert WRONG_ORDER


def test_distance_counts_what_differs() -> None:
    """The largest difference of numbers, the share of other values, infinity for NaN."""
    assert distance_of(A, B) == 1.0
    assert distance_of(np.array(["a", "b"]), np.array(["a", "c"])) == 0.5
    assert distance_of(A, A * np.nan) == np.inf
    assert not holds_numbers(A * np.nan)
