"""Which pictures there are, and of which dashboards the committed ones were taken."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tightrope.dashboards.boards import boards
from tightrope.dashboards.panels import Json

NOTE = Path(__file__).with_name("drawn.json")


@dataclass(frozen=True, slots=True)
class Picture:
    """A look at one dashboard: its file in docs/, until which moment of the play, what was chosen, how wide; only the
    upper ``lines`` of the grid where it says so.
    """

    file: str
    uid: str
    until: str
    chosen: Mapping[str, str]
    width: int = 1600
    lines: int | None = None


ALL = {"datasource": "Prometheus", "model": ".*"}
ONE = {"datasource": "Prometheus", "model": "employment"}
CELLS = {**ONE, "scope": ".*", "monitor": "disagreement"}
PICTURES = (
    Picture("fleet.png", "tightrope-fleet", "worst", ALL),
    Picture("model.png", "tightrope-model", "ended", ONE),
    Picture("subgroups.png", "tightrope-subgroups", "worst", CELLS),
    Picture("pipeline.png", "tightrope-pipeline", "ended", ALL),
    Picture("harm.png", "tightrope-subgroups", "worst", CELLS, width=1480, lines=14),
)


def digests() -> Mapping[str, str]:
    """Of what can be seen of every dashboard as it is built now."""
    seen = {uid: json.dumps([*map(_seen, board["panels"])]) for uid, board in boards().items()}
    return {uid: hashlib.sha256(text.encode()).hexdigest() for uid, text in seen.items()}


def _seen(panel: Json) -> Json:
    """Not what a panel says of itself when it is pointed at, and of a folded row only how much is in it."""
    return {**panel, "description": "", "panels": len(panel.get("panels", ()))}


def note(drawn: Mapping[str, str]) -> None:
    """Keep of which dashboards the pictures are."""
    NOTE.write_text(json.dumps(drawn, indent=1) + "\n")
