"""The choice of some criteria of a plan: a sweep may judge by fewer than a qualification."""

from collections.abc import Sequence
from dataclasses import replace

from tightrope.offline.qualification.criteria import CriteriaPlan
from tightrope.service.config.loader import ConfigError
from tightrope.service.config.suggestions import did_you_mean


def only_criteria(plan: CriteriaPlan, names: Sequence[str]) -> CriteriaPlan:
    """The plan with the named criteria, in its order; with all of them if none is named. Its digest is another one.

    Raises:
        ConfigError: naming what is no criterion of the plan.
    """
    if not names:
        return plan
    there = [criterion.name for criterion in plan.criteria]
    unknown = [name for name in names if name not in there]
    if unknown:
        near = did_you_mean(there, unknown[0])
        raise ConfigError([f"--criteria: there is no {unknown[0]} among the criteria: {', '.join(there)}{near}"])
    kept = tuple(criterion for criterion in plan.criteria if criterion.name in names)
    resolved = {**plan.resolved, "criteria": {criterion.name: criterion.document() for criterion in kept}}
    return replace(plan, criteria=kept, resolved=resolved)
