"""A model pair made ready: both models loaded and checked against each other, and everything derived from its
settings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tightrope.monitors.compare import Decision, Refusal, Scale
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Role
from tightrope.monitors.sampling import Sampler
from tightrope.service.adapters.open_inference.model import EndpointModel, assume
from tightrope.service.adapters.ports import Model, ProviderError
from tightrope.service.config import models as config
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.errors import TightropeError
from tightrope.service.inference.monitor_plan import plan_of
from tightrope.service.inference.subgroups import Cut, Spelled, Subgroups, Told
from tightrope.service.protocol.tensors import TensorSpec

FLOATS = frozenset({"FP16", "FP32", "FP64"})
MATRIX = 2


@dataclass(frozen=True)
class Pair:
    """What the gateway serves under one name."""

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
    batch_rows: int | None = None
    queue: int = 1024
    warm_up: tuple[tuple[Role, int], ...] = ()

    @property
    def elsewhere(self) -> bool:
        """Whether either model lives on another server: then an answer may have to be waited for."""
        return any(isinstance(model, EndpointModel) for model in self.models.values())

    @cached_property
    def free(self) -> bool:
        """Whether the first dimension of everything is free, so that requests can share a run."""
        return all(spec.shape[:1] == (-1,) for spec in (*self.inputs, *self.outputs))

    @cached_property
    def ragged(self) -> bool:
        """Whether another dimension than the first is free."""
        return any(-1 in spec.shape[1:] for spec in self.inputs)

    @cached_property
    def everything(self) -> Sequence[str]:
        """The names of all outputs."""
        return [spec.name for spec in self.outputs]

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What a caller sends."""
        return self.models[Role.BASELINE].inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What a caller gets."""
        return self.models[Role.BASELINE].outputs


class _Mistakes(list[str]):
    """Collects every mistake instead of stopping at the first."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def add(self, key: str, text: str) -> None:
        line = f"models.{self._name}.{key}: {text}"
        if line not in self:  # what both models are wrong about is told once
            self.append(line)


def build(name: str, settings: Settings, load: Callable[[Any, config.Runtime], Model]) -> Pair:
    """Load and check one pair.

    Raises:
        ConfigError: with every mistake found, each naming its key.
    """
    of = settings.models[name]
    wrong = _Mistakes(name)
    models: dict[Role, Model] = {}
    for role, artefact in ((Role.BASELINE, of.baseline), (Role.COMPRESSED, of.compressed)):
        key, runtime = of.runtime_of(role)
        try:
            models[role] = load(artefact, runtime)
        except ProviderError as error:
            wrong.add(key, str(error))
        except TightropeError as error:
            wrong.add(role, str(error))
    if wrong:
        raise ConfigError(wrong)
    models = {role: assume(model, models[role.other]) for role, model in models.items()}
    if not models[Role.BASELINE].inputs:
        wrong.add("baseline", "neither server tells what its model takes and gives; one of the two must")
        raise ConfigError(wrong)
    _check_signatures(models, wrong)
    output = _decision_output(of, models[Role.BASELINE].outputs, wrong)
    subgroups = _subgroups(of, models[Role.BASELINE].inputs, wrong)
    for scope in set(of.sampling.floors) - set(subgroups.scopes):
        wrong.add(f"sampling.floors.{scope}", f"there is no such subgroup; there are {', '.join(subgroups.scopes)}")
    if of.refusal and of.decision.scale is Scale.REGRESSION:
        wrong.add("refusal", "a regression has no certainty to refuse by")
    if wrong:
        raise ConfigError(wrong)
    sampler = Sampler(of.sampling.rate, dict(of.sampling.floors), name)
    return Pair(
        name=name,
        version=of.version,
        models=models,
        decision=_decision(of),
        output=output,
        action=of.refusal.action if of.refusal else "flag",
        subgroups=subgroups,
        sampler=sampler,
        noise_share=of.noise_share,
        fallback_seconds=of.fallback_seconds,
        plan=plan_of(name, settings, models, subgroups, sampler, output),
        batch_rows=of.batch_rows,
        queue=of.queue,
        warm_up=_warm_up(of),
    )


def _warm_up(of: config.Model) -> tuple[tuple[Role, int], ...]:
    """The rows that the models here run before they are served, where that is asked for."""
    here = [role for role in Role if isinstance(getattr(of, role), Path)]
    return tuple((role, rows) for role in here if (rows := of.runtime_of(role)[1].warm_up_rows))


def _check_signatures(models: dict[Role, Model], wrong: _Mistakes) -> None:
    """Both models must take and give the same tensors, or one cannot stand in for the other."""
    for side in ("inputs", "outputs"):
        baseline = {spec.name: spec for spec in getattr(models[Role.BASELINE], side)}
        compressed = {spec.name: spec for spec in getattr(models[Role.COMPRESSED], side)}
        for name in baseline | compressed:
            ours, theirs = baseline.get(name), compressed.get(name)
            if ours is None or theirs is None or ours != theirs:
                wrong.add("compressed", f"{side} {name!r} is {_show(theirs)}, but the baseline's is {_show(ours)}")
    for spec in models[Role.BASELINE].inputs:
        if not spec.shape:
            wrong.add("baseline", f"input {spec.name!r} is a scalar; the first dimension must be the row")


def _show(spec: TensorSpec | None) -> str:
    return f"{spec.datatype}{list(spec.shape)}" if spec else "missing"


def _decision_output(of: config.Model, outputs: tuple[TensorSpec, ...], wrong: _Mistakes) -> str:
    """The output that decides: named, or the only one."""
    known = {spec.name: spec for spec in outputs}
    name = of.decision.output or (outputs[0].name if len(outputs) == 1 else None)
    if name not in known:
        wrong.add("decision.output", f"is {name!r}; it must name one of the outputs {', '.join(known)}")
        return ""
    if known[name].datatype not in FLOATS or not 1 <= len(known[name].shape) <= MATRIX:
        wrong.add(
            "decision.output", f"{name!r} is {_show(known[name])}; it must be FP16, FP32 or FP64 by rows (and classes)"
        )
    return name


def _decision(of: config.Model) -> Decision:
    if of.refusal is None:
        return Decision(of.decision.scale, None, of.decision.tolerance)
    own = of.refusal.compressed_threshold
    thresholds = {Role.BASELINE: of.refusal.threshold, Role.COMPRESSED: of.refusal.threshold if own is None else own}
    return Decision(of.decision.scale, Refusal(of.refusal.score, thresholds), of.decision.tolerance)


def _subgroups(of: config.Model, inputs: tuple[TensorSpec, ...], wrong: _Mistakes) -> Subgroups:
    scopes: list[str] = []
    told: list[Told] = []
    spelled: list[Spelled] = []
    intervals: dict[str, list[tuple[int, float, float, int]]] = {}
    specs = {spec.name: spec for spec in inputs}
    for attribute, subgroup in of.subgroups.items():
        places = {value: len(scopes) + place for place, value in enumerate(subgroup.values)}
        scopes += [f"{attribute}={value}" for value in subgroup.values]
        if subgroup.parameter is not None:
            told.append(Told(subgroup.parameter, places))
        elif (source := _source(attribute, subgroup, specs, wrong)) is not None:
            column, values = subgroup.cut
            if source.datatype == "BYTES":
                codes = {str(code): places[value] for value, given in values.items() for code in _codes(given)}
                spelled.append(Spelled(source.name, column, codes))
            else:
                intervals.setdefault(source.name, []).extend(
                    (column, low, high, places[value])
                    for value, given in values.items()
                    for low, high in _intervals(given)
                )
    cuts = tuple(Cut.of(name, found) for name, found in intervals.items())
    return Subgroups(tuple(scopes), tuple(told), (*cuts, *spelled))


def _source(
    attribute: str, subgroup: config.Subgroup, specs: dict[str, TensorSpec], wrong: _Mistakes
) -> TensorSpec | None:
    """The input that a subgroup is cut from, if the configuration fits it."""
    name = subgroup.input or (next(iter(specs)) if len(specs) == 1 else None)
    key = f"subgroups.{attribute}"
    if name not in specs:
        wrong.add(f"{key}.input", f"is {name!r}; it must name one of the inputs {', '.join(specs)}")
        return None
    spec = specs[name]
    width = spec.shape[1] if len(spec.shape) == MATRIX else 1
    if len(spec.shape) > MATRIX or (width >= 0 and not 0 <= subgroup.cut[0] < width):
        wrong.add(f"{key}.column", f"is {subgroup.column}; input {name!r} is {_show(spec)}")
        return None
    _, values = subgroup.cut
    texts = spec.datatype == "BYTES"
    if any(texts != _spelled(given) for given in values.values()):
        wrong.add(f"{key}.values", f"must be {'strings' if texts else 'numbers'}: input {name!r} is {_show(spec)}")
        return None
    return spec


def _spelled(given: list[float] | list[str] | config.Range) -> bool:
    return isinstance(given, list) and isinstance(given[0], str)


def _codes(given: list[float] | list[str] | config.Range) -> list[float] | list[str]:
    return [] if isinstance(given, config.Range) else given


def _intervals(given: list[float] | list[str] | config.Range) -> list[tuple[float, float]]:
    if isinstance(given, config.Range):
        return [(given.low, given.high)]
    return [(float(code), float(code)) for code in given]
