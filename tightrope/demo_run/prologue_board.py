"""The picture of the demo's prologue, in 80 columns: a line a compressed model, and the harmed group in words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import floor
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.text import Text

from tightrope.monitors.qualification.cells import QualificationVerdict

ANSWERS_OF_GROUP = 1000
"""Answers of a group that its figures are about."""

VERDICT_LABELS = {
    QualificationVerdict.QUALIFIED: ("QUALIFIED", "bold green"),
    QualificationVerdict.BREACH: ("REFUSED", "bold red"),
    QualificationVerdict.INSUFFICIENT: ("REFUSED", "bold yellow"),
    QualificationVerdict.ERROR: ("NOT MEASURED", "bold yellow"),
}


@dataclass(frozen=True, slots=True)
class GroupHarm:
    """A group over its limit of different answers: the shares seen, proved at least, and tolerated."""

    scope: str
    seen: float
    at_least: float
    limit: float

    @property
    def sentence(self) -> str:
        """The harm in plain words.

        >>> GroupHarm("residence=group_quarters", 0.5392, 0.4811, 0.1).sentence
        'group quarters: 539 of 1,000 answers differ, at least 481; 100 tolerated'
        """
        group = self.scope.partition("=")[2].replace("_", " ")
        seen, fewest, limit = (
            round(ANSWERS_OF_GROUP * self.seen),
            floor(ANSWERS_OF_GROUP * self.at_least),
            round(ANSWERS_OF_GROUP * self.limit),
        )
        return f"{group}: {seen} of {ANSWERS_OF_GROUP:,} answers differ, at least {fewest}; {limit} tolerated"


@dataclass(frozen=True, slots=True)
class QualifiedModel:
    """The verdict on a compressed model of ``size`` bytes: its cells, those proved, those over their limit, and the
    group that is surely harmed most, if there is one.
    """

    model: str
    size: int
    verdict: QualificationVerdict
    cells: int
    passed: int
    over: int
    harm: GroupHarm | None = None

    def document(self) -> dict[str, Any]:
        """The verdict in JSON types."""
        return {"qualify": self.model, **{name: each for name, each in asdict(self).items() if name != "model"}}


@dataclass(frozen=True, slots=True)
class Stage:
    """The work on the next model, and the share of it that is finished."""

    name: str
    share: float


def render_prologue(
    models: Sequence[str], tried: str, found: Sequence[QualifiedModel], stage: Stage | None = None
) -> Panel:
    """Render the verdicts so far, the stage of the model after them, and at the end what comes next."""
    lines: list[Text | ProgressBar] = [line for verdict in found for line in _lines(verdict)]
    waiting = models[len(found) :]
    lines += [Text(model, "dim") for model in waiting]
    lines.append(Text(stage.name if stage else ""))
    if waiting:
        share = 0.0 if stage is None else stage.share
        lines.append(ProgressBar(total=len(models), completed=len(found) + share))
    else:
        lines.append(_next(next(each for each in found if each.model == tried)))
    title = "[bold]qualify[/]: compressed models on 4,000 rows, by criteria fixed before"
    return Panel(Group(*lines), title=title, border_style="dim")


def _lines(verdict: QualifiedModel) -> list[Text]:
    over = verdict.verdict is QualificationVerdict.BREACH
    figures = (
        f"{verdict.over} of {verdict.cells} over a limit" if over else f"{verdict.passed} of {verdict.cells} proved"
    )
    word, style = VERDICT_LABELS[verdict.verdict]
    head = f"{verdict.model:<30}{verdict.size / 1e3:>4.0f} KB  "
    lines = [Text.assemble(head, (f"{word:<13}", style), figures)]
    if verdict.harm is not None:
        lines.append(Text(f"  {verdict.harm.sentence}", "red"))
    return lines


def _next(tried: QualifiedModel) -> Text:
    if tried.verdict is QualificationVerdict.QUALIFIED:
        return Text(f"{tried.model} serves now.", "bold")
    return Text(f"What if {tried.model} had been shipped anyway?", "bold")
