"""A real volume of a few megabytes that fills up: recording stops first, and the judge goes on."""

import os
from pathlib import Path

import pytest

from tests.support.judgement.recorded import RecordedJudge
from tests.support.volumes import small_volume
from tightrope.offline.incidents.record_files import all_incidents, record_of_incident
from tightrope.offline.incidents.replay import replay
from tightrope.service.adapters.archive.free_space import FreeSpace

MEGABYTE = 1 << 20


def leave_free(volume: Path, size: int) -> Path:
    """Fill a volume until this number of bytes is free; returns the file that fills it."""
    pad = volume / "pad"
    found = os.statvfs(volume)
    with pad.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - size)
    return pad


def check_record(judged: RecordedJudge, reason: str) -> None:
    """The judge has judged all rows, and the incident says what it lacks; what it has replays to the byte."""
    assert judged.harness.view.states["m"].rows_received == 480
    assert judged.recorder.left_out > 0
    (incident,) = all_incidents(judged.settings())
    assert any(reason in each for each in incident.missing)
    assert {move.scope for move in incident.moves} == {"group=a"}
    assert replay(record_of_incident(judged.settings(), incident.id)).differs == 0


def test_recording_stops_at_the_reserve_and_the_judge_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The state is on the same volume: its reserve, a tenth, is the judge's."""
    with small_volume(tmp_path / "volume", "40m") as volume:
        judged = RecordedJudge(volume)
        judged.recorder._space = FreeSpace(judged.folder)
        judged.judge_harm(slice(0, 12))
        judged.write()
        pad = leave_free(volume, 3 * MEGABYTE)
        judged.judge_harm(slice(12, 20))
        judged.write()
        assert judged.recorder.left_out == 8
        assert "are not recorded: the volume of the state is short of space" in caplog.text
        pad.unlink()
        judged.judge_harm(slice(20, None))
        judged.stop()
        check_record(judged, "short of space")


def test_a_volume_that_is_full_ends_the_segment_and_not_the_judge(tmp_path: Path) -> None:
    """The disk takes a part of an entry and then nothing: the part is left out when the record is read."""
    with small_volume(tmp_path / "journal", "1m") as volume:
        judged = RecordedJudge(tmp_path)
        judged.recorder._space = FreeSpace(judged.folder, reserve=0)
        judged.judge_harm(slice(0, 12))
        judged.write()
        pad = leave_free(volume, 0)
        judged.judge_harm(slice(12, 30))
        judged.write()
        assert judged.recorder.left_out > 0
        pad.unlink()
        judged.judge_harm(slice(30, None))
        judged.stop()
        check_record(judged, "the disk took a part of an entry")
