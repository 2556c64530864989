"""The admission of a loaded pair: its statement is judged, its limits are taken over, its golden answers replayed.

A pair that may not serve is refused, or, with `otherwise: baseline`, keeps its objections: the gateway then sends every
request to the baseline, and the compressed model only runs in the shadow.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from tightrope.monitors.records import Role
from tightrope.monitors.safemode import Withholding
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.qualified.golden_answers import GoldenError, distances
from tightrope.service.routing.qualification_gate import (
    ANY_HOST,
    Qualification,
    examine_model,
    host_objection,
    with_statement_limits,
)
from tightrope.service.statements.kept_dissents import DISSENTS_FILE

log = logging.getLogger(__name__)

NO_GOLDEN = "has no golden answers, so that this host cannot be compared with the one where it was made; qualify again"


def utc_now() -> datetime:
    """The time of this host's clock."""
    return datetime.now(UTC)


def admit(
    pair: ModelPair,
    settings: Settings,
    *,
    enforced: bool = True,
    keeps: bool = False,
    now: Callable[[], datetime] = utc_now,
) -> tuple[ModelPair, Settings]:
    """Return the pair with its qualification, and the settings with the statement's limits. Where it is not
    ``enforced``, nothing is refused: for commands that serve nothing. A process that serves ``keeps`` dissents in its
    state folder: deleting their lines does not help.

    Raises:
        ConfigError: with a line for each reason.
    """
    section = settings.models[pair.name]
    digests = {str(role): model.digest for role, model in pair.models.items()}
    dissents = settings.state.folder / DISSENTS_FILE
    found = examine_model(pair.name, section, digests, now(), dissents, keeps=keeps)
    if found is None or section.qualification is None:
        return pair, settings
    if not enforced:
        found = replace(found, mistakes=())
    elif not found.objections:
        found = _with_numerics(pair, settings, found)
    if found.mistakes:
        raise ConfigError([*found.lines, *found.mistakes])
    if found.blocks and enforced and section.qualification.otherwise == "refuse":
        raise ConfigError(found.lines)
    if found.objections:
        return replace(pair, qualification=found), settings
    changed = settings.model_copy(
        update={"models": {**settings.models, pair.name: with_statement_limits(section, found)}}
    )
    reason = f"the statement {found.digest[:12]} does not prove it"
    withholding = Withholding(found.digest, found.withheld, reason)
    plan = replace(pair.plan, withholding=withholding)
    return replace(pair, plan=plan, qualification=found), changed


def _with_numerics(pair: ModelPair, settings: Settings, found: Qualification) -> Qualification:
    """The finding, with the distances from the golden answers, and an objection where one is beyond its bound."""
    section = settings.models[pair.name]
    asked, predicate = section.qualification, found.predicate
    if asked is None or predicate is None:
        return found
    golden = predicate.result.golden
    local = [role for role, model in pair.models.items() if endpoint_of(model) is None]
    if objection := host_objection(asked, [pair.host_classes.get(role, "") for role in local]):
        return replace(found, objections=(objection,))
    if golden is None:
        return found if asked.host_classes != ANY_HOST else replace(found, objections=(NO_GOLDEN,))
    try:
        apart = distances(pair, golden, local)
    except GoldenError as error:
        return replace(found, objections=(str(error),))
    objections = []
    for role, far in apart.items():
        bound = golden.bound.get(role, 0.0)
        if not far <= bound:
            advice = "" if section.runtime_of(role)[1].precise_int8 else "set runtime.precise_int8, or "
            host = pair.host_classes.get(role, "") or "unknown"
            objections.append(
                f"this host ({host}) answers {far:.3g} away from the golden answers of {role} (bound {bound:.3g}); "
                f"{advice}qualify here"
            )
    other = _other_host(pair, predicate.measured.host_class)
    return replace(found, objections=tuple(objections), distances=apart, new_host_class=other)


def _other_host(pair: ModelPair, measured: str) -> str:
    """The news about the host that runs the compressed model; empty where the statement was made on such a one."""
    ours = pair.host_classes.get(Role.COMPRESSED, "")
    return "" if ours in {"", measured} else f"this host is {ours}, the statement was made on {measured}"
