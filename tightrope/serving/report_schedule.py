"""Beside the gateway: starts the drift report's command when it is due, and shows the newest report's figures.

The command is a process of its own, at the lowest priority, because what draws the reports would slow the gateway's
interpreter down and make it three times as large. This thread only waits for it.
"""

import logging
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO

from tightrope.service.adapters.archive.report_store import ReportStore
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.app import REPORTS
from tightrope.service.config.loader import Settings

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""Between two looks whether a report is due, done, or was made by somebody else."""

LONGEST_SECONDS = 1800.0
"""A report that takes longer is ended: it has hung."""

OUTCOMES = {0: "made", 3: "refused"}
"""How the command ends, by its exit code: with a report, or with too few rows for one. Any other one is a failure."""


def command(config: Path) -> Sequence[str]:
    """What makes a report of every model, at the lowest priority where the system has a way to say so."""
    nice = shutil.which("nice")
    return [*([nice, "-n", "19"] if nice else []), sys.executable, "-P", "-m", "tightrope", "report", str(config)]


class Reporter:
    """One thread, at most one report at a time. ``scopes`` has every model's; ``config`` is None where nothing is to be
    started.
    """

    def __init__(
        self, settings: Settings, scopes: Mapping[str, Collection[str]], metrics: Metrics, config: Path | None
    ) -> None:
        self._store = ReportStore(settings.state / REPORTS)
        self._every = settings.reports.every_seconds
        self._scopes = scopes
        self._metrics = metrics
        self._command = command(config) if config is not None else ()
        self._shown: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        for outcome in (*OUTCOMES.values(), "failed"):
            metrics.reports.labels(outcome)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End, and end a report that is being made."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        due = self._first()
        while not self._stopping.is_set():
            try:
                self.show()
                if self._every is not None and self._command and time.monotonic() >= due:
                    due = time.monotonic() + self._every
                    self._make()
            except Exception:
                self._metrics.reports.labels("failed").inc()
                log.exception("the drift report failed")
            self._stopping.wait(LOOK_SECONDS)

    def _first(self) -> float:
        """When the first report is due: after the newest one that there is, or after this start."""
        made = [report.time for name in self._scopes for report in self._store.list(name)[:1]]
        return time.monotonic() + (self._every or 0.0) - (time.time() - max(made) if made else 0.0)

    def show(self) -> None:
        """Put the newest report's figures where they can be scraped, whoever made it."""
        for model, known in self._scopes.items():
            name = next(iter(self._store.names(model)), None)
            if name is None or self._shown.get(model) == name:
                continue
            self._shown[model] = name
            report = self._store.find(model, name)
            if report is not None:
                figures = {scope: told for scope, told in report.figures["scopes"].items() if scope in known}
                self._metrics.report(model, report.time, figures)

    def _make(self) -> None:
        """Run the command to its end, or to ours."""
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=said)  # noqa: S603 - our own
            began = time.monotonic()
            while process.poll() is None and time.monotonic() - began < LONGEST_SECONDS:
                if self._stopping.wait(0.1):
                    break
            code = _ended(process)
            if self._stopping.is_set():
                return
            outcome = OUTCOMES.get(code, "failed")
            self._metrics.reports.labels(outcome).inc()
            if outcome == "failed":
                log.warning("the drift report failed with code %d: %s", code, _last(said))


def _ended(process: "subprocess.Popen[bytes]") -> int:
    """The exit code; a process that still runs is ended."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def _last(said: IO[bytes]) -> str:
    """The last lines of what was written, on one."""
    said.seek(0)
    lines = said.read().decode(errors="replace").split("\n")
    return " ".join(" ".join(lines[-5:]).split())[-500:]
