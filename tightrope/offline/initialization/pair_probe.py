"""The probe of a pair that has no configuration yet: what runs on made-up rows show of its tensors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from tightrope.monitors.records import Floats, Role, Tensors
from tightrope.offline.initialization.findings import InputFinding, OutputFinding, PairFindings
from tightrope.service.adapters.load_watch import LoadWatch
from tightrope.service.adapters.ports import Model
from tightrope.service.config.loader import ConfigError
from tightrope.service.config.process.candidates import CandidatesSection
from tightrope.service.config.runtime import RuntimeSection
from tightrope.service.config.tensors import TensorsSection
from tightrope.service.errors import TightropeError
from tightrope.service.inference.batchability import Findings, Proof, RowFinding
from tightrope.service.inference.loading.pair_loading import load_model
from tightrope.service.inference.mapping.signatures import map_models
from tightrope.service.inference.probing.model_probe import probe_model
from tightrope.service.inference.probing.own_noise import OwnNoise
from tightrope.service.inference.row_axes.input_axes import are_plain, find_layout, set_output_axes
from tightrope.service.inference.row_axes.rows_first_model import RowsFirstModel
from tightrope.service.protocol.tensors import TensorSpec, dtype_of

MAX_KEPT = 32
"""Runs of one row whose outputs are kept."""


@dataclass(frozen=True, slots=True)
class ProbedPair:
    """The findings about a pair, and lines for people: the tensors, and how they were mapped."""

    findings: PairFindings
    lines: Sequence[str]


@dataclass
class _Recorder:
    """A model that keeps the outputs of its runs of one row."""

    model: Model
    digest: str = field(init=False)
    inputs: tuple[TensorSpec, ...] = field(init=False)
    outputs: tuple[TensorSpec, ...] = field(init=False)
    shared: frozenset[str] = field(init=False)
    kept: list[Tensors] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.digest, self.inputs, self.outputs = self.model.digest, self.model.inputs, self.model.outputs
        self.shared = frozenset(getattr(self.model, "shared", ()))

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Run the model."""
        answer = self.model.run(inputs, outputs)
        if len(self.kept) < MAX_KEPT and all(len(tensor) == 1 for tensor in inputs.values()):
            self.kept.append(answer)
        return answer


def probe_files(files: Mapping[Role, Path]) -> ProbedPair:
    """Load both files, map their tensors and run them on made-up rows.

    Raises:
        ConfigError: with every mistake of the pair.
    """
    problems: list[str] = []
    models: dict[Role, Model] = {}
    with LoadWatch(CandidatesSection().seconds) as watch:
        for role, path in files.items():
            watch.announce(f"{role}: {path}: loading")
            try:
                models[role] = load_model(path, RuntimeSection())
            except TightropeError as error:
                problems.append(f"{role}: {error}")
        if problems:
            raise ConfigError(problems)
        mapped = map_models(models, dict.fromkeys(Role, TensorsSection()), None, partial(_add, problems))
        if problems:
            raise ConfigError(problems)
        watch.announce(f"{files[Role.BASELINE]}: runs on made-up rows")
        models = _rows_first(mapped.models)
        watch.announce("")
        recorders = {role: _Recorder(model) for role, model in models.items()}
        names = [spec.name for spec in models[Role.BASELINE].outputs]
        found = {role: probe_model(recorder, names) for role, recorder in recorders.items()}
        set_output_axes(models, found)
    return _probed(recorders, found, mapped.notes)


def _add(problems: list[str], key: str, text: str) -> None:
    problems.append(f"{key}: {text}")


def _rows_first(models: dict[Role, Model]) -> dict[Role, Model]:
    """The models with the rows of their inputs first, by the first output that proves the axes."""
    if are_plain(models[Role.BASELINE].inputs):
        return models
    for spec in models[Role.BASELINE].outputs:
        layout, _ = find_layout(models, spec.name)
        if layout is not None:
            return {role: RowsFirstModel(model, layout) for role, model in models.items()}
    return models


def _probed(recorders: Mapping[Role, _Recorder], found: Mapping[Role, Findings], notes: Sequence[str]) -> ProbedPair:
    baseline = recorders[Role.BASELINE]
    if not baseline.kept:
        reason = next((finding.reason for finding in found[Role.BASELINE].values()), "no made-up row runs")
        raise ConfigError([f"baseline: {reason}; write the configuration by hand, see docs/configuration.md"])
    by_output = {spec.name: {role: found[role][spec.name] for role in Role} for spec in baseline.outputs}
    outputs = [_output(spec, baseline.kept, by_output[spec.name]) for spec in baseline.outputs]
    inputs = [InputFinding(spec.name, _kind(spec), spec.shape[1:]) for spec in baseline.inputs]
    lines = [
        *_input_lines(baseline.model),
        *(_line(output, by_output[output.name]) for output in outputs),
        *notes,
    ]
    return ProbedPair(PairFindings(inputs, outputs), lines)


def _input_lines(model: Model) -> Iterator[str]:
    """Yield one line an input, as callers send it."""
    layout = model.layout if isinstance(model, RowsFirstModel) else None
    for spec in layout.declared if layout else model.inputs:
        axis = layout.axes[spec.name] if layout else 0
        where = ": shared by the rows" if axis is None else f": rows on axis {axis}" if axis else ""
        yield f"{spec.name} {spec.datatype}{list(spec.shape)}{where}"


def _kind(spec: TensorSpec) -> str:
    return dtype_of(spec.datatype).kind


def _output(spec: TensorSpec, kept: Sequence[Tensors], found: Mapping[Role, RowFinding]) -> OutputFinding:
    """The finding about an output, from the baseline's runs of one row."""
    seen = [answer[spec.name] for answer in kept]
    axis = found[Role.BASELINE].axis
    has_row = seen[0].ndim > 0 and seen[0].shape[0] == 1
    sides = seen[0].shape[1:] if has_row else seen[0].shape
    numbers = [each.astype(np.float64) for each in seen if each.dtype.kind == "f" and each.size]
    finite = [each for each in numbers if np.isfinite(each).all()]
    return OutputFinding(
        name=spec.name,
        kind=_kind(spec),
        sides=sides,
        declared=spec.shape[1:] if has_row and len(spec.shape) == len(sides) + 1 else sides,
        ranges={role: each.scale.range for role, each in found.items() if each.scale},
        low=min((float(each.min()) for each in finite), default=0.0),
        high=max((float(each.max()) for each in finite), default=0.0),
        tolerance=_tolerance(found[Role.BASELINE]),
        lead=_lead(finite) if len(sides) > 1 else 0.0,
        is_by_rows=axis == 0 or (axis is None and has_row),
    )


def _tolerance(found: RowFinding) -> float:
    """The least tolerance of a regression: above the baseline's difference from itself."""
    if found.scale is None:
        return 0.0
    return OwnNoise(found.noise, max(abs(found.scale.low), abs(found.scale.high)), "").tolerance


def _lead(outputs: Sequence[Floats]) -> float:
    """The largest share of places that one index of the last axis wins."""
    winners = [each.argmax(axis=-1).ravel() for each in outputs if each.shape[-1] > 1]
    if not winners:
        return 0.0
    counts = np.bincount(np.concatenate(winners))
    return float(counts.max() / counts.sum())


def _line(output: OutputFinding, found: Mapping[Role, RowFinding]) -> str:
    """One line about an output: its range, and whether requests that decide by it can share a run."""
    shown = [str(output)]
    if output.range:
        shown.append(output.range.value)
    elif output.kind == "f":
        shown.append(f"from {output.low:.3g} to {output.high:.3g}")
    apart = next((f"{role}: {each.reason}" for role, each in found.items() if each.proof is not Proof.PROVEN), "")
    return f"{': '.join(shown)}; {f'requests apart ({apart})' if apart else 'requests share runs'}"
