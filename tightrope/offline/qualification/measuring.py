"""The measuring of cells: every criterion in every scope, from the comparisons of the rows that judge."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tightrope.monitors.catalogue import MAX_CLASSES, OTHER_CLASSES
from tightrope.monitors.clear_rows.clear_margin import RowValues, clear_losses
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.qualification.cells import LimitProof, MeasuredCell
from tightrope.monitors.qualification.evidence import combine, weigh
from tightrope.monitors.qualification.more_rows import rows_needed
from tightrope.monitors.qualification.observed import CONFIDENT_AT, confident_and_different, confident_wrong
from tightrope.monitors.records import Bools, Comparisons, Floats
from tightrope.monitors.scopes import is_other
from tightrope.offline.progress import NO_PROGRESS, Progress
from tightrope.offline.qualification.criteria import (
    CLEAR_DISAGREEMENT,
    CONFIDENT_WRONG,
    FLIP_GAP,
    SCENARIO_CRITERIA,
    SUBGROUP_LEVEL,
    CriteriaPlan,
    Criterion,
)
from tightrope.service.inference.kinds.class_cells import FEW_ROWS

NO_LABELS = "the rows have no labels"


@dataclass(frozen=True, slots=True)
class JudgedRows:
    """The rows that judge, compared in two ways. ``scopes`` (S) are named, the model first, and ``member`` (n, S) tells
    which rows belong to each; ``judging`` (n,) masks the rows; ``withheld`` are the scopes that have no cells.
    """

    ways: Sequence[Comparisons]
    scopes: Sequence[str]
    member: Bools
    judging: Bools
    withheld: Sequence[int]
    clear_margin: float | None
    labelled: bool

    def shown(self, level: str) -> Iterator[int]:
        """The scopes of a level that have cells; no row without a declared value is no gap."""
        for scope in range(1, len(self.scopes)) if level == SUBGROUP_LEVEL else (0,):
            is_gap = not is_other(self.scopes[scope]) or bool((self.member[:, scope] & self.judging).any())
            if scope not in self.withheld and is_gap:
                yield scope


@dataclass(frozen=True, slots=True)
class VariantRows:
    """One variant of a criterion: for each way the rows that count, (n,), and their values, (n,)."""

    variant: str
    ways: Sequence[RowValues]


def measured_criteria(plan: CriteriaPlan, *, labelled: bool) -> list[Criterion]:
    """The criteria that cells of compared rows measure; default ones about labels are left out without labels."""
    return [
        criterion
        for criterion in plan.criteria
        if criterion.limits
        and criterion.name not in SCENARIO_CRITERIA
        and (labelled or plan.written or not criterion.needs_labels)
    ]


def measure_cells(plan: CriteriaPlan, rows: JudgedRows, progress: Progress = NO_PROGRESS) -> list[MeasuredCell]:
    """Measure every criterion but those of scenarios and costs, in the order of the plan."""
    criteria = measured_criteria(plan, labelled=rows.labelled)
    progress.begin("weighing the rows", sum(len(criterion.limits) for criterion in criteria))
    cells: list[MeasuredCell] = []
    for criterion in criteria:
        for level in criterion.limits:
            cells += _measure_level(plan, criterion, level, rows)
            progress.advance()
    return cells


def _measure_level(plan: CriteriaPlan, criterion: Criterion, level: str, rows: JudgedRows) -> Iterator[MeasuredCell]:
    if criterion.needs_labels and not rows.labelled:
        yield from unmeasured(criterion, level, rows, NO_LABELS)
        return
    hypothesis = hypothesis_of(criterion, labelled=rows.labelled)
    variants = _pooled(list(_variants(criterion, rows)), rows)
    for scope in rows.shown(level):
        own = rows.member[:, scope] & rows.judging
        for each in variants:
            values = [y[counts & own] for counts, y in each.ways]
            yield measured_cell(plan, criterion, level, (rows.scopes[scope], each.variant), hypothesis, values)


def measured_cell(
    plan: CriteriaPlan,
    criterion: Criterion,
    level: str,
    cell: tuple[str, str],
    hypothesis: Hypothesis,
    values: Sequence[Floats],
) -> MeasuredCell:
    """Weigh the values of one cell, one array a way; ``cell`` is its scope and variant."""
    limit, proof = criterion.limits[level]
    found = [weigh(hypothesis, y, limit, plan.alpha) for y in values]
    evidence, needed = combine(found), 0.0 if proof is LimitProof.NOT_OVER else None
    if proof is LimitProof.WITHIN and evidence.p_within > plan.alpha:
        worst = max(range(len(found)), key=lambda way: (found[way].p_within, found[way].bound))
        needed = rows_needed(hypothesis, values[worst], limit, plan.alpha)
    return MeasuredCell(criterion.name, *cell, hypothesis, limit, proof, evidence, needed)


def unmeasured(criterion: Criterion, level: str, rows: JudgedRows, reason: str) -> Iterator[MeasuredCell]:
    """The cells of a criterion that could not be measured, one a scope."""
    limit, proof = criterion.limits[level]
    hypothesis = hypothesis_of(criterion, labelled=rows.labelled)
    for scope in rows.shown(level):
        yield MeasuredCell(criterion.name, rows.scopes[scope], "", hypothesis, limit, proof, None, reason=reason)


def hypothesis_of(criterion: Criterion, *, labelled: bool) -> Hypothesis:
    """The quantity that a criterion tests."""
    if criterion.monitor is not None:
        return criterion.monitor.hypothesis
    one_sided = criterion.name == FLIP_GAP or (criterion.name == CONFIDENT_WRONG and labelled)
    return Hypothesis.UPPER if one_sided else Hypothesis.RATE


def _variants(criterion: Criterion, rows: JudgedRows) -> Iterator[VariantRows]:
    if criterion.monitor is None:
        yield VariantRows("", [_own_values(criterion, rows)(way) for way in rows.ways])
        return
    names = criterion.variants
    observed = [criterion.monitor.observe_variants(way, len(names)) for way in rows.ways]
    for index, name in enumerate(names):
        yield VariantRows(name, [(counts[:, index], y[:, index]) for counts, y in observed])


def _own_values(criterion: Criterion, rows: JudgedRows) -> Callable[[Comparisons], RowValues]:
    at = criterion.at or CONFIDENT_AT
    if criterion.name == CLEAR_DISAGREEMENT:
        margin = np.inf if rows.clear_margin is None else rows.clear_margin
        return lambda way: clear_losses(way, margin)
    observe = confident_wrong if rows.labelled else confident_and_different
    return lambda way: observe(way, at)


def _pooled(variants: list[VariantRows], rows: JudgedRows) -> list[VariantRows]:
    """Join variants of few rows where there are many: alone they would prove nothing."""
    if len(variants) <= MAX_CLASSES:
        return variants
    is_few = [int((each.ways[0][0] & rows.judging).sum()) < FEW_ROWS for each in variants]
    few = [each for each, small in zip(variants, is_few, strict=True) if small]
    if len(few) <= 1:
        return variants
    ways: list[RowValues] = []
    for way in range(len(rows.ways)):
        counts = np.stack([each.ways[way][0] for each in few])
        y = np.stack([np.where(each.ways[way][0], each.ways[way][1], 0.0) for each in few])
        ways.append((np.asarray(counts.any(axis=0)), y.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)))
    kept = [each for each, small in zip(variants, is_few, strict=True) if not small]
    return [*kept, VariantRows(OTHER_CLASSES, ways)]


def seen_over(plan: CriteriaPlan, rows: JudgedRows) -> list[int]:
    """The subgroups whose value lies over a limit on the rows that ``judging`` masks, in either way."""
    over: set[int] = set()
    for criterion in measured_criteria(plan, labelled=rows.labelled):
        if SUBGROUP_LEVEL not in criterion.limits or (criterion.needs_labels and not rows.labelled):
            continue
        limit, signed = criterion.limits[SUBGROUP_LEVEL][0], hypothesis_of(criterion, labelled=rows.labelled)
        for each in _pooled(list(_variants(criterion, rows)), rows):
            for scope in rows.shown(SUBGROUP_LEVEL):
                values = [y[counts & rows.member[:, scope] & rows.judging] for counts, y in each.ways]
                means = [float(y.mean()) for y in values if len(y)]
                over |= {scope for mean in means if (abs(mean) if signed is Hypothesis.MEAN else mean) > limit}
    return sorted(over)
