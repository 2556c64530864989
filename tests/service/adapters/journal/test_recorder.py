from pathlib import Path

import pytest

from tests.support.judgement.recorded import RecordedJudge
from tightrope.offline.incidents.record_files import all_incidents
from tightrope.service.adapters.journal import recorder
from tightrope.service.adapters.journal.segments import RecordedFiles


def test_nothing_is_recorded_below_the_reserve(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The judge goes on, what is left out is counted and logged, and the open incident says that it lacks something."""
    judged = RecordedJudge(tmp_path)
    judged.judge_harm(slice(0, 10))
    judged.write()
    judged.volume.free = 1
    judged.judge_harm(slice(10, 12))
    judged.write()
    assert judged.recorder.left_out == 2
    judged.volume.free = 1000
    judged.judge_harm(slice(12, None))
    judged.stop()
    (incident,) = all_incidents(judged.settings())
    assert any("short of space" in reason for reason in incident.missing)
    assert "are not recorded: the volume of the state is short of space" in caplog.text
    assert judged.harness.view.states["m"].rows_received == 480


def test_a_judge_does_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is slower than the judge, inputs are left out and counted, and the record begins again."""
    monkeypatch.setattr(recorder, "MOST_WAITING_ROWS", 25)
    judged = RecordedJudge(tmp_path)
    judged.judge_harm(slice(0, 4))
    assert judged.recorder.left_out == 2
    judged.write()
    judged.judge_harm(slice(4, 6))
    judged.stop()
    assert len(RecordedFiles(judged.folder / "m").segments) == 2


def test_the_oldest_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments without an incident go before closed incidents; an open one stays."""
    judged = RecordedJudge(tmp_path, most_bytes=1)
    judged.judge_harm(slice(0, 2))
    judged.kill()
    judged.judge_harm()
    judged.kill()
    judged.judge_harm(slice(0, 1))
    judged.write()
    monkeypatch.setattr(recorder, "SIZE_CHECK_SECONDS", 0.0)
    judged.recorder._check_size()
    assert all_incidents(judged.settings()) == []
    assert len(RecordedFiles(judged.folder / "m").segments) == 1
    judged.stop()


def test_a_disk_that_refuses_ends_nothing_but_the_record(tmp_path: Path) -> None:
    """A file in the place of the folder: what is not recorded is counted, the judge goes on."""
    judged = RecordedJudge(tmp_path)
    judged.folder.write_text("")
    judged.judge_harm(slice(0, 3))
    judged.stop()
    assert judged.recorder.left_out == 3
    assert judged.harness.view.states["m"].rows_received == 30


def test_a_model_that_is_not_recorded_is_passed_over(tmp_path: Path) -> None:
    """Its steps are neither kept nor counted."""
    judged = RecordedJudge(tmp_path)
    judged.recorder._redactions = {}
    judged.judge_harm(slice(0, 3))
    judged.stop()
    assert (judged.recorder.left_out, judged.folder.exists()) == (0, False)
