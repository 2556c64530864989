"""A state that processes use is not free for an erasure, which names them."""

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tightrope.service.adapters.sqlite.state_file import StoreError
from tightrope.service.adapters.state_use.holders import HOLDERS_FILE, held_state, unused_state

HOLD = """
import sys
from pathlib import Path
from tightrope.service.adapters.state_use.holders import held_state
with held_state(Path(sys.argv[1]), "judge"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_processes_that_use_a_state_are_named(tmp_path: Path) -> None:
    """Each with its number and its command; one that was killed is not, and does not hold the state."""
    with held_state(tmp_path, "run"):
        other = subprocess.Popen(
            [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(
            StoreError, match=rf"process {os.getpid()} on .*tightrope run, since .* and process"
        ) as told:
            unused_state(tmp_path).__enter__()
        assert f"process {other.pid} on" in str(told.value)
        other.kill()
        other.communicate()
        with pytest.raises(StoreError) as told:
            unused_state(tmp_path).__enter__()
        assert f"process {other.pid} on" not in str(told.value)
    with unused_state(tmp_path):
        pass


def test_process_that_starts_waits_for_the_end_of_an_erasure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It would read what is being rewritten; a warning says what it waits for, and comes only then."""
    began = threading.Event()

    def start() -> None:
        with held_state(tmp_path, "run"):
            began.set()

    with held_state(tmp_path, "run"):
        pass
    assert caplog.messages == []
    with unused_state(tmp_path):
        thread = threading.Thread(target=start)
        thread.start()
        assert not began.wait(0.2)
        assert caplog.messages == [f"{tmp_path}: the start waits until `tightrope erase` on this state has ended"]
    assert began.wait(20)
    thread.join()


def test_file_is_private_and_does_not_grow(tmp_path: Path) -> None:
    """It has the processes that run now."""
    for _ in range(3):
        with held_state(tmp_path, "run"):
            pass
    (line,) = (tmp_path / HOLDERS_FILE).read_text().splitlines()
    assert json.loads(line)["command"] == "run"
    assert stat.S_IMODE((tmp_path / HOLDERS_FILE).stat().st_mode) == 0o600


def test_state_without_locks_is_used_and_not_erased_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that runs would not be noticed."""

    def flock(_file: object, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with held_state(tmp_path, "run"), pytest.raises(StoreError, match="gives no locks"):
        unused_state(tmp_path).__enter__()


def test_folder_that_is_missing_is_unused(tmp_path: Path) -> None:
    """Nothing is made for the question."""
    with unused_state(tmp_path / "none"):
        assert not (tmp_path / "none").exists()
