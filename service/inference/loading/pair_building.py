"""Building of a pair: both models loaded, mapped, probed, and checked against each other and the settings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tightrope.monitors.compare import Decision, Refusal, Scale
from tightrope.monitors.intake.sampling import Sampler
from tightrope.monitors.records import Comparisons, Role
from tightrope.monitors.scopes import OTHER_VALUE, scope_name
from tightrope.service.adapters.ports import Model, host_class_of
from tightrope.service.config import models as config
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.runtime import RuntimeSection
from tightrope.service.config.suggestions import did_you_mean
from tightrope.service.inference.input_columns import build_columns, check_redacted
from tightrope.service.inference.kinds.kind_building import check_options
from tightrope.service.inference.loading.mistakes import Mistakes
from tightrope.service.inference.loading.role_loading import load_roles
from tightrope.service.inference.loading.row_arrangement import (
    arrange_rows,
    can_take_requests,
    check_findings,
    probe_options,
    probe_rows,
    request_note,
)
from tightrope.service.inference.mapping.signatures import MappedPair, map_models
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.monitor_plan import build_plan
from tightrope.service.inference.probing.model_probe import probe_role
from tightrope.service.inference.probing.own_noise import probed_noise
from tightrope.service.inference.row_axes.input_axes import AxesOf, find_axes
from tightrope.service.inference.row_probe import RowProbe
from tightrope.service.inference.states.state_specs import build_states
from tightrope.service.inference.subgroup_codes import build_subgroups


def build(
    name: str,
    settings: Settings,
    load: Callable[[Any, RuntimeSection], Model],
    probe: RowProbe | None = None,
    axes_of: AxesOf = find_axes,
) -> ModelPair:
    """Load and check one pair; ``probe`` and ``axes_of`` take the place of made-up rows in this process.

    Raises:
        ConfigError: with all mistakes, each with its key.
    """
    section, mistakes = settings.models[name], Mistakes(name)
    try:
        loaded = load_roles(section, load, mistakes)
    except ConfigError as error:
        raise ConfigError(error.problems + settings_mistakes(name, section)) from None
    mapped = map_models(loaded, section.tensors, section.decision.output, mistakes.add)
    return _build_mapped(name, settings, mapped, mistakes, probe or probe_role, axes_of)


def _build_mapped(
    name: str, settings: Settings, mapped: MappedPair, mistakes: Mistakes, probe: RowProbe, axes_of: AxesOf
) -> ModelPair:
    """Build the pair of mapped models. Where its deciding output turns out to have no rows, it is built again with
    requests as rows.
    """
    section = settings.models[name]
    options = probe_options(name, section, mapped.models[Role.BASELINE].inputs, mistakes)
    arranged = arrange_rows(mapped.models, section, axes_of, options, mistakes)
    models, layout, output, kind = arranged.models, arranged.layout, arranged.output, arranged.kind
    subgroups = build_subgroups(section, models[Role.BASELINE].inputs, mistakes.add)
    columns = build_columns(section.columns, models[Role.BASELINE].inputs, mistakes.add)
    check_redacted(section.redact.columns, columns, mistakes.add)
    states = build_states(section.state_tensors, models[Role.BASELINE], mistakes.add)
    mistakes += [line for line in settings_mistakes(name, section) if line not in mistakes]
    if mistakes:
        raise ConfigError(mistakes)
    batchability = probe_rows(arranged, section, probe, options)
    if section.rows is None and can_take_requests(arranged, batchability):
        pair = _build_mapped(name, _with_request_rows(settings, name), mapped, mistakes, probe, axes_of)
        return replace(pair, notes=(*pair.notes, request_note(output)))
    check_findings(arranged, batchability, section, options, mistakes)
    sampler = Sampler(section.sampling.rate, dict(section.sampling.floors))
    return ModelPair(
        name=name,
        models=models,
        decision=_decision(section),
        output=output,
        subgroups=subgroups,
        sampler=sampler,
        plan=build_plan(name, settings, models, subgroups, sampler, output, kind, columns),
        batchability=batchability,
        host_classes={role: host_class_of(model) for role, model in models.items()},
        layout=layout,
        states=states and replace(states, axes=batchability.axes),
        notes=mapped.notes,
        kind=kind,
        **_served_as(section),
        lacks_tolerance=section.decision.lacks_tolerance,
        own_noise=probed_noise(batchability, output) if section.decision.lacks_tolerance else None,
    )


def replan(pair: ModelPair, settings: Settings, golden: Comparisons | None = None) -> ModelPair:
    """The pair with the plan of other settings, and that its compared golden rows choose, if there are any."""
    if settings.models[pair.name].rows is None and pair.layout and pair.layout.is_request:
        settings = _with_request_rows(settings, pair.name)
    columns = pair.plan.search.columns if pair.plan.search else ()
    watched = pair.models, pair.subgroups, pair.sampler, pair.output, pair.kind
    margin = pair.qualification.clear_margin if pair.qualification else None
    plan = build_plan(pair.name, settings, *watched, columns, golden, margin)
    return replace(pair, plan=replace(plan, withholding=pair.plan.withholding))


def _with_request_rows(settings: Settings, name: str) -> Settings:
    """The settings with `rows: request` for this model."""
    section = settings.models[name].model_copy(update={"rows": "request"})
    return settings.model_copy(update={"models": {**settings.models, name: section}})


def _served_as(section: config.ModelSection) -> dict[str, Any]:
    """The settings of serving that a pair takes as they are written."""
    names = ("version", "noise_share", "fallback_seconds", "batch_rows", "queue", "allow_nan", "caller", "owner")
    action = section.refusal.action if section.refusal else "flag"
    return {name: getattr(section, name) for name in names} | {"action": action, "warm_up": _warm_up(section)}


def settings_mistakes(name: str, section: config.ModelSection) -> list[str]:
    """The mistakes of a section that are seen without its models, each with its key."""
    mistakes = Mistakes(name)
    declared = [(name, value) for name, group in section.subgroups.items() for value in (*group.values, OTHER_VALUE)]
    scopes = [scope_name(attribute, value) for attribute, value in declared]
    for scope in (scope for scope in section.sampling.floors if scope not in scopes):
        there = f"there are {', '.join(scopes)}" if scopes else "no subgroups are configured"
        mistakes.add(f"sampling.floors.{scope}", f"there is no such subgroup; {there}{did_you_mean(scopes, scope)}")
    check_options(section.decision, mistakes.add)
    is_regression = section.decision.kind == "regression" or section.decision.scale is Scale.REGRESSION
    if section.refusal and is_regression:
        mistakes.add("refusal", "a regression has no certainty to refuse by")
    if section.golden and not section.golden.exists():
        mistakes.add("golden", f"{section.golden}: cannot be read: No such file or directory")
    return mistakes


def _warm_up(section: config.ModelSection) -> tuple[tuple[Role, int], ...]:
    """The warm-up rows of each model file, where configured."""
    files = [role for role in Role if isinstance(getattr(section, role), Path)]
    return tuple((role, rows) for role in files if (rows := section.runtime_of(role)[1].warm_up_rows))


def _decision(section: config.ModelSection) -> Decision:
    ours, theirs = (section.decision.scales[role] for role in (Role.BASELINE, Role.COMPRESSED))
    return Decision(ours, _refusal(section.refusal), section.decision.tolerance, None if theirs is ours else theirs)


def _refusal(section: config.RefusalSection | None) -> Refusal | None:
    if section is None:
        return None
    own = section.compressed_threshold
    thresholds = {Role.BASELINE: section.threshold, Role.COMPRESSED: section.threshold if own is None else own}
    return Refusal(section.score, thresholds)
