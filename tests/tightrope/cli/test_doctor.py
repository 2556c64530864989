"""The doctor's words on a terminal and as JSON, and its exit code."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.cluster.cluster_views import control, healthy
from tests.tightrope.wiring.test_topics import topics_config
from tightrope.cli import console
from tightrope.cli.doctor import print_findings, print_findings_json, quiet_log
from tightrope.wiring.doctor.examination import findings_of

Run = Callable[..., int]


def test_findings_fit_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worst first, each with its remedy, and the verdict at the end."""
    monkeypatch.setattr(console, "out", Console(width=80))
    print_findings(findings_of(healthy(control=control(heartbeats=[]))))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == [
        "blind m: no judge: no heartbeat came within 3 s, and there is no earlier one.",
        "      Do: start a judge with `tightrope judge CONFIG`; the baseline answers",
        "      until one is heard.",
    ]
    assert lines[-1] == "A model is not guarded by evidence: the baseline must answer it."
    assert max(map(len, lines)) <= 80


def test_findings_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For machines: every finding, the plans of all members side by side, and the exit code."""
    view = healthy()
    print_findings_json(findings_of(view), view)
    printed = json.loads(capsys.readouterr().out)
    assert (printed["ok"], printed["exit"]) == (True, 0)
    assert printed["findings"][0].keys() == {"severity", "subject", "text", "do"}
    assert printed["models"]["m"]["judges"] == 1
    assert printed["topics"]["tightrope.labels"] == {"id": "id-labels", "partitions": 2}
    assert printed["members"] == [{"url": "http://g:8080", "status": 200, "reasons": []}]


def test_exit_code_is_that_of_the_worst_finding(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Without Kafka it is 5, within the time that is given, and no log disturbs the findings."""
    path, _ = topics_config(tmp_path, "127.0.0.1:1")
    assert run("doctor", path, "--seconds", "5") == 5
    printed = capsys.readouterr()
    assert printed.out.startswith("silent ")
    assert printed.out.rstrip().endswith("The cluster does not answer.")
    assert run("doctor", path, "--seconds", "5", "--json", "--url", "http://127.0.0.1:1") == 5
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit"] == 5
    assert answer["members"][0]["status"] == 0


def test_log_is_quiet_while_the_doctor_asks() -> None:
    """Afterwards it is as before."""
    logger = logging.getLogger("tightrope")
    with quiet_log():
        assert not logger.isEnabledFor(logging.ERROR)
    assert logger.isEnabledFor(logging.ERROR)
