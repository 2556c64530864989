"""The table of the variants of a sweep, for the page."""

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.offline.sweep.page.markup import Markup, element
from tightrope.offline.sweep.page.signs import sign
from tightrope.offline.sweep.report import SweepReport, SweptVariant
from tightrope.offline.sweep.sweep_words import SHORT_VERDICTS, scope_words

HEADINGS = ("KB", "KB deflated", "p50, times the baseline", "p99, times the baseline")


def variant_table(report: SweepReport) -> Markup:
    """A row for each variant, the best first, with the numbers of the scatter."""
    texts = [element("th", each, scope="col", class_="text") for each in ("", "variant", "verdict")]
    figures = [element("th", each, scope="col") for each in (*HEADINGS, f"{report.shown_criterion} seen")]
    worst = element("th", "worst group, at most", scope="col", class_="text")
    texts[0] = element("td", "", class_="text")
    rows = [_row(report, number, swept) for number, swept in enumerate(report.ordered, 1)]
    return element(
        "table",
        element("thead", element("tr", texts, figures, worst)),
        element("tbody", _baseline_row(report), rows),
        class_="variants",
    )


def _baseline_row(report: SweepReport) -> Markup:
    size = report.baseline_size
    figures = [_kilobytes(size.file_bytes), _kilobytes(size.deflated_bytes), "1.00", "1.00", ""]
    return element(
        "tr",
        element("td", ""),
        element("th", report.baseline.stem, scope="row"),
        element("td", "the baseline", class_="text"),
        [element("td", each) for each in (*figures, "")],
        class_="base",
    )


def _row(report: SweepReport, number: int, swept: SweptVariant) -> Markup:
    seen, worst = swept.seen_in(report.shown_criterion, MODEL_SCOPE), swept.worst(report.shown_criterion)
    figures = [
        _kilobytes(swept.size.file_bytes),
        _kilobytes(swept.size.deflated_bytes),
        *(_share(swept.ratio(cost), 2) for cost in ("latency_p50", "latency_p99")),
        _share(seen, 4),
    ]
    return element(
        "tr",
        element("td", number),
        element("th", swept.variant.name, scope="row"),
        element("td", sign(swept.verdict), SHORT_VERDICTS[swept.verdict], class_="text"),
        [element("td", each) for each in figures],
        element("td", "-" if worst is None else f"{worst[1]:.3f} {scope_words(worst[0])}", class_="text"),
        class_="best" if swept is report.recommended else None,
    )


def _kilobytes(size: int) -> str:
    return f"{size / 1000:,.0f}"


def _share(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
