"""Building of a pair: both models loaded, mapped, probed, and checked against each other and the settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tightrope.monitors.compare import Decision, Refusal, Scale
from tightrope.monitors.intake.sampling import Sampler
from tightrope.monitors.records import Role
from tightrope.monitors.scopes import OTHER_VALUE, scope_name
from tightrope.service.adapters.open_inference.model import with_tensors_of
from tightrope.service.adapters.ports import Model, ProviderError, host_class_of
from tightrope.service.adapters.runs.watched_runs import limit_runs
from tightrope.service.config import models as config
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.suggestions import did_you_mean
from tightrope.service.errors import TightropeError
from tightrope.service.inference.batchability import Batchability
from tightrope.service.inference.mapping.signatures import map_models
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.monitor_plan import build_plan
from tightrope.service.inference.probing.model_probe import probe_role
from tightrope.service.inference.probing.scale_check import scale_mistakes
from tightrope.service.inference.row_axes.input_axes import AxesOf, find_axes, rows_first, set_output_axes
from tightrope.service.inference.row_probe import RowProbe, probe_pair
from tightrope.service.inference.subgroup_codes import build_subgroups
from tightrope.service.protocol.tensors import TensorSpec

FLOAT_DATATYPES = frozenset({"FP16", "FP32", "FP64"})


class _Mistakes(list[str]):
    """Collects all mistakes of a pair, instead of stopping at the first."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def add(self, key: str, text: str) -> None:
        line = f"models.{self._name}.{key}: {text}"
        if line not in self:  # both models may have the same mistake
            self.append(line)


def build(
    name: str,
    settings: Settings,
    load: Callable[[Any, config.RuntimeSection], Model],
    probe: RowProbe | None = None,
    axes_of: AxesOf = find_axes,
) -> ModelPair:
    """Load and check one pair; ``probe`` and ``axes_of`` take the place of made-up rows in this process.

    Raises:
        ConfigError: with all mistakes, each with its key.
    """
    section, mistakes = settings.models[name], _Mistakes(name)
    try:
        loaded = _load(section, load, mistakes)
    except ConfigError as error:
        raise ConfigError(error.problems + settings_mistakes(name, section)) from None
    mapped = map_models(loaded, section.tensors, section.decision.output, mistakes.add)
    models = mapped.models
    output = _decision_output(section, models[Role.BASELINE].outputs, mistakes)
    models, layout = rows_first(models, output, axes_of, mistakes.add)
    subgroups = build_subgroups(section, models[Role.BASELINE].inputs, mistakes.add)
    mistakes += settings_mistakes(name, section)
    if mistakes:
        raise ConfigError(mistakes)
    batchability = _probe_rows(models, output, section, probe, mistakes)
    sampler = Sampler(section.sampling.rate, dict(section.sampling.floors))
    return ModelPair(
        name=name,
        version=section.version,
        models=models,
        decision=_decision(section),
        output=output,
        action=section.refusal.action if section.refusal else "flag",
        subgroups=subgroups,
        sampler=sampler,
        noise_share=section.noise_share,
        fallback_seconds=section.fallback_seconds,
        plan=build_plan(name, settings, models, subgroups, sampler, output),
        batchability=batchability,
        batch_rows=section.batch_rows,
        queue=section.queue,
        warm_up=_warm_up(section),
        allow_nan=section.allow_nan,
        caller=section.caller,
        host_classes={role: host_class_of(model) for role, model in models.items()},
        layout=layout,
        notes=mapped.notes,
    )


def settings_mistakes(name: str, section: config.ModelSection) -> list[str]:
    """The mistakes of a section that are seen without its models, each with its key."""
    mistakes = _Mistakes(name)
    declared = [(name, value) for name, group in section.subgroups.items() for value in (*group.values, OTHER_VALUE)]
    scopes = [scope_name(attribute, value) for attribute, value in declared]
    for scope in (scope for scope in section.sampling.floors if scope not in scopes):
        there = f"there are {', '.join(scopes)}" if scopes else "no subgroups are configured"
        mistakes.add(f"sampling.floors.{scope}", f"there is no such subgroup; {there}{did_you_mean(scopes, scope)}")
    if section.refusal and section.decision.scale is Scale.REGRESSION:
        mistakes.add("refusal", "a regression has no certainty to refuse by")
    if section.golden and not section.golden.exists():
        mistakes.add("golden", f"{section.golden}: cannot be read: No such file or directory")
    return mistakes


def _probe_rows(
    models: dict[Role, Model], output: str, section: config.ModelSection, probe: RowProbe | None, mistakes: _Mistakes
) -> Batchability:
    """Find out which outputs are by rows, and on which axes, and check the scale of the decision.

    Raises:
        ConfigError: when the roles differ in an axis, or the scale is contradicted.
    """
    batchability = probe_pair(models, output, section.batch_rows, probe or probe_role)
    for text in scale_mistakes(batchability.findings, output, section.decision.scale):
        mistakes.add("decision.scale", text)
    for conflict in batchability.conflicts:
        mistakes.add("compressed", conflict)
    if mistakes:
        raise ConfigError(mistakes)
    set_output_axes(models, batchability.findings)
    return batchability


def _load(
    section: config.ModelSection, load: Callable[[Any, config.RuntimeSection], Model], mistakes: _Mistakes
) -> dict[Role, Model]:
    """Load both models; a remote one that does not describe its tensors gets those of the other."""
    models: dict[Role, Model] = {}
    for role, artefact in ((Role.BASELINE, section.baseline), (Role.COMPRESSED, section.compressed)):
        key, runtime = section.runtime_of(role)
        try:
            models[role] = load(artefact, runtime)
            limit_runs(models[role], section.run_seconds)
        except ProviderError as error:
            mistakes.add(key, str(error))
        except TightropeError as error:
            mistakes.add(role, str(error))
    if mistakes:
        raise ConfigError(mistakes)
    models = {role: with_tensors_of(model, models[role.other]) for role, model in models.items()}
    if not models[Role.BASELINE].inputs:
        mistakes.add("baseline", "neither server tells what its model takes and gives; one of the two must")
        raise ConfigError(mistakes)
    return models


def _warm_up(section: config.ModelSection) -> tuple[tuple[Role, int], ...]:
    """The warm-up rows of each model file, where configured."""
    files = [role for role in Role if isinstance(getattr(section, role), Path)]
    return tuple((role, rows) for role in files if (rows := section.runtime_of(role)[1].warm_up_rows))


def _show(spec: TensorSpec) -> str:
    return f"{spec.datatype}{list(spec.shape)}"


def _decision_output(section: config.ModelSection, outputs: tuple[TensorSpec, ...], mistakes: _Mistakes) -> str:
    """The name of the output that decides: the configured one, or the only one."""
    specs = {spec.name: spec for spec in outputs}
    name = section.decision.output or (outputs[0].name if len(outputs) == 1 else None)
    if name not in specs:
        mistakes.add("decision.output", f"is {name!r}; it must name one of the outputs {', '.join(specs)}")
        return ""
    spec = specs[name]
    if spec.datatype not in FLOAT_DATATYPES or not spec.shape or len(spec.shape) - 1 - spec.shape[1:].count(1) > 1:
        mistakes.add(
            "decision.output", f"{name!r} is {_show(spec)}; it must be FP16, FP32 or FP64 by rows (and classes)"
        )
    return name


def _decision(section: config.ModelSection) -> Decision:
    refusal = section.refusal
    if refusal is None:
        return Decision(section.decision.scale, None, section.decision.tolerance)
    own = refusal.compressed_threshold
    thresholds = {Role.BASELINE: refusal.threshold, Role.COMPRESSED: refusal.threshold if own is None else own}
    return Decision(section.decision.scale, Refusal(refusal.score, thresholds), section.decision.tolerance)
