"""ONNX graphs before and after a model: `prepare` makes its inputs, `read` makes what decides of its outputs.

All of them together are one model: one digest, one deadline of a run, one probe. Each graph takes a tensor by its name:
the model what `prepare` gives, else what callers send; `read` what the model gives, else what the model or `prepare`
gets. Outputs of the model that `read` takes are not offered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.model_files import STANDARD_INPUT, joined_digest
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import Model
from tightrope.service.config.tensors import TensorsSection
from tightrope.service.errors import TightropeError
from tightrope.service.inference.mapping.casts import can_cast, cast
from tightrope.service.inference.mapping.signatures import AddMistake
from tightrope.service.protocol.tensors import Shape, TensorSpec


@dataclass
class _Graphs:
    """A model with the graphs around it."""

    model: OnnxModel
    prepare: OnnxModel | None
    read: OnnxModel | None
    one_row: bool = False
    mistakes: list[tuple[str, str]] = field(default_factory=list)

    def run(self, outputs: Sequence[str], inputs: Tensors, options: Any) -> list[Any]:  # noqa: ANN401 - onnxruntime's
        """Run all graphs with the same options, so that their watch ends the one under way, and those after it."""
        values = dict(inputs)
        if self.prepare is not None:
            values |= _run(self.prepare, values, [spec.name for spec in self.prepare.outputs], options)
        made = [name for name in outputs if self.read is not None and name in _names(self.read.outputs)]
        wanted = [name for name in outputs if name not in made]
        if self.read is not None and made:
            needed = _names(self.read.inputs) & _names(self.model.outputs)
            found = _run(self.model, values, [*wanted, *sorted(needed.difference(wanted))], options)
            found |= _run(self.read, {**values, **found}, made, options)
        else:
            found = _run(self.model, values, wanted, options)
        return [found[name] for name in outputs]

    def inputs(self) -> tuple[TensorSpec, ...]:
        """The tensors that all graphs together take."""
        specs = {spec.name: spec for spec in self.prepare.inputs} if self.prepare else {}
        given = {spec.name: spec for spec in self.prepare.outputs} if self.prepare else {}
        for spec in self.model.inputs:
            if spec.name in given:
                self._require_fit("prepare", "gives", given[spec.name], spec)
            elif spec.name in specs:
                self._require_fit("prepare", "takes", specs[spec.name], spec)
            else:
                specs[spec.name] = spec
        if unused := [name for name in given if name not in _names(self.model.inputs)]:
            self._add("prepare", f"gives {_listed(unused)}, but the model takes {_listed(_names(self.model.inputs))}")
        return tuple(specs.values())

    def outputs(self) -> tuple[TensorSpec, ...]:
        """The tensors that callers may get."""
        if self.read is None:
            return self.model.outputs
        given = {spec.name: spec for spec in self.model.outputs}
        beside = {spec.name: spec for spec in (*(self.prepare.inputs if self.prepare else ()), *self.model.inputs)}
        for spec in self.read.inputs:
            if spec.name in given:
                self._require_fit("read", "gets", given[spec.name], spec)
            elif spec.name in beside:
                self._require_fit("read", "gets", beside[spec.name], spec)
            else:
                self._add("read", f"takes {spec.name!r}, but the model gives {_listed(given)}")
        if not given.keys() & _names(self.read.inputs):
            self._add("read", f"takes no output of the model, which gives {_listed(given)}")
        hidden = _names(self.read.inputs) | _names(self.read.outputs)
        return (*self.read.outputs, *(spec for spec in self.model.outputs if spec.name not in hidden))

    def _require_fit(self, key: str, verb: str, given: TensorSpec, wanted: TensorSpec) -> None:
        """Add a mistake unless a tensor can be taken for another one. A side of one row makes all graphs take one."""
        if not (can_cast(given.datatype, wanted.datatype) and _have_equal_sides(given.shape, wanted.shape)):
            taker = "it takes" if key == "read" else "the model takes"
            self._add(key, f"{verb} {given.name!r} as {_text(given)}, but {taker} {_text(wanted)}")
        elif given.shape[:1] == (-1,) and wanted.shape[:1] == (1,):
            self.one_row = True

    def _add(self, key: str, text: str) -> None:
        self.mistakes.append((key, text))


def surrounded(model: Model, written: TensorsSection, load: Callable[[Path], Model], add_mistake: AddMistake) -> Model:
    """A model with the graphs that are written around it, as one model; ``load`` loads a graph."""
    graphs: dict[str, OnnxModel] = {}
    for key, path in written.graphs.items():
        try:
            graph = load(path)
        except TightropeError as error:
            add_mistake(key, str(error))
        else:
            if isinstance(graph, OnnxModel):
                graphs[key] = graph
    if graphs and not isinstance(model, OnnxModel):  # deployed in the place of a file
        add_mistake(next(iter(graphs)), "is for a file, not for an endpoint")
    if not isinstance(model, OnnxModel) or not graphs or graphs.keys() != written.graphs.keys():
        return model
    every = _Graphs(model, graphs.get("prepare"), graphs.get("read"))
    inputs, outputs = every.inputs(), every.outputs()
    for key, text in every.mistakes:
        add_mistake(key, f"{written.graphs[key]}: {text}")
    if every.one_row:
        inputs = tuple(replace(spec, shape=(abs(spec.shape[0]), *spec.shape[1:])) for spec in inputs if spec.shape)
    parts: Mapping[str, OnnxModel] = {STANDARD_INPUT: model, **graphs}
    digest = joined_digest({name: part.digest for name, part in parts.items()})
    value_work = next((part.value_work for part in parts.values() if part.value_work), "")
    return model.surrounded(every.run, inputs, outputs, digest=digest, value_work=value_work)


def _run(graph: OnnxModel, values: Tensors, outputs: Sequence[str], options: Any) -> dict[str, Any]:  # noqa: ANN401
    """Run one graph on those of the tensors that it takes."""
    inputs = {spec.name: cast(spec.name, values[spec.name], spec.datatype) for spec in graph.inputs}
    return dict(zip(outputs, map(np.asarray, graph.runs.call(outputs, inputs, options)), strict=True))


def _have_equal_sides(one: Shape, other: Shape) -> bool:
    """Whether no two fixed sides differ; a tensor that declares no sides may have any."""
    if not one or not other:
        return True
    return len(one) == len(other) and all(a == b or -1 in (a, b) for a, b in zip(one, other, strict=True))


def _names(specs: Sequence[TensorSpec]) -> set[str]:
    return {spec.name for spec in specs}


def _text(spec: TensorSpec) -> str:
    return f"{spec.datatype}{list(spec.shape)}"


def _listed(names: "set[str] | Mapping[str, object] | Sequence[str]") -> str:
    return ", ".join(map(repr, sorted(names)))
