"""The signs of verdicts: a shape for each, so that colours are not needed."""

from tightrope.monitors.qualification.cells import QualificationVerdict
from tightrope.offline.sweep.page.markup import Markup, element

RADIUS = 6.0

_CROSS = "M{a},{b} L{c},{d} M{a},{d} L{c},{b}"


def draw_sign(verdict: QualificationVerdict, x: float, y: float, radius: float = RADIUS) -> Markup:
    """The sign of a verdict at a place of a drawing: a disc qualified, a ring cannot tell, a cross harmful, a dash not
    measured.
    """
    if verdict is QualificationVerdict.QUALIFIED:
        return element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=radius, class_="disc")
    if verdict is QualificationVerdict.INSUFFICIENT:
        return element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=radius - 1, class_="ring")
    if verdict is QualificationVerdict.BREACH:
        arm = radius - 1
        a, b, c, d = (f"{value:.1f}" for value in (x - arm, y - arm, x + arm, y + arm))
        return element("path", d=_CROSS.format(a=a, b=b, c=c, d=d), class_="cross")
    return element("path", d=f"M{x - radius:.1f},{y:.1f} h{2 * radius:.1f}", class_="dash")


def sign(verdict: QualificationVerdict) -> Markup:
    """The sign alone, for tables and keys."""
    return element("svg", draw_sign(verdict, 8, 8), viewBox="0 0 16 16", class_="sign", aria_hidden="true")
