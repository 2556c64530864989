"""What the commands show to people. Loaded where there is something to show: a server has nobody who looks."""

import logging
from datetime import UTC, datetime

from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from tightrope.monitors.records import Event

out, err = Console(), Console(stderr=True)


def handler() -> logging.Handler:
    """Warnings on a terminal."""
    return RichHandler(console=err, show_path=False)


def say(word: str, rest: str, style: str = "bold green") -> None:
    """A word that stands out, and what it is about."""
    out.print(Text.assemble((word, style), rest), soft_wrap=True)


def complain(word: str, rest: str) -> None:
    """The same of what is wrong."""
    err.print(Text.assemble((word, "bold red"), f" {rest}"), soft_wrap=True)


def trail(found: list[tuple[int, Event]]) -> None:
    """Events as a table."""
    table = Table("#", "time (UTC)", "model", "scope", "what", "to", "by", "why", title="events", expand=True)
    for seq, event in found:
        table.add_row(*map(Text, _cells(seq, event)))
    out.print(table)


def lines(found: list[tuple[int, Event]]) -> None:
    """Events that came later."""
    for seq, event in found:
        out.print(Text("  ".join(_cells(seq, event))), soft_wrap=True)


def _cells(seq: int, event: Event) -> tuple[str, ...]:
    at = datetime.fromtimestamp(event.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
    after = event.detail.get("after")
    state = str(after["state"]) if isinstance(after, dict) else ""
    return str(seq), at, event.model, event.scope, event.kind, state, event.actor, event.reason


def facts(model: dict[str, object]) -> None:
    """What is known of a model, as a table."""
    table = Table(title=str(model["name"]), show_header=False, title_justify="left")
    for key, value in model.items():
        table.add_row(key, Text(", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    out.print(table)
