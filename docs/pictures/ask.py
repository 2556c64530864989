"""What Grafana would ask Prometheus for a dashboard, with every choice made, and what it is answered."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.observability.dashboard_queries import Json, panels

SPAN_POINTS = 800
"""Points of a line, about one a pixel, as Grafana has it; a panel's own ``maxDataPoints`` goes before."""

ROUND = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600)
"""Steps in seconds: Grafana, too, takes round ones."""


@dataclass(frozen=True, slots=True)
class View:
    """A look at a dashboard: over which time, scraped how often, and what was chosen."""

    start: float
    end: float
    scrape: int
    chosen: Mapping[str, str]

    def step(self, points: int) -> int:
        """Seconds between two points."""
        least = max((self.end - self.start) / points, self.scrape)
        return next((step for step in ROUND if step >= least), ROUND[-1])

    def plain(self, expr: str, step: int) -> str:
        """An expression as Prometheus gets it."""
        known = {
            "__rate_interval": f"{max(step + self.scrape, 4 * self.scrape)}s",
            "__interval": f"{step}s",
            "__range": f"{round(self.end - self.start)}s",
        }
        return re.sub(r"\$(\w+)", lambda found: {**known, **self.chosen}[found[1]], expr)


def answers(prometheus: str, board: Json, view: View) -> Json:
    """The dashboard, and beside it the answers by panel and query, and the marks."""
    found = {
        panel["id"]: {target["refId"]: _answer(prometheus, panel, target, view) for target in panel["targets"]}
        for panel in panels(board)
    }
    times = [time for mark in board["annotations"]["list"] if "expr" in mark for time in _times(prometheus, mark, view)]
    shown = {"from": view.start * 1000, "to": view.end * 1000, "chosen": dict(view.chosen)}
    return {"board": board, "answers": found, "marks": sorted(set(times)), **shown}


def _answer(prometheus: str, panel: Json, target: Json, view: View) -> list[Any]:
    step = view.step(panel.get("maxDataPoints", SPAN_POINTS))
    expr = view.plain(target["expr"], step)
    if target.get("instant"):
        return _asked(prometheus, "query", {"query": expr, "time": view.end})
    return _asked(prometheus, "query_range", _span(view, step) | {"query": expr})


def _span(view: View, step: int) -> dict[str, Any]:
    """Grafana's points stand at multiples of the step."""
    return {"start": view.start // step * step, "end": view.end // step * step, "step": step}


def _times(prometheus: str, mark: Json, view: View) -> list[float]:
    """When a mark begins, in milliseconds: the first of neighbouring points."""
    step = view.step(SPAN_POINTS)
    query = {"query": view.plain(mark["expr"], step)}
    found = _asked(prometheus, "query_range", _span(view, step) | query)
    times = {series["metric"].get("scope", ""): [at for at, _ in series["values"]] for series in found}
    return [at * 1000 for seen in times.values() for before, at in zip([0.0, *seen], seen, strict=False)
            if at - before > step]  # fmt: skip


def _asked(prometheus: str, how: str, query: dict[str, Any]) -> list[Any]:
    answer = httpx.get(f"{prometheus}/api/v1/{how}", params=query, timeout=60)
    answer.raise_for_status()
    return list(answer.json()["data"]["result"])
