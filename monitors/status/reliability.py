"""The reliability curves of a model for people: those of every scope, and where their bins come from."""

from dataclasses import dataclass
from enum import StrEnum

from tightrope.monitors.plan import Plan, State, fresh_curves
from tightrope.monitors.reliability.curves import ScopeReliability, scope_reliability


class BinSource(StrEnum):
    """The origin of the bins: quintiles of the baseline's confidence on the golden rows, or tenths without these."""

    GOLDEN = "golden"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class ModelReliability:
    """The curves of every scope of a model, the model first. ``dependent`` tells whether rows depend on each other, so
    that the curves have no bands.

    >>> ModelReliability(BinSource.DEFAULT, dependent=False, scopes=()).bins.value
    'default'
    """

    bins: BinSource
    dependent: bool
    scopes: tuple[ScopeReliability, ...]


def model_reliability(plan: Plan, state: State) -> ModelReliability | None:
    """The curves of a model; None without labels or confidence."""
    if plan.curves is None:
        return None
    fresh = fresh_curves(plan)  # a snapshot of an earlier version has no sums
    sums = state.curves if state.curves.fits(fresh) else fresh
    scopes = (scope_reliability(plan.curves, sums, index, name) for index, name in enumerate(plan.scopes))
    source = BinSource.GOLDEN if plan.curves.golden else BinSource.DEFAULT
    return ModelReliability(source, bool(sums.dependent[0]), tuple(scopes))
