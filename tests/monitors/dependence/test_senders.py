"""The callers that send most of the rows that differ, or repeat, are named; many callers are not."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import bit_exact, make_comparisons
from tightrope.monitors.dependence.senders import MIN_SENT_ROWS, SENDER_ROWS, Senders


def sent(callers: list[int]) -> Senders:
    """Rows of these callers, which all differ; none repeats."""
    n = len(callers)
    return Senders().add(make_comparisons(n, caller=callers), np.ones(n, dtype=bool), np.zeros(n, dtype=bool))


@pytest.mark.parametrize(
    ("callers", "words"),
    [
        ([255] * 30, "one caller sends 100% of the rows on which the models differ (00000000000000ff): name callers"),
        ([1, 2] * 20, "two callers send 100% of"),
        ([1, 1, 2, 2, 3, 3, 4, 5, 6] * 5, "three callers send 67% of"),
        ([*range(1, 41)], ""),
        ([1] * (MIN_SENT_ROWS - 1), ""),
        ([0] * 100, ""),
        ([0] * 60 + [1] * 40, ""),
    ],
)
def test_callers_that_send_most_are_named(callers: list[int], words: str) -> None:
    """As few as are enough, at most three; unknown callers are not named, and count."""
    found = sent(callers).differing
    assert found.startswith(words) if words else not found
    assert sent(callers).repeating == ""


def test_repeats_are_told_apart_from_differences() -> None:
    """One caller repeats, others differ."""
    n = 60
    repeats = np.arange(n) < 30
    senders = Senders().add(make_comparisons(n, caller=[7] * 30 + list(range(100, 130))), ~repeats, repeats)
    assert senders.differing == ""
    assert senders.repeating.startswith("one caller sends 100% of the repeated rows (0000000000000007)")


def test_old_rows_are_forgotten_in_any_batches() -> None:
    """The latest 4,096 rows count."""
    callers = [3] * 50 + [0] * SENDER_ROWS
    whole = sent(callers)
    assert whole.differing == ""
    halves = sent(callers[:70]).add(
        make_comparisons(len(callers) - 70, caller=callers[70:]),
        np.ones(len(callers) - 70, dtype=bool),
        np.zeros(len(callers) - 70, dtype=bool),
    )
    assert bit_exact(halves) == bit_exact(whole)
