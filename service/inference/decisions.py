"""From an answered request to a sample for the shadow: whether it is kept, and what of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Bools, Role, Sample, Tensors
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.inference.model_pair import Pair

MATRIX = 2


class UnreadableError(RunFailedError):
    """A model answered with what cannot be an answer: no row of numbers for each row asked."""


def decision_of(pair: Pair, outputs: Tensors, rows: int) -> NDArray[Any]:
    """The output that decides.

    Raises:
        UnreadableError: when it has not that many rows of numbers.
    """
    said = outputs[pair.output]
    if said.dtype.kind != "f" or not 1 <= said.ndim <= MATRIX or len(said) != rows or not said.size:
        raise UnreadableError(f"{pair.output}: {said.dtype} of shape {said.shape} for {rows} rows")
    return said


def inclusion_of(pair: Pair, member: Bools) -> float:
    """The probability with which a request is kept that has rows (rows, scopes) of these subgroups."""
    if not pair.sampler.floors:
        return pair.sampler.rate
    return pair.sampler.inclusion(pair.subgroups.scopes[index] for index in np.flatnonzero(member.any(axis=0)))


def sample_of(
    pair: Pair,
    request_id: str,
    number: float,
    role: Role,
    inputs: Tensors,
    outputs: Tensors,
    member: Bools,
    seconds: float,
    time: float,
) -> Sample | None:
    """The sample of a request, whose draw is ``number``, as ``role`` answered it; None when it is not to be kept."""
    inclusion = inclusion_of(pair, member)
    if number >= inclusion:
        return None
    return Sample(
        model=pair.name,
        request_id=request_id,
        time=time,
        served_by=role,
        baseline_digest=pair.plan.baseline_digest,
        compressed_digest=pair.plan.compressed_digest,
        inputs=inputs,
        outputs={pair.output: outputs[pair.output]},
        scopes=pair.subgroups.scopes,
        member=member,
        draw=number,
        inclusion=inclusion,
        seconds=seconds,
    )
