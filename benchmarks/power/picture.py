"""docs/power.svg: false alarms at the limit against delay. The SVG is written without a library and needs no fonts."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isinf, log10

WIDTH, HEIGHT = 860, 600
LEFT, RIGHT, TOP, BOTTOM = 70, 820, 50, 540
FASTEST, SLOWEST = 100.0, 10_000.0
FEWEST, MOST = 0.01, 100.0
NONE, STEP = BOTTOM - 14, 24
"""The y coordinate of methods without false alarms, which a logarithm cannot show; they are stacked."""

FLOOR = BOTTOM - 90
"""The y coordinate at which the logarithmic axis begins."""

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 } .back { fill: #fff; stroke: #d0d7de }
  .axis { stroke: #d0d7de } .soft { fill: #59636e } .ours { fill: #0969da; stroke: #0969da }
  .other { fill: #9a6700; stroke: #9a6700 } .hollow { fill: #fff } .name.ours { font-weight: 600; stroke: none }
  .name.other { stroke: none } .tail { stroke-width: 1.5; opacity: .5 }
  .promise { stroke: #0969da; stroke-dasharray: 4 4 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .back { fill: #0d1117; stroke: #30363d } .axis { stroke: #30363d } .soft { fill: #9198a1 }
    .ours { fill: #58a6ff; stroke: #58a6ff } .other { fill: #d29922; stroke: #d29922 } .hollow { fill: #0d1117 }
    .promise { stroke: #58a6ff }
  }"""


@dataclass(frozen=True, slots=True)
class Point:
    """One method: false alarms per 100,000 samples at the limit, median and 95 % delay, and whether it raises alarms
    about a benign change.
    """

    name: str
    alarms: float
    median: float
    slow: float
    jumpy: bool
    ours: bool


Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def svg(points: Sequence[Point], promised: float) -> str:
    """The picture; ``promised`` is Tightrope's guaranteed number of false alarms per 100,000 samples."""
    none = [point for point in points if point.alarms == 0]
    heights = [NONE - STEP * none.index(point) if point in none else _y(point.alarms) for point in points]
    taken: list[Box] = [_dot(point, y) for point, y in zip(points, heights, strict=True)]
    parts = [*_axes(), _line("promise", LEFT, _y(promised), RIGHT, _y(promised))]
    parts.append(_text(RIGHT - 4, _y(promised) + 15, f"Tightrope promises {promised:g}", "soft", "end"))
    for y, point in sorted(zip(heights, points, strict=True), key=lambda pair: pair[0]):
        kind, x = "ours" if point.ours else "other", _x(point.median)
        parts.append(_line(f"tail {kind}", x, y, _x(point.slow), y))
        fill = " hollow" if point.jumpy else ""
        parts.append(f'<circle class="{kind}{fill}" cx="{x:.1f}" cy="{y:.1f}" r="5" stroke-width="2"/>')
        parts.append(_label(point, y, kind, taken))
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    title = "<title>False alarms at the limit against the delay until a change from 1 % to 5 % is found</title>"
    return f"{head}\n{title}\n<style>{STYLE}\n</style>\n{body}\n</svg>\n"


def _axes() -> list[str]:
    parts = [f'<rect class="back" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="6"/>']
    for delay in (100, 200, 500, 1_000, 2_000, 5_000, 10_000):
        parts += [_line("axis", _x(delay), TOP, _x(delay), BOTTOM)]
        parts += [_text(_x(delay), BOTTOM + 17, "missed" if delay == SLOWEST else f"{delay:,}", "soft", "middle")]
    for rate in (0.1, 1, 10, 100):
        parts += [
            _line("axis", LEFT, _y(rate), RIGHT, _y(rate)),
            _text(LEFT - 8, _y(rate) + 4, f"{rate:g}", "soft", "end"),
        ]
    parts += [_line("axis", LEFT, BOTTOM, RIGHT, BOTTOM), _text(LEFT - 8, NONE - STEP + 4, "none", "soft", "end")]
    parts += [_text(LEFT - 50, 22, "false alarms per 100,000 samples while the rate is at its limit, 2 %", "", "start")]
    parts += [
        _text(LEFT - 50, 38, "filled: silent about a benign change; hollow: raises alarms about it", "soft", "start")
    ]
    under = "samples until a change from 1 % to 5 % is found: median (dot) to 95 % (line)"
    return [*parts, _text((LEFT + RIGHT) / 2, BOTTOM + 42, under, "", "middle")]


def _x(delay: float) -> float:
    share = 1.0 if isinf(delay) else log10(max(delay, FASTEST) / FASTEST) / log10(SLOWEST / FASTEST)
    return LEFT + min(share, 1.0) * (RIGHT - LEFT)


def _y(rate: float) -> float:
    return FLOOR - log10(max(rate, FEWEST) / FEWEST) / log10(MOST / FEWEST) * (FLOOR - TOP)


def _dot(point: Point, y: float) -> Box:
    x = _x(point.median)
    return x - 7, y - 7, max(x + 7, _x(point.slow)), y + 7


def _label(point: Point, y: float, kind: str, taken: list[Box]) -> str:
    """The name beside its dot, at the first position that overlaps no dot and no other name."""
    width, x = 6.4 * len(point.name), _x(point.median)
    beside = [(left, y - 6, left + width, y + 8) for left in (_x(point.slow) + 10, x - 12 - width)]
    boxes = beside + [
        (left, y + lift - 9, left + width, y + lift + 5)
        for lift in (-14, 17, -30, 36, -46, 52, -62)
        for left in (x - 6, x + 6 - width, x - width / 2)
    ]
    free = [
        box for box in boxes if box[0] > LEFT and box[2] < RIGHT + 30 and not any(_meet(box, other) for other in taken)
    ]
    box = (free or boxes)[0]
    taken.append(box)
    return _text(box[0], box[3] - 4, point.name, f"name {kind}", "start")


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, content: str, kind: str, anchor: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'
