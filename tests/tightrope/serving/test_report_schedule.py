import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Semaphore

import pytest
from prometheus_client import CollectorRegistry

from tests.support.configs import write_config
from tests.support.serving.service_harness import eventually
from tightrope.service.adapters.archive.report_store import ReportStore
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.config.loader import Settings, load
from tightrope.serving import report_schedule
from tightrope.serving.report_schedule import ReportScheduler, report_command

CONFIG = Path("tightrope.yaml")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check every few milliseconds."""
    monkeypatch.setattr(report_schedule, "REPORT_CHECK_SECONDS", 0.01)


def settings(folder: Path, every: float | None) -> Settings:
    """Return settings with a state folder and an interval of reports."""
    models = {"m": {"baseline": "b.onnx", "compressed": "c.onnx"}}
    return load(
        write_config(folder, {"models": models, "reports": {"every_seconds": every, "keep_rows": 9}, "state": "state"}),
        {},
    )


class Always:
    """A section of reports that are always due."""

    every_seconds = 0.0


def always(folder: Path) -> Settings:
    """Return settings whose report is always due."""
    return settings(folder, None).model_copy(update={"reports": Always()})  # type: ignore[dict-item]


def wait_for_checks(scheduler: ReportScheduler, number: int) -> None:
    """Wait until the scheduler has looked for due reports this many times more."""
    passes = Semaphore(0)
    show = scheduler.show

    def counted() -> None:
        show()
        passes.release()

    scheduler.show = counted  # type: ignore[method-assign]
    for _ in range(number + 1):  # the last one ends the check before it
        assert passes.acquire(timeout=30.0)


class Job:
    """A command in place of the real one: it records its start and its end in a file, and ends after ``seconds`` with
    ``code``.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, code: int = 0, seconds: float = 0.0) -> None:
        self._notes = folder / "notes"
        self._notes.touch()
        script = (
            f"import sys, time; f = open({str(self._notes)!r}, 'ab', 0); f.write(b'+'); time.sleep({seconds}); "
            f"f.write(b'-'); f.close(); print('line one\\nthe reason', file=sys.stderr); sys.exit({code})"
        )
        monkeypatch.setattr(report_schedule, "report_command", lambda _config: [sys.executable, "-c", script])
        self.metrics = Metrics(CollectorRegistry())

    @property
    def notes(self) -> str:
        """A plus for every start, a minus for every end."""
        return self._notes.read_text(encoding="utf-8")

    def count(self, outcome: str) -> int:
        """Return the number of reports with this outcome."""
        return self.metrics.total("reports", outcome=outcome)

    @contextmanager
    def scheduled(self, settings_: Settings, config: Path | None = CONFIG) -> Iterator[ReportScheduler]:
        """Run a scheduler until the block ends."""
        scheduler = ReportScheduler(settings_, {"m": ("model", "g=a")}, self.metrics, config)
        scheduler.start()
        try:
            yield scheduler
        finally:
            scheduler.stop(10.0)


def test_command_has_the_lowest_priority() -> None:
    """It is `tightrope report`, run by this interpreter."""
    *nice, python, safe_path, flag, module, what, config = report_command(CONFIG)
    assert [Path(nice[0]).name, *nice[1:]] == ["nice", "-n", "19"]
    assert (python, safe_path, flag) == (sys.executable, "-P", "-m")
    assert (module, what, config) == ("tightrope", "report", "tightrope.yaml")


def test_command_runs_without_nice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small image may not have it."""
    monkeypatch.setattr(report_schedule.shutil, "which", lambda _name: None)
    assert report_command(CONFIG)[0] == sys.executable


def test_reports_never_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if one takes longer than the interval."""
    job = Job(tmp_path, monkeypatch, seconds=0.2)
    with job.scheduled(always(tmp_path)):
        eventually(lambda: job.count("made") >= 3, 30.0)
    assert job.notes.startswith("+-+-+-")


def test_first_report_is_due_an_interval_after_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart neither makes one at once nor waits for a whole interval."""
    job = Job(tmp_path, monkeypatch)
    store = ReportStore(tmp_path / "state" / "reports")
    store.save("m", "", {"scopes": {}}, 9, time.time() - 3000)
    with job.scheduled(settings(tmp_path, 3600)) as scheduler:
        wait_for_checks(scheduler, 3)
    assert job.notes == ""
    store.save("m", "", {"scopes": {}}, 9, time.time() - 3000)
    with job.scheduled(settings(tmp_path, 2900)):
        eventually(lambda: job.count("made"))
    assert job.notes == "+-"


@pytest.mark.parametrize(("code", "outcome"), [(0, "made"), (3, "refused"), (1, "failed"), (139, "failed")])
def test_outcomes_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int, outcome: str
) -> None:
    """Too few rows are no failure; a failure is logged with the command's last lines."""
    job = Job(tmp_path, monkeypatch, code=code)
    with job.scheduled(always(tmp_path)):
        eventually(lambda: job.count(outcome), 20.0)
    assert (f"failed with code {code}: line one the reason" in caplog.text) == (outcome == "failed")


def test_failed_start_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread continues."""
    job = Job(tmp_path, monkeypatch)
    monkeypatch.setattr(report_schedule, "report_command", lambda _config: ["/nowhere/python"])
    with job.scheduled(always(tmp_path)):
        eventually(lambda: job.count("failed") >= 2, 20.0)


def test_hanging_report_is_terminated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as a failure."""
    monkeypatch.setattr(report_schedule, "REPORT_TIMEOUT_SECONDS", 0.3)
    job = Job(tmp_path, monkeypatch, seconds=60.0)
    with job.scheduled(always(tmp_path)):
        eventually(lambda: job.count("failed"), 20.0)
    assert "-" not in job.notes


def test_report_in_progress_ends_with_the_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is terminated at once, and is no failure."""
    job = Job(tmp_path, monkeypatch, seconds=60.0)
    with job.scheduled(always(tmp_path)):
        eventually(lambda: job.notes == "+", 20.0)
        began = time.monotonic()
    assert time.monotonic() - began < 30.0
    assert (job.notes, job.count("failed")) == ("+", 0)


def test_without_a_schedule_no_report_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor without a configuration file for the command."""
    job = Job(tmp_path, monkeypatch)
    with job.scheduled(settings(tmp_path, None)) as no_interval, job.scheduled(always(tmp_path), None) as no_file:
        wait_for_checks(no_interval, 3)
        wait_for_checks(no_file, 3)
    assert job.notes == ""


def test_reports_made_elsewhere_are_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest one's figures are exported, for the gateway's own scopes; a broken one does no harm."""
    job, store = Job(tmp_path, monkeypatch), ReportStore(tmp_path / "state" / "reports")

    def seen(scope: str) -> float | None:
        labels = {"model": "m", "kind": "inputs", "scope": scope}
        return job.metrics.registry.get_sample_value("tightrope_drift_share", labels)

    def save(time_: float, *scopes: str, share: object) -> None:
        store.save("m", "", {"scopes": {scope: {"share": {"inputs": share}} for scope in scopes}}, 9, time_)

    with job.scheduled(settings(tmp_path, None)):
        save(1e9, "model", "g=a", "g=unheard", share=0.25)
        eventually(lambda: seen("g=a") == 0.25)
        save(1e9 + 60, "model", share="much")
        eventually(lambda: job.count("failed") == 1)
        save(1e9 + 120, "model", share=0.5)
        eventually(lambda: seen("model") == 0.5)
    assert (seen("g=a"), seen("g=unheard")) == (0.25, None)
    assert (
        job.metrics.registry.get_sample_value("tightrope_drift_report_timestamp_seconds", {"model": "m"}) == 1e9 + 120
    )
