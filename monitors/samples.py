"""Many samples as columns: what they share stands once, the rows of their tensors lie one below the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Self

import numpy as np

from monitors.records import Bools, Floats, Ints, Role, Sample, Tensors


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

    @property
    def kind(self) -> tuple[object, ...]:
        """What samples must share to be compared in one batch."""
        return self.model, self.baseline_digest, self.compressed_digest, self.scopes

    def take(self, chosen: Bools) -> Self:
        """Only some of the samples, in order."""
        if chosen.all():
            return self
        at = np.repeat(chosen, self.rows)
        columns = ("rows", "time", "served_by_baseline", "draw", "inclusion", "seconds")
        return replace(
            self,
            request_id=tuple(compress(self.request_id, chosen)),
            member=self.member[at],
            inputs={name: tensor[at] for name, tensor in self.inputs.items()},
            outputs={name: tensor[at] for name, tensor in self.outputs.items()},
            **{name: getattr(self, name)[chosen] for name in columns},
        )


def below(parts: Sequence[Tensors]) -> Tensors:
    """Tensors of one layout, one below the other."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([tensors[name] for tensors in parts]) for name in parts[0]}
