"""Comparisons that are delivered again, even in the same round, count once."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.shadow.test_judge_round import RoundRunner
from tests.support.judgement.comparisons import bit_exact, make_comparisons, make_plan
from tightrope.monitors.records import Comparisons, Stream

PLAN = make_plan(tick_rows=1000)


def batch(*offsets: int) -> Comparisons:
    """Two rows of each record; odd offsets are in another partition than even ones."""
    rows = np.repeat(offsets, 2)
    return make_comparisons(len(rows), offset=rows, partition=rows % 2)


BATCHES = [batch(0), batch(1, 2), batch(3), batch(4, 5), batch(6, 8), batch(7)]


@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, len(BATCHES)), max_size=4), at_once=st.booleans())
@example(cuts=[1], at_once=True)
@example(cuts=[6], at_once=True)
def test_redelivered_rows_count_once(cuts: list[int], at_once: bool) -> None:  # noqa: FBT001 - hypothesis'
    """A worker that dies before its commit publishes its rows again, in the same round or the next one."""
    sent = [one for cut in cuts for one in BATCHES[:cut]] + BATCHES
    with TemporaryDirectory() as folder:
        runner = RoundRunner(Path(folder), PLAN)
        rounds = [runner.round(*sent)] if at_once else [runner.round(one) for one in sent]
    taken = runner.state.pending[Stream.COMPARISONS]
    assert sorted(taken.request_id) == sorted(name for one in BATCHES for name in one.request_id)
    assert sum(judged.repeated["m"] for judged in rounds) == sum(map(len, sent)) - len(taken)


def test_joined_batches_give_the_result_of_single_ones() -> None:
    """The states are equal bit by bit."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        whole, parts = RoundRunner(Path(one), PLAN), RoundRunner(Path(other), PLAN)
        whole.round(*BATCHES)
        for each in BATCHES:
            parts.round(each)
    assert bit_exact(whole.state) == bit_exact(parts.state)
