"""Counts of served requests by subgroup: how many the draw should have kept in the mean, and how many it kept."""

import threading
from collections.abc import Sequence

import numpy as np

from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.intake.starvation import ServedTotals
from tightrope.monitors.records import Bools, Floats, Ints
from tightrope.service.inference.model_pair import ModelPair


class ServedCounts:
    """The totals of each model; they only grow. Safe to share between threads: a reader sees whole batches."""

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._totals: dict[str, ServedTotals] = {}

    def add(self, model: str, expected: Floats, kept: Floats) -> None:
        """Add the requests of a batch, and those of them that were kept."""
        with self._adding:
            before = self._totals.get(model)
            if before is not None and before.expected.shape == expected.shape:
                expected, kept = expected + before.expected, kept + before.kept
            self._totals[model] = ServedTotals(expected, kept)

    def totals(self, model: str) -> ServedTotals | None:
        """The totals of a model; None before its first request."""
        return self._totals.get(model)


def expected_requests(
    pair: ModelPair, member: Bools, sizes: Sequence[int] | Ints, comparable: Sequence[bool] | None = None
) -> Floats:
    """The sum of the probabilities with which these requests are kept, for the model and each subgroup; ``member`` has
    one line a row. Requests that are not ``comparable``, one entry each, are never kept.
    """
    within, sampler = _of_requests(member, sizes), pair.sampler
    if not sampler.floors and comparable is None:  # all have the same
        return sampler.rate * _counts(within)
    rates = np.full(len(within), float(sampler.rate))
    if sampler.floors:
        floors = np.array([sampler.floors.get(scope, 0.0) for scope in pair.subgroups.scopes])
        rates = np.maximum(rates, (within * floors).max(axis=1, initial=0.0))
    rates = rates if comparable is None else np.where(comparable, rates, 0.0)
    return np.concatenate([[rates.sum()], rates @ within])


def kept_requests(samples: SampleBatch) -> Floats:
    """The number of these samples, and of those of each subgroup."""
    return _counts(_of_requests(samples.member, samples.rows))


def _counts(within: Bools) -> Floats:
    """The number of these requests, and of those of each subgroup, (1 + subgroups,)."""
    counts = np.empty(1 + within.shape[1])
    counts[0] = len(within)
    np.add.reduce(within, axis=0, out=counts[1:])
    return counts


def _of_requests(member: Bools, sizes: Sequence[int] | Ints) -> Bools:
    """The subgroups that have a row in each request, (requests, subgroups)."""
    counts = np.asarray(sizes, np.int64)
    if len(counts) == len(member) and counts.max(initial=1) == 1:
        return member
    within, some = np.zeros((len(counts), member.shape[1]), bool), counts > 0
    if some.any() and member.shape[1]:
        within[some] = np.logical_or.reduceat(member, (np.cumsum(counts) - counts)[some], axis=0)
    return within
