"""Many samples as columns: what they share stands once, the rows of their tensors lie one below the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress
from typing import Any, Self

import numpy as np

from tightrope.monitors.records import Bools, Floats, Ints, Role, Sample, Tensors, layout

COLUMNS = ("rows", "time", "served_by_baseline", "draw", "inclusion", "seconds")
"""What has one entry a sample, in an array."""


@dataclass(frozen=True, slots=True)
class Samples:
    """n samples of one kind, with R rows together: the fields are those of `Sample`.

    ``rows`` (n,) says how many rows each sample has: the first so many of ``member`` (R, scopes) and of every tensor
    (R, …) are those of the first sample, and so on. The other columns have length n; ``served_by_baseline`` is False
    where the compressed model answered.
    """

    model: str
    baseline_digest: str
    compressed_digest: str
    scopes: tuple[str, ...]
    request_id: tuple[str, ...]
    rows: Ints
    time: Floats
    served_by_baseline: Bools
    draw: Floats
    inclusion: Floats
    seconds: Floats
    member: Bools
    inputs: Tensors
    outputs: Tensors

    def __len__(self) -> int:
        return len(self.request_id)

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Self:
        """Samples of one kind, at least one, each with as many rows in every tensor as in ``member``."""
        first, baseline = samples[0], Role.BASELINE
        return cls(
            model=first.model,
            baseline_digest=first.baseline_digest,
            compressed_digest=first.compressed_digest,
            scopes=first.scopes,
            request_id=tuple([sample.request_id for sample in samples]),
            rows=np.array([len(sample.member) for sample in samples], np.int64),
            time=np.array([sample.time for sample in samples], np.float64),
            served_by_baseline=np.array([sample.served_by is baseline for sample in samples], np.bool_),
            draw=np.array([sample.draw for sample in samples], np.float64),
            inclusion=np.array([sample.inclusion for sample in samples], np.float64),
            seconds=np.array([sample.seconds for sample in samples], np.float64),
            member=np.concatenate([sample.member for sample in samples]),
            inputs=below([sample.inputs for sample in samples]),
            outputs=below([sample.outputs for sample in samples]),
        )

    @classmethod
    def joined(cls, parts: "Sequence[Sample | Samples]") -> "Samples":
        """Samples of one kind, at least one, in their order."""
        alone = [part for part in parts if isinstance(part, Sample)]
        if len(alone) == len(parts):
            return cls.of(alone)
        chunks = [part if isinstance(part, Samples) else Samples.of([part]) for part in parts]
        if len(chunks) == 1:
            return chunks[0]
        return replace(
            chunks[0],
            request_id=tuple(chain.from_iterable(chunk.request_id for chunk in chunks)),
            inputs=below([chunk.inputs for chunk in chunks]),
            outputs=below([chunk.outputs for chunk in chunks]),
            **_columns(chunks),
        )

    @property
    def kind(self) -> tuple[object, ...]:
        """What samples must share to be compared in one batch."""
        return self.model, self.baseline_digest, self.compressed_digest, self.scopes

    def take(self, chosen: Bools) -> Self:
        """Only some of the samples, in order."""
        if chosen.all():
            return self
        at = np.repeat(chosen, self.rows)
        return replace(
            self,
            request_id=tuple(compress(self.request_id, chosen)),
            member=self.member[at],
            inputs={name: tensor[at] for name, tensor in self.inputs.items()},
            outputs={name: tensor[at] for name, tensor in self.outputs.items()},
            **{name: getattr(self, name)[chosen] for name in COLUMNS},
        )


def kind_of(of: Sample | Samples) -> tuple[object, ...]:
    """What samples must share to travel in one record: model, artefacts, scopes, and how their tensors look."""
    shared = of.model, of.baseline_digest, of.compressed_digest, of.scopes
    return *shared, layout(of.inputs), layout(of.outputs)


def _columns(chunks: Sequence[Samples]) -> dict[str, Any]:
    return {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in (*COLUMNS, "member")}


def below(parts: Sequence[Tensors]) -> Tensors:
    """Tensors of one layout, one below the other."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([tensors[name] for tensors in parts]) for name in parts[0]}
