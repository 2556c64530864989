"""Dashboards as Grafana's classic JSON has them: panels put in their places, variables, marks, links.

Every query goes to the data source that the dashboard's first variable names.
"""

from collections.abc import Iterable

from tightrope.dashboards.panels import NEAR, OVER, WIDE, Json, Panel, Query, Row, steps

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA = 41
"""Of classic dashboards; Grafana migrates it when it loads one."""

TAG = "tightrope"


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
        number, left, below, tallest, inside = number + 1, 0, top + 1, 0, []
        for panel in row.panels:
            if left + panel.width > WIDE:
                left, below, tallest = 0, below + tallest, 0
            inside.append(_panel(panel, number, {"h": panel.height, "w": panel.width, "x": left, "y": below}))
            number, left, tallest = number + 1, left + panel.width, max(tallest, panel.height)
        yield head | {"gridPos": {"h": 1, "w": WIDE, "x": 0, "y": top}, "panels": inside if row.folded else []}
        if not row.folded:
            yield from inside
        top = top + 1 if row.folded else below + tallest


def _panel(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "gridPos": place,
        "datasource": SOURCE,
        "targets": [_target(query, chr(ord("A") + n)) for n, query in enumerate(panel.queries)],
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": steps(panel.marks, panel.base), **panel.defaults},
            "overrides": list(panel.overrides),
        },
        "options": panel.options,
        "transformations": list(panel.transformations),
        **({} if panel.points is None else {"maxDataPoints": panel.points}),
    }


def _target(query: Query, ref: str) -> Json:
    asked = {"refId": ref, "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend, "exemplar": False}
    return asked | ({"instant": True, "range": False, "format": "table"} if query.table else {"range": True})
