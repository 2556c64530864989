"""Dashboards in Grafana's classic JSON: panels with positions, variables, annotations and links.

All queries use the data source of the dashboard's first variable.
"""

from collections.abc import Iterable

from tightrope.dashboards.panels import EVENT_COLOUR, GRID_COLUMNS, Json, Panel, PanelRow, Query, steps
from tightrope.dashboards.queries import CHOSEN_MODELS, MODEL, OF_INSTALLATION, ONE_MODEL

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GRAFANA_SCHEMA_VERSION = 41
"""Schema version of classic dashboards; Grafana migrates it when it loads one."""

DASHBOARD_TAG = "tightrope"


def variable(name: str, label: str, query: str, *, several: bool = False) -> Json:
    """A variable with the values of a label, refreshed with the time range; ``several`` allows several values."""
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


def installation_variables(*, several: bool = False) -> list[Json]:
    """Variables for the cluster and the namespace of an installation; both are empty where series lack the labels."""
    equals = "=~" if several else "="
    return [
        variable("cluster", "Cluster", "label_values(tightrope_requests_total, cluster)", several=several),
        variable(
            "namespace",
            "Namespace",
            f'label_values(tightrope_requests_total{{cluster{equals}"$cluster"}}, namespace)',
            several=several,
        ),
    ]


def served_models(installations: str) -> str:
    """The query of a variable for all models that these installations serve."""
    return f'label_values(tightrope_requests_total{{{installations}, model!="unknown"}}, model)'


def dashboard(
    uid: str, title: str, description: str, variables: Iterable[Json], rows: Iterable[PanelRow], tag: str = ""
) -> Json:
    """A complete dashboard; ``tag`` selects the annotations that Tightrope posts."""
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [DASHBOARD_TAG],
        "editable": False,
        "schemaVersion": GRAFANA_SCHEMA_VERSION,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [source, *variables]},
        "annotations": {"list": list(_annotations(tag))},
        "links": [_link()],
        "panels": list(_positioned(rows)),
    }


def _annotations(tag: str) -> Iterable[Json]:
    """When another model began to answer: from metrics and posted annotations; either source may be missing."""
    chosen, title = (ONE_MODEL, "") if tag else (CHOSEN_MODELS, f" ({OF_INSTALLATION})")
    yield {
        "name": "Who answers, by the metrics",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": EVENT_COLOUR,
        "expr": f"max by ({MODEL}, scope) (changes(tightrope_safe_mode_active{chosen}[1m])) > 0",
        "step": "60s",
        "titleFormat": f"{{{{scope}}}} of {{{{model}}}}{title} is answered by another model",
    }
    tags = ["safe-mode", *((tag, "cluster:$cluster", "namespace:$namespace") if tag else ())]
    yield {
        "name": "Who answers, as Tightrope wrote",
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "iconColor": EVENT_COLOUR,
        "target": {"type": "tags", "tags": tags, "matchAny": False, "limit": 100},
    }


def _link() -> Json:
    return {
        "title": "Tightrope",
        "type": "dashboards",
        "tags": [DASHBOARD_TAG],
        "asDropdown": True,
        "keepTime": True,
        "includeVars": True,
    }


def _positioned(rows: Iterable[PanelRow]) -> Iterable[Json]:
    """Panels with numbers and grid positions, row below row."""
    number, top = 1, 0
    for row in rows:
        header = {"id": number, "type": "row", "title": row.title, "collapsed": row.folded}
        number, left, below, tallest, inside = number + 1, 0, top + 1, 0, []
        for panel in row.panels:
            if left + panel.width > GRID_COLUMNS:
                left, below, tallest = 0, below + tallest, 0
            inside.append(_panel(panel, number, {"h": panel.height, "w": panel.width, "x": left, "y": below}))
            number, left, tallest = number + 1, left + panel.width, max(tallest, panel.height)
        yield header | {
            "gridPos": {"h": 1, "w": GRID_COLUMNS, "x": 0, "y": top},
            "panels": inside if row.folded else [],
        }
        if not row.folded:
            yield from inside
        top = top + 1 if row.folded else below + tallest


def _panel(panel: Panel, number: int, position: Json) -> Json:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "gridPos": position,
        "datasource": SOURCE,
        "targets": [_target(query, chr(ord("A") + n)) for n, query in enumerate(panel.queries)],
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": steps(panel.thresholds, panel.base), **panel.defaults},
            "overrides": list(panel.overrides),
        },
        "options": panel.options,
        "transformations": list(panel.transformations),
        **({} if panel.points is None else {"maxDataPoints": panel.points}),
    }


def _target(query: Query, ref: str) -> Json:
    target = {"refId": ref, "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend, "exemplar": False}
    return target | ({"instant": True, "range": False, "format": "table"} if query.table else {"range": True})
