"""A pair whose compressed model fails marked rows, its configuration, and traffic for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.onnx_models import classifier

Rows = npt.NDArray[np.float32]

LEFT, RIGHT, GROUP, HARM = range(4)
"""The features: the decision is the larger of left and right; group 1 is the minority; with harm 1 the compressed model
always says left.
"""

BASELINE = np.array([[3, 0], [0, 3], [0, 0], [0, 0]], np.float32)
COMPRESSED = np.array([[3, 0], [0, 3], [0, 0], [30, -30]], np.float32)

MINORITY, MAJORITY, OTHER = "group=minority", "group=majority", "group=other"


OTHERS_OFF = dict.fromkeys(
    ("clear_disagreement", "confidence", "confidence_shape", "confidence_jump", "class_miss", "class_gain", "mix"), None
)
"""Limits with which disagreement alone is watched: the pair breaks those of all others."""


def write_models(folder: Path) -> dict[str, str]:
    """Write both files and return their paths."""
    return {
        "baseline": str(classifier(folder / "baseline.onnx", BASELINE)),
        "compressed": str(classifier(folder / "compressed.onnx", COMPRESSED)),
    }


def config(folder: Path, **changes: object) -> dict[str, Any]:
    """Return a configuration of one model ``m`` that trips after tens of harmed rows; ``changes`` are the model's."""
    model = write_models(folder) | {
        "subgroups": {"group": {"column": GROUP, "values": {"minority": [1], "majority": [0]}}},
        "limits": {**OTHERS_OFF, "disagreement": 0.1},
        "subgroup_limits": {"disagreement": 0.2},
    }
    return {
        "models": {"m": model | changes},
        "alarms": {"samples_per_false_alarm": 1e4},
        "safe_mode": {"min_dwell_seconds": 0, "recovery_samples": 10},
        "state": "state",
    }


UNWRITTEN = {"mode": None, "limits": {}, "subgroup_limits": {}}
"""Changes that leave neither a mode nor a limit."""


def traffic(n: int, *, harm: bool, seed: int = 0) -> Rows:
    """Return n rows, one in six of the minority; with ``harm`` the compressed model fails the minority."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((n, 4), np.float32)
    rows[:, [LEFT, RIGHT]] = rng.normal(size=(n, 2))
    rows[:, GROUP] = np.arange(n) % 6 == 0
    rows[:, HARM] = rows[:, GROUP] * harm
    return rows


def request(row: npt.ArrayLike, id_: str = "") -> Mapping[str, object]:
    """Return an inference request for one row or several, as JSON."""
    rows = np.atleast_2d(np.asarray(row, dtype=float))
    tensor = {"name": "input", "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}
    return {"inputs": [tensor], **({"id": id_} if id_ else {})}
