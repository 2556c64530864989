from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tests.support.judgement.recorded import RecordedJudge, recorded_plan
from tightrope.monitors.folding.inputs import ClockReading, ComparedRows
from tightrope.monitors.plan import State, initial_state
from tightrope.offline.incidents.record_files import all_incidents, record_of_incident
from tightrope.offline.incidents.replay import replay
from tightrope.offline.incidents.what_if import what_if
from tightrope.service.adapters.journal import lead
from tightrope.service.adapters.journal.entries import RecordedInput
from tightrope.service.adapters.journal.lead import JournalStep, Lead, memory_bytes

PLAN = recorded_plan()
MOST_BYTES = 1 << 20


def states(number: int) -> list[State]:
    """States of ten compared rows more each."""
    first = initial_state(PLAN)
    return [replace(first, compared=first.compared + 10 * n) for n in range(number)]


def filled(number: int, most_bytes: int = MOST_BYTES) -> tuple[Lead, list[State]]:
    """A lead with this number of inputs, and the states before, between and after them."""
    own, known = Lead(most_bytes), states(number + 1)
    for n in range(number):
        own.add(PLAN, known[n], known[n + 1], JournalStep(ClockReading(float(n)), (n, 0, 0), None))
    return own, known


def taken(own: Lead, before: State) -> list[float]:
    """The times of the inputs that are taken."""
    return [step.item.time for part in own.take(before, "model") for step in part.steps]  # type: ignore[union-attr]


def test_inputs_that_lead_to_a_state_are_taken_once() -> None:
    """In their order; those that lead elsewhere are forgotten."""
    own, known = filled(5)
    assert taken(own, known[5]) == [0, 1, 2, 3, 4]
    assert taken(own, known[5]) == []
    own, known = filled(5)
    assert taken(own, known[4]) == []


def test_the_oldest_inputs_go_where_there_is_no_room() -> None:
    """The rest begins with the state before its first input."""
    size = memory_bytes(ClockReading(0.0))
    own, known = filled(40, most_bytes=16 * size)
    parts = list(own.take(known[40], "model"))
    first = int(parts[0].steps[0].item.time)  # type: ignore[union-attr]
    assert 24 <= first < 28
    assert parts[0].before is known[first]
    assert all(earlier.after is later.before for earlier, later in pairwise(parts))


def test_no_more_parts_are_taken_than_the_first_scope_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 20 rows of the scope two inputs of ten rows are enough, where each is a part."""
    monkeypatch.setattr(lead, "LEAD_ROWS", 20)
    own, known = filled(6, most_bytes=8 * memory_bytes(ClockReading(0.0)))
    assert taken(own, known[6]) == [4, 5]


def test_an_input_after_a_gap_begins_anew() -> None:
    """The inputs before cannot be folded up to it."""
    own, known = filled(3)
    later = states(9)
    own.add(PLAN, later[7], later[8], JournalStep(ClockReading(8.0), (8, 0, 0), None))
    assert taken(own, known[3]) == []
    own, known = filled(3)
    own.add(PLAN, later[7], later[8], JournalStep(ClockReading(8.0), (8, 0, 0), None))
    assert taken(own, later[8]) == [8]


def test_rows_count_with_their_arrays_and_ids() -> None:
    """About 400 bytes a row."""
    size = memory_bytes(ComparedRows(make_comparisons(1000, offset=np.arange(1000))))
    assert 250_000 < size < 600_000


def test_nothing_is_written_without_an_incident(tmp_path: Path) -> None:
    """Sound rows leave no file."""
    judged = RecordedJudge(tmp_path, lead=MOST_BYTES)
    judged.judge_harm(slice(0, 4))
    judged.stop()
    assert [path for path in judged.folder.rglob("*") if path.is_file()] == []


def test_an_incident_has_the_inputs_that_led_to_it(tmp_path: Path) -> None:
    """It replays to the byte from the first input on, and the limits that held repeat its moves."""
    judged = RecordedJudge(tmp_path, lead=MOST_BYTES)
    judged.judge_harm(slice(0, 14))
    judged.harness.order("force-safe", "group=b", time=139.0)
    judged.harness.order("release", "group=b", time=139.5)
    judged.judge_harm(slice(14, None))
    judged.stop()
    (incident,) = all_incidents(judged.settings())
    record = record_of_incident(judged.settings(), incident.id)
    result = replay(record)
    assert (result.differs, result.missed_moves(incident), incident.missing) == (0, [], ())
    assert incident.closed is not None
    first = next(each for each in record.entries()[0] if isinstance(each, RecordedInput))
    assert first.position[0] == 10, "the first ten rows of all"
    assert result.answers < judged.harness.view.states["m"].rows_received, "it ends with the incident"
    assert [each.move for each in what_if(record, {"disagreement": 0.1}, "group=a")] == list(incident.moves)


def test_an_incident_goes_on_after_the_judge_was_killed(tmp_path: Path) -> None:
    """The next process writes from its snapshot on, though it has no inputs in memory."""
    judged = RecordedJudge(tmp_path, lead=MOST_BYTES)
    judged.judge_harm(slice(0, 14))
    judged.kill()
    judged.judge_harm(slice(14, None))
    judged.stop()
    (incident,) = all_incidents(judged.settings())
    record = record_of_incident(judged.settings(), incident.id)
    result = replay(record)
    assert (result.differs, result.missed_moves(incident), incident.missing) == (0, [], ())
    assert (len(record.segments), incident.closed is None) == (2, False)


def test_the_next_incident_has_a_record_of_its_own(tmp_path: Path) -> None:
    """After an incident inputs are in memory again."""
    judged = RecordedJudge(tmp_path, lead=MOST_BYTES)
    judged.judge_harm(slice(0, 4))
    for time in (40.0, 60.0):
        judged.harness.order("force-safe", "group=b", time=time)
        judged.harness.order("force-normal", "group=b", time=time + 0.5)
        judged.judge_harm(slice(int(time / 10), int(time / 10) + 1))
    judged.stop()
    found = all_incidents(judged.settings())
    assert [(each.first, each.last) for each in found] == [(1, 1), (2, 2)]
    for each in found:
        result = replay(record_of_incident(judged.settings(), each.id))
        assert (result.differs, result.missed_moves(each)) == (0, [])
