"""All dashboards, and the rendering of dashboards and rules with the addresses of an installation."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tightrope.dashboards import GATEWAY, GRAFANA, RUNBOOK
from tightrope.dashboards.fleet import fleet
from tightrope.dashboards.installation import board_with_labels, rules_with_labels
from tightrope.dashboards.model import model
from tightrope.dashboards.panels import Json
from tightrope.dashboards.pipeline import pipeline
from tightrope.dashboards.subgroups import subgroups

DASHBOARDS_FOLDER = Path(__file__).parent
SHIPPED = DASHBOARDS_FOLDER / "json"
RULES = ("rules/recording.yml", "rules/alerts.yml")


def boards(labels: Sequence[str] = ()) -> Mapping[str, Json]:
    """Build all dashboards, by uid; they keep these labels besides cluster and namespace."""
    return {board["uid"]: board_with_labels(board, labels) for board in (fleet(), model(), subgroups(), pipeline())}


def to_text(board: Json) -> str:
    """Serialise a dashboard as it is committed."""
    return json.dumps(board, indent=1, ensure_ascii=False) + "\n"


def render(
    folder: Path,
    grafana: str = GRAFANA,
    runbook: str = RUNBOOK,
    gateway: str = GATEWAY,
    labels: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write dashboards and rules to a folder, with these addresses in the alerts. Both keep these ``labels`` besides
    cluster and namespace, and the rules select the values that are given.

    Returns:
        The written files.

    Raises:
        OSError: when a file cannot be written.
    """
    labels = labels or {}
    files = {f"json/{uid}.json": to_text(board) for uid, board in boards(tuple(labels)).items()}
    for name in RULES:
        rules = rules_with_labels((DASHBOARDS_FOLDER / name).read_text(), labels)
        files[name] = rules.replace(GRAFANA, grafana).replace(RUNBOOK, runbook).replace(GATEWAY, gateway)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return [folder / name for name in files]


if __name__ == "__main__":
    render(DASHBOARDS_FOLDER)
