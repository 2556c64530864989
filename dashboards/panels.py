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
ROLE_COLOURS = {"baseline": ORANGE, "compressed": GREEN}
"""Colours of the two models in every panel that shows both."""


class LineStyle(Enum):
    """Style of a time series: usual; normally zero; many series, listed by size; or events, drawn as bars."""

    USUAL, QUIET, MANY, EVENTS = range(4)


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
    """Values over time; ``expressions`` by series name. Limits, alarms and expectations are dashed."""
    queries = [Query(expr, legend) for legend, expr in expressions.items()]
    legend: Json = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    if style is LineStyle.MANY:
        legend |= {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull"]} | LARGEST_FIRST
    options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"} | LINE_STYLES[style]
    defaults = {"custom": custom, "color": {"mode": "palette-classic"}, "min": 0, **more.pop("defaults", {})}
    overrides = [by_name(name, _dashed()) for name in ("limit", "alarm", "by chance")]
    overrides += [
        by_name(name, {"color": {"mode": "fixed", "fixedColor": colour}}) for name, colour in ROLE_COLOURS.items()
    ]
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


def _dashed() -> Json:
    return {
        "custom.lineStyle": {"fill": "dash", "dash": [8, 8]},
        "custom.fillOpacity": 0,
        "color": {"mode": "fixed", "fixedColor": RED},
    }


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
    defaults = {"color": {"mode": "thresholds"}, **more.pop("defaults", {})}
    base = GREEN if thresholds else "blue"
    appearance: Json = {"thresholds": thresholds, "base": base, "defaults": defaults, "options": options}
    return Panel("stat", title, description, [Query(expr)], unit, 4, 4, **appearance, **more)


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
    return Panel("table", title, description, queries, options=options, transformations=transformations, **more)


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
    defaults = {"color": {"mode": "thresholds"}, "min": 0, "custom": {"fillOpacity": 80, "lineWidth": 0}}
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

ONE_INSTALLATION = 'cluster="$cluster", namespace="$namespace"'
CHOSEN_INSTALLATIONS = 'cluster=~"$cluster", namespace=~"$namespace"'
"""Matchers of the chosen installation, and of all chosen ones; series without these labels have empty values."""

ONE_MODEL = f'{{{ONE_INSTALLATION}, model="$model"}}'
CHOSEN_MODELS = f'{{{CHOSEN_INSTALLATIONS}, model=~"$model"}}'
ALL_PROCESSES = f"{{{CHOSEN_INSTALLATIONS}}}"
SCRAPED_PROCESSES = f'{{{CHOSEN_INSTALLATIONS}, job=~"tightrope.*"}}'
"""Selectors of the chosen model, of all chosen ones, of the processes of the chosen installations by their own metrics,
and by Prometheus' about a process.
"""

INSTALLATION = "cluster, namespace"
MODEL = f"{INSTALLATION}, model"
OF_INSTALLATION = "{{cluster}} {{namespace}}"
LEGEND = f"{{{{model}}}} {OF_INSTALLATION}"
"""Panels with several installations keep their labels, and have them in the names of lines: an installation without
them has the short name.
"""

RATE_INTERVAL = "[$__rate_interval]"


def narrowed(selector: str, matchers: str) -> str:
    """A selector with more matchers."""
    return f"{selector[:-1]}, {matchers}}}"


def rate_by(metric: str, labels: str, selector: str, also: str = "") -> str:
    """The growth of a counter per second, summed by ``labels``; ``also`` adds matchers to ``selector``."""
    return f"sum by ({labels}) (rate({metric}{narrowed(selector, also) if also else selector}{RATE_INTERVAL}))"


def increase_by(metric: str, labels: str) -> dict[str, str]:
    """The increase of a counter of the processes, as one line for each value of the labels."""
    names = " ".join(f"{{{{{name}}}}}" for name in labels.split(", "))
    increase = f"increase({metric}{ALL_PROCESSES}{RATE_INTERVAL})"
    return {f"{names} {OF_INSTALLATION}": f"sum by ({INSTALLATION}, {labels}) ({increase})"}


def percentile_95(histogram: str, labels: str, selector: str) -> str:
    """The 95th percentile of a histogram's buckets, by labels."""
    by = f"le, {labels}" if labels else "le"
    return f"histogram_quantile(0.95, {rate_by(histogram, by, selector)})"
