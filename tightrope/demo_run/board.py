"""The demo's live table: one line per scope, harmed scopes in red; and the summary at the end."""

from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

BAR_WIDTH = 4
"""Characters of an evidence bar: with them every line fits into 80."""

LARGE_PERCENT = 10.0
"""A percentage that is shown without decimals."""


@dataclass(frozen=True, slots=True)
class ScopeProgress:
    """A scope during the replay.

    ``disagreement`` is the interval of the share of rows whose decision differs, as the API gives it, None without
    rows; ``evidence`` and ``budget`` are log10; ``accuracy`` is a share of the latest answers, None without answers.
    """

    scope: str
    requests: int
    disagreement: dict[str, float] | None
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
    table = Table(expand=True, box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in ("scope", "requests", "disagree %", "evidence", "answered by", "correct"):
        is_left = heading in {"scope", "evidence", "answered by"}
        table.add_column(heading, justify="left" if is_left else "right", no_wrap=heading != "answered by")
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
        s.scope, f"{s.requests:,}", _interval(s.disagreement), _bar(s, saved=saved), by, _percent(s.accuracy),
    )  # fmt: skip


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _interval(now: dict[str, float] | None) -> str:
    """A share in percent, and its interval."""
    if now is None:
        return "-"
    mean, lower, upper = (100 * now[end] for end in ("mean", "lower", "upper"))
    return f"{mean:.{1 if mean < LARGE_PERCENT else 0}f} ({lower:.0f}-{upper:.0f})"


def _bar(s: ScopeProgress, *, saved: bool) -> Text:
    """Evidence as a share of what an alarm needs; both are logarithms."""
    if saved:
        return Text("tripped", "bold red")
    share = max(s.evidence / s.budget, 0.0)
    filled = round(BAR_WIDTH * min(share, 1.0))
    style = "yellow" if s.evidence > s.budget / 2 else "cyan"
    return Text("█" * filled, style) + Text("░" * (BAR_WIDTH - filled), "dim") + Text(f" {100 * share:3.0f}%")


def _change_lines(changes: list[dict[str, Any]]) -> list[Text]:
    if not changes:
        return [Text("No alarm: every subgroup is within its limits.", "green")]
    return [_return_line(change) if change["what"] == "recovered" else _trip_line(change) for change in changes]


def _trip_line(change: dict[str, Any]) -> Text:
    return Text.assemble(
        (f"request {change['at_request']:,}  ", "bold"),
        (change["scope"], "bold red"),
        f"  {change['text']}: ",
        ("the baseline answers", "bold green"),
    )


def _return_line(change: dict[str, Any]) -> Text:
    return Text.assemble(
        (f"request {change['at_request']:,}  ", "bold"),
        (change["scope"], "bold green"),
        f"  {change['text']}: ",
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
