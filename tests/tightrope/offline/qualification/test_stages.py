from pathlib import Path

import pytest

from tightrope.offline.progress import NO_PROGRESS
from tightrope.offline.qualification.stages import (
    QualificationStateError,
    StageStore,
    TimedProgress,
    TimeIsUpError,
    replace_file,
)


def test_time_that_is_left_is_known() -> None:
    """Without a deadline there is no end of it."""
    assert TimedProgress(NO_PROGRESS, None).seconds_left == float("inf")
    timed = TimedProgress(NO_PROGRESS, 10.0, lambda: 7.5)
    assert (timed.seconds_left, timed.is_over) == (2.5, False)
    assert TimedProgress(NO_PROGRESS, 10.0, lambda: 10.0).is_over


def test_a_finished_stage_is_kept_for_the_next_run(tmp_path: Path) -> None:
    """Under the digest of what it depends on; at the end it is removed."""
    assert StageStore.open(tmp_path, "d").run("cells", int, lambda: 7) == 7
    assert StageStore.open(tmp_path, "d").run("cells", int, lambda: 8) == 7
    assert StageStore.open(tmp_path, "other").run("cells", int, lambda: 8) == 8
    StageStore.open(tmp_path, "d").remove()
    assert StageStore.open(tmp_path, "d").run("cells", int, lambda: 9) == 9


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"cells": "text"}'])
def test_damaged_stages_are_measured_again(tmp_path: Path, content: bytes) -> None:
    """Also those of another version, with another type."""
    path = StageStore.open(tmp_path, "d").path
    path.parent.mkdir()
    path.write_bytes(content)
    assert StageStore.open(tmp_path, "d").run("cells", int, lambda: 7) == 7


def test_a_stage_that_time_does_not_reach_has_no_result(tmp_path: Path) -> None:
    """The clock ends it; what was finished before stays."""
    now = [0.0]
    progress = TimedProgress(NO_PROGRESS, 5.0, lambda: now[0])
    store = StageStore.open(tmp_path, "d")

    def measure() -> int:
        progress.begin("running", 2)
        now[0] = 6.0
        progress.advance()
        return 1

    assert store.run("first", int, lambda: 1) == 1
    assert store.run("second", int, measure) is None
    with pytest.raises(TimeIsUpError):
        progress.begin("another", 1)
    assert StageStore.open(tmp_path, "d").run("first", int, measure) == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One line with the file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(QualificationStateError, match="file/state: cannot be written"):
        replace_file(tmp_path / "file" / "state", b"")
