"""Builders of panels for Grafana's classic dashboard JSON.

A panel has a title, a description, a unit and queries; `grid` assigns its position and number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Json = dict[str, Any]

GRID_COLUMNS = 24
"""Columns of Grafana's grid."""

RED, GREEN, ORANGE, TRANSPARENT = "red", "green", "orange", "transparent"
SMALL_MODEL, FULL_MODEL = "small model", "full model"
SOME_ASKED = "small model, some answers asked again"
ROLE_NAMES = {"baseline": (FULL_MODEL, ORANGE), "compressed": (SMALL_MODEL, GREEN)}
"""The words and the colours of the two models in every panel that shows them, by the label `role`."""

LIMIT_COLOUR, INTERVAL_COLOUR, EVENT_COLOUR = "text", "blue", "#9fa0a8"
"""Colours of dashed lines, of the ends of intervals, and of what happened: no series of Grafana's palette has the first
and the last.
"""

DASHED = ("tolerated", "alarm", "full model alone")
INTERVAL_LINES = ("at least", "at most")
"""The names of lines that are no measurements, and of the ends of the 95 % interval of a rate."""

ROWS, REQUESTS, RUNS, RECORDS = "suffix:rows/s", "suffix:requests/s", "suffix:runs/s", "suffix:records/s"
CORES, SHARE = "suffix:cores", "percentunit"
"""Units, in words where Grafana's own would be letters."""


class LineStyle(Enum):
    """Style of a time series: usual; normally zero; many series, listed by size; or events, drawn as bars."""

    USUAL, QUIET, MANY, EVENTS = range(4)


NOTHING = {
    LineStyle.USUAL: "Nothing was measured in this time",
    LineStyle.QUIET: "None in this time",
    LineStyle.MANY: "Nothing was measured in this time",
    LineStyle.EVENTS: "Nothing happened in this time",
}
"""The texts of panels without data."""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and the names of its series; ``table`` asks for one row per series, of the current values."""

    expr: str
    legend: str = "__auto"
    table: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``thresholds`` maps a value to the colour from that value on; ``base`` is the colour below. ``points``
    limits the number of points per query.
    """

    kind: str
    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = 8
    height: int = 8
    thresholds: Mapping[float, str] = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)
    options: Json = field(default_factory=dict)
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()
    base: str = GREEN
    points: int | None = None


@dataclass(frozen=True, slots=True)
class PanelRow:
    """Panels side by side under a heading; ``folded`` rows are collapsed at first, and serve to find causes."""

    title: str
    panels: Sequence[Panel]
    folded: bool = False


LARGEST_FIRST: Json = {"sortBy": "Last *", "sortDesc": True}
LINE_STYLES: Mapping[LineStyle, Json] = {
    LineStyle.USUAL: {},
    LineStyle.QUIET: {"axisSoftMax": 1},
    LineStyle.MANY: {"fillOpacity": 0},
    LineStyle.EVENTS: {"drawStyle": "bars", "fillOpacity": 100},
}
EVENT_POINTS = 60
"""Points of a panel of events: so few that a point covers the window of a rate, and each event is one bar."""


def lines(
    title: str,
    description: str,
    unit: str,
    expressions: Mapping[str, str],
    style: LineStyle = LineStyle.USUAL,
    **more: Any,  # noqa: ANN401
) -> Panel:
    """Values over time; ``expressions`` by series name. Limits, alarms and expectations are dashed, the ends of an
    interval thin; ``colours`` has those of other lines, and ``words`` the words and the colours of values of a label.
    """
    colours: Mapping[str, str] = more.pop("colours", {})
    words: Mapping[str, tuple[str, str]] = {**ROLE_NAMES, **more.pop("words", {})}
    queries = [Query(expr, legend) for legend, expr in expressions.items()]
    legend: Json = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    if style is LineStyle.MANY:
        legend |= {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull"]} | LARGEST_FIRST
    options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"} | LINE_STYLES[style]
    defaults: Json = {"custom": custom, "color": {"mode": "palette-classic"}, "min": 0, "noValue": NOTHING[style]}
    defaults |= more.pop("defaults", {})
    overrides = [by_name(name, _dashed()) for name in DASHED] + [_expected()]
    overrides += [by_name(name, _coloured(INTERVAL_COLOUR) | {"custom.fillOpacity": 0}) for name in INTERVAL_LINES]
    names = {value: {"displayName": name, **_coloured(colour)} for value, (name, colour) in words.items()}
    named = {
        SMALL_MODEL: _coloured(GREEN),
        FULL_MODEL: _coloured(ORANGE),
        **{n: _coloured(c) for n, c in colours.items()},
    }
    overrides += [by_name(name, properties) for name, properties in {**names, **named}.items()]
    appearance: Json = {"defaults": defaults, "options": options, "overrides": overrides}
    return Panel(
        "timeseries",
        title,
        description,
        queries,
        unit,
        points=EVENT_POINTS if style is LineStyle.EVENTS else None,
        **appearance,
        **more,
    )


def _coloured(colour: str) -> Json:
    return {"color": {"mode": "fixed", "fixedColor": colour}}


def _dashed() -> Json:
    return {"custom.lineStyle": {"fill": "dash", "dash": [8, 8]}, "custom.fillOpacity": 0, **_coloured(LIMIT_COLOUR)}


def _expected() -> Json:
    """An override of lines by chance: dashed, in the colours of the palette, because there may be several."""
    dashes = [{"id": id_, "value": value} for id_, value in _dashed().items() if id_ != "color"]
    return {"matcher": {"id": "byRegexp", "options": "/, by chance$/"}, "properties": dashes}


def single_value(
    title: str,
    description: str,
    expr: str,
    thresholds: Mapping[float, str],
    unit: str = "short",
    **more: Any,  # noqa: ANN401
) -> Panel:
    """One number, coloured by ``thresholds``; blue without any."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background" if thresholds else "value",
        "graphMode": "none",
        "textMode": "value",
        "justifyMode": "auto",
        "orientation": "auto",
    }
    defaults = {"color": {"mode": "thresholds"}, "noValue": "none yet", **more.pop("defaults", {})}
    base = GREEN if thresholds else "blue"
    appearance: Json = {"thresholds": thresholds, "base": base, "defaults": defaults, "options": options}
    return Panel("stat", title, description, [Query(expr)], unit, more.pop("width", 4), 4, **appearance, **more)


def table(
    title: str,
    description: str,
    queries: Sequence[Query],
    transformations: Sequence[Json],
    sort: str = "",
    **more: Any,  # noqa: ANN401
) -> Panel:
    """A table with one row per series; ``sort`` names the column to sort by, largest first."""
    options: Json = {"showHeader": True, "cellHeight": "sm"}
    options |= {"sortBy": [{"displayName": sort, "desc": True}]} if sort else {}
    defaults = {"noValue": "Nothing to list", **more.pop("defaults", {})}
    empty = {"matcher": {"id": "byType", "options": "number"}, "properties": [{"id": "noValue", "value": "\u2013"}]}
    shown: Json = {"options": options, "transformations": transformations, "defaults": defaults}
    shown["overrides"] = [empty, *more.pop("overrides", ())]
    return Panel("table", title, description, queries, **shown, **more)


def role_column(name: str, width: int) -> Json:
    """An override of a column of roles: their words instead of the label's values."""
    words = {role: {"text": text} for role, (text, _) in ROLE_NAMES.items()}
    return by_name(name, {"custom.width": width, "mappings": [{"type": "value", "options": words}]})


def by_name(name: str, overrides: Json) -> Json:
    """An override of properties for the line or the column of this name."""
    properties = [{"id": id_, "value": value} for id_, value in overrides.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def steps(thresholds: Mapping[float, str], base: str) -> Json:
    """Grafana's form of thresholds; ``base`` is the colour below the first one."""
    rising = [{"value": value, "color": colour} for value, colour in thresholds.items()]
    return {"mode": "absolute", "steps": [{"value": None, "color": base}, *rising]}


def coloured_cells(thresholds: Mapping[float, str]) -> Json:
    """Properties of a table column whose cells are coloured from these values on."""
    return {
        "thresholds": steps(thresholds, TRANSPARENT),
        "custom.cellOptions": {"type": "color-background", "mode": "basic"},
    }


def timeline(
    title: str,
    description: str,
    query: Query,
    states: Mapping[int, tuple[str, str]],
    **more: Any,  # noqa: ANN401
) -> Panel:
    """The state of each series over time; ``states`` has the name and the colour of each value."""
    mapping = {str(value): {"text": name, "color": colour} for value, (name, colour) in states.items()}
    defaults = {
        "mappings": [{"type": "value", "options": mapping}],
        "noValue": "Nothing was measured in this time",
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
    return Panel("state-timeline", title, description, [query], defaults=defaults, options=options, **more)


def heat_map(
    title: str,
    description: str,
    query: Query,
    thresholds: Mapping[float, str],
    **more: Any,  # noqa: ANN401
) -> Panel:
    """A heat map with a line per series, in the colours of ``thresholds``."""
    defaults: Json = {"color": {"mode": "thresholds"}, "min": 0, "noValue": "Nothing was measured in this time"}
    defaults["custom"] = {"fillOpacity": 80, "lineWidth": 0}
    options = {
        "showValue": "never",
        "rowHeight": 0.9,
        "colWidth": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single"},
    }
    appearance: Json = {
        "thresholds": thresholds,
        "defaults": defaults,
        "options": options,
        "points": HEATMAP_POINTS,
    }
    return Panel("status-history", title, description, [query], "percentunit", **appearance, **more)


HEATMAP_POINTS = 120
"""Points of a heat map: Grafana refuses to draw more than one every other pixel."""
