"""The table of hotspots, for the page: the share in all rows, and a bar for the group that a change moves most."""

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.offline.sweep.hotspot import Hotspot
from tightrope.offline.sweep.page.markup import Markup, element
from tightrope.offline.sweep.report import SweepReport
from tightrope.offline.sweep.sweep_words import PER_ROWS, scope_words

MOST_SHOWN = 12
SHARE_WIDTH, SHARE_HEIGHT = 120, 12


def hotspot_table(report: SweepReport) -> Markup:
    """A row for each change of a tensor, the one that moves most first. A full bar is the largest share of all."""
    longest = max((spot.order for spot in report.hotspots), default=0.0) or 1.0
    headings = [element("th", each, scope="col", class_="text") for each in ("tensor", "change")]
    headings += [element("th", f"all rows, of {PER_ROWS:,}", scope="col")]
    headings += [element("th", f"worst group, of {PER_ROWS:,}", scope="col", class_="text")]
    headings += [element("th", "signal to noise, dB", scope="col")]
    return element(
        "table",
        element("thead", element("tr", headings)),
        element("tbody", [_row(spot, longest) for spot in report.hotspots[:MOST_SHOWN]]),
    )


def _row(spot: Hotspot, longest: float) -> Markup:
    everything = spot.seen.get(MODEL_SCOPE)
    worst: object = "-"
    if spot.worst is not None:
        share = spot.seen[spot.worst]
        worst = [_bar(share / longest), f" {PER_ROWS * share:.0f} in {scope_words(spot.worst)}"]
    return element(
        "tr",
        element("th", spot.tensor, scope="row"),
        element("td", spot.change, class_="text"),
        element("td", "cannot answer" if everything is None else f"{PER_ROWS * everything:.0f}"),
        element("td", worst, class_="text"),
        element("td", f"{spot.decibels:.0f}"),
    )


def _bar(share: float) -> Markup:
    bar = element("rect", width=f"{SHARE_WIDTH * min(share, 1.0):.1f}", height=SHARE_HEIGHT, class_="bar")
    return element("svg", bar, viewBox=f"0 0 {SHARE_WIDTH} {SHARE_HEIGHT}", class_="bars", aria_hidden="true")
