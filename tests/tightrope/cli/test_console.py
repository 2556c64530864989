import pytest
from rich.console import Console

from tightrope.cli import console
from tightrope.monitors.records import Event

TEXT = "see [/wiki] and [red]this[/red] :warning: " + "x" * 200


def test_texts_are_printed_verbatim_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Long texts are not wrapped and brackets are no markup; errors go to standard error."""
    monkeypatch.setattr(console, "out", Console(width=80))
    monkeypatch.setattr(console, "err", Console(width=80, stderr=True))
    console.print_status("ready", f" {TEXT}")
    console.print_error("error", TEXT)
    assert capsys.readouterr() == (f"ready {TEXT}\n", f"error {TEXT}\n")


def test_later_events_are_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Later events continue a printed table as plain lines."""
    monkeypatch.setattr(console, "out", Console(width=40))
    event = Event("e", 1_700_000_000.0, "m", "breach", "model", "judge", "a reason", {"after": {"state": "safe"}})
    console.print_event_lines([(1, event), (2, event)])
    cells = "2023-11-14 22:13:20  m  model  breach  safe  judge  a reason"
    assert capsys.readouterr().out.splitlines() == [f"{number}  {cells}" for number in (1, 2)]
