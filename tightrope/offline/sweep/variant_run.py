"""The run of one variant: its rows compared with the baseline's, screened on the rows that choose, its costs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from tightrope.monitors.qualification.cells import MeasuredCell
from tightrope.monitors.qualification.selection import opposing_cells
from tightrope.monitors.qualification.split import judging_rows
from tightrope.monitors.records import Bools, Floats, Role
from tightrope.offline.progress import Progress
from tightrope.offline.qualification.costs import Costs, file_bytes, measure_costs, measure_latencies, single_rows
from tightrope.offline.qualification.criteria import COSTS, FLIP_GAP, CriteriaPlan
from tightrope.offline.qualification.energy import joules_per_row
from tightrope.offline.qualification.measuring import (
    JudgedRows,
    hypothesis_of,
    measure_cells,
    measured_cell,
    seen_over,
)
from tightrope.offline.qualification.runner import QualificationRun
from tightrope.offline.qualification.scenarios import Jitter, measure_flips
from tightrope.service.adapters.powercap.rapl import open_meter

WITHHOLD = "withhold"
LIGHT_COSTS = ("latency_p50", "latency_p99", "file_size")
"""Costs that need neither a fresh process nor a meter."""


@dataclass(frozen=True, slots=True)
class ComparedVariant:
    """The rows of a variant, compared; ``flips`` (n,) are the changes by the scenarios, None without such criteria."""

    rows: JudgedRows
    flips: Floats | None

    def cells(self, plan: CriteriaPlan, judging: Bools, progress: Progress) -> list[MeasuredCell]:
        """Measure every criterion but costs on the rows that ``judging`` (n,) masks."""
        rows = replace(self.rows, judging=judging)
        found = measure_cells(plan, rows, progress)
        if (flips := self.flips) is None:
            return found
        for criterion in (each for each in plan.criteria if each.name == FLIP_GAP):
            hypothesis = hypothesis_of(criterion, labelled=rows.labelled)
            for level in criterion.limits:
                for scope in rows.shown(level):
                    values = [flips[rows.member[:, scope] & judging]]
                    found.append(measured_cell(plan, criterion, level, (rows.scopes[scope], ""), hypothesis, values))
        return found


class ScreenedStage(msgspec.Struct, frozen=True):
    """The finished stage of the screening: all cells on all rows, the names of those that speak against the variant on
    the rows that choose, and the scopes that are withheld.
    """

    seen: list[MeasuredCell]
    opposed: list[str]
    withheld: list[str]


def compare_variant(run: QualificationRun) -> ComparedVariant:
    """Run both models on every row, and on the changed rows of scenarios.

    Raises:
        RowFileError: when a model fails on a row.
        TimeIsUpError: when no time is left.
    """
    rows = run.judged_rows(run.evaluation.compare())
    if not run.of_scenarios():
        return ComparedVariant(rows, None)
    jitter = Jitter(run.plan.section.scenarios.jitter, run.plan.section.seed)
    return ComparedVariant(rows, measure_flips(run.evaluation, jitter))


def screen_variant(run: QualificationRun, compared: ComparedVariant, chosen: Bools) -> ScreenedStage:
    """Look at the rows that choose, (n,), and describe all rows."""
    withheld = seen_over(run.plan, replace(compared.rows, judging=chosen)) if is_withholding(run.plan) else []
    kept = replace(compared, rows=replace(compared.rows, withheld=withheld))
    choosing = kept.cells(run.plan, chosen, run.progress)
    everything = compared.cells(run.plan, np.ones(len(chosen), dtype=bool), run.progress)
    return ScreenedStage(
        seen=everything,
        opposed=[cell.name for cell in opposing_cells(choosing, run.plan.alpha)],
        withheld=[compared.rows.scopes[scope] for scope in withheld],
    )


def is_withholding(plan: CriteriaPlan) -> bool:
    """Whether subgroups over a limit on the rows that choose are left to the baseline."""
    return plan.section.unproven == WITHHOLD


def judging_cells(
    compared: ComparedVariant, plan: CriteriaPlan, chosen: Bools, withheld: Sequence[str], progress: Progress
) -> list[MeasuredCell]:
    """Measure the cells on the rows that judge."""
    scopes = [list(compared.rows.scopes).index(scope) for scope in withheld]
    judging = judging_rows(chosen, compared.rows.member, scopes)
    return replace(compared, rows=replace(compared.rows, withheld=scopes)).cells(plan, judging, progress)


def at_alpha(plan: CriteriaPlan, alpha: float) -> CriteriaPlan:
    """The plan with another probability of a wrong proof; its digest stays that of the criteria as written."""
    return replace(plan, section=plan.section.model_copy(update={"confidence": 1 - alpha}))


def measure_variant_costs(run: QualificationRun, *, energy: bool) -> Costs:
    """Measure latency, size and processor time; with ``energy`` what the host tells of it. Where a criterion asks for
    another cost, all are measured as `qualify` does.

    Raises:
        TimeIsUpError: when no time is left.
    """
    if any(each.name in COSTS and each.name not in LIGHT_COSTS for each in run.plan.criteria):
        return measure_costs(run.evaluation, run.settings, run.progress, stress=False, meter=open_meter())
    run.progress.begin("measuring costs", len(Role))
    latency, cpu = measure_latencies(run.evaluation)
    pair = run.evaluation.pair
    run.progress.advance()
    meter = open_meter() if energy else None
    joules = joules_per_row(meter, pair.models, single_rows(run.evaluation), pair.deciding)
    run.progress.advance()
    return Costs(
        latency=latency,
        file_bytes={str(role): file_bytes(run.settings, pair.name, role) for role in Role},
        peak_bytes={},
        cold_start_seconds={},
        cpu_seconds_per_row={str(role): seconds for role, seconds in cpu.items()},
        joules_per_row=joules,
    )
