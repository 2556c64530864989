"""The process that tries a pair, alone: it ends with its parent and with its time, and prints only results."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tests.support.hostile_models import endless_to_run
from tests.support.serving.service_harness import eventually
from tightrope.monitors.records import Role
from tightrope.service.config.loader import Settings, load
from tightrope.service.inference.batchability import Proof
from tightrope.wiring.candidates import trial_process
from tightrope.wiring.candidates.trial_process import try_pair


def settings_of(folder: Path, **model: object) -> Settings:
    """Settings of the pair of these files."""
    return load(write_config(folder, config(folder, **model)), {})


def start(settings: Settings, parent: int, seconds: float = 60.0) -> subprocess.Popen[bytes]:
    """Start the process for a parent."""
    command = [sys.executable, "-P", "-m", trial_process.__name__, "m", str(parent), str(seconds)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps(settings.model_dump(mode="json")).encode())
    process.stdin.close()
    return process


def results(process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    """Everything that the process printed, to its end."""
    with process:
        assert process.stdout is not None
        return [json.loads(line) for line in process.stdout.read().splitlines()]


def test_steps_and_findings_are_printed(tmp_path: Path) -> None:
    """Each step before it begins, then digests and findings of both roles; the exit code is 0."""
    process = start(settings_of(tmp_path), os.getpid())
    *steps, found = results(process)
    assert process.returncode == 0
    assert [step["step"].rpartition(": ")[2] for step in steps] == [
        *("loading", "loading"),
        *("a run on made-up rows", "a run on made-up rows"),
        *("a run on a row of zeros", "a run on a row of zeros"),
    ]
    assert set(found["digests"]) == set(Role)
    (finding,) = found["findings"]["baseline"].values()
    assert (finding["proof"], finding["reason"], finding["scale"]["range"]) == (Proof.PROVEN, "", "sums to one")


def test_unreadable_settings_are_a_result(tmp_path: Path) -> None:
    """No traceback reaches the server's log."""
    command = [sys.executable, "-P", "-m", trial_process.__name__, "m", str(os.getpid()), "60"]
    ended = subprocess.run(command, input=b"{", capture_output=True, check=False, cwd=tmp_path)
    (line,) = ended.stdout.splitlines()
    assert json.loads(line)["problems"][0].startswith("models.m: JSONDecodeError: ")
    assert ended.stderr == b""


def test_process_of_another_parent_ends_at_once(tmp_path: Path) -> None:
    """A parent that was gone before the process could bind itself to it."""
    process = start(settings_of(tmp_path), parent=1)
    assert (results(process), process.returncode) == ([], 1)


def test_time_ends_a_run_that_never_returns(tmp_path: Path) -> None:
    """By the kernel, while the interpreter waits."""
    path = endless_to_run(tmp_path / "hostile.onnx")
    process = start(settings_of(tmp_path, compressed=str(path)), os.getpid(), seconds=0.5)
    assert results(process)[-1]["step"].endswith("hostile.onnx: a run on made-up rows")
    assert process.returncode == -signal.SIGALRM


PARENT = """
import subprocess, sys
settings = sys.stdin.buffer.read()
command = [sys.executable, "-P", "-m", sys.argv[1], "m", str(__import__("os").getpid()), "60"]
process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
process.stdin.write(settings)
process.stdin.close()
for line in process.stdout:
    if b"made-up" in line:
        print(process.pid, flush=True)
"""


def test_process_dies_with_its_killed_parent(tmp_path: Path) -> None:
    """SIGKILL of a server leaves no candidate that loops."""
    path = endless_to_run(tmp_path / "hostile.onnx")
    settings = json.dumps(settings_of(tmp_path, compressed=str(path)).model_dump(mode="json")).encode()
    command = [sys.executable, "-c", PARENT, trial_process.__name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(settings)
        parent.stdin.close()
        child = int([parent.stdout.readline() for _ in range(2)][-1])
        assert Path(f"/proc/{child}/oom_score_adj").read_text().strip() == "1000"
        parent.kill()
    eventually(lambda: is_gone(child), 5.0)


def is_gone(process: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_pair_whose_requests_run_apart_is_tried_too(tmp_path: Path) -> None:
    """`batch_rows: 1` spares nothing: the scale of the outputs is learnt all the same."""
    steps: list[str] = []
    found = try_pair("m", settings_of(tmp_path, batch_rows=1), steps.append)
    assert set(found["findings"]) == set(Role)
    assert [step.rpartition(": ")[2] for step in steps] == [
        step for step in ("loading", "a run on made-up rows", "a run on a row of zeros") for _ in Role
    ]


def test_model_that_refuses_zeros_is_no_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros need not be a valid input."""
    monkeypatch.setattr(trial_process, "zeros", lambda _: {"input": np.zeros((1, 3), np.float32)})
    assert set(try_pair("m", settings_of(tmp_path), str)["digests"]) == set(Role)
