"""Terminal output of the commands. Imported only by commands that print: a server needs no Rich."""

import logging
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

out, err = Console(), Console(stderr=True)


def log_handler() -> logging.Handler:
    """Return a handler that logs to the terminal in colours."""
    return RichHandler(console=err, show_path=False)


def print_status(word: str, text: str, style: str = "bold green") -> None:
    """Print a highlighted word and a text to standard output, on one line."""
    out.print(Text.assemble((word, style), text), soft_wrap=True)


def print_error(word: str, text: str) -> None:
    """Print a highlighted word and a text to standard error, on one line."""
    err.print(Text.assemble((word, "bold red"), f" {text}"), soft_wrap=True)


def print_rows_to_label(model: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows that wait for a label, oldest first, as a table."""
    if not rows:
        print_status("none", f" of {model} waits for a label", "dim")
        return
    table = Table("id", "row", "time (UTC)", "probability", title=f"rows of {model} to label", title_justify="left")
    for row in rows:
        table.add_row(*(Text(str(row[name]), overflow="fold") for name in ("id", "row", "time", "probability")))
    out.print(table)


def print_model(model: dict[str, object]) -> None:
    """Print the description of a model, by `describe`, as a table."""
    table = Table(title=str(model["name"]), show_header=False, title_justify="left")
    for key, value in model.items():
        items = list(map(str, value)) if isinstance(value, list) else [str(value)]
        between = "\n" if any(" " in item for item in items) else ", "  # sentences have a line each, names share one
        table.add_row(key, Text(between.join(items)))
    out.print(table)
