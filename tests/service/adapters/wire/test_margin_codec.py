"""The learned margin of clear rows in a snapshot: whole, absent, or damaged."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import bit_exact, make_plan
from tightrope.monitors.clear_rows.clear_margin import LearnedMargin
from tightrope.monitors.plan import initial_state
from tightrope.service.adapters.wire.envelope import WireError, pack, unpack
from tightrope.service.adapters.wire.record_codec import STATE_SCHEMA, decode_state, encode_state

STATE = initial_state(make_plan("disagreement", scopes=()))


@pytest.mark.parametrize(
    "margin", [LearnedMargin(), LearnedMargin(margins=np.array([0.25, 1.0])), LearnedMargin(0.178)]
)
def test_margin_comes_back(margin: LearnedMargin) -> None:
    """Before it is known and after."""
    assert bit_exact(decode_state(encode_state(replace(STATE, margin=margin))).margin) == bit_exact(margin)


def test_a_snapshot_of_an_earlier_version_has_no_margin() -> None:
    """It is read; the margin is learned from the next rows."""
    body = dict(unpack(encode_state(STATE), STATE_SCHEMA))  # type: ignore[call-overload]
    del body["margin"]
    assert bit_exact(decode_state(pack(STATE_SCHEMA, body)).margin) == bit_exact(LearnedMargin())


@pytest.mark.parametrize(
    "margin",
    [
        LearnedMargin(margin=1.5),
        LearnedMargin(margin=float("nan")),
        LearnedMargin(margins=np.array([np.nan])),
        LearnedMargin(margins=np.array([-0.1])),
        LearnedMargin(margins=np.zeros((2, 2))),
        LearnedMargin(margins=np.zeros(2, np.float32)),
    ],
)
def test_a_damaged_margin_is_refused(margin: LearnedMargin) -> None:
    """A number outside [0, 1], or an array of another kind."""
    with pytest.raises(WireError, match="margin"):
        decode_state(encode_state(replace(STATE, margin=margin)))
