"""The list of pictures, and the digests of the dashboards that the committed ones show."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tightrope.dashboards.boards import boards
from tightrope.dashboards.panels import Json

DIGESTS_FILE = Path(__file__).with_name("drawn.json")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a dashboard: its file in docs/, the moment of the recording at which its time range ends, the
    values of the variables, the width in pixels, and the upper ``lines`` of the grid that it shows (None: all).
    """

    file: str
    uid: str
    until: str
    variables: Mapping[str, str]
    width: int = 1600
    lines: int | None = None


ALL_MODELS = {"datasource": "Prometheus", "cluster": ".*", "namespace": ".*", "model": ".*"}
ONE_MODEL = {"datasource": "Prometheus", "cluster": "", "namespace": "", "model": "employment"}
ONE_MONITOR = {**ONE_MODEL, "scope": ".*", "monitor": "disagreement"}
PICTURES = (
    Picture("fleet.png", "tightrope-fleet", "worst", ALL_MODELS),
    Picture("model.png", "tightrope-model", "ended", ONE_MODEL),
    Picture("subgroups.png", "tightrope-subgroups", "worst", ONE_MONITOR),
    Picture("pipeline.png", "tightrope-pipeline", "ended", ALL_MODELS),
    Picture("harm.png", "tightrope-subgroups", "worst", ONE_MONITOR, width=1480, lines=14),
)


def digests() -> Mapping[str, str]:
    """Return a digest of the visible part of every dashboard as it is built now."""
    visible = {uid: json.dumps([*map(_visible, board["panels"])]) for uid, board in boards().items()}
    return {uid: hashlib.sha256(text.encode()).hexdigest() for uid, text in visible.items()}


def _visible(panel: Json) -> Json:
    """Return the visible part of a panel: without its tooltip, and for a folded row only the number of its panels."""
    return {**panel, "description": "", "panels": len(panel.get("panels", ()))}


def store_digests(drawn: Mapping[str, str]) -> None:
    """Store the digests of the dashboards that the pictures show."""
    DIGESTS_FILE.write_text(json.dumps(drawn, indent=1) + "\n")
