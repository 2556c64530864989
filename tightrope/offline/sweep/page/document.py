"""The page of a sweep: the verdict in words, the scatter, the table, the heat map, hotspots, and what it cannot tell.

How it works. The page is a function of the report alone. It has one style, whose digest is in its
Content-Security-Policy; nothing else may be loaded or run.
"""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

from tightrope import __version__
from tightrope.monitors.qualification.cells import QualificationVerdict
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.offline.qualification.stages import replace_file
from tightrope.offline.sweep.goal import Goal
from tightrope.offline.sweep.page.heat_map import heat_key, heat_map
from tightrope.offline.sweep.page.hotspot_table import hotspot_table
from tightrope.offline.sweep.page.markup import Markup, element, joined
from tightrope.offline.sweep.page.scatter import scatter
from tightrope.offline.sweep.page.signs import sign
from tightrope.offline.sweep.page.variant_table import variant_table
from tightrope.offline.sweep.report import SweepReport, SweptVariant
from tightrope.offline.sweep.sweep_words import (
    SHORT_VERDICTS,
    cost_words,
    counts,
    harm_sentences,
    limits_of_proof,
    missing_proof,
    names_by_line,
    scope_words,
    split_words,
)

PAGE_STYLE = Path(__file__).with_name("page.css").read_text()
MOST_GROUPS_TOLD = 2


def write_page(report: SweepReport, path: Path) -> None:
    """Write the page at once.

    Raises:
        QualificationStateError: when the file cannot be written.
    """
    replace_file(path, sweep_page(report).encode())


def sweep_page(report: SweepReport) -> str:
    """The whole page."""
    sections = [_harm(report), _picture(report), _table(report), _heat(report), _hotspots(report), _limits(report)]
    title = f"Sweep of {report.model}: {counts(report)}"
    return "<!doctype html>\n" + element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=_policy()),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", title),
            element("style", Markup(PAGE_STYLE)),
        ),
        element("body", _headline(report), element("main", sections), _footer(report)),
        lang="en",
    )


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(PAGE_STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _headline(report: SweepReport) -> Markup:
    best = report.recommended
    if best is not None:
        less = f"{1 - report.cost(best):.0%} less {cost_words(report)} than {report.baseline.stem}"
        words = f"{best.variant.name} is proved within {_limits_named(report)}, with {less}"
    elif report.verdict is QualificationVerdict.QUALIFIED:
        words = f"No qualified variant has less {cost_words(report)} than the baseline"
    else:
        words = "No variant is proved to keep the baseline's answers"
    return element(
        "div",
        element(
            "header",
            element("p", f"How far can {report.model} be compressed?", class_="eyebrow"),
            element("h1", words),
            element("p", _in_short(report)),
        ),
        class_="top" if best is not None else "top none",
    )


def _limits_named(report: SweepReport) -> str:
    """The limits that were proved: not every one if criteria were left out."""
    return f"the limits of {' and '.join(report.criteria)}" if report.left_out else "every limit"


def _in_short(report: SweepReport) -> str:
    best = report.recommended
    words = f"{counts(report)[0].upper()}{counts(report)[1:]}."
    if best is None:
        return words
    seen, worst = best.seen_in(report.shown_criterion, MODEL_SCOPE), best.worst(report.shown_criterion)
    if seen is None or worst is None or report.shown_criterion != "disagreement":
        return words
    worst_seen = best.seen_in(report.shown_criterion, worst[0]) or 0.0
    return (
        f"Of 1,000 rows {best.variant.name} answers about {1000 * seen:.0f} differently; in {scope_words(worst[0])}, "
        f"where the proof is weakest, about {1000 * worst_seen:.0f} and at most {1000 * worst[1]:.0f}. {words}"
    )


def _harm(report: SweepReport) -> Markup | None:
    """The harm of each variant in words, and what the others lack."""
    lines = [element("li", line) for swept in report.ordered for line in _harmed(swept)]
    lines += [
        element(
            "li", element("strong", ", ".join(names)), f" cannot be told. {line[0].upper()}{line[1:]}.", class_="unsure"
        )
        for line, names in names_by_line(report, missing_proof).items()
    ]
    if not lines:
        return None
    return element("section", element("h2", "Who would be harmed"), element("ul", lines, class_="harm"))


def _harmed(swept: SweptVariant) -> Iterator[Markup]:
    sentences = harm_sentences(swept, MOST_GROUPS_TOLD)
    if sentences:
        words = "; ".join(f"{each[0].upper()}{each[1:]}" if not n else each for n, each in enumerate(sentences))
        yield joined([element("strong", swept.variant.name), " is harmful. ", words, "."])


def _group_limit(report: SweepReport) -> float | None:
    """The limit of groups of the shown criterion; the model's where groups have none."""
    cells = [cell for swept in report.variants for cell in swept.proofs if cell.criterion == report.shown_criterion]
    groups = [cell.limit for cell in cells if cell.scope != MODEL_SCOPE]
    return min(groups or [cell.limit for cell in cells], default=None)


def _picture(report: SweepReport) -> Markup:
    key = [
        element("li", sign(verdict), words)
        for verdict, words in SHORT_VERDICTS.items()
        if any(each.verdict is verdict for each in report.variants)
    ]
    cost = "size" if report.goal is Goal.SIZE else str(report.goal)
    return element(
        "section",
        element("h2", f"{cost.capitalize()} against the worst-off group"),
        element(
            "p",
            f"Lower and further left is better. In the shaded region {report.shown_criterion} is proved within its "
            "limit for the worst group; the line joins the variants that no other beats in both. The numbers are those "
            "of the table.",
            class_="note",
        ),
        element("figure", scatter(report, _group_limit(report)), _names(report)),
        element("ul", key, class_="key"),
    )


def _names(report: SweepReport) -> Markup:
    """The variants by their numbers, beside the picture or below it."""
    best = report.recommended
    names = [
        element("li", sign(each.verdict), element("strong", each.variant.name) if each is best else each.variant.name)
        for each in report.ordered
    ]
    return element("ol", names, class_="names")


def _table(report: SweepReport) -> Markup:
    return element(
        "section",
        element("h2", "All variants", id="variants"),
        element("div", variant_table(report), class_="scroll", tabindex=0, role="region", aria_labelledby="variants"),
    )


def _heat(report: SweepReport) -> Markup:
    note = (
        f"Of 1,000 rows in each group, how many show {report.shown_criterion}. The shade is its share of the limit; "
        "the figures are of all rows, the signs of the proof."
    )
    return element(
        "section",
        element("h2", "Every group", id="groups"),
        element("p", note, class_="note"),
        element("div", heat_map(report), class_="scroll", tabindex=0, role="region", aria_labelledby="groups"),
        element("ul", list(heat_key()), class_="key"),
    )


def _hotspots(report: SweepReport) -> Markup | None:
    if not report.hotspots:
        return None
    note = (
        f"{report.shown_criterion.capitalize()} with the baseline when one of its tensors alone is changed: where "
        "compression hurts, and whom. It is measured on all rows, and gates nothing."
    )
    return element(
        "section",
        element("h2", "Hotspots", id="hotspots"),
        element("p", note, class_="note"),
        element("div", hotspot_table(report), class_="scroll", tabindex=0, role="region", aria_labelledby="hotspots"),
    )


def _limits(report: SweepReport) -> Markup:
    skipped = [f"{each.name} was skipped: {each.reason}." for each in report.skipped]
    lines = [element("li", _with_code(line)) for line in (*limits_of_proof(report), *skipped)]
    return element("section", element("h2", "What it cannot tell"), element("ul", lines, class_="plain"))


def _with_code(sentence: str) -> list[object]:
    """A sentence whose parts in backticks are code."""
    return [element("code", part) if n % 2 else part for n, part in enumerate(sentence.split("`"))]


def _footer(report: SweepReport) -> Markup:
    return element(
        "footer",
        element("p", f"{split_words(report)}. Criteria: {', '.join(report.criteria)}."),
        element("p", "Rows ", element("code", report.data.name), " ", element("code", report.data_digest[:16])),
        element("p", "Criteria ", element("code", report.criteria_digest[:16]), f". Host {report.host_class}."),
        element("p", f"Made by tightrope {__version__} sweep."),
    )
