"""Sampling decisions: whether an answered request is kept for the shadow, and as which sample."""

import numpy as np

from tightrope.monitors.compare import drop_single_sides
from tightrope.monitors.records import Bools, Role, Sample, Tensors
from tightrope.service.inference.kinds.kind_runs import sample_outputs
from tightrope.service.inference.model_pair import ModelPair


def inclusion_of(pair: ModelPair, member: Bools) -> float:
    """The probability of keeping a request whose rows have this subgroup membership, shape (rows, scopes)."""
    if not pair.sampler.floors:
        return pair.sampler.rate
    return pair.sampler.inclusion(pair.subgroups.scopes[index] for index in np.flatnonzero(member.any(axis=0)))


def sample_of(
    pair: ModelPair,
    request_id: str,
    number: float,
    role: Role,
    inputs: Tensors,
    outputs: Tensors,
    member: Bools,
    seconds: float,
    time: float,
    caller: int = 0,
) -> Sample | None:
    """The sample of a request that ``role`` answered; None when its draw, ``number``, is not below the inclusion."""
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
        outputs=carried_outputs(pair, role, inputs, outputs),
        scopes=pair.subgroups.scopes,
        member=member,
        draw=number,
        inclusion=inclusion,
        seconds=seconds,
        caller=caller,
    )


def carried_outputs(pair: ModelPair, role: Role, inputs: Tensors, outputs: Tensors) -> Tensors:
    """The tensors that a sample carries of the outputs that ``role`` gave for all rows of these inputs."""
    if pair.kind is None:
        return {pair.output: drop_single_sides(outputs[pair.output])}
    return sample_outputs(pair.kind, role, outputs, inputs, None, np.arange(len(outputs[pair.output])))
