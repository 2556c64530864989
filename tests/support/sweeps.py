"""Small sweeps: variants of a baseline of two features, and their reports."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.support.csv_tables import write_table
from tests.support.onnx_models import classifier
from tests.support.qualified_pair import CROSSED, sided_settings
from tightrope.offline.sweep.report import SweepReport, SweptVariant
from tightrope.offline.sweep.sweep import SweepOptions, sweep

SHIFTED = [[1.001, 0], [0, 0]]
"""Weights of a variant that decides as its baseline, and is another file."""

VARIANTS: Mapping[str, npt.ArrayLike] = {"good": SHIFTED, "crossed": CROSSED}

DISAGREEMENT = {"criteria": {"disagreement": {"model": 0.07, "subgroups": 0.1}}}


def variant_folder(folder: Path, variants: Mapping[str, npt.ArrayLike] = VARIANTS) -> Path:
    """Write variants by their weights, and return their folder."""
    there = folder / "variants"
    there.mkdir(exist_ok=True)
    for name, weights in variants.items():
        classifier(there / f"{name}.onnx", np.asarray(weights, np.float32))
    return there


def distinct_rows(folder: Path, rows: int = 1000) -> Path:
    """Rows as `sided_rows` makes them, no two of them equal: equal ones are in one part."""
    right, steps = np.arange(rows) % 5 == 0, np.linspace(0, 1, rows)
    score = np.where(right, np.where(np.arange(rows) % 25 == 0, 1 + 2 * steps, 5 + 4 * steps), 8 * steps - 9)
    return write_table(folder / "rows.csv", np.stack([score, right], axis=1))


def small_sweep(folder: Path, options: SweepOptions | None = None, rows: int = 1000, **changes: object) -> SweepReport:
    """Sweep the variants that `variant_folder` has written, or `VARIANTS`; ``changes`` are to the model."""
    there = folder / "variants"
    found = there if there.is_dir() else variant_folder(folder)
    settings = sided_settings(folder, **{"qualification": DISAGREEMENT, **changes})
    return sweep(settings, distinct_rows(folder, rows), None, found, options or SweepOptions())


def variant(report: SweepReport, name: str) -> SweptVariant:
    """Return a variant of a report."""
    return next(each for each in report.variants if each.variant.name == name)
