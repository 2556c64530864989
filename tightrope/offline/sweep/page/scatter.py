"""The scatter of a sweep: the cost of each variant, and the bound of its worst group."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log10, sqrt

import numpy as np

from tightrope.monitors.qualification.selection import pareto_front
from tightrope.offline.sweep.goal import Goal
from tightrope.offline.sweep.page.markup import Markup, element
from tightrope.offline.sweep.page.signs import RADIUS, draw_sign
from tightrope.offline.sweep.report import SweepReport, SweptVariant

WIDTH, HEIGHT = 440, 360
LEFT_EDGE, RIGHT, TOP, BOTTOM = 46, 14, 26, 46
TICKS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
COST_STEPS = (1, 2, 5)
MOST_COST_TICKS = 7
LABEL_WIDTH, LABEL_HEIGHT = 17.0, 13.0
DISTANCES = (11.0, 20.0, 30.0, 41.0, 53.0, 66.0)
AXIS_UNITS = {
    Goal.SIZE: "size of the files, KB",
    Goal.LATENCY: "latency, times the baseline",
    Goal.ENERGY: "energy, times",
}


@dataclass(frozen=True, slots=True)
class ScatterPoint:
    """A variant in the picture: its number in the table, its cost, and the bound of its worst group."""

    number: int
    swept: SweptVariant
    cost: float
    bound: float


def scatter_points(report: SweepReport) -> list[ScatterPoint]:
    """The variants that have a cost and a bound."""
    found = []
    for number, swept in enumerate(report.ordered, 1):
        worst, cost = swept.worst(report.shown_criterion), shown_cost(report, swept)
        if worst is not None and np.isfinite(cost) and cost > 0:
            found.append(ScatterPoint(number, swept, cost, worst[1]))
    return found


def shown_cost(report: SweepReport, swept: SweptVariant) -> float:
    """The cost on the axis: kilobytes for size, else the multiple of the baseline's."""
    return swept.size.file_bytes / 1000 if report.goal is Goal.SIZE else report.cost(swept)


@dataclass(frozen=True, slots=True)
class _Scale:
    """The centres of costs, by their logarithm, and of bounds, by their root: small ones are far apart."""

    low: float
    high: float
    top: float

    def x(self, cost: float) -> float:
        share = (log10(cost) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return LEFT_EDGE + share * (WIDTH - LEFT_EDGE - RIGHT)

    def y(self, bound: float) -> float:
        return HEIGHT - BOTTOM - sqrt(min(bound, self.top) / self.top) * (HEIGHT - TOP - BOTTOM)


def scatter(report: SweepReport, limit: float | None) -> Markup:
    """The picture; the region below the ``limit`` of groups is shaded."""
    points = scatter_points(report)
    costs = [point.cost for point in points] or [1.0]
    top = next((tick for tick in TICKS[3:] if tick >= max([point.bound for point in points] + [limit or 0.0])), 1.0)
    scale = _Scale(min(costs) / 1.35, max(costs) * 1.35, top)
    return element(
        "svg",
        _region(scale, limit),
        list(_axes(scale, AXIS_UNITS[report.goal])),
        _front(points, scale),
        list(_drawn(points, scale, report, limit)),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=_described(report, points, limit),
    )


def _described(report: SweepReport, points: Sequence[ScatterPoint], limit: float | None) -> str:
    below = sum(limit is not None and point.bound <= limit for point in points)
    return (
        f"Scatter of {len(points)} variants: {AXIS_UNITS[report.goal]} against the upper bound of the worst group. "
        f"{below} lie below the limit. The table has all figures."
    )


def _region(scale: _Scale, limit: float | None) -> Markup | None:
    if limit is None:
        return None
    y, right = scale.y(limit), WIDTH - RIGHT
    return Markup(
        element(
            "rect",
            x=LEFT_EDGE,
            y=f"{y:.1f}",
            width=right - LEFT_EDGE,
            height=f"{HEIGHT - BOTTOM - y:.1f}",
            class_="region",
        )
        + element("line", x1=LEFT_EDGE, x2=right, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="limit")
        + element("text", f"limit {limit:g}", x=right - 4, y=f"{y - 5:.1f}", class_="axis end")
    )


def _axes(scale: _Scale, unit: str) -> Iterator[Markup]:
    floor = HEIGHT - BOTTOM
    for tick in (each for each in TICKS if each <= scale.top):
        y = scale.y(tick)
        yield element("line", x1=LEFT_EDGE, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid")
        yield element("text", f"{tick:g}", x=LEFT_EDGE - 7, y=f"{y + 4:.1f}", class_="axis end")
    for tick in _cost_ticks(scale):
        x = f"{scale.x(tick):.1f}"
        yield element("line", x1=x, x2=x, y1=floor, y2=floor + 4, class_="grid")
        yield element("text", f"{tick:g}", x=x, y=floor + 18, class_="axis middle")
    yield element("text", unit, x=(LEFT_EDGE + WIDTH - RIGHT) / 2, y=HEIGHT - 8, class_="axis middle")
    yield element("text", "worst group, at most", x=4, y=14, class_="axis")


def _cost_ticks(scale: _Scale) -> list[float]:
    """Round costs on the axis: those of fewer steps where there would be too many."""
    for steps in (COST_STEPS, COST_STEPS[::2], COST_STEPS[:1]):
        ticks = [float(f"{step}e{power}") for power in range(-6, 12) for step in steps]
        found = [tick for tick in ticks if scale.low <= tick <= scale.high]
        if len(found) <= MOST_COST_TICKS:
            break
    return found


def _front(points: Sequence[ScatterPoint], scale: _Scale) -> Markup | None:
    """A line of steps through the variants that no other beats in cost and bound."""
    if not points:
        return None
    is_first = pareto_front(np.array([[point.cost, point.bound] for point in points]))
    front = sorted((point for point, first in zip(points, is_first, strict=True) if first), key=lambda each: each.cost)
    bounds = [scale.top, *(point.bound for point in front)]
    steps = [
        (point.cost, bound) for point, before in zip(front, bounds, strict=False) for bound in (before, point.bound)
    ]
    centres = " ".join(f"{scale.x(c):.1f},{scale.y(b):.1f}" for c, b in [*steps, (scale.high, front[-1].bound)])
    return element("polyline", points=centres, class_="front")


def _drawn(points: Sequence[ScatterPoint], scale: _Scale, report: SweepReport, limit: float | None) -> Iterator[Markup]:
    """The signs, each with its number beside it where no other number is."""
    best = report.recommended
    centres = [(scale.x(point.cost), scale.y(point.bound)) for point in points]
    taken = [_box(x, y, 2 * RADIUS, 2 * RADIUS) for x, y in centres]
    if limit is not None:
        taken.append(_box(WIDTH - RIGHT - 32, scale.y(limit) - 9, 64, 16))
    for point, (x, y) in zip(points, centres, strict=True):
        if best is not None and point.swept is best:
            yield element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=RADIUS + 4, class_="chosen")
        yield draw_sign(point.swept.verdict, x, y)
    for point, (x, y) in zip(points, centres, strict=True):
        label_x, label_y = _free_place(x, y, taken)
        taken.append(_box(label_x, label_y, LABEL_WIDTH, LABEL_HEIGHT))
        if abs(label_x - x) + abs(label_y - y) > DISTANCES[1]:
            yield element(
                "line", x1=f"{x:.1f}", y1=f"{y:.1f}", x2=f"{label_x:.1f}", y2=f"{label_y:.1f}", class_="leader"
            )
        yield element("text", point.number, x=f"{label_x:.1f}", y=f"{label_y + 4:.1f}", class_="middle bold")


Box = tuple[float, float, float, float]


def _box(x: float, y: float, width: float, height: float) -> Box:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _free_place(x: float, y: float, taken: Sequence[Box]) -> tuple[float, float]:
    """The nearest centre beside a sign where no sign and no number is."""
    for distance in DISTANCES:
        for right, down in ((1, -1), (-1, -1), (1, 0), (0, -1), (-1, 0), (0, 1), (1, 1), (-1, 1)):
            centre = x + right * (distance + 2), y + down * distance
            box = _box(*centre, LABEL_WIDTH, LABEL_HEIGHT)
            inside = (
                box[0] >= LEFT_EDGE and box[2] <= WIDTH - RIGHT and box[1] >= TOP - 10 and box[3] <= HEIGHT - BOTTOM
            )
            if inside and not any(_overlap(box, other) for other in taken):
                return centre
    return x + DISTANCES[0], y


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
