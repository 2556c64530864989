"""Figures and names as a card writes them."""

from datetime import datetime

from tightrope.monitors.records import Role
from tightrope.offline.card.blocks import NOT_TOLD
from tightrope.service.api.overview.phrases import scope_title
from tightrope.service.statements.qualification import LimitRecord, QualificationCell

CARD_ROLES = (Role.COMPRESSED, Role.BASELINE)
LEAST_WHOLE = 100
"""The number from which three significant digits are a whole number, and people read no powers of ten."""


def shown_figure(value: float | None) -> str:
    """A share or a mean with three significant digits, at least four decimals of a large one.

    >>> shown_figure(0.539170506), shown_figure(0.00871819), shown_figure(0.0), shown_figure(None)
    ('0.539', '0.00872', '0', '-')
    """
    return "-" if value is None else f"{value:.3g}"


def shown_percent(share: float) -> str:
    """A share in per cent.

    >>> shown_percent(0.95), shown_percent(0.7704)
    ('95 %', '77 %')
    """
    return f"{100 * share:.3g} %" if share > 0.99 else f"{100 * share:.2g} %"  # noqa: PLR2004 - 99.9 is not 100


def shown_day(time: datetime) -> str:
    """A day as people and programs read it, in UTC."""
    return time.date().isoformat()


def shown_limit(limit: float | LimitRecord | None) -> str:
    """A limit, with what is to be shown where that is not the proof."""
    if limit is None:
        return "-"
    if isinstance(limit, LimitRecord):
        return f"{limit.limit:g}" + (", not shown to be over" if limit.proof == "not_over" else "")
    return f"{limit:g}"


def scaled(value: object, factor: float, unit: str) -> str:
    """A measured number in a unit; what was not measured is not told.

    >>> scaled(2.5e-05, 1e6, "us"), scaled(0.01283, 1e6, "us"), scaled(None, 1, "s")
    ('25 us', '12,800 us', 'not told')
    """
    if not isinstance(value, int | float):
        return NOT_TOLD
    rounded = float(f"{value * factor:.3g}")
    return f"{rounded:,.0f} {unit}" if abs(rounded) >= LEAST_WHOLE else f"{rounded:,.3g} {unit}"


def cell_source(index: int) -> str:
    """The source of the figures of a cell."""
    return f"q:cell {index}"


def criterion_title(cell: QualificationCell) -> str:
    """A criterion, with its class where it has one."""
    name, _, variant = cell.criterion.partition(" ")
    return f"{name.replace('_', ' ')} {variant}".strip()


def group_title(scope: str) -> str:
    """A scope as people name it.

    >>> group_title("residence=group_quarters")
    'group quarters (residence)'
    """
    title = scope_title(scope)
    return title.lower() if scope == "model" else title
