"""How the demo looks: one table of scopes, the harmed ones standing out."""

from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

WIDTH = 16
"""Characters of an evidence bar."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One scope now. ``evidence`` and ``budget`` are log10; ``accuracy`` is of the latest answers that callers got."""

    scope: str
    requests: int
    compared: int
    disagreed: int
    evidence: float
    budget: float
    state: str
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Board:
    """What does not change during a replay."""

    model: str
    sampling: float
    total: int


def board(stage: Board, sent: int, standings: list[Standing], trips: list[dict[str, Any]]) -> Panel:
    """The whole picture."""
    table = Table(expand=True, box=None, pad_edge=False, header_style="bold")
    for heading in ("scope", "requests", "compared", "disagree", "evidence / budget", "answered by", "accuracy"):
        table.add_column(
            heading, justify="left" if heading in {"scope", "evidence / budget", "answered by"} else "right"
        )
    for standing in standings:
        table.add_row(*_row(standing), style="red" if standing.state != "normal" else "")
    title = (
        f"[bold]{stage.model}[/] on trial, the shadow sees {stage.sampling:.0%} of {sent:,} of {stage.total:,} requests"
    )
    progress = ProgressBar(total=stage.total, completed=sent)
    return Panel(Group(progress, table, Text(""), *_story(trips)), title=title, border_style="dim")


def _row(s: Standing) -> tuple[str | Text, ...]:
    share = f"{s.disagreed / s.compared:.1%}" if s.compared else "-"
    saved = s.state != "normal"
    by = Text("baseline", "bold green") if saved else Text("compressed", "dim")
    accuracy = "-" if s.accuracy is None else f"{s.accuracy:.1%}"
    return s.scope, f"{s.requests:,}", f"{s.compared:,}", share, _bar(s, saved=saved), by, accuracy


def _bar(s: Standing, *, saved: bool) -> Text:
    """Evidence on its way to the budget; both are powers of ten."""
    if saved:
        return Text("tripped", "bold red")
    filled = round(WIDTH * min(max(s.evidence / s.budget, 0.0), 1.0))
    style = "yellow" if s.evidence > s.budget / 2 else "cyan"
    return (
        Text("█" * filled, style)
        + Text("░" * (WIDTH - filled), "dim")
        + Text(f" {max(s.evidence, 0):4.1f} / {s.budget:.1f}")
    )


def _story(trips: list[dict[str, Any]]) -> list[Text]:
    if not trips:
        return [Text("No alarm: every subgroup is within its limits.", "green")]
    return [
        Text.assemble(
            (f"request {trip['at_request']:,}: ", "bold"),
            (trip["scope"], "bold red"),
            f" breached {trip['monitor']} (limit {trip['limit']:g}), evidence 10^{trip['evidence']:.1f} ",
            f"of 10^{trip['threshold']:.1f}: ",
            ("it is answered by the baseline now, and only it", "bold green"),
        )
        for trip in trips
    ]


def summary(told: dict[str, Any]) -> Table:
    """The end of the story: what the callers of each scope got before and after."""
    title = f"{told['model']}: {told['requests']:,} requests, {told['compared']:,} compared, {told['seconds']} s"
    table = Table(title=title, title_justify="left", expand=True)
    for heading in ("scope", "accuracy before", "after", "baseline's", "by compressed", "by baseline"):
        table.add_column(heading, justify="left" if heading == "scope" else "right")
    tripped = {trip["scope"] for trip in told["trips"]}
    for scope, accuracy in told["accuracy"].items():
        shown = ["-" if accuracy[key] is None else f"{accuracy[key]:.1%}" for key in ("before", "after", "baseline")]
        served = told["served_by"][scope]
        cells = (scope, *shown, f"{served['compressed']:,}", f"{served['baseline']:,}")
        table.add_row(*cells, style="bold red" if scope in tripped else "")
    return table
