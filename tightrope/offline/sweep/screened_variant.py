"""A variant between the passes of a sweep, and its verdict after the second one."""

from collections.abc import Sequence
from dataclasses import dataclass

from tightrope.monitors.qualification.cells import JudgedCell, MeasuredCell
from tightrope.monitors.qualification.selection import judge_variant, verdict_of_variant
from tightrope.offline.qualification.cost_cells import NUMERICS, cost_cells
from tightrope.offline.qualification.costs import Costs
from tightrope.offline.qualification.criteria import CriteriaPlan
from tightrope.offline.qualification.qualify import breaches_first
from tightrope.offline.qualification.stages import StageStore
from tightrope.offline.sweep.report import SweptVariant
from tightrope.offline.sweep.sizes import size_of
from tightrope.offline.sweep.variant_run import ComparedVariant, ScreenedStage
from tightrope.offline.sweep.variants import Variant

UNREACHED = ScreenedStage([], [], [])
"""The screening of a variant that time did not reach."""


@dataclass(slots=True)
class ScreenedVariant:
    """A variant after pass 1. Without ``stage`` time did not reach it, and ``unreached`` are its cells; ``compared`` is
    None where memory is short.
    """

    variant: Variant
    plan: CriteriaPlan
    store: StageStore
    unreached: Sequence[MeasuredCell]
    stage: ScreenedStage | None
    compared: ComparedVariant | None
    costs: Costs | None

    def judged(self, proofs: Sequence[MeasuredCell] | None, alpha: float) -> SweptVariant:
        """The variant with its verdict: ``proofs`` are its cells on the rows that judge, at ``alpha``; None if time did
        not reach them.
        """
        stage = self.stage or UNREACHED
        accusations = () if proofs is None else proofs if stage.withheld else stage.seen
        proofs = self.unreached if proofs is None else proofs
        cells = [*judge_variant(proofs, alpha, accusations, self.plan.alpha), *self._cost_cells()]
        return SweptVariant(
            variant=self.variant,
            verdict=verdict_of_variant(cells, is_candidate=not stage.opposed),
            cells=breaches_first(self.plan, cells),
            proofs=proofs,
            seen=stage.seen,
            opposed=stage.opposed,
            withheld=stage.withheld,
            size=size_of(self.variant.path),
            costs=self.costs,
        )

    def _cost_cells(self) -> list[JudgedCell]:
        """The cells of costs that have a limit; golden answers belong to a statement, which a sweep does not write."""
        cells = cost_cells(self.plan, None, self.costs)
        return [each for each in cells if each.cell.criterion != NUMERICS]
