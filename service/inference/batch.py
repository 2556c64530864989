"""Requests that share one run of a model, and the execution of such a batch.

How it works: `RequestBatch` concatenates the rows of its requests. `BatchExecution` accompanies a batch through the
engine: after every run, `assign` reads the outputs and gives each request its `RowSlice` of them; a later run, such as
an escalation, replaces the slices of the requests that it covers. `responses` then builds one response a request.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Protocol, Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tightrope.monitors.answer_summary import AnswerSummary, summarize
from tightrope.monitors.compare import MATRIX_DIMENSIONS, drop_single_sides
from tightrope.monitors.cost.shares import RunCost
from tightrope.monitors.intake.sample_batch import concatenate_tensors
from tightrope.monitors.records import Bools, Fault, Ints, Role, Tensors
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.runs.model_run import (
    ANOTHER_SHAPE,
    ModelRun,
    UnreadableError,
    UnsplittableError,
    read_by_kind,
)
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.protocol.rest import InferRequest, InferResponse, Scalar


class BatchItem(Protocol):
    """A decoded request with its number of rows, received whole at ``arrived`` (`time.perf_counter`; None: unknown)."""

    @property
    def request(self) -> InferRequest:
        """The decoded request."""

    @property
    def rows(self) -> int:
        """Rows of each of its inputs."""

    @property
    def arrived(self) -> float | None:
        """Seconds of `time.perf_counter`."""


class RowSlice(Struct, frozen=True):
    """One request's rows of a run: ``start`` up to ``stop``."""

    run: ModelRun
    start: int
    stop: int

    @property
    def fault(self) -> str:
        """The reason why the answer cannot be read, as a lower-case `Fault` or `ANOTHER_SHAPE`; empty if it can."""
        worst = 0 if self.run.is_readable else max(self.run.summary.fault[self.start : self.stop])
        return "" if not worst else ANOTHER_SHAPE if self.run.misfit else Fault(worst).name.lower()

    @property
    def is_refused(self) -> bool:
        """Whether any row is refused."""
        return True in self.run.summary.refused[self.start : self.stop]

    @property
    def uncertainty(self) -> float:
        """The highest uncertainty of the rows; 0 where the decision has none."""
        return max(self.run.summary.uncertainty[self.start : self.stop], default=0.0)

    def outputs(self, names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        """The named outputs of these rows."""
        whole = self.run.outputs
        if self.start == 0 and self.stop == len(self.run.summary.fault):
            return whole if len(names) == len(whole) else {name: whole[name] for name in names}
        if self.run.axes:
            return {name: self._cut(whole[name], self.run.axes.get(name, 0)) for name in names}
        return {name: whole[name][self.start : self.stop] for name in names}

    def _cut(self, output: NDArray[Any], axis: int) -> NDArray[Any]:
        """These rows of an output whose rows are on this axis."""
        return output[(slice(None),) * axis + (slice(self.start, self.stop),)]


class RequestBatch(Struct, eq=False):
    """n requests with R rows in all; ``ends`` are the rows' end indices, one a request. Subgroup membership is computed
    when it is first needed.
    """

    subgroups: Subgroups
    requests: Sequence[InferRequest]
    inputs: Tensors
    ends: Sequence[int]
    computed_member: Bools | None = None

    @classmethod
    def from_items(cls, pair: ModelPair, items: Sequence[BatchItem]) -> Self:
        """Concatenate requests.

        Raises:
            CallerError: when an input is too narrow for a subgroup, or a request lacks a value that it must have.
        """
        requests = [item.request for item in items]
        inputs, ends = requests[0].inputs, [items[0].rows]
        if len(items) > 1:
            ends = list(accumulate([item.rows for item in items]))
            inputs = {name: np.concatenate([request.inputs[name] for request in requests]) for name in inputs}
        batch = cls(pair.subgroups, requests, inputs, ends)
        if pair.has_free_width or pair.subgroups.refusing:  # an input of any width may be too narrow
            pair.subgroups.check(batch.member, [request.parameters for request in requests], ends)
        return batch

    @classmethod
    def concatenate(cls, batches: "Sequence[RequestBatch]") -> "RequestBatch":
        """Join at least one batch of one pair.

        Raises:
            ValueError: when they differ in width.
        """
        if len(batches) == 1:
            return batches[0]
        requests = [request for batch in batches for request in batch.requests]
        ends = list(accumulate([size for batch in batches for size in batch.sizes]))
        members = [batch.computed_member for batch in batches if batch.computed_member is not None]
        member = np.concatenate(members) if len(members) == len(batches) else None
        inputs = concatenate_tensors([batch.inputs for batch in batches])
        return cls(batches[0].subgroups, requests, inputs, ends, member)

    @property
    def member(self) -> Bools:
        """Subgroup membership of each row, shape (R, scopes)."""
        if self.computed_member is None:
            parameters = [one.parameters for one in self.requests]
            self.computed_member = self.subgroups.members(self.inputs, parameters, self.ends)
        return self.computed_member

    @property
    def nbytes(self) -> int:
        """Bytes of all inputs."""
        size = 0
        for tensor in self.inputs.values():
            size += tensor.nbytes
        return size

    @property
    def sizes(self) -> Sequence[int]:
        """Rows of each request."""
        if len(self.ends) == 1:
            return self.ends
        return [end - start for start, end in zip((0, *self.ends), self.ends, strict=False)]

    def start(self, index: int) -> int:
        """Index of a request's first row."""
        return self.ends[index - 1] if index else 0

    def select(self, indices: Sequence[int]) -> "RequestBatch":
        """The batch of the requests with these indices, in their order."""
        if len(indices) == len(self.requests):
            return self
        if self.ends[-1] == len(self.ends):  # each has one row
            rows, ends = np.array(indices), list(range(1, len(indices) + 1))
        else:
            rows = row_indices([(self.start(index), self.ends[index]) for index in indices])
            sizes = self.sizes
            ends = list(accumulate([sizes[index] for index in indices]))
        inputs = {name: tensor[rows] for name, tensor in self.inputs.items()}
        requests = [self.requests[index] for index in indices]
        member = None if self.computed_member is None else self.computed_member[rows]
        return RequestBatch(self.subgroups, requests, inputs, ends, member)


class BatchExecution(Struct, eq=False):
    """A batch on its way through the engine: each request's id, the role that it is routed to, its slice of a run, and
    extra response parameters. ``runs`` lists all runs with their rows; ``answered_at`` is in seconds since the epoch;
    ``avoids_stuck``: no model with a stuck run is tried, because one of these requests is in such a run. ``costs`` are
    those of all runs, failed ones too.
    """

    pair: ModelPair
    batch: RequestBatch
    ids: Sequence[str]
    routed: Sequence[Role]
    runs: list[tuple[int, ModelRun]] = []
    slices: dict[int, RowSlice] = {}
    parameters: dict[int, dict[str, Scalar]] = {}
    answered_at: float = 0.0
    avoids_stuck: bool = False
    costs: list[RunCost] = []

    def assign(
        self, indices: Sequence[int], part: RequestBatch, role: Role, outputs: Tensors, seconds: float
    ) -> Sequence[int]:
        """Read what a role's model gave for ``part``, the batch of these requests, and make it their answer; returns
        those whose answer cannot be read.

        Raises:
            UnsplittableError: when an output has not one row for each row of several requests.
        """
        pair, rows = self.pair, part.ends[-1]
        if len(indices) > 1:
            _require_rows(outputs, rows, pair.batchability.axes)
        run = _read(pair, role, outputs, rows, seconds, part.inputs)
        self.runs.append((rows, run))
        start = 0
        for index, end in zip(indices, part.ends, strict=True):
            self.slices[index] = RowSlice(run, start, end)
            start = end
        return () if run.is_readable else [index for index in indices if self.slices[index].fault]

    def annotate(self, index: int, **parameters: Scalar) -> None:
        """Add parameters to a request's response."""
        self.parameters.setdefault(index, {}).update(parameters)

    def responses(self) -> Sequence[InferResponse]:
        """The response to each request; ``parameters`` are flat, as the protocol requires."""
        pair, responses = self.pair, []
        for index, request in enumerate(self.batch.requests):
            rows = self.slices[index]
            parameters = self._response_parameters(index, rows)
            names = [output.name for output in request.outputs] if request.outputs else pair.output_names
            if parameters["refused"] and pair.action == "abstain":
                names = []
            responses.append(InferResponse(pair.name, pair.version, self.ids[index], parameters, rows.outputs(names)))
        return responses

    def _response_parameters(self, index: int, rows: RowSlice) -> dict[str, Scalar]:
        """How the answer came about: of several rows the least certain one counts."""
        run, summary, start, stop = rows.run, rows.run.summary, rows.start, rows.stop
        refused = summary.refused[start:stop]
        parameters: dict[str, Scalar] = {
            "served_by": str(run.role),
            "model_digest": self.pair.models[run.role].digest,
            "safe_mode": self.routed[index] is Role.BASELINE,
            "refused": True in refused,
        }
        if self.parameters:
            parameters |= self.parameters.get(index, {})
        if not run.is_readable and (fault := rows.fault):
            parameters |= {"monitored": False, "fault": fault}
        elif summary.confidence:
            parameters["confidence"] = min(summary.confidence[start:stop])
            parameters["uncertainty"] = max(summary.uncertainty[start:stop])
        if parameters["refused"] and stop - start > 1:
            parameters["refused_rows"] = ",".join(str(row) for row, is_refused in enumerate(refused) if is_refused)
        return parameters


def _require_rows(outputs: Tensors, rows: int, axes: Mapping[str, int]) -> None:
    """Refuse to cut an output whose axis of rows, 0 unless ``axes`` has another one, does not have their length.

    Raises:
        UnsplittableError: naming it.
    """
    for name, tensor in outputs.items():
        axis = axes.get(name, 0) if axes else 0
        if tensor.ndim <= axis or tensor.shape[axis] != rows:
            raise UnsplittableError(f"output {name!r} has shape {list(tensor.shape)} for {rows} rows")


def _read(pair: ModelPair, role: Role, outputs: Tensors, rows: int, seconds: float, inputs: Tensors) -> ModelRun:
    """Read a run; an output of another shape is a fault of every row."""
    if pair.kind is not None:
        return read_by_kind(pair, pair.kind, role, outputs, rows, seconds, inputs)
    try:
        decision = decision_output(pair, outputs, rows)
    except UnreadableError as error:
        summary = AnswerSummary([Fault.OUT_OF_RANGE] * rows, [0.0] * rows, [1.0] * rows, [False] * rows)
        unread, misfit = np.full(rows, np.nan, np.float32), str(error)
        axes = pair.batchability.axes
        return ModelRun(role, outputs, unread, summary, seconds, inputs, is_readable=False, misfit=misfit, axes=axes)
    summary, axes = summarize(decision, pair.decision, role), pair.batchability.axes
    return ModelRun(role, outputs, decision, summary, seconds, inputs, not any(summary.fault), axes=axes)


def decision_output(pair: ModelPair, outputs: Tensors, rows: int) -> NDArray[Any]:
    """The output that decides.

    Raises:
        UnreadableError: unless it has this many rows of numbers.
    """
    output = outputs[pair.output]
    if output.ndim > MATRIX_DIMENSIONS:
        output = drop_single_sides(output)
    if output.dtype.kind != "f" or not 1 <= output.ndim <= MATRIX_DIMENSIONS or len(output) != rows or not output.size:
        raise UnreadableError(f"{pair.output}: {output.dtype} of shape {output.shape} for {rows} rows")
    return output


def row_indices(spans: Sequence[tuple[int, int]]) -> Ints:
    """The indices of the rows in these (start, stop) spans."""
    if all(stop - start == 1 for start, stop in spans):
        return np.array([start for start, _ in spans])
    return np.concatenate([np.arange(start, stop) for start, stop in spans])
