"""`tightrope cost --days`: the ledger as a table, as tab-separated lines and as JSON."""

import json
from typing import Any

import pytest
from rich.console import Console

from tightrope.cli import console
from tightrope.cli.people.cost_days import day_lines, show_days

DAY: dict[str, Any] = {
    "day": "2026-11-30",
    "requests": {"compressed": 990, "baseline": 10},
    "rows": {"compressed": 9_900, "baseline": 100},
    "cpu_seconds": {"answer": 4.0, "fallback": 2.0, "escalation": 0.0, "shadow": 1.0},
    "other_model_cpu_seconds": {"answer": 8.0, "fallback": 1.0},
    "blind_seconds": 12.0,
    "estimate": False,
    "parts": ["gateway", "worker"],
}
UNKNOWN = DAY | {
    "day": "2026-11-29",
    "requests": {"compressed": 0, "baseline": 0},
    "cpu_seconds": {"answer": 4.0, "fallback": 0.0, "escalation": 0.0, "shadow": None},
    "other_model_cpu_seconds": {"answer": None, "fallback": None},
    "estimate": True,
    "parts": ["gateway"],
}


def document(*days: dict[str, Any], missing: list[str]) -> dict[str, Any]:
    """The API's answer for the model m."""
    return {"model": "m", "days": days, "parts": [], "missing": missing}


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setattr(console, "out", Console(width=80))
    monkeypatch.setattr("tightrope.cli.people.cost_days.is_piped", lambda: False)


def printed(capsys: pytest.CaptureFixture[str], *documents: dict[str, Any]) -> list[str]:
    """The lines of the table, their words apart from the gaps."""
    show_days(documents, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    return [" ".join(line.split()) for line in lines]


def test_sentence_is_that_of_all_days(capsys: pytest.CaptureFixture[str]) -> None:
    """Above a line for each day."""
    lines = printed(capsys, document(DAY, DAY | {"day": "2026-12-01"}, missing=[]))
    assert lines[0].startswith("m: Compression saves about 50 % of the model's CPU; watching it costs about 10")
    assert lines[-2:] == [f"{day} 1,000 99 % 7.0 1.0 ~10.0 30 % less 12" for day in ("2026-11-30", "2026-12-01")]


def test_figures_that_are_not_known_are_not_said_to_be_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the saving nor the watching; the parts that are missing are named."""
    lines = printed(capsys, document(UNKNOWN, missing=["worker"]))
    assert lines[-2:] == ["2026-11-29 0 ~4.0 unknown unknown unknown 12", "Not in this ledger: worker."]
    assert printed(capsys, document(missing=["gateway", "worker"])) == ["m: no day is in the ledger yet."]


def test_days_with_many_requests_fit_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """A machine of 64 cores, for a day."""
    seconds = dict.fromkeys(DAY["cpu_seconds"], 1_382_400.0)
    requests = {"compressed": 900_000_000, "baseline": 1}
    busy = {"requests": requests, "cpu_seconds": seconds, "estimate": True, "blind_seconds": 86_400.0}
    lines = printed(capsys, document(DAY | busy | {"other_model_cpu_seconds": seconds}, missing=[]))
    assert lines[-1] == "2026-11-30 900,000,001 100 % ~5,529,600 1,382,400 ~2,764,800 100 % more 86,400"


def test_days_in_a_pipe_are_lines_and_unknown_figures_empty() -> None:
    """Tab-separated, below a header."""
    header, _, unknown = (line.split("\t") for line in day_lines([document(DAY, UNKNOWN, missing=[])]))
    named = dict(zip(header, unknown, strict=True))
    assert (named["model"], named["day"], named["cpu_seconds_answer"]) == ("m", "2026-11-29", "4.0")
    assert named["cpu_seconds_shadow"] == named["other_model_cpu_seconds_answer"] == ""
    assert named["parts"] == "gateway"


def test_days_as_json_are_those_of_the_api(capsys: pytest.CaptureFixture[str]) -> None:
    """One document for each model."""
    show_days([document(DAY, missing=[])], as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"model": "m", "days": [DAY], "parts": [], "missing": []}]
