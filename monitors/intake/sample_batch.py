"""Many samples as columns: shared fields are stored once, and the rows of their tensors are concatenated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress
from typing import Any, Self

import numpy as np

from tightrope.monitors.records import (
    Bools,
    Floats,
    Hashes,
    Ints,
    Role,
    Sample,
    Tensors,
    Texts,
    unknown_column,
)

ADDED_SAMPLE_COLUMNS = ("caller", "host_class", "trace_id", "apart")
"""The columns that records of version 1 lack."""

SAMPLE_COLUMNS = ("rows", "time", "served_by_baseline", "draw", "inclusion", "seconds", *ADDED_SAMPLE_COLUMNS)
"""The fields that hold one array entry per sample."""

_LEFT_OUT_COLUMN: Any = None
"""The default of a column that may be left out."""


def tensor_layout(tensors: Tensors) -> tuple[object, ...]:
    """Names, datatypes and all sides but the first: tensors of equal layout can be concatenated along the first axis.

    >>> tensor_layout({"x": np.zeros((4, 3))}) == tensor_layout({"x": np.ones((1, 3))})
    True
    """
    return tuple([(name, tensor.dtype.num, tensor.shape[1:]) for name, tensor in tensors.items()])


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """n samples with equal `batch_key`, with R rows together; the fields are those of `Sample`.

    ``rows`` (n,) holds the number of rows of each sample: ``member`` (R, scopes) and every tensor (R, …) begin with the
    rows of the first sample, then those of the second, and so on. The other columns have length n;
    ``served_by_baseline`` is False where the compressed model answered. The columns ``caller``, ``host_class``,
    ``trace_id`` and ``apart`` may be left out.

    >>> member = np.zeros((2, 0), dtype=bool)
    >>> sample = Sample("m", "r-1", 0.0, Role.COMPRESSED, "b", "c", {}, {}, (), member, 0.1, 1.0, 0.002)
    >>> batch = SampleBatch.from_samples([sample, sample])
    >>> len(batch), batch.rows.tolist()
    (2, [2, 2])
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
    caller: Hashes = _LEFT_OUT_COLUMN
    host_class: Texts = _LEFT_OUT_COLUMN
    trace_id: Texts = _LEFT_OUT_COLUMN
    apart: Bools = _LEFT_OUT_COLUMN

    def __post_init__(self) -> None:
        """Fill the columns that were left out."""
        for name in ADDED_SAMPLE_COLUMNS:
            if getattr(self, name) is _LEFT_OUT_COLUMN:
                object.__setattr__(self, name, unknown_column(name, len(self)))

    def __len__(self) -> int:
        return len(self.request_id)

    @classmethod
    def from_samples(cls, samples: Sequence[Sample]) -> Self:
        """Build a batch from at least one sample; each has as many rows in every tensor as in ``member``."""
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
            caller=np.array([sample.caller for sample in samples], np.uint64),
            host_class=np.array([sample.host_class for sample in samples], object),
            trace_id=np.array([sample.trace_id for sample in samples], object),
            apart=np.array([sample.apart for sample in samples], np.bool_),
            member=np.concatenate([sample.member for sample in samples]),
            inputs=concatenate_tensors([sample.inputs for sample in samples]),
            outputs=concatenate_tensors([sample.outputs for sample in samples]),
        )

    @classmethod
    def concatenate(cls, parts: "Sequence[Sample | SampleBatch]") -> "SampleBatch":
        """Concatenate samples and batches with equal `batch_key`, at least one, in order."""
        alone = [part for part in parts if isinstance(part, Sample)]
        if len(alone) == len(parts):
            return cls.from_samples(alone)
        chunks = [part if isinstance(part, SampleBatch) else SampleBatch.from_samples([part]) for part in parts]
        if len(chunks) == 1:
            return chunks[0]
        return replace(
            chunks[0],
            request_id=tuple(chain.from_iterable(chunk.request_id for chunk in chunks)),
            inputs=concatenate_tensors([chunk.inputs for chunk in chunks]),
            outputs=concatenate_tensors([chunk.outputs for chunk in chunks]),
            **_columns(chunks),
        )

    @property
    def group_key(self) -> tuple[object, ...]:
        """The fields that samples must share to be compared in one batch."""
        return self.model, self.baseline_digest, self.compressed_digest, self.scopes

    def take(self, chosen: Bools) -> Self:
        """Select some of the samples by a mask (n,), in order."""
        if chosen.all():
            return self
        mask = np.repeat(chosen, self.rows)
        return replace(
            self,
            request_id=tuple(compress(self.request_id, chosen)),
            member=self.member[mask],
            inputs={name: tensor[mask] for name, tensor in self.inputs.items()},
            outputs={name: tensor[mask] for name, tensor in self.outputs.items()},
            **{name: getattr(self, name)[chosen] for name in SAMPLE_COLUMNS},
        )


def batch_key(item: Sample | SampleBatch) -> tuple[object, ...]:
    """The fields that samples must share to travel in one record: model, artefacts, scopes and tensor layouts."""
    shared = item.model, item.baseline_digest, item.compressed_digest, item.scopes
    return *shared, tensor_layout(item.inputs), tensor_layout(item.outputs)


def _columns(chunks: Sequence[SampleBatch]) -> dict[str, Any]:
    return {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in (*SAMPLE_COLUMNS, "member")}


def concatenate_tensors(parts: Sequence[Tensors]) -> Tensors:
    """Concatenate tensors of one layout along the first axis; a single part is not copied."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([tensors[name] for tensors in parts]) for name in parts[0]}
