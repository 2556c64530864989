"""The chart of a week's letter: what was saved beside what safety cost, week by week, as inline SVG without a style of
its own.

>>> chart([{"week": "2026-W48", "saved_hours": 2.0, "safety_hours": 0.5}]).count("<rect")
4
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from tightrope.service.api.week.words import SECONDS_OF_HOUR, compute_time

CHART_WIDTH, CHART_HEIGHT = 560.0, 200.0
_TOP, _BOTTOM, _BAR, _GAP = 50.0, 22.0, 20.0, 3.0
_LEAST_HEIGHT = 1.5
BARS = (("saved", "saved_hours", "Saved by the small model"), ("safety", "safety_hours", "Spent on safety"))
"""The bars of a week: their class, their figure, and their name."""


def chart(weeks: Sequence[Mapping[str, Any]]) -> str:
    """The chart of these weeks, the earliest first; a week without figures has a question mark."""
    low, high = _ends(weeks)
    box = f'viewBox="0 0 {CHART_WIDTH:g} {CHART_HEIGHT:g}"'
    parts = [f'<svg class="chart" {box} role="img" aria-label="{escape(_words(weeks))}">']
    parts += _legend()
    zero = _height(0.0, low, high)
    parts.append(f'<line class="axis" x1="0" x2="{CHART_WIDTH:g}" y1="{zero:.1f}" y2="{zero:.1f}"/>')
    if any(week[figure] for week in weeks for _, figure, _ in BARS):
        most = escape(compute_time(max(high, -low) * SECONDS_OF_HOUR))
        parts.append(f'<line class="most" x1="0" x2="{CHART_WIDTH:g}" y1="{_TOP:g}" y2="{_TOP:g}"/>')
        parts.append(f'<text class="week start" x="0" y="{_TOP - 5:g}">{most}</text>')
    step = CHART_WIDTH / max(len(weeks), 1)
    for index, week in enumerate(weeks):
        middle = step * (index + 0.5)
        number = week["week"].partition("-")[2]
        parts.append(f'<text class="week" x="{middle:.1f}" y="{CHART_HEIGHT - 6:g}">{escape(number)}</text>')
        parts += _bars(week, middle, (low, high))
    return "".join([*parts, "</svg>"])


def _bars(week: Mapping[str, Any], middle: float, ends: tuple[float, float]) -> list[str]:
    if all(week[figure] is None for _, figure, _ in BARS):
        return [f'<text class="week" x="{middle:.1f}" y="{_height(0.0, *ends) - 6:.1f}">?</text>']
    parts = []
    zero = _height(0.0, *ends)
    for (name, figure, title), left in zip(BARS, (middle - _BAR - _GAP / 2, middle + _GAP / 2), strict=True):
        hours = week[figure]
        if hours is None:
            parts.append(f'<text class="week" x="{left + _BAR / 2:.1f}" y="{zero - 6:.1f}">?</text>')
            continue
        end = _height(hours, *ends)
        top, size = min(zero, end), max(abs(end - zero), _LEAST_HEIGHT if hours else 0.0)
        words = f"{week['week']}: {title.lower()} {compute_time(hours * SECONDS_OF_HOUR)}"
        box = (
            f'x="{left:.1f}" y="{min(top, zero - size if hours > 0 else top):.1f}" width="{_BAR:g}" height="{size:.1f}"'
        )
        parts.append(f'<rect class="{name}" {box}><title>{escape(words)}</title></rect>')
    return parts


def _legend() -> list[str]:
    parts, left = [], 0.0
    for name, _, title in BARS:
        parts.append(f'<rect class="{name}" x="{left:g}" y="4" width="12" height="12"/>')
        parts.append(f'<text x="{left + 18:g}" y="15">{escape(title)}</text>')
        left += CHART_WIDTH / 2
    return parts


def _ends(weeks: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The least and the most of all figures, zero among them."""
    known = [week[figure] for week in weeks for _, figure, _ in BARS if week[figure] is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    return low, max(high, -low) if low or high else 1.0


def _height(hours: float, low: float, high: float) -> float:
    """The place of a figure, from the top."""
    return _TOP + (CHART_HEIGHT - _TOP - _BOTTOM) * (high - hours) / (high - low)


def _words(weeks: Sequence[Mapping[str, Any]]) -> str:
    """The chart in words, for readers that do not see it."""
    says = []
    for week in weeks:
        figures = [
            f"{title.lower()} {'not known' if week[name] is None else compute_time(week[name] * SECONDS_OF_HOUR)}"
            for _, name, title in BARS
        ]
        says.append(f"{week['week']}: {', '.join(figures)}")
    return "; ".join(says)
