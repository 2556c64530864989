"""Comparisons that are delivered again, in the same round as the first time, count once."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.shadow.test_judge_round import Office
from tests.support.judgement.comparisons import bits, comparisons, plan
from tightrope.monitors.records import Comparisons, Stream

PLAN = plan(tick_rows=1000)


def batch(*offsets: int) -> Comparisons:
    """Two rows of each record; odd ones lie in another partition than even ones."""
    rows = np.repeat(offsets, 2)
    return comparisons(len(rows), offset=rows, partition=rows % 2)


BATCHES = [batch(0), batch(1, 2), batch(3), batch(4, 5), batch(6, 8), batch(7)]


@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, len(BATCHES)), max_size=4), at_once=st.booleans())
@example(cuts=[1], at_once=True)
@example(cuts=[6], at_once=True)
def test_worker_that_goes_back_doubles_nothing(cuts: list[int], at_once: bool) -> None:  # noqa: FBT001 - hypothesis'
    """Workers that die before they commit publish again what they had published: judged in one round with the first
    time, or in the next, each row is taken once.
    """
    sent = [one for cut in cuts for one in BATCHES[:cut]] + BATCHES
    with TemporaryDirectory() as folder:
        office = Office(Path(folder), PLAN)
        dockets = [office.round(*sent)] if at_once else [office.round(one) for one in sent]
    taken = office.state.pending[Stream.COMPARISONS]
    assert sorted(taken.request_id) == sorted(name for one in BATCHES for name in one.request_id)
    assert sum(docket.repeated["m"] for docket in dockets) == sum(map(len, sent)) - len(taken)


def test_what_was_not_delivered_twice_is_judged_as_one() -> None:
    """It comes to the same as batch by batch, to the bit."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        whole, parts = Office(Path(one), PLAN), Office(Path(other), PLAN)
        whole.round(*BATCHES)
        for each in BATCHES:
            parts.round(each)
    assert bits(whole.state) == bits(parts.state)
