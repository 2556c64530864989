"""The built dashboards: their panels and their Prometheus queries."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tightrope.dashboards.boards import boards

Json = dict[str, Any]
SELECTED = ("cluster", "namespace", "model", "scope")
CHOICES = {"datasource": "x", "monitor": "disagreement", **dict.fromkeys(SELECTED, ".*")}
"""Values for the dashboards' variables."""


class PanelQuery(NamedTuple):
    """An expression, and where it is used."""

    where: str
    expr: str

    @property
    def plain(self) -> str:
        """The expression with all variables replaced, for equality as well as for regular expressions."""
        text = re.sub(r"\$__rate_interval|\$__interval", "10s", self.expr).replace("$__range", "1h")
        text = re.sub(r'="\$(?:cluster|namespace|model|scope)"', '=~".*"', text)
        return re.sub(r"\$(\w+)", lambda found: CHOICES[found[1]], text)


def panels(board: Json) -> Iterator[Json]:
    """All panels that show data, including those of folded rows."""
    for panel in board["panels"]:
        yield from panel.get("panels", ())
        if panel["type"] != "row":
            yield panel


def board_queries(board: Json) -> Iterator[PanelQuery]:
    """All queries of a dashboard's panels and annotations."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield PanelQuery(f"{board['title']} / {panel['title']} / {target['refId']}", target["expr"])
    for mark in board["annotations"]["list"]:
        if "expr" in mark:
            yield PanelQuery(f"{board['title']} / {mark['name']}", mark["expr"])


def all_queries() -> list[PanelQuery]:
    """The queries of all dashboards."""
    return [one for board in boards().values() for one in board_queries(board)]
