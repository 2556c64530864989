import pytest
from rich.console import Console

from tightrope.cli import console

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
