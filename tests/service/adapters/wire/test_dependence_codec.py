"""The dependence of rows comes back from a snapshot; one that does not fit is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.judgement.comparisons import bit_exact, judge_rows, make_comparisons, make_plan
from tightrope.monitors.dependence.allan import AllanSums
from tightrope.monitors.dependence.likeness import EARLY_ROWS, Likeness
from tightrope.monitors.dependence.senders import SENDER_ROWS, Senders
from tightrope.monitors.dependence.units import EvidenceUnit
from tightrope.monitors.dependence.warning import Dependence
from tightrope.monitors.plan import State
from tightrope.monitors.records import Stream
from tightrope.service.adapters.wire.envelope import WireError, pack, unpack
from tightrope.service.adapters.wire.record_codec import STATE_SCHEMA, decode_state, encode_state


def judged_state() -> State:
    """Judge rows of a few callers."""
    plan = replace(make_plan("disagreement", tick_rows=16), unit=EvidenceUnit(has_callers=True))
    return judge_rows(plan, make_comparisons(1_100, disagree=np.arange(1_100) % 50 == 0, caller=np.arange(1_100) % 3))[
        0
    ]


def test_dependence_comes_back() -> None:
    """Sums, rows before the next look, callers and the open windows."""
    state = judged_state()
    dependence = replace(state.dependence, warned=True, quiet=3, effect=2.5, window_rows={Stream.LABELS: 7})
    read = decode_state(encode_state(replace(state, dependence=dependence))).dependence
    assert bit_exact(read) == bit_exact(dependence)
    assert len(read.senders.callers) == 1_088


def test_snapshot_of_an_earlier_version_has_none() -> None:
    """No window is open, and nothing is known."""
    body: Any = unpack(encode_state(judged_state()), STATE_SCHEMA)
    del body["dependence"]
    for cells in body["cells"]:
        del cells["window"]
    state = decode_state(pack(STATE_SCHEMA, body))
    assert bit_exact(state.dependence) == bit_exact(Dependence())
    assert state.cells[0].window.shape == (*state.cells[0].count.shape, 0, 2)


def test_first_rows_come_back() -> None:
    """A judge that starts again goes on with them; a state of a version without them is past them."""
    state = judged_state()
    dependence = replace(state.dependence, warned=True, alike=20, likeness=Likeness(np.array([0.5, 0.75])))
    saved = encode_state(replace(state, dependence=dependence))
    assert bit_exact(decode_state(saved).dependence) == bit_exact(dependence)
    body: Any = unpack(saved, STATE_SCHEMA)
    del body["dependence"]["likeness"], body["dependence"]["alike"]
    read = decode_state(pack(STATE_SCHEMA, body)).dependence
    assert (read.likeness.known, read.alike) == (True, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"quiet": -1},
        {"warned": 1},
        {"window_rows": {"comparisons": -1}},
        {"window_rows": {"pictures": 1}},
        {"sums": AllanSums(tail=np.zeros(1024))},
        {"sums": AllanSums(tail=np.array([1.5]))},
        {"sums": AllanSums(last=np.zeros(3))},
        {"sums": AllanSums(distance=np.full(5, np.nan))},
        {"senders": Senders(callers=np.zeros(3, np.uint64))},
        {"likeness": Likeness(np.zeros(EARLY_ROWS))},
        {"likeness": Likeness(np.zeros((2, 2)))},
        {"likeness": Likeness(np.array([np.nan]))},
        {"likeness": Likeness(known=1)},
        {"alike": -1},
        {"senders": Senders(*(np.zeros(SENDER_ROWS + 1, kind) for kind in (np.uint64, bool, bool)))},
    ],
    ids=str,
)
def test_dependence_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    """A judge would go on from it."""
    state = judged_state()
    with pytest.raises(WireError):
        decode_state(encode_state(replace(state, dependence=replace(state.dependence, **changes))))
