"""A found group is one event with its figures, and so is its end."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.monitors.test_group_search import ROWS, plan_of, rows_of
from tightrope.monitors.added_scopes.host_scopes import host_scope
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Comparisons, Event
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge_round import JudgeRound
from tightrope.shadow.output.group_events import (
    GROUP_FOUND,
    GROUP_OVER,
    HOST_WATCHED,
    group_events,
    host_events,
    in_order,
)


def judged(folder: Path, plan: Plan, *batches: Comparisons) -> tuple[State, list[Event]]:
    """The state and the events of the judge's rounds."""
    store, state, events = SqliteStore(folder / "tightrope.db"), initial_state(plan), []
    for number, rows in enumerate(batches):
        judging = JudgeRound({"m": plan}, {"m": state}, store, "host")
        assert list(judging.process([Record("topic", 0, number, None, record_codec.encode_comparisons(rows))])) == []
        state = judging.states["m"]
        events += judging.events
    return state, events


def test_judge_tells_of_a_found_group_and_of_its_end(tmp_path: Path) -> None:
    """Once each; the reason is a sentence, and the detail is JSON."""
    batches = [rows_of(0)]
    for number in range(1, 5):
        position = {"offset": number * ROWS + np.arange(ROWS), "time": number * ROWS + np.arange(ROWS)}
        batches.append(rows_of(number, harm=0.01, **position))
    state, events = judged(tmp_path, plan_of(), *batches)
    told = [event for event in events if event.kind in {GROUP_FOUND, GROUP_OVER}]
    assert [(event.kind, event.scope) for event in told] == [(GROUP_FOUND, "model"), (GROUP_OVER, "model")]
    assert told[0].reason.startswith("column 0 = 3: ")
    assert "no traffic moves; `tightrope watch-group` watches it" in told[0].reason
    detail = json.loads(json.dumps(told[0].detail, allow_nan=False))
    assert detail["now"]["lower"] > 0.1
    assert "value_3: [3]" in detail["declaration"]
    assert told[1].reason == "column 0 = 3: fewer answers than the limit allows differ now"
    assert state.search.findings == ()


def test_search_that_starts_anew_tells_nothing(tmp_path: Path) -> None:
    """A group of before is not over, it is no longer searched."""
    plan = plan_of()
    state, _ = judged(tmp_path, plan, rows_of(0))
    fresh = initial_state(plan)
    assert state.search.findings
    assert list(group_events(plan, state, fresh)) == []
    assert list(group_events(replace(plan, search=None), fresh, state)) == []


def test_class_of_hosts_is_told_as_of_its_tick_and_in_the_order_of_time() -> None:
    """Rows that are judged together or apart give the same events."""
    plan = plan_of()
    before = initial_state(plan)
    added = (host_scope("avx2", 7.0), host_scope("vnni", 7.0))
    watched = list(host_events(plan, before, replace(before, added=added)))
    assert [(each.kind, each.scope, each.time) for each in watched] == [
        (HOST_WATCHED, "host=avx2", 7.0),
        (HOST_WATCHED, "host=vnni", 7.0),
    ]
    moves = [Event(f"{time}", time, "m", "breach", "model", "judge", "") for time in (3.0, 7.0, 9.0)]
    assert [each.scope for each in in_order(moves, watched)] == ["model", "host=avx2", "host=vnni", "model", "model"]
    assert in_order([], watched) == watched
    assert list(host_events(plan, before, before)) == []
