"""Panels as Grafana's classic JSON has them: what the four dashboards are built of.

A panel says what it shows, in which unit, and why one would look; places and numbers are given when the dashboard is
put together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Json = dict[str, Any]

WIDE = 24
"""Columns of Grafana's grid."""

OVER, FINE, NEAR, PLAIN = "red", "green", "orange", "transparent"
ROLES = {"baseline": NEAR, "compressed": FINE}
"""The same colours wherever the two are side by side."""


class Look(Enum):
    """Of lines: as usual; of what is zero while all is well; of many things, listed the largest first; of events."""

    USUAL, QUIET, MANY, EVENTS = range(4)


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and how its series are called; ``table`` for one row a series, as of now."""

    expr: str
    legend: str = "__auto"
    table: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``marks`` are thresholds, from which value on which colour; below them it is ``base``. ``points`` is
    the most that are asked for.
    """

    kind: str
    title: str
    text: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = 8
    height: int = 8
    marks: Mapping[float, str] = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)
    options: Json = field(default_factory=dict)
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()
    base: str = FINE
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side, under a heading; ``folded`` ones are for whoever looks for causes."""

    title: str
    panels: Sequence[Panel]
    folded: bool = False


LARGEST_FIRST: Json = {"sortBy": "Last *", "sortDesc": True}
STROKES: Mapping[Look, Json] = {
    Look.USUAL: {},
    Look.QUIET: {"axisSoftMax": 1},
    Look.MANY: {"fillOpacity": 0},
    Look.EVENTS: {"drawStyle": "bars", "fillOpacity": 100},
}
BARS = 60
"""Of a panel of events: each is one bar where a point covers at least as much as a rate looks back."""


def lines(
    title: str,
    text: str,
    unit: str,
    asked: Mapping[str, str],
    look: Look = Look.USUAL,
    **more: Any,  # noqa: ANN401
) -> Panel:
    """Values over time, by what their series are called; those called limit or alarm are dashed."""
    queries = [Query(expr, legend) for legend, expr in asked.items()]
    legend: Json = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    if look is Look.MANY:
        legend |= {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull"]} | LARGEST_FIRST
    options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"} | STROKES[look]
    defaults = {"custom": custom, "color": {"mode": "palette-classic"}, "min": 0, **more.pop("defaults", {})}
    overrides = [by_name(name, _dashed()) for name in ("limit", "alarm", "by chance")]
    overrides += [by_name(name, {"color": {"mode": "fixed", "fixedColor": colour}}) for name, colour in ROLES.items()]
    drawn: Json = {"defaults": defaults, "options": options, "overrides": overrides}
    return Panel(
        "timeseries", title, text, queries, unit, points=BARS if look is Look.EVENTS else None, **drawn, **more
    )


def _dashed() -> Json:
    return {
        "custom.lineStyle": {"fill": "dash", "dash": [8, 8]},
        "custom.fillOpacity": 0,
        "color": {"mode": "fixed", "fixedColor": OVER},
    }


def figure(title: str, text: str, expr: str, marks: Mapping[float, str], unit: str = "short", **more: Any) -> Panel:  # noqa: ANN401
    """One number, coloured by what it means; without ``marks`` it is neither good nor bad."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background" if marks else "value",
        "graphMode": "none",
        "textMode": "value",
        "justifyMode": "auto",
        "orientation": "auto",
    }
    defaults = {"color": {"mode": "thresholds"}, **more.pop("defaults", {})}
    look: Json = {"marks": marks, "base": FINE if marks else "blue", "defaults": defaults, "options": options}
    return Panel("stat", title, text, [Query(expr)], unit, 4, 4, **look, **more)


def table(
    title: str,
    text: str,
    queries: Sequence[Query],
    transformations: Sequence[Json],
    sort: str = "",
    **more: Any,  # noqa: ANN401
) -> Panel:
    """One row a thing; the largest of the column ``sort`` first."""
    options: Json = {"showHeader": True, "cellHeight": "sm"}
    options |= {"sortBy": [{"displayName": sort, "desc": True}]} if sort else {}
    return Panel("table", title, text, queries, options=options, transformations=transformations, **more)


def by_name(name: str, shown: Json) -> Json:
    """How the line or the column of this name looks."""
    properties = [{"id": id_, "value": value} for id_, value in shown.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def steps(marks: Mapping[float, str], base: str) -> Json:
    """Thresholds: from which value on which colour, and the colour below."""
    rising = [{"value": value, "color": colour} for value, colour in marks.items()]
    return {"mode": "absolute", "steps": [{"value": None, "color": base}, *rising]}


def stained(marks: Mapping[float, str]) -> Json:
    """A column whose cells have a colour from these values on, and none below."""
    return {"thresholds": steps(marks, PLAIN), "custom.cellOptions": {"type": "color-background", "mode": "basic"}}


def timeline(title: str, text: str, query: Query, names: Mapping[int, tuple[str, str]], **more: Any) -> Panel:  # noqa: ANN401
    """What state each thing was in, when; ``names`` and colours by value."""
    shown = {str(value): {"text": name, "color": colour} for value, (name, colour) in names.items()}
    defaults = {
        "mappings": [{"type": "value", "options": shown}],
        "custom": {"fillOpacity": 80, "lineWidth": 0},
        "color": {"mode": "thresholds"},
    }
    options = {
        "showValue": "never",
        "mergeValues": True,
        "rowHeight": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single"},
    }
    return Panel("state-timeline", title, text, [query], defaults=defaults, options=options, **more)


def heat(title: str, text: str, query: Query, marks: Mapping[float, str], **more: Any) -> Panel:  # noqa: ANN401
    """A heat map with a line for each thing, in the colours of ``marks``."""
    defaults = {"color": {"mode": "thresholds"}, "min": 0, "custom": {"fillOpacity": 80, "lineWidth": 0}}
    options = {
        "showValue": "never",
        "rowHeight": 0.9,
        "colWidth": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single"},
    }
    look: Json = {"marks": marks, "defaults": defaults, "options": options, "points": SAMPLES}
    return Panel("status-history", title, text, [query], "percentunit", **look, **more)


SAMPLES = 120
"""Of a heat map: Grafana refuses to draw more than one every other pixel."""

MODELS = 'label_values(tightrope_requests_total{model!="unknown"}, model)'
"""Every model that is served."""


def growth(metric: str, by: str, at: str, also: str = "") -> str:
    """How fast a counter grows a second, by some labels; ``also`` narrows the choice ``at``."""
    chosen = at if not also else "{" + ", ".join(part for part in (at.strip("{}"), also) if part) + "}"
    return f"sum by ({by}) (rate({metric}{chosen}[$__rate_interval]))"
