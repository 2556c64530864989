"""When new statements on kept rows are made, and what people learn of them. Commands and clocks are controlled."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.support.configs import write_config
from tests.support.serving.service_harness import eventually
from tests.support.volumes import Volume
from tightrope.monitors.records import Event
from tightrope.service.adapters.archive.free_space import RESERVE_BYTES, FreeSpace
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.config.loader import ConfigError, Settings, load
from tightrope.serving import requalification
from tightrope.serving.requalification import (
    MEMORY_FILE,
    REQUALIFICATION_FAILED,
    REQUALIFIED,
    REQUALIFY_DAY_SECONDS,
    Requalifier,
)

START = 1_700_000_000.0


def requalified_settings(folder: Path, days: int = 30, **changes: object) -> Settings:
    """Settings of two models; the first is qualified anew."""
    section = {"require": False, "requalify_days": days}
    models = {
        "m": {"baseline": "b.onnx", "compressed": "c.onnx", "qualification": section},
        "other": {"baseline": "b.onnx", "compressed": "c.onnx"},
    }
    config = {"models": models, "reports": {"keep_rows": 9}, "state": "state", **changes}
    return load(write_config(folder, config), {})


@dataclass
class Schedule:
    """A requalifier on a controlled clock, whose command writes a verdict and exits with a code."""

    settings: Settings
    monkeypatch: pytest.MonkeyPatch
    now: float = START
    serving: str | None = "qualified"
    free: float = 10.0 * RESERVE_BYTES
    events: list[Event] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)
    metrics: Metrics = field(default_factory=lambda: Metrics(CollectorRegistry()))

    def answer(self, verdict: str, code: int, *, text: str | None = None, seconds: float = 0.0) -> None:
        """Let the command print this verdict, or this text, and exit with this code."""
        printed = json.dumps({"verdict": verdict}) if text is None else text
        script = (
            f"import sys, time; time.sleep({seconds}); print({printed!r}); "
            f"print('the reason', file=sys.stderr); sys.exit({code})"
        )

        def command(*arguments: str) -> list[str]:
            self.commands.append(list(arguments))
            return [sys.executable, "-c", script]

        self.monkeypatch.setattr(requalification, "low_priority_command", command)

    def requalifier(self) -> Requalifier:
        """One after a start of the process."""
        space = FreeSpace(self.settings.state.folder, lambda _: Volume(self.free))
        return Requalifier(
            self.settings,
            Path("c.yaml"),
            self.metrics,
            lambda _: self.serving,
            self.events.append,
            space,
            lambda: self.now,
        )

    def metric(self, name: str) -> float:
        """A gauge of the model."""
        return float(getattr(self.metrics, f"requalification_{name}").labels("m")._value.get())


@pytest.fixture
def schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Schedule:
    """A schedule whose command says qualified."""
    made = Schedule(requalified_settings(tmp_path), monkeypatch)
    made.answer("qualified", 0)
    return made


def test_the_first_statement_is_due_after_the_interval(schedule: Schedule) -> None:
    """Counted over restarts, from the first start; the models that do not ask for it are left alone."""
    schedule.requalifier().check()
    schedule.now += 29.9 * REQUALIFY_DAY_SECONDS
    schedule.requalifier().check()
    assert schedule.commands == []
    schedule.now += 0.2 * REQUALIFY_DAY_SECONDS
    requalifier = schedule.requalifier()
    requalifier.check()
    requalifier.check()
    (command,) = schedule.commands
    assert command[:6] == ["qualify", "c.yaml", "--from-samples", "--model", "m", "--since"]
    assert command[6] == "30d"
    assert [event.kind for event in schedule.events] == [REQUALIFIED]
    assert [schedule.metric(name) for name in ("changed", "failed")] == [0, 0]
    assert schedule.metric("timestamp_seconds") == schedule.now


def test_a_changed_verdict_is_told(schedule: Schedule) -> None:
    """By the event and by the gauge, also after a restart, until a statement with that verdict is in force."""
    schedule.requalifier().check()
    schedule.now += 31 * REQUALIFY_DAY_SECONDS
    schedule.answer("breach", 3)
    schedule.requalifier().check()
    (event,) = schedule.events
    assert event.detail["changed"] is True
    assert "says breach, where qualified was said before" in event.reason
    assert schedule.metric("changed") == 1
    schedule.requalifier().check()
    assert schedule.metric("changed") == 1
    schedule.serving = "breach"
    schedule.requalifier().check()
    assert schedule.metric("changed") == 0


def test_without_a_statement_in_force_the_one_before_counts(schedule: Schedule) -> None:
    """The first one changes nothing."""
    schedule.serving = None
    schedule.requalifier().check()
    for verdict, code, changed in (("qualified", 0, 0), ("insufficient", 4, 1), ("insufficient", 4, 0)):
        schedule.now += 31 * REQUALIFY_DAY_SECONDS
        schedule.answer(verdict, code)
        schedule.requalifier().check()
        assert schedule.metric("changed") == changed


@pytest.mark.parametrize(("code", "text"), [(1, ""), (0, "no JSON"), (0, "[]"), (-9, "")])
def test_a_failure_is_told_and_tried_again(schedule: Schedule, code: int, text: str) -> None:
    """After a day; what was made before stays known."""
    schedule.requalifier().check()
    schedule.now += 31 * REQUALIFY_DAY_SECONDS
    schedule.requalifier().check()
    made = schedule.now
    schedule.now += 31 * REQUALIFY_DAY_SECONDS
    schedule.answer("", code % 256, text=text)
    schedule.requalifier().check()
    assert [event.kind for event in schedule.events] == [REQUALIFIED, REQUALIFICATION_FAILED]
    assert "the reason" in schedule.events[-1].reason
    assert [schedule.metric(name) for name in ("failed", "timestamp_seconds")] == [1, made]
    schedule.now += 0.9 * REQUALIFY_DAY_SECONDS
    schedule.requalifier().check()
    assert len(schedule.commands) == 2
    schedule.answer("qualified", 0)
    schedule.now += 0.2 * REQUALIFY_DAY_SECONDS
    schedule.requalifier().check()
    assert schedule.metric("failed") == 0


def test_it_waits_while_the_disk_is_short(schedule: Schedule, caplog: pytest.LogCaptureFixture) -> None:
    """One line in the log, no attempt; then it is made."""
    schedule.requalifier().check()
    schedule.now += 31 * REQUALIFY_DAY_SECONDS
    schedule.free = RESERVE_BYTES / 2
    requalifier = schedule.requalifier()
    requalifier.check()
    requalifier.check()
    assert (schedule.commands, schedule.events) == ([], [])
    assert len([record for record in caplog.records if "short of space" in record.getMessage()]) == 1
    schedule.free = 2 * RESERVE_BYTES
    requalifier.check()
    assert len(schedule.commands) == 1


def test_a_clock_that_ran_ahead_delays_nothing(schedule: Schedule) -> None:
    """A time that lies in the future counts as now, from when on an interval is waited for."""
    schedule.now = START + 4000 * REQUALIFY_DAY_SECONDS
    schedule.requalifier().check()
    schedule.now = START
    schedule.requalifier().check()
    schedule.now += 31 * REQUALIFY_DAY_SECONDS
    schedule.requalifier().check()
    assert len(schedule.commands) == 1


def test_a_damaged_memory_begins_anew(schedule: Schedule) -> None:
    """No statement is made at once, and none is missed for more than an interval."""
    schedule.requalifier().check()
    (schedule.settings.state / MEMORY_FILE).write_text("{")
    schedule.now += 31 * REQUALIFY_DAY_SECONDS
    schedule.requalifier().check()
    assert schedule.commands == []
    schedule.now += 31 * REQUALIFY_DAY_SECONDS
    schedule.requalifier().check()
    assert len(schedule.commands) == 1


def test_a_statement_stands_in_a_folder_of_its_own(schedule: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the bundle, or in the state where that folder cannot be written: it never replaces the one in force."""
    schedule.requalifier().check()
    outs: list[Path] = []
    for writable in (True, False):
        schedule.now += 31 * REQUALIFY_DAY_SECONDS
        monkeypatch.setattr(requalification.os, "access", lambda *_, allowed=writable: allowed)
        schedule.requalifier().check()
        outs.append(Path(schedule.commands[-1][8]))
    root = schedule.settings.state.folder.parent
    assert outs[0].relative_to(root).parts[0] == "c.onnx.requalified"
    assert outs[1].relative_to(root).parts[:3] == ("state", "qualify", "m.requalified")
    assert {out.name for out in outs} == {"c.onnx.intoto.jsonl"}


def test_a_stop_ends_the_command(schedule: Schedule) -> None:
    """It counts as no attempt: the next start makes it again."""
    schedule.requalifier().check()
    schedule.now += 31 * REQUALIFY_DAY_SECONDS
    schedule.answer("qualified", 0, seconds=600.0)
    requalifier = schedule.requalifier()
    requalifier.start()
    eventually(lambda: schedule.commands)
    requalifier.stop(30.0)
    assert not requalifier._thread.is_alive()
    assert schedule.events == []
    schedule.answer("qualified", 0)
    schedule.requalifier().check()
    assert len(schedule.events) == 1


def test_without_a_configuration_file_nothing_is_made(schedule: Schedule) -> None:
    """There is no file that the command could read."""
    idle = Requalifier(schedule.settings, None, schedule.metrics, lambda _: None, schedule.events.append)
    idle.check()
    idle.start()
    assert not idle._thread.is_alive()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"reports": {}}, "needs kept rows: set reports.keep_rows"),
        ({"reports": {"keep_rows": 9, "row_bytes": 0}}, "needs kept rows"),
        ({"bus": {"kafka": {"servers": ["k:9092"]}}}, "needs the embedded bus"),
    ],
)
def test_a_schedule_without_rows_is_refused(tmp_path: Path, changes: dict[str, object], text: str) -> None:
    """The line names the key, and what would be right."""
    with pytest.raises(ConfigError, match=rf"models\.m\.qualification\.requalify_days: {text}"):
        requalified_settings(tmp_path, **changes)
