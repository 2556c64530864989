"""Snapshots of states are encoded when they are read, and not before."""

import pytest

from tests.support.judgement.judge_harness import lenient
from tightrope.monitors.plan import initial_state
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.output.encoded_states import EncodedStates


def test_state_is_encoded_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """To ask for the models, or whether there is one, encodes nothing."""
    state = initial_state(lenient())
    expected = record_codec.encode_state(state)
    states = EncodedStates({"m": state})
    with monkeypatch.context() as patched:
        patched.delattr(record_codec, "encode_state")
        assert (list(states), len(states), "m" in states, "n" in states) == (["m"], 1, True, False)
    assert dict(states) == {"m": expected}
