"""The cells of classes, as the golden rows choose them: which classes have one, their limits, and redundant ones.

How it works. Everything is fixed before traffic, from the classes that both models say on the golden rows, and is part
of the plan. Without golden rows every class has the default limit, no cell is redundant, and of too many classes the
first ones have cells.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors import observations
from tightrope.monitors.budget import MonitorSpec
from tightrope.monitors.catalogue import CATALOGUE, MAX_CLASSES, OTHER_CLASSES
from tightrope.monitors.definitions.definition import SUBGROUP_FACTOR, Reach
from tightrope.monitors.records import Bools, Comparisons, Floats, Ints
from tightrope.monitors.thresholds import upper_bound

FEW_ROWS = 30
"""Golden rows of a class, or of a subgroup, below which a rate or a share says nothing."""

LIMIT_MULTIPLE, UPPER_DELTA = 2.0, 0.025
"""A class's limit as a multiple of the upper end of its golden rate, and the risk that the rate lies above that end."""

LIMIT_STEPS = 1_000
"""Limits are rounded up to a thousandth."""

MAX_DEFAULT_SUBGROUP_LIMIT = 0.7
"""Upper bound of a default that is doubled: beyond it the test has no alternative left."""

CLASS_FACTOR = 5.0
"""The default limit of a class as a multiple of that of disagreement: few rows are of one class."""


def class_limit(disagreement: float | None) -> float:
    """The default limit of a class: at least five times that of disagreement.

    >>> class_limit(0.03)
    0.15
    """
    least = 0.0 if disagreement is None else CLASS_FACTOR * disagreement
    return min(max(CATALOGUE["class_miss"].limit, least), MAX_DEFAULT_SUBGROUP_LIMIT)


def class_limits(spoken: Ints, wrong: Bools, classes: int, default: float) -> Floats:
    """The limit of each class, (C,), from the classes of rows (n,) and whether these differ (n,): twice the upper end
    of the rate of the class, at least the default. Classes of few rows are taken together.

    >>> class_limits(np.repeat([0, 1], 100), np.arange(200) < 20, 3, 0.1).tolist()
    [0.587, 0.1, 0.1]
    """
    rows, ones = (np.bincount(each, minlength=classes) for each in (spoken, spoken[wrong]))
    few = rows < FEW_ROWS
    limits = np.full(classes, _limit(int(ones[few].sum()), int(rows[few].sum()), default))
    for index in np.flatnonzero(~few).tolist():
        limits[index] = _limit(int(ones[index]), int(rows[index]), default)
    return limits


def _limit(ones: int, rows: int, default: float) -> float:
    if rows < FEW_ROWS:
        return default
    proposed = float(np.ceil(LIMIT_MULTIPLE * upper_bound(ones, rows, UPPER_DELTA) * LIMIT_STEPS) / LIMIT_STEPS)
    return max(default, min(proposed, MAX_DEFAULT_SUBGROUP_LIMIT))


def redundant_classes(spoken: Ints, member: Bools, disagreement: Floats, limits: Floats) -> Bools:
    """Mask the classes whose breach implies one of disagreement, (C, S), from the classes of rows (n,) and membership
    (n, S): its rows times its limit (C, S) are more than the limit of disagreement (S,) allows of all rows.

    >>> one = np.ones((10, 1), dtype=bool)
    >>> redundant_classes(np.repeat([0, 1], [9, 1]), one, np.array([0.02]), np.full((2, 1), 0.1)).ravel().tolist()
    [True, False]
    """
    counts = (spoken[:, None] == np.arange(len(limits))).astype(np.float64).T @ member
    rows = member.sum(axis=0)
    known = (rows >= FEW_ROWS) | (np.arange(len(rows)) == 0)
    return np.asarray(known & (counts * limits > disagreement * rows))


def chosen_classes(classes: int, most: int, critical: Sequence[int], spoken: Ints | None) -> Ints:
    """The ``most`` classes that have a cell of their own, in order: the critical ones, then those that most golden rows
    (n,) are of, then the first.

    >>> chosen_classes(5, 2, critical=[4], spoken=np.array([3, 3, 1])).tolist()
    [3, 4]
    """
    counts = np.zeros(classes) if spoken is None else np.bincount(spoken, minlength=classes)[:classes]
    others = np.ones(classes, dtype=bool)
    others[list(critical)] = False
    return np.sort(np.lexsort((np.arange(classes), -counts, others))[:most])


@dataclass(frozen=True, slots=True)
class VariantOfClass:
    """The variant of each row's class, where classes have been chosen: ``index`` (C,) is the variant of each class.

    >>> rows = Comparisons.from_columns(3, top_baseline=[2, 0, -1])
    >>> VariantOfClass(observations.baseline_class, np.array([1, 1, 0]))(rows).tolist()
    [0, 1, -1]
    """

    class_of: Callable[[Comparisons], Ints]
    index: Ints

    def __call__(self, rows: Comparisons) -> Ints:
        """The variants, (n,); a row without a class keeps its negative number."""
        spoken = self.class_of(rows)
        return np.where(spoken < 0, spoken, self.index[np.clip(spoken, 0, len(self.index) - 1)])


def subgroup_cells(spec: MonitorSpec, classes: Sequence[str], limits: Floats) -> MonitorSpec | None:
    """The cells in subgroups, at their ``limits`` (S,), of a monitor that watches many ``classes`` at the model alone:
    one for each of the first twenty critical classes, and one for all others together. None without critical classes:
    all others would be all rows, and `disagreement` has a lower limit for these.
    """
    critical = tuple(dict.fromkeys(spec.critical))[:MAX_CLASSES]
    monitor = CATALOGUE[spec.monitor.name]
    if spec.monitor.reach is not Reach.MODEL or not critical or len(limits) == 1 or monitor.class_of is None:
        return None
    index = np.full(len(classes), len(critical))
    index[[classes.index(name) for name in critical]] = np.arange(len(critical))
    variant = VariantOfClass(monitor.class_of, index)
    watched = replace(monitor, share=0.0, reach=Reach.SUBGROUPS, class_of=variant)
    return replace(spec, monitor=watched, variants=(*critical, OTHER_CLASSES), limits=limits, critical=critical)


def with_golden_cells(
    specs: Sequence[MonitorSpec],
    golden: Comparisons,
    written: Mapping[str, float | None],
    subgroups: Mapping[str, float] | None = None,
) -> list[MonitorSpec]:
    """Give the monitors of classes the limits and cells that the golden rows choose. Monitors whose limit is
    ``written``, or in ``subgroups`` theirs, keep it; one without any cell is left out.
    """
    plain = [spec for spec in specs if spec.monitor.observe is observations.disagreement]
    chosen = [
        _with_cells(_with_limits(spec, golden, written, subgroups or {}), golden, plain[0].limits if plain else None)
        if spec.monitor.class_of is not None
        else spec
        for spec in specs
    ]
    return [spec for spec in chosen if spec.cells is None or spec.cells.any()]


def _spoken_variants(spec: MonitorSpec, golden: Comparisons) -> tuple[Ints, Bools, Bools]:
    """The variant of each row that has one, (n,), whether the other model says another class (n,), and the row's scopes
    (n, S), the model's first.
    """
    assert spec.monitor.class_of is not None  # noqa: S101 - the caller has asked
    valid, y = spec.monitor.observe(golden, len(spec.variants))
    own = valid[:, 0]
    member = np.concatenate([np.ones((len(golden), 1), dtype=bool), golden.member], axis=1)
    variants = np.minimum(spec.monitor.class_of(golden), len(spec.variants) - 1)
    return variants[own], y[own, 0] > 0, member[own, : len(spec.limits)]


def _with_limits(
    spec: MonitorSpec, golden: Comparisons, written: Mapping[str, float | None], subgroups: Mapping[str, float]
) -> MonitorSpec:
    """With many classes some of a good pair are over the default limit; in subgroups the limits are doubled."""
    in_subgroups, name = spec.monitor.reach is Reach.SUBGROUPS, spec.monitor.name
    if (
        (len(spec.variants) <= MAX_CLASSES and not in_subgroups)
        or name in written
        or (in_subgroups and name in subgroups)
    ):
        return spec
    spoken, wrong, _ = _spoken_variants(spec, golden)
    limits = class_limits(spoken, wrong, len(spec.variants), float(spec.limits[0]))
    if (limits == spec.limits[0]).all():
        return spec
    if in_subgroups:
        limits = np.minimum(SUBGROUP_FACTOR * limits, MAX_DEFAULT_SUBGROUP_LIMIT)
    return replace(spec, variant_limits=np.repeat(limits[:, None], len(spec.limits), axis=1))


def _with_cells(spec: MonitorSpec, golden: Comparisons, disagreement: Floats | None) -> MonitorSpec:
    """A missed class that is redundant has no cell unless it is critical."""
    if disagreement is None or spec.monitor.name != "class_miss":
        return spec
    spoken, _, member = _spoken_variants(spec, golden)
    limits = spec.limits if spec.variant_limits is None else spec.variant_limits
    shape = len(spec.variants), len(spec.limits)
    redundant = redundant_classes(spoken, member, disagreement[: shape[1]], np.broadcast_to(limits, shape))
    cells = ~redundant | np.isin(spec.variants, spec.critical)[:, None]
    cells[:, 0] |= spec.monitor.reach is Reach.SUBGROUPS  # which says nothing about the model
    return spec if cells.all() else replace(spec, cells=cells)


def cells_document(specs: Sequence[MonitorSpec], chosen: Sequence[int] | None) -> dict[str, object]:
    """The limits and cells of classes that differ from the default ones, in JSON types, for the plan's digest."""
    document: dict[str, object] = {}
    for spec in specs:
        own = {"limits": spec.variant_limits, "cells": spec.cells}
        given: dict[str, object] = {name: values.tolist() for name, values in own.items() if values is not None}
        if spec.monitor.class_of is not None and spec.monitor.reach is Reach.SUBGROUPS:
            document[f"{spec.monitor.name} in subgroups"] = given | {"classes": list(spec.variants)}
        elif given:
            document[spec.monitor.name] = given
    return document if chosen is None else document | {"chosen": list(chosen)}
