"""Small pairs and rows to be qualified, and the demo's."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.support.configs import ROOT
from tests.support.csv_tables import pair_settings, write_table
from tightrope.demo_run.gateway_process import demo_config, write_yaml
from tightrope.offline.pair_evaluation import load_pair
from tightrope.offline.qualification.criteria import CriteriaPlan, plan_criteria
from tightrope.service.config.loader import Settings, load

SIDES = {"side": {"column": 1, "values": {"left": [0], "right": [1]}}}
CROSSED = [[1, 0], [-4, 0]]
"""Weights of a compressed model that disagrees on the right side, where the first feature lies between 0 and 4."""

WITHHELD: dict[str, object] = {
    "unproven": "withhold",
    "criteria": {"disagreement": {"model": 0.07, "subgroups": 0.10}},
}
GOLDEN = ROOT / "demo/data/golden.csv"


def demo_config_file(folder: Path, compressed: str, qualification: Mapping[str, object] | None = None) -> Path:
    """Write the demo's configuration with one of its compressed models and, if given, other criteria; its state is in
    ``folder``.
    """
    config = demo_config(compressed)
    if qualification is not None:
        config["models"]["employment"]["qualification"] = dict(qualification)
    return write_yaml(folder, {**config, "state": str(folder / "state")})


def demo_settings(folder: Path, compressed: str, qualification: Mapping[str, object] | None = None) -> Settings:
    """Load `demo_config_file`."""
    return load(demo_config_file(folder, compressed, qualification), {})


def sided_settings(folder: Path, compressed: object = CROSSED, **changes: object) -> Settings:
    """A pair with two sides."""
    return pair_settings(folder, compressed, **{"subgroups": SIDES, **changes})  # type: ignore[arg-type]


def sided_rows(folder: Path, rows: int = 1000, *, labelled: bool = False) -> Path:
    """Rows, a fifth of them on the right; on a fifth of these `CROSSED` disagrees."""
    right = np.arange(rows) % 5 == 0
    score = np.where(right & (np.arange(rows) % 25 == 0), 2.0, np.where(right, 9.0, np.linspace(-9, -1, rows)))
    labels = (score < 0).astype(int) if labelled else None
    return write_table(folder / "rows.csv", np.stack([score, right], axis=1), labels)


def plan_for(settings: Settings) -> CriteriaPlan:
    """The criteria of the only pair."""
    return plan_criteria(load_pair(settings, None), settings)
