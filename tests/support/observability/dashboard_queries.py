"""The dashboards as they are built: their panels, and what they ask Prometheus."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tightrope.dashboards.boards import boards

Json = dict[str, Any]
CHOICES = {"datasource": "x", "model": ".*", "scope": ".*", "monitor": "disagreement"}
"""Stand-ins for what a person chooses."""


class Asked(NamedTuple):
    """One expression, where it stands, and what stands for its variables."""

    where: str
    expr: str

    @property
    def plain(self) -> str:
        """As Prometheus gets it: every choice made, in either way of asking for equality."""
        text = re.sub(r"\$__rate_interval|\$__interval", "10s", self.expr).replace("$__range", "1h")
        text = re.sub(r'="\$(?:model|scope)"', '=~".*"', text)
        return re.sub(r"\$(\w+)", lambda found: CHOICES[found[1]], text)


def panels(board: Json) -> Iterator[Json]:
    """Every panel that shows something, folded or not."""
    for panel in board["panels"]:
        yield from panel.get("panels", ())
        if panel["type"] != "row":
            yield panel


def asked(board: Json) -> Iterator[Asked]:
    """Every expression of the panels and of the marks."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield Asked(f"{board['title']} / {panel['title']} / {target['refId']}", target["expr"])
    for mark in board["annotations"]["list"]:
        if "expr" in mark:
            yield Asked(f"{board['title']} / {mark['name']}", mark["expr"])


def everything() -> list[Asked]:
    """Of all dashboards."""
    return [one for board in boards().values() for one in asked(board)]
