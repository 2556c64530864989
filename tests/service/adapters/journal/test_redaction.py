from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tests.support.judgement.recorded import KEY, RecordedJudge, recorded_plan
from tightrope.monitors.added_scopes.added_scope import AddedScope, ColumnRange
from tightrope.monitors.folding.fold import fold
from tightrope.monitors.folding.inputs import ComparedRows, FoldStep, LabelledRows, PassedEpoch
from tightrope.monitors.hunter.search import Search, SearchPlan
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Stream
from tightrope.offline.incidents.record_files import all_incidents, record_of_incident
from tightrope.offline.incidents.replay import replay
from tightrope.service.adapters.journal.column_redaction import KEEP_ALL
from tightrope.service.adapters.journal.entries import RecordedInput, encode_entry, read_entries
from tightrope.service.adapters.journal.id_digests import available_form, id_digest
from tightrope.service.adapters.journal.redaction import IdWay, PlanRedaction, Redaction, comparable_state
from tightrope.service.adapters.journal.redaction import recorded_plan as plan_of_record
from tightrope.service.adapters.wire.record_codec import encode_state

REDACTION = Redaction(KEY).of(recorded_plan())
ALL_COLUMNS = Redaction(KEY, KEEP_ALL).of(recorded_plan())


def read_again(redaction: PlanRedaction, item: ComparedRows) -> ComparedRows:
    """Compared rows as they are recorded, written and read."""
    entry = RecordedInput(redaction.item(item), (0, 0, 0), ids=redaction.id_column(item))
    (again,) = read_entries(encode_entry(entry))
    assert isinstance(again, RecordedInput)
    assert isinstance(again.item, ComparedRows)
    return again.item


def test_ids_are_digests_and_columns_are_left_out() -> None:
    """Equal ids have equal digests, others have others; labelled rows keep the number of the row."""
    rows = replace(make_comparisons(3), request_id=("ann", "ann", "bob"), features=np.ones((3, 2), np.float32))
    hidden = read_again(REDACTION, ComparedRows(rows))
    first, second, third = hidden.rows.request_id
    assert (first == second, first == third, first) == (True, False, id_digest(KEY, "ann", available_form()))
    assert hidden.rows.features.shape == (3, 0)
    labelled = REDACTION.item(LabelledRows(replace(rows, request_id=("ann#0", "ann#1", "bob#0"))))
    assert isinstance(labelled, LabelledRows)
    assert labelled.rows.request_id == (f"{first}#0", f"{first}#1", f"{third}#0")


def test_columns_stay_where_they_are_asked_for() -> None:
    """With the columns the search stays, too."""
    rows = replace(make_comparisons(2), features=np.ones((2, 2), np.float32))
    kept = ALL_COLUMNS.item(ComparedRows(rows))
    assert isinstance(kept, ComparedRows)
    assert kept.rows.features.shape == (2, 2)
    state = replace(initial_state(recorded_plan()), search=Search("k"))
    assert [comparable_state(state, has_columns=has).search.key for has in (True, False)] == ["k", ""]


def test_folding_what_is_recorded_gives_the_recorded_state() -> None:
    """To leave out and to fold may change places: the states are equal to the byte."""
    plan, state = recorded_plan(), initial_state(recorded_plan())
    shadow = REDACTION.state(state)
    for begin in range(0, 200, 50):
        rows = make_comparisons(
            50, offset=begin + np.arange(50), time=begin + np.arange(50.0), disagree=True, member=True
        )
        item = ComparedRows(rows)
        state, _ = fold(plan, state, item)
        shadow, _ = fold(plan, shadow, read_again(REDACTION, item))
        recorded = encode_state(REDACTION.state(state))
        assert encode_state(comparable_state(shadow, has_columns=False)) == recorded
        assert b"0-199" not in recorded


def test_a_group_that_becomes_a_scope_cannot_be_repeated_without_columns() -> None:
    """The values that made it one are not in the record, unless the columns are."""
    before = initial_state(recorded_plan())
    found = AddedScope("x=1", "x: 1", (ColumnRange("x", 0, 1.0, 1.0),))
    step = FoldStep("m", PassedEpoch(1), replace(before, added=(found,)))
    assert (REDACTION.breaks(before, step), ALL_COLUMNS.breaks(before, step)) == (True, False)


def test_the_recorded_plan_adds_no_groups() -> None:
    """A replay without columns must not find other groups."""
    plan = recorded_plan(search=SearchPlan((), (), limit=0.1, arms=True))
    searches = [plan_of_record(plan, has_columns=has).search for has in (True, False)]
    assert [search.arms for search in searches if search] == [True, False]


@pytest.mark.parametrize("way", ["drop", "keep", "hash"])
def test_ids_are_recorded_as_the_configuration_says(tmp_path: Path, way: IdWay) -> None:
    """Only kept ones are on disk; with each way the incident replays to the byte."""
    judged = RecordedJudge(tmp_path)
    judged.redaction = Redaction(KEY, ids=way)
    judged.start()
    judged.judge_harm(slice(0, 20))
    judged.stop()
    (incident,) = all_incidents(judged.settings())
    record = record_of_incident(judged.settings(), incident.id)
    result = replay(record)
    assert (result.differs, result.erased, result.missed_moves(incident)) == (0, 0, [])
    first = next(entry.item for entry in record.entries()[0] if isinstance(entry, RecordedInput))
    assert isinstance(first, ComparedRows)
    assert len({*first.rows.request_id}) == len(first.rows)
    assert {len(name) for name in first.rows.request_id} == {"drop": {16}, "hash": {32}, "keep": {3}}[way]


def test_equal_ids_have_equal_numbers() -> None:
    """In rows and in states, so that a request that comes twice is known."""
    redaction = Redaction(KEY, ids="drop").of(recorded_plan())
    rows = replace(make_comparisons(3), request_id=("ann", "ann", "bob"))
    names = read_again(redaction, ComparedRows(rows)).rows.request_id
    assert (names[0] == names[1], names[0] == names[2]) == (True, False)
    state = replace(initial_state(recorded_plan()), pending={Stream.COMPARISONS: rows})
    assert redaction.state(state).pending[Stream.COMPARISONS].request_id == names
