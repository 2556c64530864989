"""Where the scopes of a model stand: their modes, beside the verdicts that say why."""

from collections.abc import Mapping
from dataclasses import dataclass

from tightrope.monitors.plan import Plan, State
from tightrope.monitors.safemode import Mode


@dataclass(frozen=True, slots=True)
class ModelStanding:
    """The mode of each scope, the share of its limit below which a tripped monitor must be for a return, and the
    model's compared rows a second of event time (0: not known).

    >>> ModelStanding({"model": Mode()}, 0.75, 16.0).modes["model"].safe
    False
    """

    modes: Mapping[str, Mode]
    recovery_ratio: float
    rows_per_second: float


def model_standing(plan: Plan, state: State) -> ModelStanding:
    """Where a model stands.

    >>> import numpy as np
    >>> from tightrope.monitors.plan import initial_state
    >>> plan = Plan("m", "b", "c", ("model",), np.ones(1), rules=())
    >>> model_standing(plan, initial_state(plan)).rows_per_second
    0.0
    """
    modes = dict(zip(state.scopes, state.modes, strict=True))
    return ModelStanding(modes, plan.policy.recovery_ratio, state.estimates.checkpoints.rows_per_second)
