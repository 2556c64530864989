"""Trials of pairs: hostile files end in one line of an error, and nothing of them reaches this process."""

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import BASELINE, config
from tests.support.hostile_models import crash, endless_to_load, endless_to_run, hungry
from tests.support.onnx_models import classifier
from tightrope.monitors.records import Role
from tightrope.service.config.loader import ConfigError, Settings, load
from tightrope.service.errors import UnavailableError
from tightrope.wiring.candidates import trial
from tightrope.wiring.candidates.trial import tried_pair, try_files

LIMITS = {"seconds": 60.0, "memory_bytes": 512 * 1024**2}


def settings_of(folder: Path, name: str = "compressed.onnx", **model: object) -> Settings:
    """Settings whose compressed model is this file, with narrow limits."""
    sections = config(folder, **model)
    sections["models"]["m"]["compressed"] = name
    return load(write_config(folder, {**sections, "candidates": LIMITS}), {})


def hurried(settings: Settings, seconds: float = 1.5) -> Settings:
    """The settings with a short time limit."""
    limits = settings.candidates.model_copy(update={"seconds": seconds})
    return settings.model_copy(update={"candidates": limits})


def problem_of(settings: Settings) -> str:
    """The one line of the error."""
    with pytest.raises(ConfigError) as caught:
        tried_pair("m", settings)
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


def test_sound_pair_is_loaded_with_the_findings_of_its_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pair shares runs as if it had been probed here, although no made-up row runs in this process."""
    monkeypatch.setattr("tightrope.service.inference.loading.pair_loading.probe_model", None)
    pair = tried_pair("m", settings_of(tmp_path))
    assert pair.batchability.is_open
    assert set(pair.batchability.findings) == set(Role)


def test_trial_has_its_settings_on_a_machine_that_is_too_busy_to_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look at the process times out before it has sent it anything."""
    communicate, timeouts = subprocess.Popen.communicate, [0.0]

    def late(process: Any, sent: bytes | None = None, timeout: float | None = None) -> Any:  # noqa: ANN401 - as Popen
        return communicate(process, sent, timeouts.pop() if timeouts else timeout)

    monkeypatch.setattr(subprocess.Popen, "communicate", late)
    assert tried_pair("m", hurried(settings_of(tmp_path), 20.0)).batchability.is_open
    assert not timeouts


@pytest.mark.parametrize(
    ("write", "step"),
    [
        (endless_to_load, "loading took more than 1.5 s (candidates.seconds)"),
        (endless_to_run, "a run on made-up rows took more than 1.5 s (candidates.seconds)"),
        (crash, "loading ended its process with SIGSEGV"),
        (hungry, "a run on made-up rows took more than 0.50 GiB of memory (candidates.memory_bytes)"),
    ],
)
def test_hostile_file_is_refused_in_one_line(tmp_path: Path, write: Callable[[Path], Path], step: str) -> None:
    """The line names the key, the file, the step and the limit."""
    path, settings = write(tmp_path / "hostile.onnx"), settings_of(tmp_path, "hostile.onnx")
    line = problem_of(hurried(settings) if "seconds" in step else settings)
    assert line == f"models.m.compressed: {path}: {step}"


def test_run_past_its_deadline_is_refused(tmp_path: Path) -> None:
    """A candidate that would run into `run_seconds` at every request does not serve."""
    endless_to_run(tmp_path / "hostile.onnx")
    line = problem_of(settings_of(tmp_path, "hostile.onnx", run_seconds=0.2, batch_rows=1))
    assert line.startswith(f"models.m.compressed: {tmp_path}/hostile.onnx: ")
    assert "run_seconds" in line


def pipe(path: Path) -> None:
    """Make a named pipe that nothing writes to."""
    os.mkfifo(path)


def zeros(path: Path) -> None:
    """Make a link to an endless device."""
    path.symlink_to("/dev/zero")


def door(path: Path) -> None:
    """Make a socket."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (pipe, "a named pipe, not a regular file"),
        (zeros, "a device, not a regular file"),
        (door, "a socket, not a regular file"),
        (Path.mkdir, "Is a directory"),
    ],
)
def test_only_regular_files_are_read(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    """Nothing waits for what never ends."""
    make(tmp_path / "x.onnx")
    line = problem_of(settings_of(tmp_path, "x.onnx"))
    assert line == f"models.m.compressed: {tmp_path}/x.onnx: cannot be read: {reason}"


def test_open_ranges_and_paths_reach_the_trial(tmp_path: Path) -> None:
    """The settings arrive as they are, infinity included."""
    subgroups = {"size": {"column": 0, "values": {"small": {"high": 1}, "large": {"low": 1}}}}
    assert set(tried_pair("m", settings_of(tmp_path, subgroups=subgroups)).subgroups.scopes) > {"size=large"}


def test_missing_files_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong paths are refused at once; other mistakes of the settings are told with them."""
    monkeypatch.setattr(trial.subprocess, "Popen", None)
    settings = settings_of(tmp_path, "gone.onnx", sampling={"floors": {"group=none": 1}})
    (tmp_path / "baseline.onnx").unlink()
    gone = "cannot be read: No such file or directory"
    with pytest.raises(ConfigError) as caught:
        tried_pair("m", settings)
    assert caught.value.problems[:2] == [
        f"models.m.baseline: {tmp_path}/baseline.onnx: {gone}",
        f"models.m.compressed: {tmp_path}/gone.onnx: {gone}",
    ]
    assert caught.value.problems[2].startswith("models.m.sampling.floors.group=none: there is no such subgroup")


@pytest.mark.parametrize(
    ("write", "expected"), [(crash, "loading ended its process with SIGSEGV"), (Path.touch, "No graph was found")]
)
def test_file_beside_a_missing_one_is_tried(tmp_path: Path, write: Callable[[Path], object], expected: str) -> None:
    """The mistakes of both are told, even if the one ends the process that tries it."""
    write(tmp_path / "wrong.onnx")
    settings = settings_of(tmp_path, "wrong.onnx")
    (tmp_path / "baseline.onnx").unlink()
    with pytest.raises(ConfigError) as caught:
        tried_pair("m", settings)
    first, second = sorted(caught.value.problems)
    assert first.startswith("models.m.baseline: ")
    assert expected in second


def test_all_mistakes_of_a_pair_are_told(tmp_path: Path) -> None:
    """As without a trial."""
    settings = settings_of(tmp_path, "gone.onnx")
    (tmp_path / "baseline.onnx").unlink()
    with pytest.raises(ConfigError) as caught:
        tried_pair("m", settings)
    assert len(caught.value.problems) == 2


def test_file_that_changed_after_its_trial_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was not tried is refused before onnxruntime sees it."""

    def replaced(*arguments: Any) -> object:  # noqa: ANN401 - passed on
        found = try_files(*arguments)
        crash(tmp_path / "compressed.onnx")
        return found

    settings = settings_of(tmp_path)
    monkeypatch.setattr(trial, "try_files", replaced)
    expected = f"models.m.compressed: {tmp_path}/compressed.onnx: changed after its trial; deploy it again"
    assert problem_of(settings) == expected


def test_memory_that_is_not_there_is_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large limit does not let a candidate exhaust a small container."""
    monkeypatch.setattr(trial, "available_bytes", lambda: 16 * 1024**2)
    line = problem_of(settings_of(tmp_path))
    assert line.endswith("took more than 0.02 GiB of memory (all that is available here)")


def test_stop_ends_a_trial(tmp_path: Path) -> None:
    """A server that stops waits for no candidate."""
    endless_to_run(tmp_path / "hostile.onnx")
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(UnavailableError, match="this server stops"):
        try_files("m", settings_of(tmp_path, "hostile.onnx"), stopping)


def test_working_folder_shadows_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process takes its modules from the installation, wherever the server was started."""
    for name in ("json", "numpy", "onnxruntime", "tightrope"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    settings = settings_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert tried_pair("m", settings).name == "m"


def test_signal_that_ended_a_process_is_named() -> None:
    """The kernel's own end of a process that took too much is a guess, and said to be one."""
    limits = trial.CandidatesSection()
    assert trial._end_of(3, limits) == "ended its process with exit code 3"
    assert trial._end_of(-signal.SIGKILL, limits) == "ended its process with SIGKILL (out of memory, most likely)"


def test_pair_of_remote_models_needs_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no file to try; the error is that of connecting."""
    monkeypatch.setattr(trial, "try_files", None)
    remote = {"endpoint": "http://127.0.0.1:1", "model": "m", "timeout_seconds": 0.2}
    sections = config(tmp_path)
    sections["models"]["m"] |= {"baseline": remote, "compressed": remote}
    with pytest.raises(ConfigError):
        tried_pair("m", load(write_config(tmp_path, sections), {}))


def test_golden_rows_are_part_of_the_trial(tmp_path: Path) -> None:
    """A file whose answers on them cannot be read is refused."""
    classifier(tmp_path / "nan.onnx", np.float32(np.nan) * BASELINE)
    (tmp_path / "golden.csv").write_text("left,right,group,harm\n1,0,0,0\n0,1,1,0\n")
    line = problem_of(settings_of(tmp_path, "nan.onnx", golden="golden.csv"))
    assert line == "models.m.compressed: 2 golden rows have no readable answer"
    assert json.dumps(line)
