"""The scopes of found groups come back from modes and snapshots; what does not fit is refused."""

from dataclasses import asdict
from typing import Any

import pytest

from tests.support.judgement.comparisons import judge_rows
from tests.support.judgement.found_groups import HALF, THREES, searched_plan, searched_rows
from tightrope.monitors.added_scopes.added_scope import AddedScope, ColumnRange
from tightrope.monitors.added_scopes.host_scopes import MAX_HOST_SCOPES
from tightrope.monitors.catalogue import MAX_ADDED
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Routes
from tightrope.monitors.watched_groups.plans import with_added
from tightrope.monitors.watched_groups.states import moved_state
from tightrope.service.adapters.wire.envelope import WireError, pack, unpack
from tightrope.service.adapters.wire.record_codec import (
    STATE_SCHEMA,
    decode_routes,
    decode_state,
    encode_routes,
    encode_state,
)
from tightrope.service.adapters.wire.search_codec import read_added

OPEN = AddedScope("age=low", "age at most 24", (ColumnRange("x", 0, float("-inf"), 24.0),))


PLAIN: dict[str, Any] = {**asdict(OPEN), "ranges": [asdict(each) for each in OPEN.ranges], "within": []}


def test_modes_carry_the_definitions() -> None:
    """Ends that are open, too; modes without any are those of an earlier release."""
    routes = Routes("m", 3, ("age=low",), {"model": "normal", "age=low": "safe"}, added=(OPEN, HALF))
    assert decode_routes(encode_routes(routes)) == routes
    assert decode_routes(encode_routes(Routes("m", 3, (), {}))).added == ()


def test_snapshot_has_them_as_its_last_scopes() -> None:
    """Another name there is refused, and so is one without the scopes."""
    plan = searched_plan()
    state = moved_state(plan, with_added(plan, [THREES, HALF]), initial_state(plan))
    state, _ = judge_rows(plan, searched_rows(0, rows=200), state=state)
    assert decode_state(encode_state(state)).added == (THREES, HALF)
    body: Any = unpack(encode_state(state), STATE_SCHEMA)
    body["added"] = [asdict(HALF), asdict(THREES)]
    with pytest.raises(WireError, match=r"state\.added: must be the last of the scopes"):
        decode_state(pack(STATE_SCHEMA, body))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "must be a list of at most 14"),
        ([PLAIN] * (MAX_ADDED + MAX_HOST_SCOPES + 2), "must be a list of at most 14"),
        ([{**PLAIN, "ranges": 3}], "ranges: must be a list"),
        ([{**PLAIN, "ranges": [{"input": "x", "index": 0, "low": float("nan"), "high": 1.0}]}], "low: must be"),
        ([{**PLAIN, "ranges": [{"input": "x", "index": 0.5, "low": 0.0, "high": 1.0}]}], "index: must be"),
        ([{**PLAIN, "within": "sex=f"}], "within: must be a list"),
        ([{**PLAIN, "scope": 3}], "scope: must be text"),
    ],
)
def test_damaged_definition_is_refused(body: object, told: str) -> None:
    """With the place."""
    with pytest.raises(WireError, match=told):
        read_added(body, "added")
