"""Heartbeats keep their content over the wire and are known by their key."""

import pytest

from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.wire.envelope import WireError, pack
from tightrope.service.adapters.wire.heartbeat import (
    HEARTBEAT_KEY,
    HEARTBEAT_SCHEMA,
    Heartbeat,
    decode_heartbeat,
    encode_heartbeat,
    is_heartbeat,
)


def test_heartbeat_keeps_its_content() -> None:
    """Every field comes back."""
    heartbeat = Heartbeat("m", "1f", clock=12.5, judged=640, scopes={"group=a": 40}, plan="5e")
    assert decode_heartbeat(encode_heartbeat(heartbeat)) == heartbeat


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": "m", "judge": "a", "clock": 1.0},
        {"model": "m", "judge": "a", "clock": 1.0, "judged": "x"},
        {"model": "m", "judge": "a", "clock": 1.0, "judged": 1, "scopes": {"group=a": "x"}},
        {"model": "m", "judge": "a", "clock": 1.0, "judged": 1, "scopes": [1]},
        {"model": "m", "judge": "a", "clock": 1.0, "judged": 1, "plan": 5},
    ],
)
def test_incomplete_heartbeat_is_refused(body: dict[str, object]) -> None:
    """A wrong count must not pass for a judgement."""
    with pytest.raises(WireError, match="heartbeat"):
        decode_heartbeat(pack(HEARTBEAT_SCHEMA, body))


def test_key_tells_heartbeats_from_routes_and_orders() -> None:
    """Their own key keeps compaction from deleting a model's routes."""
    keys = {"m" + HEARTBEAT_KEY: True, "m": False, "m/model": False, "m/group=a": False, None: False}
    assert {key: is_heartbeat(Record("t", 0, 0, key, b"")) for key in keys} == keys
