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
from tightrope.monitors.records import Bools, Fault, Ints, Role, Tensors
from tightrope.monitors.sample_batch import concatenate_tensors
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.errors import CallerError
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.monitor_plan import MATRIX_DIMENSIONS
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.protocol.rest import InferRequest, InferResponse, Scalar


class UnreadableError(RunFailedError):
    """A model's outputs cannot be an answer: not one row of numbers for each row of the inputs."""


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


class ModelRun(Struct, frozen=True):
    """One run of a role's model over all rows of a batch: its outputs, their summary, and the seconds it took."""

    role: Role
    outputs: Tensors
    summary: AnswerSummary
    seconds: float


class RowSlice(Struct, frozen=True):
    """One request's rows of a run: ``start`` up to ``stop``."""

    run: ModelRun
    start: int
    stop: int

    @property
    def is_refused(self) -> bool:
        """Whether any row is refused."""
        return True in self.run.summary.refused[self.start : self.stop]

    @property
    def uncertainty(self) -> float:
        """The highest uncertainty of the rows."""
        return max(self.run.summary.uncertainty[self.start : self.stop])

    def outputs(self, names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        """The named outputs of these rows."""
        whole = self.run.outputs
        if self.start == 0 and self.stop == len(self.run.summary.fault):
            return whole if len(names) == len(whole) else {name: whole[name] for name in names}
        return {name: whole[name][self.start : self.stop] for name in names}


class RequestBatch(Struct, eq=False):
    """n requests with R rows in all; ``ends`` are the rows' end indices, one a request. Subgroup membership is computed
    when it is first needed.
    """

    subgroups: Subgroups
    requests: Sequence[InferRequest]
    inputs: Tensors
    ends: Sequence[int]
    _member: Bools | None = None

    @classmethod
    def from_items(cls, pair: ModelPair, items: Sequence[BatchItem]) -> Self:
        """Concatenate requests.

        Raises:
            CallerError: when an input is too narrow for a subgroup.
        """
        requests = [item.request for item in items]
        inputs, ends = requests[0].inputs, [items[0].rows]
        if len(items) > 1:
            ends = list(accumulate([item.rows for item in items]))
            inputs = {name: np.concatenate([request.inputs[name] for request in requests]) for name in inputs}
        batch = cls(pair.subgroups, requests, inputs, ends)
        if pair.has_free_width:
            batch.member  # noqa: B018 - computed now: an input of any width may be too narrow
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
        return cls(batches[0].subgroups, requests, concatenate_tensors([batch.inputs for batch in batches]), ends)

    @property
    def member(self) -> Bools:
        """Subgroup membership of each row, shape (R, scopes)."""
        if self._member is None:
            self._member = self.subgroups.members(self.inputs, [one.parameters for one in self.requests], self.ends)
        return self._member

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
        rows = row_indices([(self.start(index), self.ends[index]) for index in indices])
        inputs = {name: tensor[rows] for name, tensor in self.inputs.items()}
        sizes = self.sizes
        requests, ends = [self.requests[i] for i in indices], list(accumulate([sizes[i] for i in indices]))
        member = None if self._member is None else self._member[rows]
        return RequestBatch(self.subgroups, requests, inputs, ends, member)


class BatchExecution(Struct, eq=False):
    """A batch on its way through the engine: each request's id, the role that it is routed to, its slice of a run, and
    extra response parameters. ``runs`` lists all runs with their rows; ``answered_at`` is in seconds since the epoch.
    """

    pair: ModelPair
    batch: RequestBatch
    ids: Sequence[str]
    routed: Sequence[Role]
    runs: list[tuple[int, ModelRun]] = []
    slices: dict[int, RowSlice] = {}
    parameters: dict[int, dict[str, Scalar]] = {}
    answered_at: float = 0.0

    def assign(self, indices: Sequence[int], part: RequestBatch, role: Role, outputs: Tensors, seconds: float) -> None:
        """Read what a role's model gave for ``part``, the batch of these requests, and make it their answer.

        Raises:
            UnreadableError: when the outputs cannot be an answer.
        """
        pair, rows = self.pair, part.ends[-1]
        summary = summarize(decision_output(pair, outputs, rows), pair.decision, role)
        if any(summary.fault):
            raise UnreadableError(f"{pair.output}: {Fault(max(summary.fault)).name.lower()}")
        if len(indices) > 1 and any(not tensor.ndim or len(tensor) != rows for tensor in outputs.values()):
            raise UnreadableError("an output has not one row for each row asked")
        run = ModelRun(role, outputs, summary, seconds)
        self.runs.append((rows, run))
        start = 0
        for index, end in zip(indices, part.ends, strict=True):
            self.slices[index] = RowSlice(run, start, end)
            start = end

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
        summary, span = rows.run.summary, slice(rows.start, rows.stop)
        parameters: dict[str, Scalar] = {
            "served_by": str(rows.run.role),
            "model_digest": self.pair.models[rows.run.role].digest,
            "safe_mode": self.routed[index] is Role.BASELINE,
            "refused": rows.is_refused,
        }
        if self.parameters:
            parameters |= self.parameters.get(index, {})
        if summary.confidence:
            parameters["confidence"] = min(summary.confidence[span])
            parameters["uncertainty"] = rows.uncertainty
        if parameters["refused"] and rows.stop - rows.start > 1:
            refused = summary.refused[span]
            parameters["refused_rows"] = ",".join(str(row) for row, is_refused in enumerate(refused) if is_refused)
        return parameters


def decision_output(pair: ModelPair, outputs: Tensors, rows: int) -> NDArray[Any]:
    """The output that decides.

    Raises:
        UnreadableError: unless it has this many rows of numbers.
    """
    output = outputs[pair.output]
    if output.dtype.kind != "f" or not 1 <= output.ndim <= MATRIX_DIMENSIONS or len(output) != rows or not output.size:
        raise UnreadableError(f"{pair.output}: {output.dtype} of shape {output.shape} for {rows} rows")
    return output


def row_indices(spans: Sequence[tuple[int, int]]) -> Ints:
    """The indices of the rows in these (start, stop) spans."""
    starts, stops = np.array(spans).T
    if (stops - starts == 1).all():
        return np.asarray(starts)
    return np.concatenate([np.arange(start, stop) for start, stop in spans])


def row_count(request: InferRequest) -> int:
    """The rows of a request: the first dimension, which its inputs have in common.

    Raises:
        CallerError: when the inputs differ in rows.
    """
    if len(request.inputs) == 1:
        return len(next(iter(request.inputs.values())))
    counts = {name: len(tensor) for name, tensor in request.inputs.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name!r} has {count}" for name, count in counts.items())
        raise CallerError(f"inputs: all must have the same number of rows, but {listed}")
    return next(iter(counts.values()))
