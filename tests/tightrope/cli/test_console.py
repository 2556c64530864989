import pytest
from rich.console import Console

from tightrope.cli import console
from tightrope.monitors.records import Event

WORDS = "see [/wiki] and [red]this[/red] :warning: " + "x" * 200


def test_words_are_shown_as_they_are_and_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However long they are, and whatever brackets they hold; what is wrong goes to standard error."""
    monkeypatch.setattr(console, "out", Console(width=80))
    monkeypatch.setattr(console, "err", Console(width=80, stderr=True))
    console.say("ready", f" {WORDS}")
    console.complain("error", WORDS)
    assert capsys.readouterr() == (f"ready {WORDS}\n", f"error {WORDS}\n")


def test_events_that_come_later_are_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Below a table that is printed already."""
    monkeypatch.setattr(console, "out", Console(width=40))
    event = Event("e", 1_700_000_000.0, "m", "breach", "model", "judge", "a reason", {"after": {"state": "safe"}})
    console.lines([(1, event), (2, event)])
    told = "2023-11-14 22:13:20  m  model  breach  safe  judge  a reason"
    assert capsys.readouterr().out.splitlines() == [f"{number}  {told}" for number in (1, 2)]
