"""Building of the kind of a decision from the configuration: its options are checked, and its files read."""

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

from tightrope.monitors.compare import Scale
from tightrope.monitors.kinds.registry import KINDS, LATER, OPTIONS
from tightrope.monitors.kinds.seam import DecisionKind, Factory, PairLayout, TensorLayout
from tightrope.service.adapters.ports import Model
from tightrope.service.config.decision import DecisionSection
from tightrope.service.config.models import ModelSection
from tightrope.service.config.suggestions import did_you_mean
from tightrope.service.inference.kinds.logged_kind import LoggedKind
from tightrope.service.inference.mapping.signatures import AddMistake
from tightrope.service.protocol.tensors import TensorSpec, dtype_of

ENTRY_POINTS = "tightrope.kinds"
"""The group of entry points by which installed packages offer kinds."""

PLAIN_OPTIONS: Mapping[str, frozenset[str]] = {"classes": frozenset({"scale"})}
"""Kinds that need no code of their own with no more than these options: rows of class probabilities or logits."""

DEFAULT_LIMITS: Mapping[tuple[str, str], float] = {
    ("multilabel", "hamming"): 0.01,
    ("positions", "spans"): 0.05,
    ("positions", "iou"): 0.05,
}
"""Default limits of the monitor *disagreement* by kind and loss, where the catalogue's does not fit."""


def is_plain(section: DecisionSection) -> bool:
    """Whether the decision needs no kind: classes by their probabilities or logits, or a regression by its scale."""
    if section.kind is None:
        return True
    return section.kind in PLAIN_OPTIONS and set(section.written) <= PLAIN_OPTIONS[section.kind]


def check_options(section: DecisionSection, add_mistake: AddMistake) -> None:
    """Check that the kind exists, and that every written option is one of its own."""
    kind, written = section.kind, set(section.written)
    if kind is None:
        for name in sorted(written - {"scale", "tolerance"}):
            owners = " or ".join(owner for owner, options in OPTIONS.items() if name in options)
            add_mistake(f"decision.{name}", f"belongs to a kind; write decision.kind: {owners or 'NAME'}")
        return
    if kind in LATER:
        add_mistake("decision.kind", f"is {kind!r}: {LATER[kind]}")
    elif kind in KINDS:
        for name in sorted(written - set(OPTIONS[kind])):
            known = ", ".join(OPTIONS[kind])
            add_mistake(
                f"decision.{name}", f"is no option of kind {kind}, which has {known}{did_you_mean(OPTIONS[kind], name)}"
            )
        if "scale" in OPTIONS[kind] and section.scale is Scale.REGRESSION:
            add_mistake("decision.scale", f"is regression; kind {kind} takes probabilities or logits")
    elif kind not in (offered := [point.name for point in entry_points(group=ENTRY_POINTS)]):
        names = [*KINDS, *offered]
        add_mistake("decision.kind", f"is {kind!r}; there are {', '.join(names)}{did_you_mean(names, kind)}")


def find_kind(section: ModelSection, baseline: Model, add_mistake: AddMistake) -> DecisionKind | None:
    """The kind of a model's decision, None where it is plain or after a mistake; what it cannot give must not be
    configured.
    """
    mistakes: list[tuple[str, str]] = []
    check_options(section.decision, lambda key, text: mistakes.append((key, text)))
    for key, text in mistakes:
        add_mistake(key, text)
    if mistakes:
        return None
    kind = build_kind(section.decision, baseline.inputs, baseline.outputs, add_mistake)
    if kind is not None and section.refusal and not kind.has_confidence and kind.name != "regression":
        add_mistake("refusal", f"kind {kind.name} has no certainty to refuse by")
    if kind is not None and section.labels and not kind.has_top:
        add_mistake("labels", f"kind {kind.name} has no single class that a label could confirm")
    return kind


def build_kind(
    section: DecisionSection,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    add_mistake: AddMistake,
) -> DecisionKind | None:
    """The kind of a decision whose options were checked; None where it is plain, or after a mistake."""
    if is_plain(section) or section.kind is None:
        return None
    layout = PairLayout(_layouts(inputs), _layouts(outputs), section.output)
    try:
        factory = KINDS.get(section.kind) or _loaded(section.kind)
        options = section.options or {} if section.kind not in KINDS else _read_options(section)
        kind = factory(options, layout)
        if not (kind.has_confidence and kind.has_bias):
            return LoggedKind(kind)
        add_mistake("decision.kind", f"{section.kind!r} has a confidence and a bias, which share one alarm budget")
    except ValueError as error:
        add_mistake("decision", str(error))
    except Exception as error:  # noqa: BLE001 - the code of a package
        add_mistake("decision.kind", f"{section.kind!r} cannot be built: {type(error).__name__}: {error}")
    return None


def default_limit(section: DecisionSection, otherwise: float) -> float:
    """The default limit of the monitor *disagreement* for this decision."""
    return DEFAULT_LIMITS.get((section.kind or "", section.loss or ""), otherwise)


def option_digests(section: DecisionSection) -> dict[str, str]:
    """The digest of each file of the options; empty for one that cannot be read, which is a mistake anyway."""
    return {name: _digest(file) for name, file in sorted(_files(section).items())}


def _layouts(specs: Sequence[TensorSpec]) -> list[TensorLayout]:
    return [TensorLayout(spec.name, tuple(spec.shape), dtype_of(spec.datatype).kind) for spec in specs]


def _loaded(name: str) -> Factory:
    (point, *_) = entry_points(group=ENTRY_POINTS, name=name)
    factory: Factory = point.load()
    return factory


def _files(section: DecisionSection) -> dict[str, Path]:
    files = {f"anchors.{role}": file for role, file in (section.anchors or {}).items()}
    return files | ({"tags": section.tags} if isinstance(section.tags, Path) else {})


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _read_options(section: DecisionSection) -> dict[str, Any]:
    """The written options, with the contents of their files.

    Raises:
        ValueError: when a file cannot be read, naming it.
    """
    options = dict(section.written)
    if "scale" in options:
        options["scale"] = {role: str(scale) for role, scale in section.scales.items()}
    if section.anchors:
        options["anchors"] = {role: _vectors(file) for role, file in section.anchors.items()}
    if isinstance(section.tags, Path):
        options["tags"] = _lines(section.tags)
    return options


def _vectors(file: Path) -> Any:  # noqa: ANN401 - an array of any type
    try:
        return np.load(file, allow_pickle=False)
    except OSError as error:
        raise ValueError(f"anchors: {file}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"anchors: {file}: is no .npy file of numbers: {error}") from error


def _lines(file: Path) -> list[str]:
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"tags: {file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
