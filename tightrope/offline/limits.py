"""`tightrope limits`: what a pair's monitors would see of known rows, limits that leave room for it, and how soon harm
beyond a limit would be found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, log
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from tightrope.monitors import thresholds
from tightrope.monitors.catalogue import Kind
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import MODEL_SCOPE, Floats
from tightrope.offline.detection_delay import HARMS, Clock, Harm, harms, spell
from tightrope.offline.pair_evaluation import Compared, prepare
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.monitor_plan import HIGHEST_SUBGROUP_LIMIT as HIGHEST

DELTA = 0.05
"""Each bound holds with probability 1 - DELTA by itself. So does a proposal for all subgroups together: the largest of
their bounds is at least that of the subgroup whose true rate is the largest."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One monitor in one scope. ``rows`` of the file speak to its question, a ``share`` of all. ``noise`` is what the
    baseline gives with itself and ``seen`` what the pair gives (means with their sign, None without rows), each with an
    upper bound on its size. ``limit`` is the configured one, and the pair is ``over`` it when chance does not explain
    what was seen. ``enough`` rows to say something: over it, or so many that nothing seen would prove it.
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


@dataclass(frozen=True, slots=True)
class Proposal:
    """Limits for the model and for its subgroups; None where rows are too few, or where none below 0.7 would do.
    ``worst`` is the subgroup that asks for the highest, ``without`` what the others would need.
    """

    model: float | None
    subgroups: float | None
    worst: str | None
    without: float | None


@dataclass(frozen=True, slots=True)
class Monitor:
    """One monitor: its cells, the model first if it watches that, the limits proposed; and for each cell a limit with
    the harms beyond it, none where none is proposed.
    """

    name: str
    cells: tuple[Cell, ...]
    proposal: Proposal
    limits: tuple[float | None, ...]
    harms: tuple[tuple[Harm, ...], ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What was found for a pair on ``rows`` rows. ``harms_beyond`` says which limits the harms are multiples of;
    ``problems`` names every configured limit that lies below the noise floor.
    """

    model: str
    data: str
    rows: int
    per_second: float
    harms_beyond: str
    monitors: tuple[Monitor, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """What the rows of one scope say to one question: of the baseline and itself (r,), and of the pair (n,)."""

    noise: Floats
    pair: Floats


def limits(settings: Settings, data: Path, name: str | None, per_second: float, *, proposed: bool = False) -> Limits:
    """Judge a pair on the rows of ``data``, which need no labels, by every monitor in every scope.

    The noise floor is the baseline run twice, row by row and in batches. The pair is run as it would be served and
    shadowed, both ways round, and the worse counts. Rates have their Clopper-Pearson bound, means that of
    `thresholds.mean_bounds`. Harms are multiples of the configured limits, or of the ``proposed`` ones.

    Raises:
        ConfigError: when there is no such model, or ``per_second`` is not a number above 0.
        TableError: when the file cannot be used.
    """
    if not 0 < per_second < inf:
        raise ConfigError([f"--per-second: is {per_second:g}; it must be a number above 0"])
    trial = prepare(settings, name, data, at_least=2)
    plan, compared = trial.pair.plan, trial.compare()
    monitors = tuple(_monitor(plan, rule, compared, per_second, proposed=proposed) for rule in plan.rules)
    return Limits(
        model=plan.model,
        data=str(data),
        rows=len(compared.member),
        per_second=per_second,
        harms_beyond="proposed" if proposed else "configured",
        monitors=monitors,
        problems=tuple(line for monitor in monitors for line in _problems(settings, plan.model, monitor)),
    )


def _monitor(plan: Plan, rule: Rule, compared: Compared, per_second: float, *, proposed: bool) -> Monitor:
    scopes = np.flatnonzero(rule.watched).tolist()
    said = [_listen(rule, compared, scope) for scope in scopes]
    cells = tuple(_cell(plan, rule, heard, compared, scope) for heard, scope in zip(said, scopes, strict=True))
    proposal = _propose(cells, plan.policy.recovery_ratio)
    limits = (proposal.model, *[proposal.subgroups] * (len(plan.scopes) - 1)) if proposed else rule.limits.tolist()
    used = [limits[scope] for scope in scopes]
    samples = float(np.where(compared.member, plan.rates, plan.rates[0]).max(axis=1).mean())
    beyond: list[tuple[Harm, ...]] = []
    for cell, heard, limit, scope in zip(cells, said, used, scopes, strict=True):
        budget = plan.budget.threshold - log(rule.shares[scope])
        clock = Clock(cell.share * float(plan.rates[scope]), samples, budget, per_second)
        beyond.append(() if limit is None else tuple(harms(rule.question.kind, heard.pair, limit, clock)))
    return Monitor(rule.question.name, cells, proposal, tuple(used), tuple(beyond))


def _listen(rule: Rule, compared: Compared, scope: int) -> _Said:
    """The rows that a cell would count; of the two ways round, and of the variants, the one that looks worst."""
    heard = []
    for rows in (compared.noise, *compared.ways):
        speaks, y = rule.question.observe(rows, len(rule.variants))
        counted = speaks & compared.member[:, scope : scope + 1]
        variants = [column[mine] for column, mine in zip(y.T, counted.T, strict=True)]
        heard.append(max(variants, key=lambda y: _bounds(rule.question.kind, y)[1]))
    return _Said(heard[0], max(heard[1:], key=lambda y: _bounds(rule.question.kind, y)[1]))


def _bounds(kind: Kind, y: Floats) -> tuple[float, float]:
    """What a rate, or the size of a mean, lies above and below; 0 and 1 without rows."""
    if kind is Kind.RATE:
        return thresholds.rate_bounds(int(y.sum()), len(y), DELTA)
    return thresholds.mean_bounds(y, DELTA)


def _cell(plan: Plan, rule: Rule, said: _Said, compared: Compared, scope: int) -> Cell:
    kind, rows, limit = rule.question.kind, len(said.pair), float(rule.limits[scope])
    least, most = _bounds(kind, said.pair)
    return Cell(
        scope=plan.scopes[scope],
        rows=rows,
        share=rows / len(compared.member),
        noise=float(said.noise.mean()) if len(said.noise) else None,
        noise_bound=_bounds(kind, said.noise)[1],
        seen=float(said.pair.mean()) if rows else None,
        bound=most,
        limit=limit,
        over=least > limit,
        enough=least > limit or _bounds(kind, np.zeros(rows))[1] <= limit,
    )


def _propose(cells: Sequence[Cell], recovery_ratio: float) -> Proposal:
    asked = {cell.scope: _above(cell, recovery_ratio) for cell in cells if cell.enough}
    model = asked.pop(MODEL_SCOPE, None)
    order = sorted(asked, key=lambda scope: -asked[scope])
    first, second = (_allowed(asked[order[i]]) if len(order) > i else None for i in (0, 1))
    return Proposal(_allowed(model), first, order[0] if order else None, second)


def _above(cell: Cell, recovery_ratio: float) -> float:
    return thresholds.limit_above(cell.noise_bound, abs(cell.seen or 0.0), cell.bound, recovery_ratio)


def _allowed(limit: float | None) -> float | None:
    return None if limit is None or limit > HIGHEST else limit


def _problems(settings: Settings, model: str, monitor: Monitor) -> Iterator[str]:
    """One line for the model and one for the worst subgroup whose limit the baseline itself would not keep."""
    of = settings.models[model]
    for whole, key, given in ((True, "limits", of.limits), (False, "subgroup_limits", of.subgroup_limits)):
        cells = [cell for cell in monitor.cells if (cell.scope == MODEL_SCOPE) is whole and cell.noise is not None]
        below = [(abs(cell.noise or 0.0), cell) for cell in cells if abs(cell.noise or 0.0) >= cell.limit]
        if below:
            noise, cell = max(below, key=lambda each: each[0])
            default = "" if monitor.name in given else " (the default)"
            yield (
                f"models.{model}.{key}.{monitor.name}: {cell.limit:g}{default} lies below the noise floor: the "
                f"baseline run twice, row by row and in batches, gives {noise:.4g} in {cell.scope}, so that a perfect "
                f"copy of it would raise the alarm too"
            )


def show(found: Limits, out: Console) -> None:
    """Print every monitor's cells with the time until harm is seen, its proposals, and the lines to paste."""
    out.print(
        f"{found.model} on {found.rows:,} rows; 2x to 10x: time to see so many times the {found.harms_beyond} limit, "
        f"at {found.per_second:g} requests a second",
        highlight=False,
    )
    for monitor in found.monitors:
        whole = monitor.cells[0]
        noise = "no rows" if whole.noise is None else f"{_figure(whole.noise)}, at most {_figure(whole.noise_bound)}"
        out.print(f"\n[bold]{monitor.name}[/] (the baseline with itself: {noise})", highlight=False)
        out.print(_cells(monitor))
        for line in _notes(monitor):
            out.print(line, highlight=False)
    out.print(f"\nUnder models.{found.model}, if so much is tolerable:", style="bold", highlight=False)
    for key, side in (("limits", "model"), ("subgroup_limits", "subgroups")):
        said = {monitor.name: getattr(monitor.proposal, side) for monitor in found.monitors}
        pasted = ", ".join(f"{name}: {limit}" for name, limit in said.items() if limit is not None)
        if pasted:
            out.print(f"    {key}: {{{pasted}}}", soft_wrap=True, markup=False, highlight=False)


def _cells(monitor: Monitor) -> Grid:
    """One line a scope; in red where the pair is over its limit already."""
    grid = Grid(box=None, pad_edge=False, collapse_padding=True)
    grid.add_column("scope", no_wrap=True)
    for heading in ("rows", "seen", "at most", "limit", *(f"{times:g}x" for times in HARMS)):
        grid.add_column(heading, justify="right", no_wrap=True)
    for cell, limit, beyond in zip(monitor.cells, monitor.limits, monitor.harms, strict=True):
        figures = (_figure(cell.seen), _figure(cell.bound), "-" if limit is None else f"{limit:g}")
        times = (_time(harm) if cell.rows else "-" for harm in beyond)
        grid.add_row(cell.scope, f"{cell.rows:,}", *figures, *times, style="bold red" if cell.over else "")
    return grid


def _time(harm: Harm) -> str:
    """For a narrow column; a dash where there cannot be so much harm."""
    return "-" if harm.value >= 1 else spell(harm.seconds).replace(" min", "m").replace(" ", "")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 4) + 0.0:.4f}"


def _notes(monitor: Monitor) -> Iterator[str]:
    """What is proposed, and where the monitor sees least."""
    said = monitor.proposal
    yield f"proposed: {_limit(said.model)} for the model" + (
        f", {_limit(said.subgroups)} for subgroups ({said.worst} asks for it; {_limit(said.without)} without it)"
        if said.worst
        else ""
    )
    if over := [cell.scope for cell in monitor.cells if cell.over]:
        yield f"[red]over its limit already: {', '.join(over)}[/]"
    thrice = [(beyond[1], cell) for beyond, cell in zip(monitor.harms, monitor.cells, strict=True) if beyond]
    known = [(harm, cell) for harm, cell in thrice if cell.rows and harm.value < 1]
    if known:
        harm, cell = max(known, key=lambda each: inf if each[0].requests is None else each[0].requests)
        needs = "" if harm.requests is None else f"needs about {harm.requests:,.0f} requests: "
        yield f"blind spot: {cell.scope}, {cell.share:.1%} of rows, at {harm.value:.3g} {needs}{spell(harm.seconds)}"
    if unseen := [cell.scope for cell in monitor.cells if not cell.rows]:
        yield f"no rows, so nothing is known: {', '.join(unseen)}"


def _limit(limit: float | None) -> str:
    return "none" if limit is None else f"{limit:g}"
