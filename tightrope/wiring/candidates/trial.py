"""The trial of a pair's files in a process of its own, with limits of time and memory.

Loading a file runs code of onnxruntime on its content: a few kilobytes can loop for ever, ask for all memory, or crash
the process. The process that tries them first cannot take the server with it. Only files that it loaded and ran, by
their digests, are then loaded by the server itself.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import msgspec

from tightrope.monitors.records import Role
from tightrope.service.adapters.memory import available_bytes, resident_bytes
from tightrope.service.adapters.model_files import ModelFileError, require_file
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.process.candidates import CandidatesSection
from tightrope.service.errors import UnavailableError
from tightrope.service.inference.batchability import RowFinding
from tightrope.service.inference.loading.pair_building import settings_mistakes
from tightrope.service.inference.loading.pair_loading import Trial, build_pair
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.qualified.admission import admit
from tightrope.wiring.candidates import trial_process
from tightrope.wiring.candidates.golden_check import check_golden_rows
from tightrope.wiring.candidates.trial_process import PROBLEMS, STEP

WATCH_SECONDS = 0.02
"""Interval at which the time and the memory of the process are checked."""

TRIAL_START_SECONDS = 30.0
"""Time for the process to start; it counts its own time from then on."""

GIBIBYTE = 1024**3


def tried_pair(
    name: str, settings: Settings, stopping: threading.Event | None = None, *, enforced: bool = True
) -> ModelPair:
    """Try the files of a pair in another process, then load and check it here; ``stopping`` ends the trial. Where the
    statement of qualification is not ``enforced``, a pair without a sound one is loaded all the same.

    Raises:
        ConfigError: with every mistake; nothing of the pair was loaded here then.
        UnavailableError: when it was stopped.
    """
    section = settings.models[name]
    files = [role for role in Role if isinstance(getattr(section, role), Path)]
    trial = try_files(name, settings, stopping or threading.Event()) if files else None
    pair = build_pair(name, settings, trial=trial, admit=partial(admit, enforced=enforced))
    check_golden_rows(pair, settings, [role for role in Role if role not in files])
    return pair


def try_files(name: str, settings: Settings, stopping: threading.Event) -> Trial:
    """Try the files of a pair.

    Raises:
        ConfigError: with every mistake.
        UnavailableError: when it was stopped.
    """
    missing = _missing_files(name, settings)
    apart = settings_mistakes(name, settings.models[name])
    if len(missing) == sum(isinstance(getattr(settings.models[name], role), Path) for role in Role):
        raise ConfigError(missing + apart)
    one, limits = settings.model_copy(update={"models": {name: settings.models[name]}}), settings.candidates
    sent = json.dumps(one.model_dump(mode="json"))  # pydantic's own JSON has no infinity
    command = [sys.executable, "-P", "-m", trial_process.__name__, name, str(os.getpid()), str(limits.seconds)]
    with (
        _unnamed_file(sent.encode()) as settings_file,
        subprocess.Popen(  # noqa: S603 - our own interpreter
            command, stdin=settings_file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        ) as process,
    ):
        try:
            output, reason = _watch(process, limits, stopping)
        finally:
            process.kill()
    results = [json.loads(line) for line in output[: output.rfind(b"\n") + 1].splitlines()]
    outcome = next((result for result in results if STEP not in result), None)
    if reason or process.returncode or outcome is None:
        step = next((result[STEP] for result in reversed(results) if STEP in result), f"models.{name}: its trial")
        raise ConfigError([f"{step} {reason or _end_of(process.returncode, limits)}", *missing, *apart])
    if PROBLEMS in outcome:
        raise ConfigError(outcome[PROBLEMS])
    return Trial(
        outcome["digests"],
        msgspec.convert(outcome["findings"], dict[Role, dict[str, RowFinding]]),
        outcome.get("axes"),
    )


def _missing_files(name: str, settings: Settings) -> list[str]:
    """One line for each model file that is not there: no process is started for a pair without any."""
    problems = []
    for role in Role:
        path = getattr(settings.models[name], role)
        try:
            if isinstance(path, Path):
                require_file(path)
        except ModelFileError as error:
            problems.append(f"models.{name}.{role}: {error}")
    return problems


@contextmanager
def _unnamed_file(content: bytes) -> Iterator[IO[bytes]]:
    """A file with this content, which has no name. A pipe would not do: where the watch times out before it has written
    anything, as on a busy machine, `Popen.communicate` never sends the rest.
    """
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file


def _watch(process: subprocess.Popen[bytes], limits: CandidatesSection, stopping: threading.Event) -> tuple[bytes, str]:
    """Read the output of the process to the end; the reason for which it was killed, or ""."""
    deadline = time.monotonic() + TRIAL_START_SECONDS + limits.seconds
    memory = min(limits.memory_bytes, available_bytes() or limits.memory_bytes)
    while True:
        reason = ""
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=WATCH_SECONDS)[0], reason
        if time.monotonic() > deadline:
            reason = _end_of(-signal.SIGALRM, limits)
        elif resident_bytes(process.pid) > memory:
            key = "candidates.memory_bytes" if memory == limits.memory_bytes else "all that is available here"
            reason = f"took more than {memory / GIBIBYTE:.2f} GiB of memory ({key})"
        if reason or stopping.is_set():
            process.kill()
            output = process.communicate()[0]
            if not reason:
                raise UnavailableError("this server stops, so that no model is tried any more")
            return output, reason


def _end_of(code: int, limits: CandidatesSection) -> str:
    """How a process ended."""
    if code == -signal.SIGALRM:
        return f"took more than {limits.seconds:g} s (candidates.seconds)"
    if code >= 0:
        return f"ended its process with exit code {code}"
    hint = " (out of memory, most likely)" if code == -signal.SIGKILL else ""
    return f"ended its process with {signal.Signals(-code).name}{hint}"
