"""Scheduled drift reports: runs `tightrope report` when it is due and exports the newest report's figures as metrics.

The command is a process of its own, at the lowest priority: the report libraries would slow the gateway's interpreter
and triple its memory. This thread only waits for it.
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

from tightrope.monitors.elapsed import elapsed
from tightrope.service.adapters.archive.report_store import ReportStore
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.app import REPORTS_FOLDER
from tightrope.service.config.loader import Settings

log = logging.getLogger(__name__)

REPORT_CHECK_SECONDS = 2.0
"""Between two checks for a due report, and for a report that was made elsewhere."""

REPORT_TIMEOUT_SECONDS = 1800.0
"""A report that takes longer hangs and is terminated."""

OUTCOME_OF_EXIT_CODE = {0: "made", 3: "refused"}
"""Outcome label by the command's exit code: a report, or too few rows for one; any other code is `failed`."""


def report_command(config: Path) -> Sequence[str]:
    """Return the command that makes a report of every model, at the lowest priority where `nice` is available."""
    return low_priority_command("report", str(config))


def low_priority_command(*arguments: str) -> Sequence[str]:
    """Return a command of this program, at the lowest priority where `nice` is available."""
    nice = shutil.which("nice")
    return [*([nice, "-n", "19"] if nice else []), sys.executable, "-P", "-m", "tightrope", *arguments]


class ReportScheduler:
    """One thread that makes at most one report at a time. ``scopes`` maps models to their scopes; with ``config`` None
    it starts no reports.
    """

    def __init__(
        self, settings: Settings, scopes: Mapping[str, Collection[str]], metrics: Metrics, config: Path | None
    ) -> None:
        self._store = ReportStore(settings.state / REPORTS_FOLDER)
        self._interval = settings.reports.every_seconds
        self._scopes = scopes
        self._metrics = metrics
        self._command = report_command(config) if config is not None else ()
        self._shown: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        for outcome in (*OUTCOME_OF_EXIT_CODE.values(), "failed"):
            metrics.reports.labels(outcome)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop the thread, and terminate a report in progress."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        due = self._first_due()
        while not self._stopping.is_set():
            try:
                self.show()
                if self._interval is not None and self._command and time.monotonic() >= due:
                    due = time.monotonic() + self._interval
                    self._make()
            except Exception:
                self._metrics.reports.labels("failed").inc()
                log.exception("the drift report failed")
            self._stopping.wait(REPORT_CHECK_SECONDS)

    def _first_due(self) -> float:
        """Return when the first report is due (monotonic): an interval after the newest one, or after this start."""
        made = [report.time for name in self._scopes for report in self._store.list(name)[:1]]
        return time.monotonic() + (self._interval or 0.0) - (elapsed(max(made), time.time()) if made else 0.0)

    def show(self) -> None:
        """Export the figures of each model's newest report, also of one made elsewhere."""
        for model, scopes in self._scopes.items():
            name = next(iter(self._store.names(model)), None)
            if name is None or self._shown.get(model) == name:
                continue
            self._shown[model] = name
            report = self._store.find(model, name)
            if report is not None:
                figures = {scope: drift for scope, drift in report.figures["scopes"].items() if scope in scopes}
                self._metrics.set_drift_report(model, report.time, figures)

    def _make(self) -> None:
        """Run the command until it ends, times out, or this thread stops."""
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=errors)  # noqa: S603 - our own
            began = time.monotonic()
            while process.poll() is None and time.monotonic() - began < REPORT_TIMEOUT_SECONDS:
                if self._stopping.wait(0.1):
                    break
            code = end_process(process)
            if self._stopping.is_set():
                return
            outcome = OUTCOME_OF_EXIT_CODE.get(code, "failed")
            self._metrics.reports.labels(outcome).inc()
            if outcome == "failed":
                log.warning("the drift report failed with code %d: %s", code, last_lines(errors))


def end_process(process: "subprocess.Popen[bytes]") -> int:
    """Terminate a process that still runs, and return the exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def last_lines(file: IO[bytes]) -> str:
    """Return the last five lines of a file on one line, at most 500 characters."""
    file.seek(0)
    lines = file.read().decode(errors="replace").split("\n")
    return " ".join(" ".join(lines[-5:]).split())[-500:]
