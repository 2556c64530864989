"""The stages of one qualification that need the rows: cells, golden answers, costs and scenarios."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import msgspec
import numpy as np

from tightrope.monitors.clear_rows.clear_margin import clear_margin
from tightrope.monitors.qualification.cells import MeasuredCell
from tightrope.monitors.qualification.split import choosing_rows, judging_rows
from tightrope.monitors.records import Bools, Comparisons, Role, Tensors
from tightrope.offline.pair_evaluation import PairComparisons, PairEvaluation
from tightrope.offline.qualification.costs import Costs, measure_costs
from tightrope.offline.qualification.criteria import FLIP_GAP, CriteriaPlan, Criterion
from tightrope.offline.qualification.measuring import (
    JudgedRows,
    hypothesis_of,
    measure_cells,
    measured_cell,
    measured_criteria,
    seen_over,
    unmeasured,
)
from tightrope.offline.qualification.numerics import measure_numerics
from tightrope.offline.qualification.row_bytes import bytes_of_rows
from tightrope.offline.qualification.samples.row_source import drawn_rows
from tightrope.offline.qualification.scenarios import Jitter, measure_flips
from tightrope.offline.qualification.stages import TIME, TimedProgress
from tightrope.service.adapters.powercap.rapl import open_meter
from tightrope.service.config.loader import Settings
from tightrope.service.inference.row_files.row_file import RowFile
from tightrope.service.statements.qualification import GoldenRecord


class JudgedStage(msgspec.Struct, frozen=True):
    """The finished stage of the cells."""

    cells: list[MeasuredCell]
    withheld: list[str]
    covers: float
    chosen_on: int
    judged_on: int
    clear_margin: float | None


@dataclass(slots=True)
class QualificationRun:
    """One run of the command, after the criteria are fixed; with ``stress`` it measures more costs. ``drawn`` (n, S)
    masks the rows that were drawn for each scope from all of its traffic, the model first; None where all rows were.
    ``golden`` are the rows of the golden answers where they are not those that judge, ``members`` rows of the training.
    """

    evaluation: PairEvaluation
    settings: Settings
    plan: CriteriaPlan
    progress: TimedProgress
    stress: bool
    members: RowFile | None = None
    drawn: Bools | None = None
    golden: Sequence[Tensors] | None = None
    member: Bools = field(init=False)

    def __post_init__(self) -> None:
        self.member = self.evaluation.table.members(self.evaluation.pair.subgroups)

    @property
    def labelled(self) -> bool:
        """Whether the rows have labels, and the decision has one class a row that they can confirm."""
        return self.evaluation.table.labels is not None and self.evaluation.has_top

    def of_model(self) -> Self:
        """The run on the rows that were drawn for the whole model; on all rows where none was."""
        if self.drawn is None or not self.drawn[:, 0].any():
            return self
        evaluation = replace(self.evaluation, table=drawn_rows(self.evaluation.table, self.drawn[:, 0]))
        return type(self)(evaluation, self.settings, self.plan, self.progress, self.stress)

    def _drawn(self, member: Bools) -> Bools:
        """The rows of each scope, (n, S), that were drawn for it."""
        return member if self.drawn is None else member & self.drawn

    def cells(self) -> JudgedStage:
        """Run both models and weigh their differences in every scope."""
        compared = self.evaluation.compare()
        rows = self.judged_rows(compared)
        chosen = rows.judging
        if self.plan.section.unproven == "withhold":
            chosen = choosing_rows(bytes_of_rows(self.evaluation.table.parts), self.plan.section.seed)
            withheld = seen_over(self.plan, replace(rows, judging=chosen))
            judging = judging_rows(chosen, compared.member, withheld)
            rows = replace(rows, judging=judging, withheld=withheld)
        else:
            chosen = np.zeros(len(rows.judging), dtype=bool)
        cells = measure_cells(self.plan, rows, self.progress)
        judged_on = int(rows.judging.sum())
        return JudgedStage(
            cells=cells,
            withheld=[rows.scopes[scope] for scope in rows.withheld],
            covers=round(_share(rows.judging, rows.member[:, 0] & ~chosen), 12),
            chosen_on=int(chosen.sum()),
            judged_on=judged_on,
            clear_margin=rows.clear_margin,
        )

    def judged_rows(self, compared: PairComparisons) -> JudgedRows:
        """The compared rows with their scopes and labels; all of them judge."""
        ways = [self._with_labels(way) for way in compared.ways]
        return JudgedRows(
            ways=ways,
            scopes=self.evaluation.pair.plan.scopes,
            member=(member := self._drawn(compared.member)),
            judging=np.ones(len(compared.member), dtype=bool),
            withheld=(),
            clear_margin=clear_margin(compared.ways[0].margin_baseline[member[:, 0]]),
            labelled=self.labelled,
        )

    def _with_labels(self, way: Comparisons) -> Comparisons:
        labels = self.evaluation.table.labels
        if labels is None or not self.labelled:
            return way
        right: dict[str, Any] = {
            f"correct_{role}": np.where(labels >= 0, getattr(way, f"top_{role}") == labels, np.nan)
            for role in (Role.BASELINE, Role.COMPRESSED)
        }
        return replace(way, **right)

    def unreached(self) -> JudgedStage:
        """The cells that time did not reach."""
        nothing = self._nothing()
        cells = [
            cell
            for criterion in measured_criteria(self.plan, labelled=self.labelled)
            for level in criterion.limits
            for cell in unmeasured(criterion, level, nothing, TIME)
        ]
        return JudgedStage(cells, [], 1.0, 0, len(self.member), None)

    def _nothing(self) -> JudgedRows:
        member = self._drawn(self._of_scopes())
        scopes, everything = self.evaluation.pair.plan.scopes, np.ones(len(member), dtype=bool)
        return JudgedRows((), scopes, member, everything, (), None, labelled=self.labelled)

    def _of_scopes(self) -> Bools:
        """The rows of each scope, (n, S), the model first."""
        return np.concatenate([np.ones((len(self.member), 1), dtype=bool), self.member], axis=1)

    def numerics(self) -> GoldenRecord:
        """Answer the golden rows."""
        section = self.plan.section
        parts = self.evaluation.table.parts if self.golden is None else self.golden
        evaluation = replace(self.evaluation, progress=self.progress, table=replace(self.evaluation.table, parts=parts))
        return measure_numerics(evaluation, section.seed, shuffled=section.golden_rows == "shuffled")

    def costs(self) -> Costs:
        """Measure what the models take."""
        return measure_costs(self.evaluation, self.settings, self.progress, stress=self.stress, meter=open_meter())

    def flips(self, withheld: Sequence[str]) -> list[MeasuredCell]:
        """Measure the criteria of scenarios."""
        section = self.plan.section
        y = measure_flips(self.evaluation, Jitter(section.scenarios.jitter, section.seed))
        nothing = self._nothing()
        hidden = [nothing.scopes.index(scope) for scope in withheld]
        judging = self._judging(hidden)
        rows, cells = replace(nothing, judging=judging, withheld=hidden), []
        for criterion in self.of_scenarios():
            hypothesis = hypothesis_of(criterion, labelled=self.labelled)
            for level in criterion.limits:
                for scope in rows.shown(level):
                    values = [y[rows.member[:, scope] & judging]]
                    cell = rows.scopes[scope], ""
                    cells.append(measured_cell(self.plan, criterion, level, cell, hypothesis, values))
        return cells

    def _judging(self, withheld: Sequence[int]) -> Bools:
        if self.plan.section.unproven != "withhold":
            return np.ones(len(self.member), dtype=bool)
        chosen = choosing_rows(bytes_of_rows(self.evaluation.table.parts), self.plan.section.seed)
        return judging_rows(chosen, self._of_scopes(), withheld)

    def of_scenarios(self) -> list[Criterion]:
        """The criteria of scenarios."""
        return [criterion for criterion in self.plan.criteria if criterion.name == FLIP_GAP]

    def unreached_flips(self) -> list[MeasuredCell]:
        """The cells of scenarios that time did not reach."""
        nothing = self._nothing()
        return [
            cell
            for criterion in self.of_scenarios()
            for level in criterion.limits
            for cell in unmeasured(criterion, level, nothing, TIME)
        ]


def _share(judging: Bools, possible: Bools) -> float:
    """The share of the possible rows, (n,), that judge."""
    return int((judging & possible).sum()) / max(int(possible.sum()), 1)
