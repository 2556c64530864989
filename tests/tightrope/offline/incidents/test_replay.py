from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.recorded import RecordedJudge, recorded_plan
from tightrope.offline.incidents.record_files import all_incidents, record_of_incident
from tightrope.offline.incidents.replay import replay
from tightrope.service.adapters.journal.entries import RecordedInput, encode_entry, read_entries
from tightrope.service.adapters.journal.incident import IncidentError
from tightrope.service.adapters.journal.record import JudgementRecord


def the_incident(judged: RecordedJudge) -> JudgementRecord:
    """The record of the only incident."""
    (incident,) = all_incidents(judged.settings())
    return record_of_incident(judged.settings(), incident.id)


def test_an_incident_replays_to_the_byte(tmp_path: Path) -> None:
    """Harm, an order and the way back: each recorded state is met again, and so is each move."""
    judged = RecordedJudge(tmp_path)
    judged.judge_harm(slice(0, 14))
    judged.harness.order("force-safe", "group=b", time=139.0)
    judged.harness.order("release", "group=b", time=139.5)
    judged.judge_harm(slice(14, 20))
    judged.stop()
    record = the_incident(judged)
    result = replay(record)
    assert record.incident is not None
    assert (result.differs, result.erased, result.missed_moves(record.incident)) == (0, 0, [])
    assert result.states >= len(record.incident.moves) >= 3
    assert result.answers == judged.harness.view.states["m"].rows_received
    assert {"group=a", "group=b"} <= {*record.incident.scopes}
    assert record.incident.missing == ()


def test_an_incident_replays_across_a_killed_judge(tmp_path: Path) -> None:
    """A judge that starts again judges what followed its snapshot once more: those answers count once."""
    judged = RecordedJudge(tmp_path)
    judged.judge_harm(slice(0, 14))
    judged.kill()
    judged.judge_harm(slice(14, 24))
    judged.stop()
    record = the_incident(judged)
    assert record.incident is not None
    assert len(record.segments) == 2
    assert record.incident.missing == ()
    result = replay(record)
    assert (result.differs, result.missed_moves(record.incident)) == (0, [])
    assert result.answers == judged.harness.view.states["m"].rows_received


def test_an_incident_replays_across_a_takeover(tmp_path: Path) -> None:
    """The next judge of a cluster begins a segment with the snapshot that it continues from."""
    judged = RecordedJudge(tmp_path, in_cluster=True)
    judged.judge_harm(slice(0, 14))
    judged.kill()
    judged.judge_harm(slice(14, 24))
    judged.stop()
    record = the_incident(judged)
    assert record.incident is not None
    assert (len(record.segments), record.incident.missing) == (2, ())
    result = replay(record)
    assert (result.differs, result.missed_moves(record.incident)) == (0, [])
    assert result.answers == judged.harness.view.states["m"].rows_received


def test_another_plan_is_replayed_as_well(tmp_path: Path) -> None:
    """A configuration that changes during an incident is an input of its own."""
    judged = RecordedJudge(tmp_path)
    judged.judge_harm(slice(0, 14))
    judged.harness.view.plans = {"m": recorded_plan(tick_seconds=4.0, settings={"a": 1})}
    judged.judge_harm(slice(14, None))
    judged.stop()
    record = the_incident(judged)
    assert len(record.plans) == 2
    assert replay(record).differs == 0


def test_a_changed_input_is_found(tmp_path: Path) -> None:
    """Where one answer is another one, the next compared state differs."""
    judged = RecordedJudge(tmp_path)
    judged.judge_harm()
    judged.stop()
    record = the_incident(judged)
    entries = list(read_entries(record.segments[0]))
    first = entries[1]
    assert isinstance(first, RecordedInput)
    entries[1] = replace(
        first, item=replace(first.item, rows=replace(first.item.rows, disagree=~first.item.rows.disagree))
    )  # type: ignore[union-attr,call-arg]
    changed = replace(record, segments=[b"".join(map(encode_entry, entries))])
    assert replay(changed).differs > 0


def test_a_record_without_segments_is_refused() -> None:
    """One whose segments are gone says so."""
    with pytest.raises(IncidentError, match="the segments of the record are gone"):
        replay(JudgementRecord("m", {}, ()))
