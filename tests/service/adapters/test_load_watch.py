"""The time limit of loading, by a clock of the test."""

import subprocess
import sys
import time

import pytest

from tests.support.serving.service_harness import eventually
from tightrope.service.adapters import load_watch
from tightrope.service.adapters.load_watch import LoadWatch


def test_step_within_its_time_is_left_alone() -> None:
    """Each step has the whole time, and nothing is limited before the first."""
    now, ends = [0.0], []
    watch = LoadWatch(10.0, ends.append, lambda: now[0])
    now[0] = 100.0
    watch.check()
    for _ in range(3):
        watch.announce("models.m.baseline: a.onnx: loading")
        now[0] += 9.0
        watch.check()
    assert ends == []


def test_step_beyond_its_time_is_named() -> None:
    """The line has the step and the key of the limit."""
    now, ends = [0.0], []
    watch = LoadWatch(10.0, ends.append, lambda: now[0])
    watch.announce("models.m.baseline: a.onnx: loading")
    now[0] = 10.5
    watch.check()
    assert ends == ["models.m.baseline: a.onnx: loading took more than 10 s (candidates.seconds)"]


def test_watch_ends_with_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow step after loading is no part of it."""
    monkeypatch.setattr(load_watch, "STEP_CHECK_SECONDS", 0.01)
    ends: list[str] = []
    with LoadWatch(0.02, ends.append) as watch:
        watch.announce("a step")
        eventually(lambda: ends, 5.0)
    time.sleep(0.05)
    count = len(ends)
    time.sleep(0.1)
    assert len(ends) == count


def test_process_ends_with_one_line() -> None:
    """Exit code 1, and the line on standard error."""
    code = "from tightrope.service.adapters.load_watch import end_process; end_process('a step took long')"
    ended = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "error a step took long\n")
