from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tests.support.judgement.recorded import KEY, RECORDING, recorded_plan
from tightrope.monitors.folding.fold import fold
from tightrope.monitors.folding.inputs import ComparedRows, FoldStep, GivenOrder
from tightrope.monitors.plan import State, initial_state
from tightrope.monitors.records import Order
from tightrope.service.adapters.journal import model_journal
from tightrope.service.adapters.journal.model_journal import NOT_RECORDED, ModelJournal
from tightrope.service.adapters.journal.redaction import Redaction

PLAN = recorded_plan()


def step(state: State, item: ComparedRows | GivenOrder) -> FoldStep:
    """The step of an input."""
    after, transitions = fold(PLAN, state, item)
    return FoldStep("m", item, after, tuple(transitions))


def rows(begin: int) -> ComparedRows:
    """Twenty sound rows."""
    return ComparedRows(make_comparisons(20, offset=begin + np.arange(20), time=begin + np.arange(20.0)))


def order(what: str, time: float) -> GivenOrder:
    """An order about group a."""
    return GivenOrder(Order(f"{what}-{time}", time, "m", "group=a", what, "ann", "a test"))


def journal(folder: Path) -> ModelJournal:
    """A journal of the model."""
    return ModelJournal(folder, "m", Redaction(KEY), RECORDING)


def test_an_incident_lasts_from_the_first_move_until_all_are_back(tmp_path: Path) -> None:
    """It opens and closes with the modes, and names its segments."""
    own, state = journal(tmp_path), initial_state(PLAN)
    for item in (rows(0), order("force-safe", 20.0), rows(20), order("force-normal", 40.0), rows(40)):
        made = step(state, item)
        own.write(PLAN, state, [made])
        state = made.after
    own.end(None)
    (incident,) = own.files.incidents.values()
    assert (incident.opened, incident.closed, incident.first, incident.last) == (20.0, 40.0, 1, 1)
    assert [move.trigger for move in incident.moves] == ["force-safe", "force-normal"]
    assert (incident.missing, incident.advisory) == ((), False)


def test_a_state_that_does_not_follow_begins_a_segment(tmp_path: Path) -> None:
    """The inputs between were not recorded, and an open incident says so."""
    own, state = journal(tmp_path), initial_state(PLAN)
    moved = step(state, order("force-safe", 20.0))
    own.write(PLAN, state, [moved])
    unseen = step(moved.after, rows(0))
    own.write(PLAN, unseen.after, [step(unseen.after, rows(20))])
    (incident,) = own.files.incidents.values()
    assert ([*own.files.segments], incident.missing) == ([1, 2], (NOT_RECORDED,))
    own.end(None)


def test_a_process_that_starts_again_goes_on_with_the_incident(tmp_path: Path) -> None:
    """From a snapshot that is no newer than the record, nothing is missing."""
    own, state = journal(tmp_path), initial_state(PLAN)
    moved = step(state, order("force-safe", 20.0))
    own.write(PLAN, state, [moved, step(moved.after, rows(0))])
    own.end(None)
    again = journal(tmp_path)
    again.write(PLAN, moved.after, [step(moved.after, rows(0))])
    again.end(None)
    (incident,) = again.files.incidents.values()
    assert ([*again.files.segments], incident.missing, incident.closed) == ([1, 2], (), None)


def test_a_full_segment_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments end after some bytes; each can be read alone."""
    monkeypatch.setattr(model_journal, "MOST_SEGMENT_BYTES", 10_000)
    own, state = journal(tmp_path), initial_state(PLAN)
    for begin in range(0, 100, 20):
        made = step(state, rows(begin))
        own.write(PLAN, state, [made])
        state = made.after
    own.end(None)
    assert len(own.files.segments) > 2
    assert own.files.incidents == {}


def test_no_id_is_on_disk(tmp_path: Path) -> None:
    """Neither in rows nor in states of open ticks."""
    own, state = journal(tmp_path), initial_state(PLAN)
    named = replace(rows(0).rows, request_id=tuple(f"person-{n}" for n in range(20)))
    own.write(PLAN, state, [step(state, ComparedRows(named))])
    own.end(None)
    assert b"person" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*.*"))
