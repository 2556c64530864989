"""Small pairs and rows to be qualified, and the demo's."""

from pathlib import Path

import numpy as np

from tests.support.configs import ROOT
from tests.support.csv_tables import pair_settings, write_table
from tightrope.offline.pair_evaluation import load_pair
from tightrope.offline.qualification.criteria import CriteriaPlan, plan_criteria
from tightrope.service.config.loader import Settings, load

SIDES = {"side": {"column": 1, "values": {"left": [0], "right": [1]}}}
CROSSED = [[1, 0], [-4, 0]]
"""Weights of a compressed model that disagrees on the right side, where the first feature lies between 0 and 4."""

DEMO_CRITERIA = """
    qualification:
      criteria:
        disagreement: {model: 0.07, subgroups: 0.10}
        clear_disagreement: {model: 0.01, subgroups: 0.05}
        class_miss: {classes: 0.07}
        confidence: {model: 0.02}
        refusal_rate: {model: 0.02}
        refusal_persistence: {model: 0.25}
        accuracy: {model: 0.02, subgroups: {limit: 0.10, proof: not_over}}
        brier: {model: 0.01}
        confident_wrong: {model: 0.01, at: 0.9}
        flip_gap: {model: 0.02}
      scenarios: {jitter: {1: 1.0}}
"""
WITHHELD = """
    qualification: {unproven: withhold, criteria: {disagreement: {model: 0.07, subgroups: 0.10}}}
"""
GOLDEN = ROOT / "demo/data/golden.csv"


def demo_config(folder: Path, compressed: str, qualification: str = DEMO_CRITERIA) -> Path:
    """Write the demo's configuration with one of its compressed models; its statement and state are in ``folder``."""
    text = (
        (ROOT / "demo/tightrope.yaml").read_text().replace("bad_distilled_households_only.onnx", f"{compressed}.onnx")
    )
    text = text.replace("models/", f"{ROOT}/demo/models/").replace(
        "    mode: armed\n", f"    mode: armed{qualification}"
    )
    path = folder / "tightrope.yaml"
    path.write_text(f"{text}\nstate: {folder / 'state'}\n")
    return path


def demo_settings(folder: Path, compressed: str, qualification: str = DEMO_CRITERIA) -> Settings:
    """Load `demo_config`."""
    return load(demo_config(folder, compressed, qualification), {})


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
