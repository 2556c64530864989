"""The sums behind reliability curves in a snapshot: whole, absent, or damaged."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import bit_exact, make_plan
from tightrope.monitors.plan import State, initial_state
from tightrope.monitors.reliability.curve_bins import CurveBins
from tightrope.service.adapters.wire.envelope import WireError, pack, unpack
from tightrope.service.adapters.wire.record_codec import STATE_SCHEMA, decode_state, encode_state

PLAN = make_plan("accuracy", label_horizon=60.0, curves=CurveBins())


def state() -> State:
    """A state with labels in its curves."""
    fresh = initial_state(PLAN)
    rows = np.arange(fresh.curves.cells.rows.size, dtype=np.float64).reshape(fresh.curves.cells.rows.shape)
    return replace(fresh, curves=replace(fresh.curves, cells=replace(fresh.curves.cells, rows=rows), labels=9))


def test_curves_come_back() -> None:
    """With all their parts."""
    assert bit_exact(decode_state(encode_state(state())).curves) == bit_exact(state().curves)


def test_a_snapshot_of_an_earlier_version_has_no_curves() -> None:
    """It is read; the curves begin with the next label."""
    body = dict(unpack(encode_state(state()), STATE_SCHEMA))  # type: ignore[call-overload]
    del body["curves"]
    assert decode_state(pack(STATE_SCHEMA, body)).curves.cells.rows.shape == (2, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": np.zeros((2, 3))},
        {"steps": np.zeros(4)},
        {"total": np.full((2, 36), np.nan)},
        {"spread": np.full((2, 36), -2.0)},
        {"confidence": np.full((2, 36), np.inf)},
        {"squares": np.zeros((2, 36), dtype=np.int64)},
    ],
)
def test_damaged_sums_are_refused(changes: dict[str, object]) -> None:
    """Another shape or type, a NaN, or a number below 0."""
    damaged = replace(state().curves, cells=replace(state().curves.cells, **changes))  # type: ignore[arg-type]
    assert state().curves.cells.rows.shape == (2, 36)
    with pytest.raises(WireError, match="curves"):
        decode_state(encode_state(replace(state(), curves=damaged)))


def test_flags_of_another_number_of_cohorts_are_refused() -> None:
    """There are two."""
    damaged = replace(state().curves, dependent=np.zeros(3, dtype=bool))
    with pytest.raises(WireError, match="curves"):
        decode_state(encode_state(replace(state(), curves=damaged)))
