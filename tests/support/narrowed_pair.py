"""A pair whose compressed model says one class too often, its configuration, and rows for it."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.harmful_pair import Rows
from tests.support.onnx_models import classifier

CLASSES, SAID, SHARE = 12, 3, 0.012
"""The classes, the one that is said too often, and the share of rows of it, and of those that are taken for it."""

AT_ONCE = 16
"""Rows in one request that only brings evidence."""


def config(folder: Path, **changes: object) -> dict[str, Any]:
    """A pair of twelve classes with a feature each, and one more, which the compressed model takes for class 3; the
    answers that say so are asked again. ``changes`` are the model's.
    """
    baseline = np.vstack([9 * np.eye(CLASSES), np.zeros(CLASSES)]).astype(np.float32)
    compressed = baseline.copy()
    compressed[CLASSES, SAID] = 30
    pair = {
        "baseline": str(classifier(folder / "baseline.onnx", baseline)),
        "compressed": str(classifier(folder / "compressed.onnx", compressed)),
        "mode": "armed",
        "class_gain": "ask_again",
        "repeats": "none",
        "limits": {"clear_disagreement": None},
    }
    return {"models": {"m": pair | changes}, "state": "state"}


def rows(n: int) -> Rows:
    """Rows of all classes; a few are of class 3, and as many others have the feature that is taken for it."""
    rng = np.random.default_rng(7)
    u, others = rng.random(n), np.delete(np.arange(CLASSES), SAID)
    said = np.where(u < SHARE, SAID, rng.choice(others, n))
    mistaken = (u > 1 - SHARE).astype(np.float32)
    return np.column_stack([np.eye(CLASSES, dtype=np.float32)[said], mistaken]).astype(np.float32)


def by_answer(sent: Rows, most: int = 5) -> tuple[Rows, Rows]:
    """The rows on which the compressed model says class 3, rightly or not, and others: at most twice this number, and
    this number.
    """
    mistaken, right = sent[sent[:, CLASSES] > 0][:most], sent[sent[:, SAID] > 0][:most]
    others = sent[(sent[:, CLASSES] == 0) & (sent[:, SAID] == 0)][:most]
    return np.vstack([mistaken, right]), others
