"""The demo's live table: one line per scope, harmed scopes in red; and the summary at the end."""

from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

EVIDENCE_HEADING = "evidence of budget, log10"
BAR_WIDTH = 16
"""Characters of an evidence bar."""


@dataclass(frozen=True, slots=True)
class ScopeProgress:
    """A scope during the replay.

    ``disagreement`` is a share of the rows whose decision differs, None without rows; ``evidence`` and ``budget`` are
    log10; ``accuracy`` is a share of the latest answers, None without answers.
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
class DemoRun:
    """A replay: the compressed model, the share of requests that are shadowed, the number of requests."""

    model: str
    sampling: float
    total: int


def render_board(run: DemoRun, sent: int, scopes: list[ScopeProgress], changes: list[dict[str, Any]]) -> Panel:
    """Render the live table: progress, scopes with requests, and the mode changes so far."""
    table = Table(expand=True, box=None, pad_edge=False, header_style="bold")
    for heading in ("scope", "requests", "compared", "disagree", EVIDENCE_HEADING, "answered by", "accuracy"):
        table.add_column(heading, justify="left" if heading in {"scope", EVIDENCE_HEADING, "answered by"} else "right")
    for scope in (one for one in scopes if one.requests or not sent):
        table.add_row(*_row(scope), style="red" if scope.state != "normal" else "")
    title = f"[bold]{run.model}[/] on trial, the shadow sees {run.sampling:.0%} of {sent:,} of {run.total:,} requests"
    progress = ProgressBar(total=run.total, completed=sent)
    content = Group(Padding(progress, (0, 0, 1, 0)), table, Text(""), *_change_lines(changes))
    return Panel(content, title=title, border_style="dim")


def _row(s: ScopeProgress) -> tuple[str | Text, ...]:
    saved = s.state != "normal"
    by = Text("baseline", "bold green") if saved else Text("compressed", "dim")
    return (
        s.scope, f"{s.requests:,}", f"{s.compared:,}", _percent(s.disagreement), _bar(s, saved=saved), by,
        _percent(s.accuracy),
    )  # fmt: skip


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _bar(s: ScopeProgress, *, saved: bool) -> Text:
    """Evidence as a share of the budget; both are exponents of ten."""
    if saved:
        return Text("tripped", "bold red")
    filled = round(BAR_WIDTH * min(max(s.evidence / s.budget, 0.0), 1.0))
    style = "yellow" if s.evidence > s.budget / 2 else "cyan"
    return (
        Text("█" * filled, style)
        + Text("░" * (BAR_WIDTH - filled), "dim")
        + Text(f" {max(s.evidence, 0):4.1f} / {s.budget:.1f}")
    )


def _change_lines(changes: list[dict[str, Any]]) -> list[Text]:
    if not changes:
        return [Text("No alarm: every subgroup is within its limits.", "green")]
    return [_return_line(change) if change["what"] == "recovered" else _trip_line(change) for change in changes]


def _trip_line(change: dict[str, Any]) -> Text:
    return Text.assemble(
        (f"request {change['at_request']:,}  ", "bold"),
        (change["scope"], "bold red"),
        f"  {change['monitor']} over {change['limit']:g}, evidence 10^{change['evidence']:.1f} ",
        f"of 10^{change['threshold']:.1f}: ",
        ("the baseline answers", "bold green"),
    )


def _return_line(change: dict[str, Any]) -> Text:
    return Text.assemble(
        (f"request {change['at_request']:,}  ", "bold"),
        (change["scope"], "bold green"),
        f"  {change['monitor']} proved within {change['limit']:g}, evidence 10^{change['recovery']:.1f}: ",
        ("it is back on the compressed model", "bold green"),
    )


def summary(result: dict[str, Any]) -> Table:
    """Render the accuracy before and after, and the number of answers by each model, for each scope with answers."""
    title = f"{result['requests']:,} requests, {result['compared']:,} compared, {result['seconds']} s"
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
    tripped = {trip["scope"] for trip in result["trips"]}
    for scope, accuracy in result["accuracy"].items():
        shares = [_percent(accuracy[key]) for key in ("before", "after", "baseline")]
        served = result["served_by"][scope]
        if not any(served.values()):
            continue
        cells = (scope, *shares, f"{served['compressed']:,}", f"{served['baseline']:,}")
        table.add_row(*cells, style="bold red" if scope in tripped else "")
    return table
