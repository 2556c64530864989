"""Compared rows that either model refuses are counted for each scope."""

import numpy as np

from tests.support.judgement.comparisons import make_comparisons
from tightrope.monitors.intake.refusals import count_refusals, refusal_rate
from tightrope.monitors.records import Fault, Role


def test_refused_rows_are_counted_by_scope_and_role() -> None:
    """Over any batches; a row with a fault has no refusal, and counts for no rate."""
    member = np.array([[1, 0], [1, 1], [1, 1]], dtype=bool)
    rows = make_comparisons(
        3,
        refused_baseline=[True, False, True],
        refused_compressed=[True, True, False],
        fault=[Fault.NONE, Fault.NONE, Fault.RUN_FAILED],
    )
    counts = count_refusals(count_refusals({}, rows, member), rows, member)
    assert counts[Role.BASELINE].tolist() == [[4, 2], [2, 0]]
    assert counts[Role.COMPRESSED].tolist() == [[4, 4], [2, 2]]
    assert [refusal_rate(counts, Role.BASELINE, scope) for scope in (0, 1)] == [0.5, 0.0]


def test_scope_without_rows_has_no_rate() -> None:
    """No share of no rows is given, nor of a state that has never counted."""
    none = {Role.BASELINE: np.zeros((2, 2), np.int64)}
    assert refusal_rate(none, Role.BASELINE, 1) is None
    assert refusal_rate({}, Role.COMPRESSED, 0) is None
