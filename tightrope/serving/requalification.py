"""Scheduled qualifications on kept rows: new statements for people to sign, made beside the gateway.

How it works. A thread asks every minute which model is due, and runs `tightrope qualify --from-samples` for one after
the other, each in a process of its own at the lowest priority; it only waits. A statement goes into a new folder beside
the bundle, where no gate reads it: what serves changes only by people. A file in the state folder remembers times and
verdicts over restarts; a clock that jumped back makes nothing due later than a whole interval from now.
"""

import json
import logging
import os
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from tightrope.monitors.elapsed import elapsed, not_after
from tightrope.monitors.qualification.cells import EXIT_CODES
from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.config.loader import Settings
from tightrope.service.config.qualification import STATEMENT_SUFFIX
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.inference.model_pair import ModelPair
from tightrope.serving.report_schedule import end_process, last_lines, low_priority_command

log = logging.getLogger(__name__)

DUE_CHECK_SECONDS = 60.0
"""Between two checks whether a model is due."""

REQUALIFY_TIMEOUT_SECONDS = 6 * 3600.0
"""A qualification that takes longer hangs and is terminated."""

REQUALIFY_DAY_SECONDS = 86_400.0
REQUALIFY_RETRY_SECONDS = REQUALIFY_DAY_SECONDS
"""After a failure, at most."""

MEMORY_FILE = "qualify/requalified.json"
"""The file in the state folder that remembers times and verdicts."""

FOLDER_SUFFIX = ".requalified"
"""New statements stand beside the bundle, in a folder with the name of the compressed model and this after it."""

REQUALIFIED, REQUALIFICATION_FAILED = "requalified", "requalification-failed"
"""The kinds of events."""


class Requalification(msgspec.Struct, frozen=True):
    """The latest attempt for one model, ``tried`` in seconds since the epoch: the ``verdict`` of the newest statement,
    empty without one, ``made`` then, whether it ``changed``, and whether the latest attempt ``failed``.
    """

    tried: float
    made: float | None = None
    verdict: str = ""
    changed: bool = False
    failed: bool = False


class Requalifier:
    """One thread that makes at most one statement at a time. ``serving_verdict`` tells the verdict by which a model
    serves, None without a statement; ``add_event`` adds an event to the audit trail. Without ``config`` it makes none.
    """

    def __init__(
        self,
        settings: Settings,
        config: Path | None,
        metrics: Metrics,
        serving_verdict: Callable[[str], str | None],
        add_event: Callable[[Event], None],
        space: FreeSpace | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._days = {
            name: days
            for name, model in settings.models.items()
            if config and model.qualification and (days := model.qualification.requalify_days)
        }
        self._settings, self._config, self._metrics = settings, config, metrics
        self._serving_verdict, self._add_event = serving_verdict, add_event
        self._space, self._clock = space or FreeSpace(settings.state.folder), clock
        self._file = settings.state / MEMORY_FILE
        self._is_postponed = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="requalifier", daemon=True)

    def start(self) -> None:
        """Start the thread, if a model asks for it."""
        if self._days:
            self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop the thread, and terminate a qualification in progress."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.check()
            except Exception:
                log.exception("the schedule of qualifications failed")
            self._stopping.wait(DUE_CHECK_SECONDS)

    def check(self) -> None:
        """Make the statements that are due, unless the disk is short of space: then they wait."""
        before, now = self._read(), self._clock()
        known = dict(before)
        for name in self._days:
            found = known.get(name, Requalification(tried=now))  # the interval begins with the first start
            known[name] = msgspec.structs.replace(found, tried=not_after(found.tried, now))
            self._show(name, known[name])
        if known != before:
            self._write(known)
        due = [name for name in self._days if self._is_due(name, known[name], now)]
        if due and self._space.is_short():
            if not self._is_postponed:
                log.warning("qualifications on kept rows wait: the volume of the state is short of space")
            self._is_postponed = True
            return
        self._is_postponed = False
        for name in due:
            if self._stopping.is_set():
                return
            known[name] = self._make(name, known[name])
            self._write(known)
            self._show(name, known[name])

    def _show(self, name: str, found: Requalification) -> None:
        """Show the latest attempt. A statement that people put in force since then is what counts."""
        serving = self._serving_verdict(name)
        changed = serving != found.verdict if serving and found.verdict else found.changed
        self._metrics.set_requalification(name, found.made, changed=changed, failed=found.failed)

    def _is_due(self, name: str, known: Requalification, now: float) -> bool:
        interval = self._days[name] * REQUALIFY_DAY_SECONDS
        return elapsed(known.tried, now) >= (min(interval, REQUALIFY_RETRY_SECONDS) if known.failed else interval)

    def _make(self, name: str, before: Requalification) -> Requalification:
        """Run the command until it ends, times out, or this thread stops; a stop counts as no attempt."""
        begin, folder = self._clock(), self._folder(name)
        verdict, reason = self._qualify(name, folder)
        if self._stopping.is_set():
            return before
        if verdict is None:
            self._record(name, REQUALIFICATION_FAILED, f"no new statement on kept rows could be made: {reason}", {})
            return msgspec.structs.replace(before, tried=begin, failed=True)
        known = self._serving_verdict(name) or before.verdict
        changed = bool(known) and known != verdict
        text = f"a new statement on kept rows says {verdict}" + (f", where {known} was said before" if changed else "")
        detail = {"verdict": verdict, "before": known, "changed": changed, "folder": str(folder)}
        self._record(name, REQUALIFIED, f"{text}; it waits to be signed: {folder}", detail)
        return Requalification(begin, begin, verdict, changed)

    def _qualify(self, name: str, folder: Path) -> tuple[str | None, str]:
        """The verdict, None where none was reached, and the reason of that."""
        bundle = folder / f"{self._artefact(name).name}{STATEMENT_SUFFIX}"
        since = ("--since", f"{self._days[name]}d")
        command = low_priority_command(
            "qualify", str(self._config), "--from-samples", "--model", name, *since, "--out", str(bundle), "--json"
        )
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            code = self._wait(command, output, errors)
            if code not in EXIT_CODES.values():
                return None, last_lines(errors) or f"the command ended with code {code}"
            output.seek(0)
            try:
                return str(json.loads(output.read())["verdict"]), ""
            except (ValueError, KeyError, TypeError):
                return None, last_lines(errors) or f"the command ended with code {code}, and printed no verdict"

    def _wait(self, command: Sequence[str], output: IO[bytes], errors: IO[bytes]) -> int:
        process = subprocess.Popen(command, stdout=output, stderr=errors)  # noqa: S603 - our own
        deadline = time.monotonic() + REQUALIFY_TIMEOUT_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if self._stopping.wait(0.1):
                break
        return end_process(process)

    def _artefact(self, name: str) -> Path:
        return Path(str(self._settings.models[name].compressed))

    def _folder(self, name: str) -> Path:
        """A new folder beside the bundle, or in the state folder where that cannot be written."""
        section, artefact = self._settings.models[name].qualification, self._artefact(name)
        beside = (
            section.file.parent if section and section.file else artefact.parent
        ) / f"{artefact.name}{FOLDER_SUFFIX}"
        parent = beside if beside.is_dir() else beside.parent
        if not os.access(parent, os.W_OK):
            beside = self._settings.state / "qualify" / f"{name}{FOLDER_SUFFIX}"
        return beside / datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%SZ")

    def _record(self, name: str, kind: str, reason: str, detail: Mapping[str, object]) -> None:
        self._add_event(Event(uuid.uuid4().hex, self._clock(), name, kind, MODEL_SCOPE, "gateway", reason, detail))

    def _read(self) -> dict[str, Requalification]:
        """The remembered attempts; none of a damaged file, so that the interval begins anew."""
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, Requalification])
        return {}

    def _write(self, known: Mapping[str, Requalification]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_name(f".{self._file.name}.draft")
        draft.write_bytes(msgspec.json.encode(known))
        draft.replace(self._file)


def build_requalifier(
    settings: Settings,
    config: Path | None,
    metrics: Metrics,
    engine: InferenceEngine,
    add_event: Callable[[Event], None],
) -> Requalifier:
    """A requalifier that compares with the statements by which the models of an engine serve."""
    return Requalifier(settings, config, metrics, lambda name: _verdict(engine.pair(name)), add_event)


def _verdict(pair: ModelPair) -> str | None:
    """The verdict of the statement by which a model serves; None without one."""
    signed = pair.qualification and pair.qualification.signed
    return signed.statement.predicate.result.verdict if signed else None
