"""The veto of labels in a snapshot: whole, absent, or damaged."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_plan
from tightrope.monitors.plan import State, initial_state
from tightrope.monitors.veto.wealth import Veto
from tightrope.service.adapters.wire.envelope import WireError, pack, unpack
from tightrope.service.adapters.wire.record_codec import STATE_SCHEMA, decode_state, encode_state

PLAN = make_plan("disagreement", "accuracy", label_horizon=60.0)


def state() -> State:
    """A state with a veto for the model."""
    veto = Veto.fresh(len(PLAN.scopes))
    held = np.arange(len(PLAN.scopes)) == 0
    newest, wealth = np.where(held, 5.0, -np.inf), np.where(held[:, None], 9.0, 0.0) + np.zeros((1, 7))
    return replace(initial_state(PLAN), veto=replace(veto, active=held, newest=newest, log_wealth=wealth, cause="x"))


def test_veto_comes_back() -> None:
    """With all its parts."""
    read = decode_state(encode_state(state())).veto
    assert (read.active == state().veto.active).all()
    assert (read.log_wealth == state().veto.log_wealth).all()
    assert (read.newest[0], read.cause) == (5.0, "x")


def test_a_snapshot_of_an_earlier_version_has_no_veto() -> None:
    """It is read; labels have shown nothing."""
    body = dict(unpack(encode_state(state()), STATE_SCHEMA))  # type: ignore[call-overload]
    del body["veto"]
    assert not decode_state(pack(STATE_SCHEMA, body)).veto.active.any()


@pytest.mark.parametrize(
    "changes",
    [
        {"active": np.zeros(1, dtype=bool)},
        {"log_wealth": np.full((4, 7), np.nan)},
        {"closed": np.full(4, 1e12)},
        {"newest": np.full(4, np.nan)},
        {"labels": np.full(4, -1)},
        {"agreed": np.zeros(4)},
        {"waiting": np.full(4, -1)},
    ],
)
def test_a_damaged_veto_is_refused(changes: dict[str, object]) -> None:
    """Another shape or type, a NaN, or a count below 0."""
    with pytest.raises(WireError, match="veto"):
        decode_state(encode_state(replace(state(), veto=replace(state().veto, **changes))))
