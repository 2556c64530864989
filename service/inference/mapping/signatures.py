"""The tensors that callers of a pair send and get, and how each model's own tensors follow from them.

Callers see the baseline's names, types and ranks. A model's tensor belongs to the one of that name, or as the
configuration writes it, or else to the only one of its rank that is left. FP16 is shown as FP32, which JSON can write.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tightrope.monitors.records import Role
from tightrope.service.adapters.model_files import STANDARD_INPUT, joined_digest
from tightrope.service.adapters.ports import Model
from tightrope.service.config.tensors import TensorsSection
from tightrope.service.inference.mapping.casts import can_cast
from tightrope.service.inference.mapping.constants import ConstantInput, read_constants
from tightrope.service.inference.mapping.deciding_output import deciding_output, notes_of_not_offered
from tightrope.service.inference.mapping.mapped_model import MappedModel
from tightrope.service.protocol.tensors import HALF, Shape, TensorSpec

Written = Mapping[Role, TensorsSection]
"""The sections `baseline_tensors` and `compressed_tensors`."""

AddMistake = Callable[[str, str], None]
"""Called with the key and the text of a mistake."""

Named = Mapping[str, TensorSpec]
"""The tensors of a model, by the names that callers use."""


@dataclass(frozen=True, slots=True)
class MappedPair:
    """Both models with the tensors of callers, and one line for each thing that was not written."""

    models: dict[Role, Model]
    notes: Sequence[str] = ()


@dataclass
class _Matching:
    """The search for the tensors that belong together."""

    models: Mapping[Role, Model]
    written: Written
    add: AddMistake
    constants: dict[Role, Sequence[ConstantInput]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for role, section in self.written.items():
            own, key = self.models[role].inputs, f"{role}_tensors.constants"
            if own and section.constants.keys() >= {spec.name for spec in own}:
                self.add(key, "names all inputs of the model; callers must send one at least")
                continue
            self.constants[role] = read_constants(section.constants, own, partial(_add_below, self.add, key))

    def inputs(self) -> tuple[Named, Named]:
        """The inputs of the baseline and of the compressed model by the callers' names."""
        callers = self._named(Role.BASELINE, "inputs")
        given = self._named(Role.COMPRESSED, "inputs", callers)
        found = {name: spec for name, spec in given.items() if name in callers}
        left = [spec for name, spec in given.items() if name not in callers]
        free = [name for name in callers if name not in found]
        fitting = [name for name in free if any(_is_like(callers[name], spec) for spec in left)]
        if len(left) == 1 and len(fitting) == 1:
            found[fitting[0]] = left[0]
            self.notes.append(f"compressed: input {left[0].name!r} is taken for the callers' {fitting[0]!r}")
        elif left and fitting:
            self._refuse_several([spec.name for spec in left], fitting)
        else:
            for spec in left:
                advice = "write compressed_tensors.constants or .prepare"
                self.add("compressed", f"input {spec.name!r} is sent by nobody; {advice} (callers: {_listed(callers)})")
        if dropped := [name for name in callers if name not in found]:
            self.notes.append(f"compressed: does not get {', '.join(map(repr, dropped))}")
        return callers, found

    def outputs(self, decides: str | None) -> tuple[Named, Named]:
        """The outputs that both models have, by the callers' names. An only one that is left counts for the output that
        decides, never for others: nothing would compare them.
        """
        callers = self._named(Role.BASELINE, "outputs")
        given = self._named(Role.COMPRESSED, "outputs", callers)
        found = {name: spec for name, spec in given.items() if name in callers}
        decides = deciding_output([replace(spec, name=name) for name, spec in callers.items()], decides) or ""
        if decides in callers and decides not in found:
            left = [spec for name, spec in given.items() if name not in callers]
            fitting = [spec for spec in left if _is_like(spec, callers[decides])]
            if len(fitting) == 1:
                found[decides] = fitting[0]
                self.notes.append(f"compressed: output {fitting[0].name!r} is taken for the callers' {decides!r}")
            else:
                names = ", ".join(repr(spec.name) for spec in fitting or left) or "nothing else"
                advice = " or ".join(f"{{{spec.name}: {decides}}}" for spec in fitting or left)
                advice = advice and f"; write compressed_tensors.outputs: {advice}"
                self.add("compressed", f"output {decides!r}, which decides, is missing; it gives {names}{advice}")
        offered = {name: spec for name, spec in callers.items() if name in found}
        both = {*map(id, offered.values()), *map(id, found.values())}
        for role, specs in ((Role.BASELINE, callers), (Role.COMPRESSED, given)):
            if single := [spec.name for spec in specs.values() if id(spec) not in both]:
                self.notes.append(f"{role}: {', '.join(map(repr, single))} is not offered: only one model gives it")
        return offered, found

    def _named(self, role: Role, side: str, callers: Collection[str] | None = None) -> Named:
        """The tensors of a model by their names, or as written; ``callers`` are the names that may be written."""
        written, constants = self.written[role], self.written[role].constants if side == "inputs" else {}
        specs = [spec for spec in getattr(self.models[role], side) if spec.name not in constants]
        names: Mapping[str, str] = getattr(written, side)
        key = f"{role}_tensors.{side}"
        own = {spec.name for spec in specs}
        for name, theirs in names.items():
            if name not in own:
                self.add(f"{key}.{name}", f"there is no such tensor; the model has {_listed(own)}")
            elif callers is not None and theirs not in callers:
                self.add(f"{key}.{name}", f"is {theirs!r}; it must be one of {_listed(callers)}")
        named: dict[str, TensorSpec] = {}
        for spec in sorted(specs, key=lambda spec: spec.name not in names):
            shown = names.get(spec.name, spec.name)
            if shown in named and (spec.name in names or callers is None):
                self.add(f"{key}.{spec.name}", f"is {shown!r}, which {named[shown].name!r} is already")
            elif shown in named:  # its name was given to another one
                shown = f"{shown} of the model"
            named.setdefault(shown, spec)
        order = {spec.name: index for index, spec in enumerate(specs)}
        return dict(sorted(named.items(), key=lambda item: order[item[1].name]))

    def _refuse_several(self, names: Sequence[str], fitting: Sequence[str]) -> None:
        advice = " or ".join(f"{{{name}: {theirs}}}" for name in names for theirs in fitting)
        which = f"inputs {_listed(names)} and the callers' {_listed(fitting)} may belong together in several ways"
        self.add("compressed", f"{which}; write compressed_tensors.inputs: {advice}")


def map_models(models: dict[Role, Model], written: Written, decides: str | None, add: AddMistake) -> MappedPair:
    """Give both models the tensors of callers. Models with equal tensors, without FP16, stay as they are
    unless something is written.

    ``decides`` is the configured output that decides; ``add`` is called with every mistake.
    """
    baseline, compressed = models[Role.BASELINE], models[Role.COMPRESSED]
    is_written = not all(section.is_empty for section in written.values())
    names = {role: _own_name(section.outputs, decides) for role, section in written.items()}
    not_offered = notes_of_not_offered(models, names, add)
    if not is_written and all(
        _are_shown_as_they_are(getattr(baseline, side), getattr(compressed, side)) for side in ("inputs", "outputs")
    ):
        return MappedPair(models, not_offered)
    matching = _Matching(models, written, add, notes=[*not_offered])
    inputs, outputs = matching.inputs(), matching.outputs(decides)
    constants = matching.constants
    mistakes = _misfits("inputs", *inputs) + _misfits("outputs", *outputs)
    for text in mistakes:
        add("compressed", text)
    if mistakes:
        return MappedPair(models)
    shown = (_shown(*inputs), _shown(*outputs))
    mapped: dict[Role, Model] = {}
    for index, role in enumerate((Role.BASELINE, Role.COMPRESSED)):
        mapped[role] = _mapped(
            models[role], shown, inputs[index], outputs[index], written[role], constants.get(role, ())
        )
    return MappedPair(mapped, matching.notes)


def _own_name(names: Mapping[str, str], decides: str | None) -> str | None:
    """A model's own name of the output that decides."""
    return next((own for own, theirs in names.items() if theirs == decides), decides)


def _mapped(
    model: Model,
    shown: tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]],
    inputs: Named,
    outputs: Named,
    written: TensorsSection,
    constants: Sequence[ConstantInput],
) -> Model:
    if not written.is_empty or not (_equal(model.inputs, shown[0]) and _equal(model.outputs, shown[1])):
        rows = {spec.name: spec.shape[:1] for spec in shown[0]}
        return MappedModel(
            model,
            *shown,
            sources={spec.name: name for name, spec in inputs.items()},
            produced={name: spec.name for name, spec in outputs.items()},
            digest=_digest(model, written, constants),
            constants=constants,
            single_row=any(spec.shape[:1] == (1,) != rows[name] for name, spec in inputs.items()),
        )
    return model


def _digest(model: Model, written: TensorsSection, constants: Sequence[ConstantInput]) -> str:
    """The model's digest, or, where a mapping is written, that of all that it reads, and of what is written."""
    if written.is_empty:
        return model.digest
    files = {f"constants.{constant.name}": constant.sha256 for constant in constants if constant.sha256}
    digest = joined_digest({STANDARD_INPUT: model.digest, **files}) if files else model.digest
    document = written.model_dump(mode="json", include={"inputs", "outputs"})
    if numbers := {name: value for name, value in written.constants.items() if not isinstance(value, Path)}:
        document["constants"] = numbers
    return hashlib.sha256(json.dumps([digest, document], sort_keys=True).encode()).hexdigest()


def _is_like(one: TensorSpec, other: TensorSpec) -> bool:
    return len(one.shape) == len(other.shape) and can_cast(one.datatype, other.datatype)


def _equal(one: Sequence[TensorSpec], other: Sequence[TensorSpec]) -> bool:
    ours, theirs = ({spec.name: (spec, spec.classes, spec.takes_half) for spec in specs} for specs in (one, other))
    return ours == theirs


def _are_shown_as_they_are(one: Sequence[TensorSpec], other: Sequence[TensorSpec]) -> bool:
    return _equal(one, other) and all(spec.datatype != HALF for spec in one)


def _misfits(side: str, baseline: Named, compressed: Named) -> list[str]:
    """One line for each tensor of the compressed model that does not fit the baseline's."""
    lines = []
    for name, spec in compressed.items():
        if name not in baseline:
            continue
        theirs = baseline[name]
        given, wanted = (theirs, spec) if side == "inputs" else (spec, theirs)
        if not can_cast(given.datatype, wanted.datatype) or not _have_equal_sides(spec.shape, theirs.shape):
            lines.append(f"{side[:-1]} {name!r} is {_text(spec)}, but the baseline's is {_text(theirs)}")
        elif spec.classes and theirs.classes and spec.classes != theirs.classes:
            found, expected = (", ".join(map(repr, each.classes)) for each in (spec, theirs))
            lines.append(f"output {name!r} has the classes {found}, but the baseline's are {expected}")
    return lines


def _have_equal_sides(one: Shape, other: Shape) -> bool:
    """Whether no two fixed sides differ; a model of one row stands for one of any number of rows."""
    if len(one) != len(other):
        return False
    if one[:1] != other[:1] and {*one[:1], *other[:1]} != {1, -1}:
        return False
    return all(a == b or -1 in (a, b) for a, b in zip(one[1:], other[1:], strict=True))


def _shown(baseline: Named, compressed: Named) -> tuple[TensorSpec, ...]:
    """The tensors as callers see them: the baseline's, with sides that are fixed in either model, and any number of
    rows if either takes it.
    """
    return tuple(_shown_as(name, spec, compressed.get(name, spec)) for name, spec in baseline.items())


def _shown_as(name: str, spec: TensorSpec, other: TensorSpec) -> TensorSpec:
    rows = min(spec.shape[:1], other.shape[:1])  # -1 before 1
    sides = (b if a < 0 else a for a, b in zip(spec.shape[1:], other.shape[1:], strict=True))
    shown, is_half = "FP32" if spec.datatype == HALF else spec.datatype, HALF in (spec.datatype, other.datatype)
    return TensorSpec(name, shown, (*rows, *sides), spec.classes or other.classes, takes_half=is_half)


def _add_below(add: AddMistake, key: str, name: str, text: str) -> None:
    add(f"{key}.{name}", text)


def _text(spec: TensorSpec) -> str:
    return f"{spec.datatype}{list(spec.shape)}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
