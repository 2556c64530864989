from pathlib import Path

import pytest

from tests.support.judgement.recorded import RecordedJudge
from tightrope.service.adapters.journal.entries import RecordedState
from tightrope.service.adapters.journal.incident import IncidentError
from tightrope.service.adapters.journal.record import is_covered, plan_of, read_record, segments_of


def test_record_of_a_folder_is_read(tmp_path: Path) -> None:
    """All segments, with the plans that they name; an empty folder has none."""
    judged = RecordedJudge(tmp_path)
    judged.judge_harm()
    judged.stop()
    record = read_record("m", judged.folder / "m")
    assert [begin.plan for begin, _ in segments_of(record.entries())] == list(record.decoded_plans())
    assert not read_record("m", tmp_path / "none").segments


def test_a_segment_without_its_begin_is_damaged() -> None:
    """It cannot be judged again, and the error says so."""
    with pytest.raises(IncidentError, match="begin cannot be read"):
        list(segments_of([[RecordedState("")]]))
    with pytest.raises(IncidentError, match="plan x: is not in the record"):
        plan_of({}, "x")


@pytest.mark.parametrize(("position", "is_known"), [((1, 1, 1), True), ((2, 2, 2), True), ((2, 2, 3), False)])
def test_what_was_judged_before_is_covered(position: tuple[int, int, int], *, is_known: bool) -> None:
    """Rows, modes and labels: all of them."""
    assert is_covered(position, (2, 2, 2)) is is_known
