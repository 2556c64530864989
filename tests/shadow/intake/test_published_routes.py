"""Modes that another process published are passed, unless their epoch is not plausible."""

from dataclasses import replace

import pytest

from tests.support.judgement.judge_harness import lenient
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Routes
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.intake.published_routes import FOREIGN_MODES, pass_epoch

STATE = replace(initial_state(lenient()), epoch=7)


@pytest.mark.parametrize("epoch", [-1, 6, 7])
def test_own_modes_change_nothing(epoch: int) -> None:
    """A judge reads what it published."""
    assert pass_epoch(STATE, Routes("m", epoch, (), {}), 12.0) == (STATE, None)


def test_foreign_modes_are_passed_and_told() -> None:
    """Gateways took them; they take this judge's own as newer."""
    state, event = pass_epoch(STATE, Routes("m", 50, ("model",), {}), 12.0)
    assert state.epoch == 51
    assert event is not None
    assert (event.kind, event.model, event.detail) == (FOREIGN_MODES, "m", {"epoch": 50, "safe": ["model"]})


def test_epoch_that_is_not_plausible_is_refused() -> None:
    """Gateways refuse it, too: passing it would end all epochs."""
    with pytest.raises(WireError, match=r"routes\.epoch: is 4611686018427387904, where 7 was the last one"):
        pass_epoch(STATE, Routes("m", 2**62, (), {}), 12.0)
