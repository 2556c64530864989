"""The probe of one model: the findings about its rows, and the scale of each of its outputs.

How it works: the runs of `row_probe` are recorded. The inputs of its first run of one row show what runs; further rows
are drawn like them, each alone, until enough are finite.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tightrope.monitors.records import Floats, Role, Tensors
from tightrope.service.adapters.ports import Model, RunFailedError, UnreachableError
from tightrope.service.inference.batchability import Findings
from tightrope.service.inference.row_axes.row_layout import RowLayout
from tightrope.service.inference.row_probe import FIXED_ROWS, SCALES, USUAL_PROBE, ProbeOptions, probe_rows
from tightrope.service.inference.scales.learnt_scale import MIN_ROWS, LearntScale, learn_scale, row_of
from tightrope.service.protocol.tensors import Shape, Tensor, TensorSpec, dtype_of

log = logging.getLogger(__name__)

MAX_SCALE_ROWS = 3 * MIN_ROWS
"""Rows tried before the scale of an output is not known."""


@dataclass
class _RecordedModel:
    """A model whose runs are passed on; ``sample`` is the inputs of the first one that succeeded, ``error`` that of the
    last one that failed.
    """

    model: Model
    sample: Tensors | None = None
    error: str = ""
    digest: str = field(init=False)
    inputs: tuple[TensorSpec, ...] = field(init=False)
    outputs: tuple[TensorSpec, ...] = field(init=False)
    shared: frozenset[str] = field(init=False)
    layout: RowLayout | None = field(init=False)

    def __post_init__(self) -> None:
        self.layout = getattr(self.model, "layout", None)
        self.digest, self.inputs, self.outputs = self.model.digest, self.model.inputs, self.model.outputs
        self.shared = frozenset(getattr(self.model, "shared", ()))

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Run the model."""
        try:
            answer = self.model.run(inputs, outputs)
        except RunFailedError as error:
            self.error = "" if isinstance(error, UnreachableError) else str(error)
            raise
        if self.sample is None:
            self.sample = inputs
        return answer


def probe_role(_: Role, model: Model, outputs: Sequence[str], options: ProbeOptions) -> Findings:
    """Probe the model of a role in this process."""
    return probe_model(model, outputs, options)


def probe_model(model: Model, outputs: Sequence[str], options: ProbeOptions = USUAL_PROBE) -> Findings:
    """Find out which of these outputs are by rows, and the scale of each. Never raises."""
    recorded, deadline = _RecordedModel(model), time.perf_counter() + options.seconds
    findings = probe_rows(recorded, outputs, options)
    try:
        rows = options.given.rows(recorded.layout) if options.given else _rows(recorded)
        learnt = _run_rows(recorded, outputs, deadline, rows)
    except UnreachableError:
        return findings
    except Exception:
        log.exception("the scale of a model's outputs cannot be learnt")
        return findings
    # A model with a fixed number of rows runs for its scale only, so its error is told here.
    is_known = recorded.sample is None and time.perf_counter() <= deadline
    errors = {FIXED_ROWS: recorded.error} if is_known else {}
    return {
        name: replace(
            finding,
            scale=learnt.scale(name),
            error=finding.error or errors.get(finding.reason, ""),
            entries=learnt.entries.get(name) if finding.axis is None else None,
            varies=learnt.varies(name),
        )
        for name, finding in findings.items()
    }


@dataclass
class _LearntRows:
    """The rows of outputs: numbers by output, the shapes that equal inputs got, and the length of each output that had
    not one entry a row in every run.
    """

    numbers: dict[str, list[Floats]]
    shapes: dict[str, set[tuple[object, Shape]]] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)

    def scale(self, name: str) -> LearntScale | None:
        """The scale of an output; None where it is not known, or holds no numbers."""
        return learn_scale(self.numbers.get(name, ()))

    def varies(self, name: str) -> bool:
        """Whether rows of equal shapes got this output in several shapes."""
        shapes = self.shapes.get(name, set())
        return len(shapes) > len({given for given, _ in shapes})


def _run_rows(
    recorded: _RecordedModel, outputs: Sequence[str], deadline: float, rows_to_run: Iterable[Tensors]
) -> _LearntRows:
    """Run rows one by one.

    Raises:
        UnreachableError: when the model is away, or a run takes too long.
    """
    numbers = {spec.name for spec in recorded.outputs if dtype_of(spec.datatype).kind == "f"}
    found = _LearntRows({name: [] for name in outputs if name in numbers})
    for inputs in rows_to_run:
        if time.perf_counter() > deadline:
            break
        try:
            answer = recorded.run(inputs, outputs)
        except UnreachableError:
            raise
        except RunFailedError:
            continue
        given = _row_count(recorded, inputs)
        shapes = tuple(sorted((name, tensor.shape) for name, tensor in inputs.items()))
        for name in outputs:
            found.shapes.setdefault(name, set()).add((shapes, answer[name].shape))
            if answer[name].shape[:1] not in {(), (given,)}:
                found.entries[name] = len(answer[name])
        for name, rows in found.numbers.items():
            if (row := row_of(answer[name])) is not None:
                rows.append(row)
        if all(len(rows) >= MIN_ROWS for rows in found.numbers.values()):
            break
    return found


def _row_count(recorded: _RecordedModel, inputs: Tensors) -> int | None:
    """The rows of these inputs; None where all rows share every input."""
    return next((len(tensor) for name, tensor in inputs.items() if tensor.ndim and name not in recorded.shared), None)


def _rows(recorded: _RecordedModel) -> Iterator[Tensors]:
    """Rows to run: the one that ran, and others like it. Without one, a model whose sides are all fixed shows what it
    takes.
    """
    sample = recorded.sample
    if sample is None:
        if any(min(spec.shape, default=1) < 1 for spec in recorded.inputs):
            return
        sample = {spec.name: _blank(spec) for spec in recorded.inputs}
    random = np.random.default_rng(11)
    yield sample
    for number in range(1, MAX_SCALE_ROWS):
        scale = SCALES[number % len(SCALES)]
        yield {name: _like(tensor, name, scale, random) for name, tensor in sample.items()}


def _blank(spec: TensorSpec) -> Tensor:
    dtype = dtype_of(spec.datatype)
    return np.full(spec.shape, "a" if dtype.kind == "O" else 1, dtype)


def _like(tensor: Tensor, name: str, scale: float, random: np.random.Generator) -> Tensor:
    """Another tensor like one that ran: integers and strings are drawn from its own, as they may be indices."""
    if "mask" in name:
        return tensor
    if tensor.dtype.kind == "f":
        return np.asarray(random.normal(0.0, scale, tensor.shape)).astype(tensor.dtype)
    if tensor.dtype == np.uint8:  # an image, most likely
        return random.integers(0, 256, tensor.shape).astype(tensor.dtype)
    if tensor.dtype.kind == "b":
        return random.integers(0, 2, tensor.shape).astype(tensor.dtype)
    if tensor.dtype.kind in "iu" and tensor.size:
        return random.integers(0, int(tensor.max()) + 1, tensor.shape).astype(tensor.dtype)
    return tensor
