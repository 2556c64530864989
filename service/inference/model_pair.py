"""A model pair: both models, loaded and checked against each other, and everything derived from the settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from tightrope.monitors.compare import Decision, Refusal, Scale
from tightrope.monitors.intake.sampling import Sampler
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Role
from tightrope.monitors.scopes import OTHER_VALUE, scope_name
from tightrope.service.adapters.open_inference.model import EndpointModel, with_tensors_of
from tightrope.service.adapters.ports import Model, ProviderError, host_class_of
from tightrope.service.adapters.runs.watched_runs import limit_runs
from tightrope.service.config import models as config
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.suggestions import did_you_mean
from tightrope.service.errors import TightropeError
from tightrope.service.inference.batchability import Batchability
from tightrope.service.inference.monitor_plan import build_plan
from tightrope.service.inference.probing.model_probe import probe_role
from tightrope.service.inference.probing.scale_check import scale_mistakes
from tightrope.service.inference.row_axes.input_axes import AxesOf, find_axes, rows_first, set_output_axes
from tightrope.service.inference.row_axes.row_layout import RowLayout
from tightrope.service.inference.row_probe import RowProbe, probe_pair
from tightrope.service.inference.subgroup_codes import build_subgroups
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.protocol.rest import InferRequest
from tightrope.service.protocol.tensors import TensorSpec

FLOAT_DATATYPES = frozenset({"FP16", "FP32", "FP64"})


@dataclass(frozen=True)
class ModelPair:
    """The two models that are served under one name, and how. ``layout``: the axes of the declared inputs' rows, None
    where all are 0.
    """

    name: str
    version: str
    models: dict[Role, Model]
    decision: Decision
    output: str
    action: Literal["flag", "escalate", "abstain"]
    subgroups: Subgroups
    sampler: Sampler
    noise_share: float
    fallback_seconds: float | None
    plan: Plan
    batchability: Batchability
    batch_rows: int | None = None
    queue: int = 1024
    warm_up: tuple[tuple[Role, int], ...] = ()
    allow_nan: bool = False
    caller: config.CallerSection | None = None
    host_classes: Mapping[Role, str] = field(default_factory=dict)
    layout: RowLayout | None = None

    @property
    def is_remote(self) -> bool:
        """Whether either model is on another server, so that runs wait for the network."""
        return any(isinstance(model, EndpointModel) for model in self.models.values())

    @cached_property
    def caller_header(self) -> bytes | None:
        """The header that names the caller, in lower case; None if none is configured."""
        return self.caller.header.lower().encode() if self.caller and self.caller.header else None

    @cached_property
    def has_free_rows(self) -> bool:
        """Whether a request may have any number of rows, by the declared inputs."""
        return all(spec.shape[:1] == (-1,) for spec in self.inputs)

    @cached_property
    def has_free_width(self) -> bool:
        """Whether a dimension other than the first is free in some input."""
        return any(-1 in spec.shape[1:] for spec in self.inputs)

    @cached_property
    def output_names(self) -> Sequence[str]:
        """The names of all outputs."""
        return [spec.name for spec in self.outputs]

    @property
    def warnings(self) -> Sequence[str]:
        """One line, with its key, for each reason for which the pair can be served, but not be guarded."""
        digest = self.models[Role.COMPRESSED].digest
        if digest != self.models[Role.BASELINE].digest:
            return []
        same = f"is the same model as the baseline ({digest[:12]}): the monitors compare it with itself and never alarm"
        return [f"models.{self.name}.compressed: {same}"]

    def can_share_run(self, requests: Sequence[InferRequest]) -> bool:
        """Whether requests may share a run: their outputs allow it, and their widths are equal."""
        allows = self.batchability.allows
        if not (self.batchability.is_open or all(allows([o.name for o in request.outputs]) for request in requests)):
            return False
        if not self.has_free_width:
            return True
        first = {name: tensor.shape[1:] for name, tensor in requests[0].inputs.items()}
        return all(tensor.shape[1:] == first[name] for request in requests for name, tensor in request.inputs.items())

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The tensors of a request, rows first."""
        return self.models[Role.BASELINE].inputs

    @property
    def declared_inputs(self) -> tuple[TensorSpec, ...]:
        """The tensors of a request, as callers send them."""
        return self.layout.declared if self.layout else self.inputs

    def rows_first(self, request: InferRequest) -> InferRequest:
        """A request that has the declared shapes, with its rows first."""
        return replace(request, inputs=self.layout.rows_first(request.inputs)) if self.layout else request

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The tensors of a response."""
        return self.models[Role.BASELINE].outputs


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
        models = _load(section, load, mistakes)
    except ConfigError as error:
        raise ConfigError(error.problems + settings_mistakes(name, section)) from None
    _check_signatures(models, mistakes)
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


def _check_signatures(models: dict[Role, Model], mistakes: _Mistakes) -> None:
    """Both models must have the same tensors, or one cannot stand in for the other."""
    for side in ("inputs", "outputs"):
        baseline = {spec.name: spec for spec in getattr(models[Role.BASELINE], side)}
        compressed = {spec.name: spec for spec in getattr(models[Role.COMPRESSED], side)}
        for name in baseline | compressed:
            ours, theirs = baseline.get(name), compressed.get(name)
            if ours is None or theirs is None or ours != theirs:
                mistakes.add("compressed", f"{side} {name!r} is {_show(theirs)}, but the baseline's is {_show(ours)}")


def _show(spec: TensorSpec | None) -> str:
    return f"{spec.datatype}{list(spec.shape)}" if spec else "missing"


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
