"""The heat map of a sweep: every variant in every scope, as a table whose cells have a figure and a sign."""

from collections.abc import Iterator

from tightrope.monitors.qualification.cells import JudgedCell
from tightrope.monitors.records import MODEL_SCOPE, Outcome
from tightrope.offline.sweep.page.markup import Markup, element
from tightrope.offline.sweep.report import SweepReport, SweptVariant
from tightrope.offline.sweep.sweep_words import PER_ROWS, scope_words

SHADE_STEPS = (0.25, 0.5, 1.0, 2.0)
"""Shares of a limit at which the shade of a cell changes."""

STEP_WORDS = ("up to a quarter of the limit", "up to half", "up to the limit", "up to twice", "more than twice")
OUTCOME_SIGNS = {Outcome.BREACH: "✕", Outcome.INSUFFICIENT: "?", Outcome.ERROR: "-"}


def heat_map(report: SweepReport) -> Markup:
    """The table, with a row for each scope and a column for each variant."""
    head = [element("th", each.variant.name, scope="col") for each in report.ordered]
    corner = element("th", f"of {PER_ROWS:,} rows", scope="col", class_="corner")
    return element(
        "table",
        element("thead", element("tr", corner, head)),
        element("tbody", [_row(report, scope) for scope in report.scopes if _has_rows(report, scope)]),
        class_="heat",
    )


def _has_rows(report: SweepReport, scope: str) -> bool:
    """Whether the file has rows of a scope: the remainders of attributes often have none."""
    return any(swept.seen_in(report.shown_criterion, scope) is not None for swept in report.variants)


def _row(report: SweepReport, scope: str) -> Markup:
    name = element("th", scope_words(scope), scope="row")
    cells = [_cell(report, swept, scope) for swept in report.ordered]
    return element("tr", name, cells, class_="model" if scope == MODEL_SCOPE else None)


def _cell(report: SweepReport, swept: SweptVariant, scope: str) -> Markup:
    criterion = report.shown_criterion
    seen = swept.seen_in(criterion, scope)
    judged = next((each for each in swept.cells if (each.cell.criterion, each.cell.scope) == (criterion, scope)), None)
    if seen is None:
        return element("td", "-")
    if judged is None:
        return element("td", f"{PER_ROWS * seen:.0f}", class_="h0")
    sign = OUTCOME_SIGNS.get(judged.outcome, "")
    return element("td", f"{PER_ROWS * seen:.0f}{sign and ' ' + sign}", class_=f"h{_step(seen, judged)}")


def _step(seen: float, judged: JudgedCell) -> int:
    """The shade of a cell, by its share of the limit."""
    return sum(abs(seen) > step * judged.cell.limit for step in SHADE_STEPS)


def heat_key() -> Iterator[Markup]:
    """The key of shades and signs."""
    for step, words in enumerate(STEP_WORDS):
        yield element("li", element("span", class_=f"box h{step}", aria_hidden="true"), words)
    yield element("li", "✕ proved over its limit")
    yield element("li", "? cannot tell")
