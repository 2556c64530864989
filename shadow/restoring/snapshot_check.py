"""Whether a state that could be decoded can be judged on: one that does not fit its plan would fail every round."""

from tightrope.monitors import decide, watch
from tightrope.monitors.detector_bank import Cells
from tightrope.monitors.plan import Plan, State, fresh_curves
from tightrope.monitors.reliability.curve_sums import CurveSums
from tightrope.monitors.status.progress import label_coverage
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.watched_groups.plans import judged_plan

CELL_ARRAYS = ("log_mass", "recovery", "pending", "count", "path")


def snapshot_fault(plan: Plan, state: State) -> str:
    """The reason for which a model cannot be judged on from a state; empty if it can."""
    plan = judged_plan(plan, state)
    if (state.digest, state.added) == (plan.digest, plan.added) and (fault := _misfit(plan, state)):
        return fault
    try:
        after, _ = decide.deploy(plan, state, decide.Cause(0.0))
        watch.settle_times(plan, after, 0.0)
        watch.build_routes(plan, after)
        list(verdicts(plan, after))
        _ = label_coverage(after), after.lag.correlation
    except Exception as error:  # noqa: BLE001 - any error here would be one of every round
        return f"it does not fit the plan: {type(error).__name__}: {error}"
    return ""


def is_in_other_order(plan: Plan, state: State) -> bool:
    """Tell whether a state is of this plan but for the order of its scopes, which a configuration may change."""
    same = state.digest == plan.digest and sorted(state.scopes) == sorted(plan.scopes)
    return same and state.scopes != plan.scopes


def _misfit(plan: Plan, state: State) -> str:
    """The part of a state that does not fit the plan under which it was counted."""
    if (state.scopes, state.monitors) != (plan.scopes, plan.monitors):
        return "its scopes or monitors are not those of its plan"
    for rule, cells in zip(plan.rules, state.cells, strict=True):
        fresh = Cells.fresh(rule)
        if any(getattr(cells, name).shape != getattr(fresh, name).shape for name in CELL_ARRAYS):
            return f"the cells of {rule.monitor.name} are not those of its plan"
    if not (state.estimates.fits(plan.rules) or state.estimates.fits(())):  # an earlier version has none
        return "the sums behind its intervals are not those of its plan"
    if not (state.curves.fits(fresh_curves(plan)) or state.curves.fits(CurveSums.fresh(0))):  # as above
        return "the sums behind its reliability curves are not those of its plan"
    own = plan.model, plan.scopes[1:], plan.baseline_digest, plan.compressed_digest
    for stream, rows in state.pending.items():
        if (rows.model, rows.scopes, rows.baseline_digest, rows.compressed_digest) != own:
            return f"its open tick of {stream} has rows of another pair or other scopes"
    return ""
