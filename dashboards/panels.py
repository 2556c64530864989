"""Panels and dashboards as Grafana's classic JSON has them: what the four dashboards are built of.

A panel says what it shows, in which unit, and why one would look; places and numbers are given when the dashboard is
put together. Every query goes to the data source that the dashboard's first variable names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA = 41
"""Of classic dashboards; Grafana migrates it when it loads one."""

TAG = "tightrope"
WIDE = 24
"""Columns of Grafana's grid."""

OVER, FINE, NEAR = "red", "green", "orange"


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and how its series are called; ``table`` for one row a series, as of now."""

    expr: str
    legend: str = "__auto"
    table: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``marks`` are thresholds, from which value on which colour; the first one has no lower end."""

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


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side, under a heading; ``folded`` ones are for whoever looks for causes."""

    title: str
    panels: Sequence[Panel]
    folded: bool = False


def lines(title: str, text: str, unit: str, asked: Mapping[str, str], **more: Any) -> Panel:  # noqa: ANN401
    """Values over time, by what their series are called; those called limit or alarm are dashed."""
    queries = [Query(expr, legend) for legend, expr in asked.items()]
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults = {"custom": custom, "color": {"mode": "palette-classic"}, "min": 0, **more.pop("defaults", {})}
    dashed = [_dashed(name) for name in ("limit", "alarm", "by chance")]
    return Panel("timeseries", title, text, queries, unit, defaults=defaults, options=options, overrides=dashed, **more)


def _dashed(name: str) -> Json:
    properties = [
        {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
        {"id": "custom.fillOpacity", "value": 0},
        {"id": "color", "value": {"mode": "fixed", "fixedColor": OVER}},
    ]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def figure(title: str, text: str, expr: str, marks: Mapping[float, str], unit: str = "short", **more: Any) -> Panel:  # noqa: ANN401
    """One number, coloured by what it means."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background",
        "graphMode": "none",
        "textMode": "value",
        "justifyMode": "auto",
        "orientation": "auto",
    }
    defaults = {"color": {"mode": "thresholds"}, **more.pop("defaults", {})}
    return Panel(
        "stat", title, text, [Query(expr)], unit, 4, 4, marks=marks, defaults=defaults, options=options, **more
    )


def table(title: str, text: str, queries: Sequence[Query], transformations: Sequence[Json], **more: Any) -> Panel:  # noqa: ANN401
    """One row a thing."""
    options = {"showHeader": True, "cellHeight": "sm"}
    return Panel("table", title, text, queries, options=options, transformations=transformations, **more)


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


def heat(title: str, text: str, query: Query, most: float, unit: str = "percentunit", **more: Any) -> Panel:  # noqa: ANN401
    """A heat map with a line for each thing: the redder the worse, from 0 to ``most``."""
    defaults = {
        "color": {"mode": "continuous-GrYlRd"},
        "min": 0,
        "max": most,
        "custom": {"fillOpacity": 90, "lineWidth": 1},
    }
    options = {
        "showValue": "never",
        "rowHeight": 0.95,
        "colWidth": 1,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "tooltip": {"mode": "single"},
    }
    return Panel("status-history", title, text, [query], unit, WIDE, defaults=defaults, options=options, **more)


MODELS = 'label_values(tightrope_requests_total{model!="unknown"}, model)'
"""Every model that is served."""


def growth(metric: str, by: str, at: str, also: str = "") -> str:
    """How fast a counter grows a second, by some labels; ``also`` narrows the choice ``at``."""
    chosen = at if not also else "{" + ", ".join(part for part in (at.strip("{}"), also) if part) + "}"
    return f"sum by ({by}) (rate({metric}{chosen}[$__rate_interval]))"


def variable(name: str, label: str, query: str, *, several: bool = False) -> Json:
    """A choice among the values of a label, read anew whenever the time range changes."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
        **({"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if several else {}),
    }


def dashboard(uid: str, title: str, text: str, variables: Iterable[Json], rows: Iterable[Row], tag: str = "") -> Json:
    """A whole dashboard, ready for Grafana; ``tag`` picks the marks that Tightrope posts."""
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}
    return {
        "uid": uid,
        "title": title,
        "description": text,
        "tags": [TAG],
        "editable": False,
        "schemaVersion": SCHEMA,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [source, *variables]},
        "annotations": {"list": list(_marks(tag))},
        "links": [_link()],
        "panels": list(_placed(rows)),
    }


def _marks(tag: str) -> Iterable[Json]:
    """Safe mode entered and left: from the metrics, and as Tightrope told Grafana, so that either may be away."""
    about = tag.partition(":")[2]
    chosen = f'{{model="{about}"}}' if about else ""
    yield {
        "name": "Safe mode (metrics)",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": NEAR,
        "expr": f"max by (model, scope) (changes(tightrope_safe_mode_active{chosen}[1m])) > 0",
        "step": "60s",
        "titleFormat": "{{scope}} of {{model}} changed hands",
    }
    yield {
        "name": "Safe mode (told)",
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "iconColor": OVER,
        "target": {"type": "tags", "tags": ["safe-mode", *([tag] if tag else [])], "matchAny": False, "limit": 100},
    }


def _link() -> Json:
    return {
        "title": "Tightrope",
        "type": "dashboards",
        "tags": [TAG],
        "asDropdown": True,
        "keepTime": True,
        "includeVars": True,
    }


def _placed(rows: Iterable[Row]) -> Iterable[Json]:
    """Panels with numbers and places, row below row."""
    number, top = 1, 0
    for row in rows:
        head = {"id": number, "type": "row", "title": row.title, "collapsed": row.folded}
        number, left, below, inside = number + 1, 0, top + 1, []
        for panel in row.panels:
            if left + panel.width > WIDE:
                left, below = 0, below + panel.height
            inside.append(_panel(panel, number, {"h": panel.height, "w": panel.width, "x": left, "y": below}))
            number, left = number + 1, left + panel.width
        yield head | {"gridPos": {"h": 1, "w": WIDE, "x": 0, "y": top}, "panels": inside if row.folded else []}
        if not row.folded:
            yield from inside
        top = below + max(panel.height for panel in row.panels)


def _panel(panel: Panel, number: int, place: Json) -> Json:
    steps = [{"value": None, "color": FINE}, *({"value": v, "color": c} for v, c in panel.marks.items())]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "gridPos": place,
        "datasource": SOURCE,
        "targets": [_target(query, chr(ord("A") + n)) for n, query in enumerate(panel.queries)],
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}, **panel.defaults},
            "overrides": list(panel.overrides),
        },
        "options": panel.options,
        "transformations": list(panel.transformations),
    }


def _target(query: Query, ref: str) -> Json:
    asked = {"refId": ref, "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend, "exemplar": False}
    return asked | ({"instant": True, "range": False, "format": "table"} if query.table else {"range": True})
