"""Orders of the command line; `test_status.py` gives them to a running gateway."""

import pytest
import typer

from tightrope.cli.people.orders import _confirm


def test_order_without_a_terminal_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs `--yes`; with it there is no question."""
    _confirm("This moves all.", yes=True, json_=False)
    with pytest.raises(typer.BadParameter, match="--yes is missing"):
        _confirm("This moves all.", yes=False, json_=False)
    monkeypatch.setattr("tightrope.cli.people.orders.is_piped", lambda: False)
    with pytest.raises(typer.BadParameter, match="--yes is missing"):
        _confirm("This moves all.", yes=False, json_=True)
