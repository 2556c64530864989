"""How the demo looks: one table of scopes, the harmed ones standing out."""

from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

LOG = "evidence of budget, log10"
WIDTH = 16
"""Characters of an evidence bar."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One scope now. ``disagreement`` is of the rows that its decision moves, None without any; ``evidence`` and
    ``budget`` are log10; ``accuracy`` is of the latest answers that callers got.
    """

    scope: str
    requests: int
    compared: int
    disagreement: float | None
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


def board(stage: Board, sent: int, standings: list[Standing], moves: list[dict[str, Any]]) -> Panel:
    """The whole picture."""
    table = Table(expand=True, box=None, pad_edge=False, header_style="bold")
    for heading in ("scope", "requests", "compared", "disagree", LOG, "answered by", "accuracy"):
        table.add_column(heading, justify="left" if heading in {"scope", LOG, "answered by"} else "right")
    for standing in standings:
        table.add_row(*_row(standing), style="red" if standing.state != "normal" else "")
    title = (
        f"[bold]{stage.model}[/] on trial, the shadow sees {stage.sampling:.0%} of {sent:,} of {stage.total:,} requests"
    )
    progress = ProgressBar(total=stage.total, completed=sent)
    shown = Group(Padding(progress, (0, 0, 1, 0)), table, Text(""), *_story(moves))
    return Panel(shown, title=title, border_style="dim")


def _row(s: Standing) -> tuple[str | Text, ...]:
    saved = s.state != "normal"
    by = Text("baseline", "bold green") if saved else Text("compressed", "dim")
    return (
        s.scope, f"{s.requests:,}", f"{s.compared:,}", _share(s.disagreement), _bar(s, saved=saved), by,
        _share(s.accuracy),
    )  # fmt: skip


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


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


def _story(moves: list[dict[str, Any]]) -> list[Text]:
    if not moves:
        return [Text("No alarm: every subgroup is within its limits.", "green")]
    return [_returned(move) if move["what"] == "recovered" else _tripped(move) for move in moves]


def _tripped(move: dict[str, Any]) -> Text:
    return Text.assemble(
        (f"request {move['at_request']:,}  ", "bold"),
        (move["scope"], "bold red"),
        f"  {move['monitor']} over {move['limit']:g}, evidence 10^{move['evidence']:.1f} ",
        f"of 10^{move['threshold']:.1f}: ",
        ("the baseline answers", "bold green"),
    )


def _returned(move: dict[str, Any]) -> Text:
    return Text.assemble(
        (f"request {move['at_request']:,}  ", "bold"),
        (move["scope"], "bold green"),
        f"  {move['monitor']} proved within {move['limit']:g}, evidence 10^{move['recovery']:.1f}: ",
        ("it is back on the compressed model", "bold green"),
    )


def summary(told: dict[str, Any]) -> Table:
    """The end of the story: what the callers of each scope got before and after."""
    title = f"{told['requests']:,} requests, {told['compared']:,} compared, {told['seconds']} s"
    table = Table(title=title, title_justify="left", box=None, collapse_padding=True, pad_edge=False)
    table.add_column("scope", no_wrap=True)
    for heading in (
        "accuracy before",
        "accuracy after",
        "baseline alone",
        "compressed answers",
        "baseline answers",
    ):
        table.add_column(heading, justify="right")
    tripped = {trip["scope"] for trip in told["trips"]}
    for scope, accuracy in told["accuracy"].items():
        shown = [_share(accuracy[key]) for key in ("before", "after", "baseline")]
        served = told["served_by"][scope]
        cells = (scope, *shown, f"{served['compressed']:,}", f"{served['baseline']:,}")
        table.add_row(*cells, style="bold red" if scope in tripped else "")
    return table
