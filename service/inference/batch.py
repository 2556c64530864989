"""Requests that one run of a model answers together, and each one's part of what it said.

The rows of all requests stand one below the other. Whatever cannot be put together is answered alone; so is every
request of a batch that failed, and then only the one that made it fail fails.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tightrope.monitors.answer_summary import Glance
from tightrope.monitors.records import Bools, Ints, Role, Tensors
from tightrope.monitors.sample_batch import below
from tightrope.service.errors import CallerError
from tightrope.service.inference.model_pair import Pair
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.protocol.rest import InferRequest, InferResponse, Scalar


class Run(Struct, frozen=True):
    """What a role said to all rows of a batch, how it reads, and how long it took."""

    role: Role
    outputs: Tensors
    said: Glance
    seconds: float


class Part(Struct, frozen=True):
    """One request's rows of a run: those from ``start``, up to ``stop``."""

    run: Run
    start: int
    stop: int

    @property
    def unsure(self) -> bool:
        """Whether any row is refused."""
        return True in self.run.said.refused[self.start : self.stop]

    @property
    def confidence(self) -> float:
        """The lowest: of several rows the least certain speaks."""
        return min(self.run.said.confidence[self.start : self.stop])

    @property
    def uncertainty(self) -> float:
        """The highest, as above."""
        return max(self.run.said.uncertainty[self.start : self.stop])

    def outputs(self, names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        """These outputs of these rows."""
        whole = self.run.outputs
        if self.start == 0 and self.stop == len(self.run.said.fault):
            return whole if len(names) == len(whole) else {name: whole[name] for name in names}
        return {name: whole[name][self.start : self.stop] for name in names}


class Batch(Struct, eq=False):
    """n requests with R rows: ``ends`` has where each one's rows end. Their subgroups are cut when somebody asks."""

    subgroups: Subgroups
    requests: Sequence[InferRequest]
    inputs: Tensors
    ends: Sequence[int]
    _member: Bools | None = None

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
        batch = cls(pair.subgroups, requests, inputs, ends)
        if pair.ragged:
            batch.member  # noqa: B018 - of any width: whether it is wide enough must be known now
        return batch

    @classmethod
    def joined(cls, batches: "Sequence[Batch]") -> "Batch":
        """Several of one pair, at least one, below each other.

        Raises:
            ValueError: when they differ in width.
        """
        if len(batches) == 1:
            return batches[0]
        requests = [request for batch in batches for request in batch.requests]
        ends = list(accumulate([size for batch in batches for size in batch.sizes]))
        return cls(batches[0].subgroups, requests, below([batch.inputs for batch in batches]), ends)

    @property
    def member(self) -> Bools:
        """Which row belongs to which subgroup, (R, scopes)."""
        if self._member is None:
            self._member = self.subgroups.members(self.inputs, [one.parameters for one in self.requests], self.ends)
        return self._member

    @property
    def rows(self) -> int:
        """R."""
        return self.ends[-1]

    @property
    def nbytes(self) -> int:
        """Of all inputs."""
        size = 0
        for tensor in self.inputs.values():
            size += tensor.nbytes
        return size

    @property
    def sizes(self) -> Sequence[int]:
        """The rows of each request."""
        if len(self.ends) == 1:
            return self.ends
        return [end - start for start, end in zip((0, *self.ends), self.ends, strict=False)]

    def start(self, place: int) -> int:
        """Where the rows of a request begin."""
        return self.ends[place - 1] if place else 0

    def part(self, places: Sequence[int]) -> "Batch":
        """Only the requests at these places."""
        if len(places) == len(self.requests):
            return self
        rows = rows_at([(self.start(place), self.ends[place]) for place in places])
        inputs = {name: tensor[rows] for name, tensor in self.inputs.items()}
        sizes = self.sizes
        requests, ends = [self.requests[at] for at in places], list(accumulate([sizes[at] for at in places]))
        return Batch(self.subgroups, requests, inputs, ends, None if self._member is None else self._member[rows])


class Asking(Struct, eq=False):
    """A batch on its way: each request's id, who should answer it, the part of a run that does, and what else is told;
    ``runs`` are all there were, with their rows.
    """

    pair: Pair
    batch: Batch
    ids: Sequence[str]
    routed: Sequence[Role]
    runs: list[tuple[int, Run]] = []
    parts: dict[int, Part] = {}
    told: dict[int, dict[str, Scalar]] = {}

    def give(self, places: Sequence[int], part: Batch, run: Run) -> None:
        """These requests are answered by this run of theirs."""
        self.runs.append((part.ends[-1], run))
        start = 0
        for place, end in zip(places, part.ends, strict=True):
            self.parts[place] = Part(run, start, end)
            start = end

    def tell(self, place: int, **told: Scalar) -> None:
        """Let a caller know how the answer came to be."""
        self.told.setdefault(place, {}).update(told)


def response_of(asking: Asking, place: int) -> InferResponse:
    """A request's answer, with flat parameters, as the protocol wants them."""
    pair, part, wanted = asking.pair, asking.parts[place], asking.batch.requests[place].outputs
    told = _told_of(asking, place, part)
    names = [output.name for output in wanted] if wanted else pair.everything
    if told["refused"] and pair.action == "abstain":
        names = []
    return InferResponse(pair.name, pair.version, asking.ids[place], told, part.outputs(names))


def _told_of(asking: Asking, place: int, part: Part) -> dict[str, Scalar]:
    """What a caller is told of how the answer came to be."""
    pair, said = asking.pair, part.run.said
    told: dict[str, Scalar] = {
        "served_by": str(part.run.role),
        "model_digest": pair.models[part.run.role].digest,
        "safe_mode": asking.routed[place] is Role.BASELINE,
        "refused": part.unsure,
    }
    if asking.told:
        told |= asking.told.get(place, {})
    if said.confidence:
        told["confidence"], told["uncertainty"] = part.confidence, part.uncertainty
    if told["refused"] and part.stop - part.start > 1:
        rows = said.refused[part.start : part.stop]
        told["refused_rows"] = ",".join(str(row) for row, unsure in enumerate(rows) if unsure)
    return told


def wanted_outputs(pair: Pair, batch: Batch) -> Sequence[str]:
    """The outputs to ask for: those that anybody wants, and the one that decides."""
    wanted: list[str] = []
    for request in batch.requests:
        if not request.outputs:  # it wants them all
            return pair.everything
        wanted += [output.name for output in request.outputs]
    return list(dict.fromkeys([*wanted, pair.output]))


def together(pair: Pair, requests: Sequence[InferRequest]) -> bool:
    """Whether these may share a run: the first dimension is free, and the others are alike."""
    if len(requests) == 1 or not (pair.free and pair.ragged):
        return len(requests) == 1 or pair.free
    first = {name: tensor.shape[1:] for name, tensor in requests[0].inputs.items()}
    return all(tensor.shape[1:] == first[name] for r in requests[1:] for name, tensor in r.inputs.items())


def rows_at(spans: Sequence[tuple[int, int]]) -> Ints:
    """The places of rows that stand from one place up to another."""
    starts, ends = np.array(spans).T
    if (ends - starts == 1).all():
        return np.asarray(starts)
    return np.concatenate([np.arange(start, end) for start, end in spans])


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
