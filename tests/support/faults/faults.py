"""The faults of one process: each is installed before the parts are built, and acts once it is switched on."""

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.faults.clock import active
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.archive.segments import SegmentFolder
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.shadow.judge import Judge
from tightrope.shadow.worker import Worker

HANG_SECONDS = 0.05
"""Time after which a thread that hangs looks whether the fault is over."""

KINDS: Mapping[str, str] = {
    "judge_raises": "judge",
    "judge_hangs": "judge",
    "worker_raises": "worker",
    "worker_hangs": "worker",
    "state_full": "disk",
    "state_locked": "disk",
    "archive_full": "disk",
    "clock_ahead": "clock",
    "clock_back": "clock",
    "clock_blip": "clock",  # ahead for one chunk of healthy traffic
    "one_id": "client",
    "odd_spelling": "client",
    "parameter_lost": "client",
    "student_raises": "model",
    "student_nan": "model",
    "baseline_nan": "model",
}
"""The part that fails, by fault."""

STOPPING = frozenset({"judge_raises", "judge_hangs", "worker_raises", "worker_hangs", "state_full", "state_locked"})
"""Faults after which no row is judged any more."""


def install(database: Path) -> Callable[..., None]:
    """Install all faults; returns the function that switches some of them on. ``database`` is the file of the state."""
    _fail_steps(Judge, "judge")
    _fail_steps(Worker, "worker")
    _fail_disk()
    _fail_models()

    def switch_on(*names: str) -> None:
        active.update(names)
        if "state_locked" in names:
            _hold_lock(database)

    return switch_on


def _fail_steps(part: type, name: str) -> None:
    step: Any = part.step  # type: ignore[attr-defined]

    def failing(self: object, timeout: float) -> int:
        while f"{name}_hangs" in active:
            time.sleep(HANG_SECONDS)
        if f"{name}_raises" in active:
            raise RuntimeError(f"a fault of the {name}")
        return int(step(self, timeout))

    part.step = failing  # type: ignore[attr-defined]


def _fail_disk() -> None:
    save, append = SqliteStore.save, SegmentFolder.append

    def failing_save(self: SqliteStore, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as `save` takes
        if "state_full" in active:
            raise sqlite3.OperationalError("database or disk is full")
        save(self, *arguments, **named)

    def failing_append(self: SegmentFolder, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as above
        if "archive_full" in active:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(self, *arguments, **named)

    SqliteStore.save = failing_save  # type: ignore[method-assign]
    SegmentFolder.append = failing_append  # type: ignore[method-assign]


_locks: list[sqlite3.Connection] = []
"""Connections that hold a lock on the state until the process ends."""


def _hold_lock(database: Path) -> None:
    """Hold the state's lock, as a shell does in which a person began a transaction."""
    lock = sqlite3.connect(database, isolation_level=None, timeout=10.0, check_same_thread=False)
    lock.execute("BEGIN IMMEDIATE")
    _locks.append(lock)


roles: dict[str, Role] = {}
"""The role of each loaded model, by digest."""


def _fail_models() -> None:
    run = OnnxModel.run

    def failing(self: OnnxModel, inputs: Tensors, outputs: Any) -> Tensors:  # noqa: ANN401 - as `run` takes
        role = roles.get(self.digest)
        if role is Role.COMPRESSED and "student_raises" in active:
            raise RunFailedError("a fault of the model")
        answers = run(self, inputs, outputs)
        name = "student_nan" if role is Role.COMPRESSED else "baseline_nan"
        if role is not None and name in active:
            return {output: np.full_like(values, np.nan) for output, values in answers.items()}
        return answers

    OnnxModel.run = failing  # type: ignore[method-assign]
