"""Requests that one run of a model answers together, and each one's part of what it said.

The rows of all requests stand one below the other. Whatever cannot be put together is answered alone; so is every
request of a batch that failed, and then only the one that made it fail fails.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from monitors.compare import Scale
from monitors.glance import Glance
from monitors.records import Bools, Role, Tensors
from service.errors import CallerError
from service.pair import Pair
from service.protocol import InferRequest, InferResponse, Scalar


class Run(NamedTuple):
    """What a role said to all rows of a batch, how it reads, and how long it took."""

    role: Role
    outputs: Tensors
    said: Glance
    seconds: float


class Part(NamedTuple):
    """One request's rows of a run: those from ``start``, up to ``stop``."""

    run: Run
    start: int
    stop: int

    @property
    def unsure(self) -> bool:
        """Whether any row is refused."""
        if self.stop - self.start == 1:
            return self.run.said.refused[self.start]
        return True in self.run.said.refused[self.start : self.stop]

    @property
    def confidence(self) -> float:
        """The lowest: of several rows the least certain speaks."""
        if self.stop - self.start == 1:
            return self.run.said.confidence[self.start]
        return min(self.run.said.confidence[self.start : self.stop])

    @property
    def uncertainty(self) -> float:
        """The highest, as above."""
        if self.stop - self.start == 1:
            return self.run.said.uncertainty[self.start]
        return max(self.run.said.uncertainty[self.start : self.stop])

    def outputs(self, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """These outputs of these rows."""
        whole = self.run.outputs
        if self.start == 0 and self.stop == len(self.run.said.fault):
            return {name: whole[name] for name in names}
        return {name: whole[name][self.start : self.stop] for name in names}


class Batch(NamedTuple):
    """n requests with R rows: ``ends`` has where each one's rows end, ``member`` (R, scopes) their subgroups."""

    requests: Sequence[InferRequest]
    inputs: Tensors
    ends: Sequence[int]
    member: Bools

    @classmethod
    def of(cls, pair: Pair, requests: Sequence[InferRequest]) -> Self:
        """Put requests together.

        Raises:
            CallerError: when the inputs of one differ in rows, or are too narrow for a subgroup.
        """
        inputs, ends = requests[0].inputs, [rows_of(requests[0])]
        if len(requests) > 1:
            for request in requests[1:]:
                ends.append(ends[-1] + rows_of(request))
            inputs = {name: np.concatenate([request.inputs[name] for request in requests]) for name in inputs}
        told = [request.parameters for request in requests]
        return cls(requests, inputs, ends, pair.subgroups.members(inputs, told, ends))

    @property
    def rows(self) -> int:
        """R."""
        return self.ends[-1]

    def start(self, place: int) -> int:
        """Where the rows of a request begin."""
        return self.ends[place - 1] if place else 0

    def part(self, places: Sequence[int]) -> Self:
        """Only the requests at these places."""
        if len(places) == len(self.requests):
            return self
        spans = [slice(self.start(place), self.ends[place]) for place in places]
        inputs = {name: np.concatenate([tensor[span] for span in spans]) for name, tensor in self.inputs.items()}
        ends = np.cumsum([span.stop - span.start for span in spans]).tolist()
        member = np.concatenate([self.member[span] for span in spans])
        return type(self)([self.requests[place] for place in places], inputs, ends, member)


class Asking:
    """A batch on its way: each request's id, the part of a run that answers it, and what its caller is told."""

    __slots__ = ("batch", "ids", "pair", "parts", "told")

    def __init__(self, pair: Pair, batch: Batch, ids: list[str]) -> None:
        self.pair = pair
        self.batch = batch
        self.ids = ids
        self.parts: dict[int, Part] = {}
        self.told: list[dict[str, Scalar]] = [{} for _ in ids]

    def give(self, places: Sequence[int], part: Batch, run: Run) -> None:
        """These requests are answered by this run of theirs."""
        for index, place in enumerate(places):
            self.parts[place] = Part(run, part.start(index), part.ends[index])


def response_of(asking: Asking, place: int) -> InferResponse:
    """A request's answer, with flat parameters, as the protocol wants them."""
    pair, part, wanted = asking.pair, asking.parts[place], asking.batch.requests[place].outputs
    told = _told_of(pair, part, asking.told[place])
    names = [output.name for output in wanted] if wanted else pair.everything
    if told["refused"] and pair.action == "abstain":
        names = []
    return InferResponse(pair.name, pair.version, asking.ids[place], told, part.outputs(names))


def _told_of(pair: Pair, part: Part, told: dict[str, Scalar]) -> dict[str, Scalar]:
    """What a caller is told of how the answer came to be."""
    told["served_by"] = part.run.role.value
    told["refused"] = part.unsure
    told["model_digest"] = pair.models[part.run.role].digest
    if pair.decision.scale is not Scale.REGRESSION:
        told["confidence"] = part.confidence
        told["uncertainty"] = part.uncertainty
    if told["refused"] and part.stop - part.start > 1:
        rows = part.run.said.refused[part.start : part.stop]
        told["refused_rows"] = ",".join(str(row) for row, unsure in enumerate(rows) if unsure)
    return told


def wanted_outputs(pair: Pair, batch: Batch) -> Sequence[str]:
    """The outputs to ask for: those that anybody wants, and the one that decides."""
    wanted = dict.fromkeys([output.name for request in batch.requests for output in request.outputs])
    if not wanted:
        return pair.everything
    if not all(request.outputs for request in batch.requests):
        wanted |= dict.fromkeys(pair.everything)
    return list(wanted | {pair.output: None})


def together(pair: Pair, requests: Sequence[InferRequest]) -> bool:
    """Whether these may share a run: the first dimension is free, and the others are alike."""
    if len(requests) == 1 or not (pair.free and pair.ragged):
        return len(requests) == 1 or pair.free
    first = {name: tensor.shape[1:] for name, tensor in requests[0].inputs.items()}
    return all(tensor.shape[1:] == first[name] for r in requests[1:] for name, tensor in r.inputs.items())


def rows_of(request: InferRequest) -> int:
    """The first dimension, which every input must have in common: it is the row that is sampled, compared and
    counted.
    """
    if len(request.inputs) == 1:
        return len(next(iter(request.inputs.values())))
    counts = {name: len(tensor) for name, tensor in request.inputs.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name!r} has {count}" for name, count in counts.items())
        raise CallerError(f"inputs: all must have the same number of rows, but {told}")
    return next(iter(counts.values()))
