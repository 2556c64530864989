"""The probe of one model: the findings about its rows, and the scale of each of its outputs.

How it works: the runs of `row_probe` are recorded. The inputs of its first run of one row show what runs; further rows
are drawn like them, each alone, until enough are finite.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tightrope.monitors.records import Floats, Role, Tensors
from tightrope.service.adapters.ports import Model, RunFailedError, UnreachableError
from tightrope.service.inference.batchability import Findings
from tightrope.service.inference.row_probe import MAX_PROBE_SECONDS, SCALES, probe_rows
from tightrope.service.inference.scales.learnt_scale import MIN_ROWS, LearntScale, learn_scale, row_of
from tightrope.service.protocol.tensors import Tensor, TensorSpec, dtype_of

log = logging.getLogger(__name__)

MAX_SCALE_ROWS = 3 * MIN_ROWS
"""Rows tried before the scale of an output is not known."""


@dataclass
class _RecordedModel:
    """A model whose runs are passed on; ``sample`` is the inputs of the first one that succeeded."""

    model: Model
    sample: Tensors | None = None
    digest: str = field(init=False)
    inputs: tuple[TensorSpec, ...] = field(init=False)
    outputs: tuple[TensorSpec, ...] = field(init=False)
    shared: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.digest, self.inputs, self.outputs = self.model.digest, self.model.inputs, self.model.outputs
        self.shared = frozenset(getattr(self.model, "shared", ()))

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Run the model."""
        answer = self.model.run(inputs, outputs)
        if self.sample is None:
            self.sample = inputs
        return answer


def probe_role(_: Role, model: Model, outputs: Sequence[str]) -> Findings:
    """Probe the model of a role in this process."""
    return probe_model(model, outputs)


def probe_model(model: Model, outputs: Sequence[str]) -> Findings:
    """Find out which of these outputs are by rows, and the scale of each. Never raises."""
    recorded, deadline = _RecordedModel(model), time.perf_counter() + MAX_PROBE_SECONDS
    findings = probe_rows(recorded, outputs)
    try:
        scales = _scales(recorded, outputs, deadline)
    except UnreachableError:
        return findings
    except Exception:
        log.exception("the scale of a model's outputs cannot be learnt")
        return findings
    return {name: replace(finding, scale=scales.get(name)) for name, finding in findings.items()}


def _scales(recorded: _RecordedModel, outputs: Sequence[str], deadline: float) -> Mapping[str, LearntScale | None]:
    """The scale of each output, from rows that are run one by one.

    Raises:
        UnreachableError: when the model is away, or a run takes too long.
    """
    numbers = {spec.name for spec in recorded.outputs if dtype_of(spec.datatype).kind == "f"}
    found: dict[str, list[Floats]] = {name: [] for name in outputs if name in numbers}
    for inputs in _rows(recorded):
        if time.perf_counter() > deadline:
            break
        try:
            answer = recorded.model.run(inputs, outputs)
        except UnreachableError:
            raise
        except RunFailedError:
            continue
        for name, rows in found.items():
            if (row := row_of(answer[name])) is not None:
                rows.append(row)
        if all(len(rows) >= MIN_ROWS for rows in found.values()):
            break
    return {name: learn_scale(rows) for name, rows in found.items()}


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
