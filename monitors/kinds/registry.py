"""The built-in kinds of decision: their factories, their options, and the names of kinds that are still to come."""

from collections.abc import Mapping

from tightrope.monitors.kinds.binary import build_binary
from tightrope.monitors.kinds.classes import build_classes
from tightrope.monitors.kinds.embedding import build_embedding
from tightrope.monitors.kinds.labels import build_labels
from tightrope.monitors.kinds.multilabel import build_multilabel
from tightrope.monitors.kinds.positions import build_positions
from tightrope.monitors.kinds.regression import build_regression
from tightrope.monitors.kinds.seam import Factory

KINDS: Mapping[str, Factory] = {
    "classes": build_classes,
    "labels": build_labels,
    "binary": build_binary,
    "multilabel": build_multilabel,
    "regression": build_regression,
    "embedding": build_embedding,
    "positions": build_positions,
}
"""The factory of each built-in kind."""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "classes": ("scale", "top", "match", "classes"),
    "labels": ("classes",),
    "binary": ("scale", "threshold", "classes"),
    "multilabel": ("scale", "thresholds", "loss", "labels"),
    "regression": ("loss", "tolerance", "floor", "edges", "cap"),
    "embedding": ("loss", "tolerance", "pool", "mask", "anchors", "k"),
    "positions": ("class_axis", "threshold", "scale", "mask", "loss", "tags", "background", "ignore", "confidence"),
}
"""The options that each built-in kind reads; any other key is a mistake."""

FILE_OPTIONS: Mapping[str, tuple[str, ...]] = {"embedding": ("anchors",), "positions": ("tags",)}
"""The options whose value may be a file: the caller reads it, and hands the kind an array or a list."""

LATER: Mapping[str, str] = {
    "detection": "a later version of Tightrope compares boxes",
    "text": "a later version of Tightrope compares texts",
    "ranking": "a later version of Tightrope compares rankings",
    "generation": "a later version of Tightrope compares generated tokens",
    "composite": "a later version of Tightrope compares several decisions of one model",
}
"""Kinds that are refused, and what to say."""
