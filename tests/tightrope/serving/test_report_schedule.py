import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.support.servers import write_config
from tests.support.serving.service_harness import eventually
from tightrope.service.adapters.archive.report_store import ReportStore
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.config.loader import Settings, load
from tightrope.serving import report_schedule
from tightrope.serving.report_schedule import Reporter, command

CONFIG = Path("tightrope.yaml")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look every few milliseconds."""
    monkeypatch.setattr(report_schedule, "LOOK_SECONDS", 0.01)


def settings(folder: Path, every: float | None) -> Settings:
    """A state folder, and how often to make a report."""
    models = {"m": {"baseline": "b.onnx", "compressed": "c.onnx"}}
    return load(
        write_config(folder, {"models": models, "reports": {"every_seconds": every, "keep_rows": 9}, "state": "state"}),
        {},
    )


class Job:
    """A command in the place of the real one: it notes its start and its end in a file, and ends as it is told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, code: int = 0, seconds: float = 0.0) -> None:
        self._notes = folder / "notes"
        self._notes.touch()
        script = (
            f"import sys, time; f = open({str(self._notes)!r}, 'ab', 0); f.write(b'+'); time.sleep({seconds}); "
            f"f.write(b'-'); f.close(); print('line one\\nthe reason', file=sys.stderr); sys.exit({code})"
        )
        monkeypatch.setattr(report_schedule, "command", lambda _config: [sys.executable, "-c", script])
        self.metrics = Metrics(CollectorRegistry())

    @property
    def notes(self) -> str:
        """A plus for every start, a minus for every end."""
        return self._notes.read_text(encoding="utf-8")

    def count(self, outcome: str) -> int:
        """How often it ended so."""
        return self.metrics.total("reports", outcome=outcome)

    @contextmanager
    def scheduled(self, of: Settings, config: Path | None = CONFIG) -> Iterator[Reporter]:
        """A reporter that runs meanwhile."""
        reporter = Reporter(of, {"m": ("model", "g=a")}, self.metrics, config)
        reporter.start()
        try:
            yield reporter
        finally:
            reporter.stop(10.0)


def test_the_command_has_the_lowest_priority() -> None:
    """And is the very command that a person would give, run by this interpreter."""
    *nice, python, safe_path, flag, module, what, config = command(CONFIG)
    assert [Path(nice[0]).name, *nice[1:]] == ["nice", "-n", "19"]
    assert (python, safe_path, flag) == (sys.executable, "-P", "-m")
    assert (module, what, config) == ("tightrope", "report", "tightrope.yaml")


def test_without_nice_it_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small image may not have it."""
    monkeypatch.setattr(report_schedule.shutil, "which", lambda _name: None)
    assert command(CONFIG)[0] == sys.executable


def test_reports_are_made_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they take longer than the time between two of them."""
    job = Job(tmp_path, monkeypatch, seconds=0.2)
    with job.scheduled(settings(tmp_path, 1).model_copy(update={"reports": Always()})):  # type: ignore[dict-item]
        eventually(lambda: job.count("made") >= 3, 30.0)
    assert job.notes.startswith("+-+-+-")


class Always:
    """Settings of reports that are always due."""

    every_seconds = 0.0


def test_the_first_report_is_due_after_the_newest_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart neither makes one at once nor waits for a whole turn again."""
    job, of = Job(tmp_path, monkeypatch), settings(tmp_path, 3600)
    store = ReportStore(tmp_path / "state" / "reports")
    store.save("m", "", {"scopes": {}}, 9, time.time() - 3000)
    with job.scheduled(of):
        time.sleep(0.3)
    assert job.notes == ""
    store.save("m", "", {"scopes": {}}, 9, time.time() - 3000)
    with job.scheduled(settings(tmp_path, 2900)):
        eventually(lambda: job.count("made"))
    assert job.notes == "+-"


@pytest.mark.parametrize(("code", "outcome"), [(0, "made"), (3, "refused"), (1, "failed"), (139, "failed")])
def test_how_a_report_ended_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int, outcome: str
) -> None:
    """Too few rows are no failure; a failure is in the log with what the command said last."""
    job = Job(tmp_path, monkeypatch, code=code)
    with job.scheduled(settings(tmp_path, 1)):
        eventually(lambda: job.count(outcome), 20.0)
    assert (f"failed with code {code}: line one the reason" in caplog.text) == (outcome == "failed")


def test_a_command_that_cannot_be_started_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread goes on: the next one may succeed."""
    job = Job(tmp_path, monkeypatch)
    monkeypatch.setattr(report_schedule, "command", lambda _config: ["/nowhere/python"])
    with job.scheduled(settings(tmp_path, 1)):
        eventually(lambda: job.count("failed") >= 2, 20.0)


def test_a_report_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a failure."""
    monkeypatch.setattr(report_schedule, "LONGEST_SECONDS", 0.3)
    job = Job(tmp_path, monkeypatch, seconds=60.0)
    with job.scheduled(settings(tmp_path, 1)):
        eventually(lambda: job.count("failed"), 20.0)
    assert "-" not in job.notes


def test_a_report_that_is_being_made_ends_with_the_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and it is no failure."""
    job = Job(tmp_path, monkeypatch, seconds=60.0)
    with job.scheduled(settings(tmp_path, 1)):
        eventually(lambda: job.notes == "+", 20.0)
        began = time.monotonic()
    assert time.monotonic() - began < 5.0
    assert (job.notes, job.count("failed")) == ("+", 0)


def test_without_a_schedule_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where it is not known what to start."""
    job = Job(tmp_path, monkeypatch)
    with job.scheduled(settings(tmp_path, None)), job.scheduled(settings(tmp_path, 1), None):
        time.sleep(1.3)
    assert job.notes == ""


def test_reports_that_others_made_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand or by cron: the newest one's figures, of scopes that this gateway knows; a broken one harms nobody."""
    job, store = Job(tmp_path, monkeypatch), ReportStore(tmp_path / "state" / "reports")

    def seen(scope: str) -> float | None:
        labels = {"model": "m", "kind": "inputs", "scope": scope}
        return job.metrics.registry.get_sample_value("tightrope_drift_share", labels)

    def made(at: float, *scopes: str, share: object) -> None:
        store.save("m", "", {"scopes": {scope: {"share": {"inputs": share}} for scope in scopes}}, 9, at)

    with job.scheduled(settings(tmp_path, None)):
        made(1e9, "model", "g=a", "g=unheard", share=0.25)
        eventually(lambda: seen("g=a") == 0.25)
        made(1e9 + 60, "model", share="much")
        eventually(lambda: job.count("failed") == 1)
        made(1e9 + 120, "model", share=0.5)
        eventually(lambda: seen("model") == 0.5)
    assert (seen("g=a"), seen("g=unheard")) == (0.25, None)
    assert (
        job.metrics.registry.get_sample_value("tightrope_drift_report_timestamp_seconds", {"model": "m"}) == 1e9 + 120
    )
