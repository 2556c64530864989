"""`tightrope limits`: monitor statistics of a pair on known rows, limits that leave room for them, detection delays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, log
from pathlib import Path

import numpy as np

from tightrope.monitors import thresholds
from tightrope.monitors.clear_rows.clear_margin import clear_margin
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import MODEL_SCOPE, Floats
from tightrope.monitors.scopes import is_other
from tightrope.monitors.watched_groups.plans import with_margin
from tightrope.offline.detection_delay import EvidenceRates, Harm, harms
from tightrope.offline.pair_evaluation import PairComparisons, prepare
from tightrope.offline.progress import NO_PROGRESS, Progress
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.kinds.class_cells import FEW_ROWS, MAX_DEFAULT_SUBGROUP_LIMIT
from tightrope.service.inference.kinds.offers import CLASS_MONITORS

BOUND_DELTA = 0.05
"""Each bound holds with probability 1 - BOUND_DELTA. So does a proposal for all subgroups together: the largest bound
is at least that of the subgroup whose true rate is the largest."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One monitor in one scope. ``rows`` of the file count for it, a ``share`` of all.

    ``noise`` is the statistic of the baseline with itself and ``seen`` that of the pair (means are signed; None without
    rows); ``noise_bound`` and ``bound`` are upper bounds on their size. ``limit`` is the configured one; the pair is
    ``over`` it if the lower bound is. ``needs`` is the number of rows that prove the limit if none shows harm; there
    are ``enough`` if there are as many, or if it is over.
    """

    scope: str
    rows: int
    share: float
    noise: float | None
    noise_bound: float
    seen: float | None
    bound: float
    limit: float
    over: bool
    enough: bool
    needs: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """Limits for the model and for its subgroups; None with too few rows, or if the limit would exceed the largest that
    a configuration may have. ``worst`` is the subgroup that needs the highest, ``without`` what the others need.
    """

    model: float | None
    subgroups: float | None
    worst: str | None
    without: float | None


@dataclass(frozen=True, slots=True)
class Monitor:
    """One monitor: its cells (the model's first if it is watched), the proposal, and for each cell the limit and the
    detection delays beyond it, empty without a limit.
    """

    name: str
    cells: tuple[Cell, ...]
    proposal: Proposal
    limits: tuple[float | None, ...]
    harms: tuple[tuple[Harm, ...], ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Result for a pair on ``rows`` rows. ``harms_beyond`` names the limits that the harms are multiples of, configured
    or proposed; ``problems`` has one line for each configured limit below the noise floor.
    """

    model: str
    data: str
    rows: int
    per_second: float
    harms_beyond: str
    monitors: tuple[Monitor, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Observed:
    """One monitor's observations in one scope: of the baseline with itself, (r,), and of the pair, (n,)."""

    noise: Floats
    pair: Floats


def limits(
    settings: Settings,
    data: Path,
    name: str | None,
    per_second: float,
    *,
    proposed: bool = False,
    progress: Progress = NO_PROGRESS,
) -> Limits:
    """Compute every monitor's statistic in every scope on the rows of ``data``, which need no labels.

    The noise floor compares the baseline with itself, row by row and in batches. The pair runs as in normal and as in
    safe mode; the worse result counts. Rates have Clopper-Pearson bounds, means those of `thresholds.mean_bounds`.
    Harms are multiples of the configured limits, or with ``proposed`` of the proposed ones.

    Raises:
        ConfigError: when there is no such model, or ``per_second`` is not a number above 0.
        RowFileError: when the file cannot be used.
    """
    if not 0 < per_second < inf:
        raise ConfigError([f"--per-second: is {per_second:g}; it must be a number above 0"])
    evaluation = prepare(settings, name, data, at_least=2, progress=progress)
    compared = evaluation.compare()
    plan = with_margin(evaluation.pair.plan, clear_margin(compared.noise.margin_baseline))
    progress.begin("finding the limits", sum(len(_shown(plan, rule, compared)) for rule in plan.rules))
    by_name = [[rule for rule in plan.rules if rule.monitor.name == each] for each in dict.fromkeys(plan.monitors)]
    monitors = tuple(_monitor(plan, rules, compared, per_second, progress, proposed=proposed) for rules in by_name)
    return Limits(
        model=plan.model,
        data=str(data),
        rows=len(compared.member),
        per_second=per_second,
        harms_beyond="proposed" if proposed else "configured",
        monitors=monitors,
        problems=tuple(line for monitor in monitors for line in _problems(settings, plan.model, monitor)),
    )


def _monitor(
    plan: Plan,
    rules: Sequence[Rule],
    compared: PairComparisons,
    per_second: float,
    progress: Progress,
    *,
    proposed: bool,
) -> Monitor:
    """Find the limits of a monitor, whose ``rules`` watch different scopes."""
    parts = [(rule, scope) for rule in rules for scope in _shown(plan, rule, compared)]
    observed = []
    for rule, scope in parts:
        observed.append(_observe(rule, compared, scope))
        progress.advance()
    cells = tuple(_cell(plan, rule, own, compared, scope) for own, (rule, scope) in zip(observed, parts, strict=True))
    proposal = _propose(cells, plan.policy.recovery_ratio)
    for_scopes = (proposal.model, *[proposal.subgroups] * (len(plan.scopes) - 1))
    used = [for_scopes[scope] if proposed else float(rule.limits[scope]) for rule, scope in parts]
    samples = float(np.where(compared.member, plan.rates, plan.rates[0]).max(axis=1).mean())
    beyond: list[tuple[Harm, ...]] = []
    for cell, own, limit, (rule, scope) in zip(cells, observed, used, parts, strict=True):
        budget = plan.budget.threshold - log(rule.shares[scope])
        rates = EvidenceRates(cell.share * float(plan.rates[scope]), samples, budget, per_second)
        beyond.append(() if limit is None else tuple(harms(rule.monitor.hypothesis, own.pair, limit, rates)))
    return Monitor(rules[0].monitor.name, cells, proposal, tuple(used), tuple(beyond))


def _shown(plan: Plan, rule: Rule, compared: PairComparisons) -> list[int]:
    """Return the scopes that a monitor has a result for."""
    return [scope for scope in np.flatnonzero(rule.watched).tolist() if _is_shown(plan, compared, scope)]


def _is_shown(plan: Plan, compared: PairComparisons, scope: int) -> bool:
    """Tell whether a scope has a result; no row without a declared value is no gap."""
    return not is_other(plan.scopes[scope]) or bool(compared.member[:, scope].any())


def _observe(rule: Rule, compared: PairComparisons, scope: int) -> _Observed:
    """Return the observations that a cell would count: the worst of the two ways and of the monitor's variants."""
    worst = []
    for rows in (compared.noise, *compared.ways):
        counts, y = rule.monitor.observe_variants(rows, len(rule.variants))
        counted = counts & compared.member[:, scope : scope + 1]
        variants = [column[own] for column, own in zip(y.T, counted.T, strict=True)]
        if rule.monitor.name in CLASS_MONITORS:
            variants = _pooled(variants)
        worst.append(max(variants, key=lambda y: _bounds(rule.monitor.hypothesis, y)[1]))
    return _Observed(worst[0], max(worst[1:], key=lambda y: _bounds(rule.monitor.hypothesis, y)[1]))


def _pooled(classes: Sequence[Floats]) -> list[Floats]:
    """Join the observations of classes with few rows: alone they would prove nothing."""
    many = [y for y in classes if len(y) >= FEW_ROWS]
    few = [y for y in classes if len(y) < FEW_ROWS]
    return [*many, np.concatenate(few)] if few else many


def _bounds(hypothesis: Hypothesis, y: Floats) -> tuple[float, float]:
    """Return bounds on a rate, or on the size of a mean, also of losses between 0 and 1: (lower, upper); (0, 1) without
    rows.
    """
    if hypothesis is Hypothesis.RATE and np.isin(y, (0.0, 1.0)).all():
        return thresholds.rate_bounds(int(y.sum()), len(y), BOUND_DELTA)
    return thresholds.mean_bounds(y, BOUND_DELTA)


def _cell(plan: Plan, rule: Rule, observed: _Observed, compared: PairComparisons, scope: int) -> Cell:
    hypothesis, rows, limit = rule.monitor.hypothesis, len(observed.pair), float(rule.limits[scope])
    lower, upper = _bounds(hypothesis, observed.pair)
    needs = _needed_rows(hypothesis, limit)
    return Cell(
        scope=plan.scopes[scope],
        rows=rows,
        share=rows / len(compared.member),
        noise=float(observed.noise.mean()) if len(observed.noise) else None,
        noise_bound=_bounds(hypothesis, observed.noise)[1],
        seen=float(observed.pair.mean()) if rows else None,
        bound=upper,
        limit=limit,
        over=lower > limit,
        enough=lower > limit or rows >= needs,
        needs=needs,
    )


def _needed_rows(hypothesis: Hypothesis, limit: float) -> int:
    """Return the fewest rows without harm whose upper bound is at most a limit."""
    rows = thresholds.rows_without_error if hypothesis is Hypothesis.RATE else thresholds.rows_of_zeros
    return rows(limit, BOUND_DELTA)


def _propose(cells: Sequence[Cell], recovery_ratio: float) -> Proposal:
    needed = {cell.scope: _needed_limit(cell, recovery_ratio) for cell in cells if cell.enough}
    model = needed.pop(MODEL_SCOPE, None)
    order = sorted(needed, key=lambda scope: -needed[scope])
    first, second = (_allowed(needed[order[i]]) if len(order) > i else None for i in (0, 1))
    return Proposal(_allowed(model), first, order[0] if order else None, second)


def _needed_limit(cell: Cell, recovery_ratio: float) -> float:
    return thresholds.propose_limit(cell.noise_bound, abs(cell.seen or 0.0), cell.bound, recovery_ratio)


def _allowed(limit: float | None) -> float | None:
    return None if limit is None or limit > MAX_DEFAULT_SUBGROUP_LIMIT else limit


def _problems(settings: Settings, model: str, monitor: Monitor) -> Iterator[str]:
    """Yield a line for the model, and one for the worst subgroup, whose limit the baseline's own noise exceeds."""
    section = settings.models[model]
    for is_model, key, given in (
        (True, "limits", section.limits),
        (False, "subgroup_limits", section.subgroup_limits),
    ):
        cells = [cell for cell in monitor.cells if (cell.scope == MODEL_SCOPE) is is_model and cell.noise is not None]
        below = [(abs(cell.noise or 0.0), cell) for cell in cells if abs(cell.noise or 0.0) >= cell.limit]
        if below:
            noise, cell = max(below, key=lambda pair: pair[0])
            default = "" if monitor.name in given else " (the default)"
            yield (
                f"models.{model}.{key}.{monitor.name}: {cell.limit:g}{default} lies below the noise floor: the "
                f"baseline run twice, row by row and in batches, gives {noise:.4g} in {cell.scope}, so that a perfect "
                f"copy of it would raise the alarm too"
            )
