"""The demo's live picture: one line per group, those with the full model in red; what happened stands below."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.api.overview.phrases import EVERYBODY, capitalized, percent, scope_parts, short_percent

BAR_WIDTH = 8
"""Characters of an evidence bar: with them every line fits into 80."""

FRAME_WIDTH = 4
"""Characters of the frame and of its padding."""

FIXED_LINES = 8
"""Lines of the picture that are no group and no story: frame, bar, headline, header, the model, others, a gap."""

CLOSING_LINES = 8
"""Lines that stay free below the picture, for the closing sentences and the prompt."""

LARGE_PERCENT = 10.0
"""A percentage that is shown without decimals."""

COUNT_WORDS = ("no", "one", "two", "three", "four", "five", "six")

STORY_STYLES = {"breach": "bold red", "recovered": "bold green", "deployed": "bold blue"}


@dataclass(frozen=True, slots=True)
class ScopeProgress:
    """A scope during the replay.

    ``disagreement`` is the interval of the share of rows whose decision differs, as the API gives it, None without
    rows; ``limit`` is the share tolerated, None where it is not watched; ``evidence`` and ``budget`` are log10;
    ``accuracy`` is a share of the latest answers, None without answers.
    """

    scope: str
    requests: int
    disagreement: dict[str, float] | None
    limit: float | None
    evidence: float
    budget: float
    state: str
    accuracy: float | None

    @property
    def name(self) -> str:
        """The scope as people call it."""
        return scope_name(self.scope)

    @property
    def saved(self) -> bool:
        """Whether the full model answers."""
        return self.state != "normal"

    @property
    def evidence_share(self) -> float:
        """The evidence as a share of what an alarm needs; both are logarithms."""
        return max(self.evidence / self.budget, 0.0)


@dataclass(frozen=True, slots=True)
class DemoRun:
    """A replay: the compressed model, the share of requests that are shadowed, the number of requests."""

    model: str
    sampling: float
    total: int


@dataclass(frozen=True, slots=True)
class Board:
    """The live picture after ``sent`` requests; ``changes`` are what happened, with its kind (``what``) and request. It
    shows as many groups as the terminal has room for, the worst ones first.
    """

    run: DemoRun
    sent: int
    scopes: Sequence[ScopeProgress]
    changes: Sequence[dict[str, Any]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw the picture for the size of the terminal."""
        story = _story(self.changes)
        story_lines = console.render_lines(story, options.update(width=options.max_width - FRAME_WIDTH))
        room = options.max_height - FIXED_LINES - CLOSING_LINES - len(story_lines)
        title = f"[bold]{self.run.model}[/]: request {self.sent:,} of {self.run.total:,}"
        progress = Padding(ProgressBar(total=self.run.total, completed=self.sent), 0)  # which ends its line
        content = Group(progress, Text(self._headline(), "bold"), self._table(room), Text(""), story)
        yield Panel(content, title=f"{title}, {percent(self.run.sampling)} compared", border_style="dim")

    def _headline(self) -> str:
        """Say which model answers the groups."""
        saved = [scope.scope for scope in self.scopes if scope.saved]
        if MODEL_SCOPE in saved:
            return "The full model answers everybody."
        if not saved:
            return "The small model answers everybody."
        verb = "is" if len(saved) == 1 else "are"
        count = capitalized(counted(len(saved), "group"))
        return f"{count} {verb} answered by the full model. Everybody else: the small one."

    def _table(self, room: int) -> Table:
        """Return the whole model, then ``room`` groups, or all where one more fits; the others have one line."""
        everybody = [scope for scope in self.scopes if scope.scope == MODEL_SCOPE]
        groups = [one for one in self.scopes if one.scope != MODEL_SCOPE and (one.requests or not self.sent)]
        groups.sort(key=lambda one: (not one.saved, self._alarm(one) or 0, -one.evidence_share))
        saved = sum(one.saved for one in groups)
        shown = groups if len(groups) <= room + 1 else groups[: max(room, min(saved, room + 1), 1)]
        table = Table(expand=True, box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        for heading in ("who", "answers", "differ", "limit", "evidence", "right"):
            is_left = heading in {"who", "answers", "evidence"}
            table.add_column(heading, justify="left" if is_left else "right", no_wrap=True)
        for one in (*everybody, *shown):
            table.add_row(*self._row(one), style="red" if one.saved else "")
        if left := groups[len(shown) :]:
            most = percent(max(one.evidence_share for one in left))
            self._add_rest(table, f"  … {len(left)} more", f"none above {most}")
        return table

    def _add_rest(self, table: Table, who: str, evidence: str) -> None:
        table.add_row(who, "", "", "", evidence, "", style="dim")

    def _row(self, one: ScopeProgress) -> tuple[str | Text, ...]:
        return (
            f"{'■' if one.saved else ' '} {one.name}",
            Text("FULL", "bold green") if one.saved else Text("small", "dim"),
            _interval(one.disagreement),
            "-" if one.limit is None else short_percent(one.limit),
            self._evidence(one),
            "-" if one.accuracy is None else f"{100 * one.accuracy:.0f} %",
        )

    def _evidence(self, one: ScopeProgress) -> Text:
        """A bar of the evidence, or the request at which it was enough."""
        if one.saved:
            alarm = self._alarm(one)
            return Text("with everybody" if alarm is None else f"alarm at {alarm:,}", "bold red")
        filled = round(BAR_WIDTH * min(one.evidence_share, 1.0))
        style = "yellow" if 2 * one.evidence > one.budget else "cyan"
        bar = Text("█" * filled, style) + Text("░" * (BAR_WIDTH - filled), "dim")
        return bar + Text(f" {100 * one.evidence_share:3.0f} %")

    def _alarm(self, one: ScopeProgress) -> int | None:
        """The request of the latest alarm about a scope that the full model answers."""
        own = [each for each in self.changes if each["what"] == "breach" and each["scope"] == one.scope]
        return int(own[-1]["at_request"]) if own and one.saved else None


def scope_name(scope: str) -> str:
    """A scope as people call it.

    >>> scope_name("residence=group_quarters")
    'group quarters'
    """
    return EVERYBODY if scope == MODEL_SCOPE else scope_parts(scope)[0]


def counted(number: int, noun: str) -> str:
    """A number of things in words.

    >>> counted(0, "alarm"), counted(1, "alarm"), counted(2, "alarm"), counted(40, "group")
    ('no alarm', 'one alarm', 'two alarms', '40 groups')
    """
    word = COUNT_WORDS[number] if number < len(COUNT_WORDS) else f"{number:,}"
    return f"{word} {noun}{'s' if number > 1 else ''}"


def _interval(now: dict[str, float] | None) -> str:
    """A share in per cent, and its range."""
    if now is None:
        return "-"
    mean, lower, upper = (100 * now[end] for end in ("mean", "lower", "upper"))
    decimals = 1 if mean < LARGE_PERCENT else 0
    return f"{mean:.{decimals}f} % ({lower:.{decimals}f} to {upper:.{decimals}f})"


def _story(changes: Sequence[dict[str, Any]]) -> RenderableType:
    """Render a line for each change: the request, the group, the model that answers it from there on, and why."""
    if not changes:
        return Text("No alarm: every group is within its limits.", "green")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    table.add_column("request", no_wrap=True, style="bold")
    table.add_column("text", overflow="fold")
    for change in sorted(changes, key=lambda each: int(each["at_request"])):
        table.add_row(f"{change['at_request']:,}", _story_line(change))
    return table


def _story_line(change: dict[str, Any]) -> Text:
    style = STORY_STYLES[change["what"]]
    if change["what"] == "deployed":
        return Text.assemble(("another small model", style), " is put in place")
    way = "to the full model" if change["what"] == "breach" else "back to the small model"
    why = f": {change['observation']}" if change["observation"] else ""
    return Text.assemble((scope_name(change["scope"]), style), f" {way}{why}")
