import csv
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from tests.support.judgement.recorded import RecordedJudge
from tightrope.service.adapters.journal.incident import Move
from tightrope.service.adapters.journal.record import JudgementRecord, read_record
from tightrope.service.adapters.journal.segments import stored_incidents
from tightrope.service.api.incidents.evidence_rows import (
    EVIDENCE_COLUMNS,
    MOST_EVIDENCE_ROWS,
    MOST_ORDINARY_ROWS,
    rows_csv,
)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> JudgementRecord:
    """An incident of a judge that was killed once, so rows stand twice in it."""
    folder: Path = tmp_path_factory.mktemp("record")
    judged = RecordedJudge(folder)
    judged.judge_harm(slice(0, 2))
    judged.kill()
    judged.judge_harm(slice(0, None))
    judged.stop()
    (incident,) = stored_incidents(judged.folder / "m")
    return read_record("m", judged.folder / "m", incident)


def lines(record: JudgementRecord) -> list[dict[str, str]]:
    """The rows of the file."""
    return list(csv.DictReader(StringIO(rows_csv(record))))


def test_rows_before_the_alarm_are_shown_by_their_value(record: JudgementRecord) -> None:
    """The group's rows that differ carried the evidence, the newest first; those that do not are ordinary."""
    shown = lines(record)
    evidence = [each for each in shown if each["kind"] == "evidence"]
    ordinary = [each for each in shown if each["kind"] == "ordinary"]
    assert {(each["value"], each["differs"], each["monitor"]) for each in evidence} == {("1", "1", "disagreement")}
    assert {each["differs"] for each in ordinary} == {"0"}
    assert 0 < len(evidence) <= MOST_EVIDENCE_ROWS
    assert 0 < len(ordinary) <= MOST_ORDINARY_ROWS
    assert [each["time"] for each in evidence] == sorted((each["time"] for each in evidence), reverse=True)
    assert all("group=a" in each["groups"].split("; ") for each in shown)
    assert len({(each["request"], each["time"]) for each in shown}) == len(shown)


def test_ids_are_digests_and_no_column_is_there(record: JudgementRecord) -> None:
    """The file holds what the redaction has kept, and nothing else."""
    assert all(len(each["request"]) == 32 for each in lines(record))
    assert rows_csv(record).splitlines()[0].split(",") == list(EVIDENCE_COLUMNS)


def test_without_an_alarm_only_the_header_is_there(record: JudgementRecord) -> None:
    """An incident without moves has no rows to show; one of an unknown scope neither."""
    assert record.incident is not None
    empty = replace(record, incident=replace(record.incident, moves=()))
    other = replace(record, incident=replace(record.incident, moves=(Move(1e9, "x=y", "breach", "safe", "judge", ""),)))
    assert [rows_csv(each).count("\n") for each in (empty, other)] == [1, 1]


def test_an_order_shows_rows_of_everybody(record: JudgementRecord) -> None:
    """Without a monitor's alarm the rows that differ come first."""
    assert record.incident is not None
    moved = Move(1e9, "model", "force-safe", "safe", "Ben", "a test")
    shown = lines(replace(record, incident=replace(record.incident, moves=(moved,))))
    assert {each["monitor"] for each in shown} == {""}
    assert shown[0]["differs"] == "1"
