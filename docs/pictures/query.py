"""The Prometheus queries that Grafana sends for a dashboard with all variables set, and their results."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.observability.dashboard_queries import Json, panels

DEFAULT_POINTS = 800
"""Points of a line, about one a pixel, as in Grafana; a panel's own ``maxDataPoints`` takes precedence."""

ROUND_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600)
"""Steps in seconds; Grafana uses round ones too."""


@dataclass(frozen=True, slots=True)
class View:
    """A dashboard's time range in seconds since the epoch, the scrape interval in seconds, and its variables."""

    start: float
    end: float
    scrape: int
    variables: Mapping[str, str]

    def step(self, points: int) -> int:
        """Return the seconds between two of ``points`` points."""
        shortest = max((self.end - self.start) / points, self.scrape)
        return next((step for step in ROUND_STEPS if step >= shortest), ROUND_STEPS[-1])

    def substitute(self, expr: str, step: int) -> str:
        """Return an expression as Prometheus receives it, with every variable replaced by its value."""
        intervals = {
            "__rate_interval": f"{max(step + self.scrape, 4 * self.scrape)}s",
            "__interval": f"{step}s",
            "__range": f"{round(self.end - self.start)}s",
        }
        return re.sub(r"\$(\w+)", lambda match: {**intervals, **self.variables}[match[1]], expr)


def query_dashboard(prometheus: str, board: Json, view: View) -> Json:
    """Return the dashboard with the results of its queries, by panel and query, and the times of its annotations."""
    results = {
        panel["id"]: {target["refId"]: _result(prometheus, panel, target, view) for target in panel["targets"]}
        for panel in panels(board)
    }
    annotations = (mark for mark in board["annotations"]["list"] if "expr" in mark)
    times = [time for mark in annotations for time in _start_times(prometheus, mark, view)]
    shown = {"from": view.start * 1000, "to": view.end * 1000, "chosen": dict(view.variables)}
    return {"board": board, "answers": results, "marks": sorted(set(times)), **shown}


def _result(prometheus: str, panel: Json, target: Json, view: View) -> list[Any]:
    step = view.step(panel.get("maxDataPoints", DEFAULT_POINTS))
    expr = view.substitute(target["expr"], step)
    if target.get("instant"):
        return _query(prometheus, "query", {"query": expr, "time": view.end})
    return _query(prometheus, "query_range", _range(view, step) | {"query": expr})


def _range(view: View, step: int) -> dict[str, Any]:
    """Return the bounds of a range query at multiples of the step, as Grafana aligns them."""
    return {"start": view.start // step * step, "end": view.end // step * step, "step": step}


def _start_times(prometheus: str, mark: Json, view: View) -> list[float]:
    """Return the first of each run of neighbouring points of an annotation, in milliseconds."""
    step = view.step(DEFAULT_POINTS)
    query = {"query": view.substitute(mark["expr"], step)}
    result = _query(prometheus, "query_range", _range(view, step) | query)
    by_scope = {series["metric"].get("scope", ""): [time for time, _ in series["values"]] for series in result}
    return [time * 1000 for times in by_scope.values() for before, time in zip([0.0, *times], times, strict=False)
            if time - before > step]  # fmt: skip


def _query(prometheus: str, endpoint: str, parameters: dict[str, Any]) -> list[Any]:
    response = httpx.get(f"{prometheus}/api/v1/{endpoint}", params=parameters, timeout=60)
    response.raise_for_status()
    return list(response.json()["data"]["result"])
