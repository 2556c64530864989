"""A pair of 25 classes with golden rows; the compressed model takes two classes for one."""

from pathlib import Path

import numpy as np

from tests.support.onnx_models import classifier

CLASSES = 25
GOLDEN_ROWS = np.array([600, 250, *[40] * (CLASSES - 2)])
"""Golden rows of each class."""


def merged_classes(folder: Path, *, golden: bool = True, **section: object) -> dict[str, object]:
    """Write the models and the golden rows; the compressed model says class 4 where the baseline says class 3."""
    weights = 9 * np.eye(CLASSES, dtype=np.float32)
    merged = weights.copy()
    merged[3] = weights[4]
    paths = {name: str(classifier(folder / f"{name}.onnx", each)) for name, each in (("b", weights), ("c", merged))}
    np.savez(folder / "golden.npz", input=np.repeat(np.eye(CLASSES, dtype=np.float32), GOLDEN_ROWS, axis=0))
    given = {"golden": "golden.npz"} if golden else {}
    return {"baseline": paths["b"], "compressed": paths["c"], **given, **section}
