"""A declared subgroup that the traffic does not reach is told by an event, and so is its return."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.support.judgement.comparisons import make_comparisons, make_plan
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge_round import JudgeRound
from tightrope.shadow.sight_events import (
    DIFFERS_NOT_WORSE,
    SUBGROUP_SEEN,
    SUBGROUP_UNSEEN,
    VETO_ENDED,
    sight_events,
    veto_events,
)

PLAN = make_plan("disagreement", scopes=("home=gq", "home=house", "home=other"))
EMPTY = initial_state(PLAN)


def house_rows(begin: int, count: int, member: list[bool]) -> Comparisons:
    """Rows of these subgroups, from an offset on."""
    offsets = begin + np.arange(count)
    return make_comparisons(count, scopes=PLAN.scopes[1:], member=member, offset=offsets, time=1000.0 + offsets)


def test_judge_tells_when_a_subgroup_is_unseen_and_seen_again(tmp_path: Path) -> None:
    """Once each, with the subgroup and the rows that passed without it; the time is that of the rows."""
    store, state, events = SqliteStore(tmp_path / "tightrope.db"), EMPTY, []
    parts = [house_rows(0, 6_400, [False, True, False]), house_rows(6_400, 6_400, [False, True, False])]
    parts += [house_rows(12_800, 64, [True, True, False])]
    for number, rows in enumerate(parts):
        judged = JudgeRound({"m": PLAN}, {"m": state}, store, "host")
        record = Record("topic", 0, number, None, record_codec.encode_comparisons(rows))
        assert list(judged.process([record])) == []
        state = judged.states["m"]
        events += judged.events
    assert [(event.kind, event.scope, event.time) for event in events] == [
        (SUBGROUP_UNSEEN, "home=gq", 1000.0 + 12_799),
        (SUBGROUP_SEEN, "home=gq", 1000.0 + 12_863),
    ]
    assert events[0].reason == "none of the last 12800 compared rows is of it"
    assert events[0].detail == {"rows": 0, "model_rows": 12_800}


def test_evidence_that_starts_anew_is_no_return() -> None:
    """Under another configuration the rows of before do not count: neither event is true."""
    unseen = replace(EMPTY, compared=np.array([10_000, 0, 10_000, 0]), sighted=np.array([10_000, 0, 10_000, 0]))
    assert [event.kind for event in sight_events("m", EMPTY, unseen)] == [SUBGROUP_UNSEEN]
    assert list(sight_events("m", unseen, replace(EMPTY, digest="another"))) == []
    assert list(sight_events("m", unseen, unseen)) == []


def test_judge_tells_when_a_veto_of_labels_begins_and_falls() -> None:
    """Once each, with its scope; the fall says why, and so does one by another artefact."""
    plan = make_plan("disagreement", "accuracy", label_horizon=60.0)
    before = initial_state(plan)
    held = replace(before.veto, active=np.arange(4) == 2, newest=np.full(4, 7.0), labels=np.arange(4) * 8)
    after = replace(before, veto=held)
    (begun,) = veto_events(plan, before, after)
    assert (begun.kind, begun.scope, begun.time) == (DIFFERS_NOT_WORSE, plan.scopes[2], 7.0)
    assert begun.reason.endswith("clear_disagreement, disagreement, mix; 16 disagreements are labelled")
    (ended,) = veto_events(plan, after, replace(before, veto=held.without(np.ones(4, dtype=bool), "accuracy warns")))
    assert (ended.kind, ended.reason) == (VETO_ENDED, "accuracy warns: a breach counts")
    (renewed,) = veto_events(plan, after, replace(before, digest="another"))
    assert renewed.reason == "another artefact or configuration: a breach counts"
    assert list(veto_events(plan, after, after)) == []
