"""The cells of costs: one measurement each, which no row proves."""

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.qualification.cells import JudgedCell, LimitProof, MeasuredCell
from tightrope.monitors.records import MODEL_SCOPE, Outcome, Role
from tightrope.offline.qualification.costs import Costs
from tightrope.offline.qualification.criteria import COSTS, CriteriaPlan
from tightrope.offline.qualification.stages import TIME
from tightrope.service.statements.qualification import GoldenRecord

NUMERICS = "numerics"
ENERGY = "energy"
"""The cost whose limit `most` is in joules: seconds of a processor are no joules."""


def cost_cells(plan: CriteriaPlan, golden: GoldenRecord | None, costs: Costs | None) -> list[JudgedCell]:
    """Judge the golden answers, which must be there, and the costs that have a limit. The figures differ from
    run to run, and stand beside the result.
    """
    cells = []
    if golden is None:
        cells.append(_cost_cell(NUMERICS, 0.0, Outcome.ERROR, f"not measured: {TIME}"))
    for criterion in plan.criteria:
        if criterion.name not in COSTS:
            continue
        found = {} if costs is None else costs.by_criterion()[criterion.name]
        ours, theirs = found.get(str(Role.COMPRESSED)), found.get(str(Role.BASELINE))
        for limit, key, value in (
            (criterion.ratio, "ratio", ours / theirs if ours is not None and theirs else None),
            (criterion.most, "most", None if criterion.name == ENERGY and costs and not costs.joules_per_row else ours),
        ):
            if limit is not None and value is None:
                reason = TIME if costs is None else "this host does not tell"
                cells.append(_cost_cell(criterion.name, limit, Outcome.ERROR, f"not measured: {reason}"))
            elif limit is not None and value is not None:
                within = value <= limit
                outcome = Outcome.PASS if within else Outcome.BREACH
                cells.append(_cost_cell(criterion.name, limit, outcome, f"{key} {'within' if within else 'over'}"))
    return cells


def _cost_cell(name: str, limit: float, outcome: Outcome, note: str) -> JudgedCell:
    cell = MeasuredCell(name, MODEL_SCOPE, "", Hypothesis.UPPER, limit, LimitProof.WITHIN, None)
    return JudgedCell(cell, outcome, note)
