"""Configured states must name an output and an input of one type."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import row_models
from tests.support.serving.service_harness import pair_of, settings_of
from tightrope.service.config.loader import ConfigError


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ({"stateM": "state"}, "stateM: there is no such output; there are probabilities, stateN"),
        ({"stateN": "stat"}, "stateN: is 'stat'; it must be one of the inputs input, state, sr"),
        ({"stateN": "sr"}, "stateN: is 'sr', which is INT64, but the output is FP32; a state has one type of numbers"),
        ({"probabilities": "state", "stateN": "state"}, "probabilities: is 'state', which several outputs are"),
    ],
)
def test_states_must_fit_the_tensors(tmp_path: Path, written: dict[str, str], fault: str) -> None:
    """Each mistake with its key."""
    path = str(row_models.listening(tmp_path / "m.onnx"))
    pair: dict[str, Any] = {"baseline": path, "compressed": path, "decision": {"output": "probabilities"}}
    with pytest.raises(ConfigError) as caught:
        pair_of(tmp_path, **pair, state_tensors=written)
    assert caught.value.problems[0] == f"models.m.state_tensors.{fault}"


def test_payload_events_have_no_states(tmp_path: Path) -> None:
    """They do not tell which role wrote one."""
    path = str(row_models.listening(tmp_path / "m.onnx"))
    pair = {"baseline": path, "compressed": path, "payloads": {}, "state_tensors": {"stateN": "state"}}
    with pytest.raises(ConfigError, match="state_tensors and payloads exclude each other"):
        settings_of(tmp_path, {"m": pair})
