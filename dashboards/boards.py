"""All dashboards, and what of this folder people take elsewhere with their own addresses in it."""

import json
from collections.abc import Mapping
from pathlib import Path

from tightrope.dashboards import GATEWAY, GRAFANA, RUNBOOK
from tightrope.dashboards.fleet import fleet
from tightrope.dashboards.model import model
from tightrope.dashboards.panels import Json
from tightrope.dashboards.pipeline import pipeline
from tightrope.dashboards.subgroups import subgroups

HERE = Path(__file__).parent
SHIPPED = HERE / "json"
RULES = ("rules/recording.yml", "rules/alerts.yml")


def boards() -> Mapping[str, Json]:
    """Every dashboard by its uid."""
    return {board["uid"]: board for board in (fleet(), model(), subgroups(), pipeline())}


def text(board: Json) -> str:
    """As it is committed."""
    return json.dumps(board, indent=1, ensure_ascii=False) + "\n"


def render(folder: Path, grafana: str = GRAFANA, runbook: str = RUNBOOK, gateway: str = GATEWAY) -> list[Path]:
    """Write dashboards and rules to a folder, with these addresses in the alerts; returns the files.

    Raises:
        OSError: when they cannot be written.
    """
    files = {f"json/{uid}.json": text(board) for uid, board in boards().items()}
    for name in RULES:
        rules = (HERE / name).read_text()
        files[name] = rules.replace(GRAFANA, grafana).replace(RUNBOOK, runbook).replace(GATEWAY, gateway)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return [folder / name for name in files]


if __name__ == "__main__":
    render(HERE)
