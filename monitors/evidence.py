"""Turn rows into e-values, many ticks at once: the rows that the cells of one monitor count, and their evidence."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from tightrope.monitors import detector
from tightrope.monitors.dependence.cluster_bets import log_factors
from tightrope.monitors.dependence.cluster_sums import ClusterSums, Windows
from tightrope.monitors.detector import BadObservationError, Bernoulli, Signed
from tightrope.monitors.records import Bools, Floats, Ints

UNWATCHED = -1
"""The detector index of a scope that the monitor does not reach: its rows carry no evidence."""

MAX_PRODUCT_VARIANTS = 64
"""The most variants of rows with a class that one product of matrices counts; of more, most of it would be zeros."""


@dataclass(frozen=True, slots=True)
class Tally:
    """T ticks of n rows, as one monitor with V variants counts them in S scopes.

    Of a monitor with a class for each row, ``valid`` and ``y`` have one column; ``count`` and ``total`` have V.
    ``member`` (T, n, S) holds 1 where a scope counts a row, else 0; ``valid`` and ``y`` (T, n, V) the observations, 0
    where a row does not count; ``count`` and ``total`` (T, V, S) their number and sum; ``seeds`` (T, V) the rows of the
    global clock. Rows that are a step of their own are ``valid``, with ``single_count`` and ``single_total``; the steps
    of several rows are in ``clusters``, those of windows that end here too, and ``windows`` has the open one. ``zeros``
    (T, 1, S) are further single rows with a value of 0, in the counts already.

    >>> one_tick = np.ones((1, 2, 1)), np.ones((1, 2, 1), dtype=bool), np.array([[[1.0], [0.0]]]), np.array([[2.0]])
    >>> tally = Tally.from_rows(*one_tick)
    >>> tally.count.ravel().tolist(), tally.total.ravel().tolist()
    ([2.0], [1.0])
    """

    member: Floats
    valid: Bools
    y: Floats
    count: Floats
    total: Floats
    seeds: Floats
    single_count: Floats
    single_total: Floats
    clusters: ClusterSums | None = None
    windows: Windows | None = None
    zeros: Floats | None = None

    @classmethod
    def from_rows(cls, member: Floats, valid: Bools, y: Floats, seeds: Floats) -> "Tally":
        """Count the observations; sums of whole numbers are exact in any order."""
        y = np.where(valid, y, 0.0)
        count, total = _summed(valid, member), _summed(y, member)
        return cls(member, valid, y, count, total, seeds, count, total)

    def in_clusters(self, singles: "Tally", clusters: ClusterSums, windows: Windows | None = None) -> "Tally":
        """Leave only the rows of ``singles`` as steps of their own; the others are in the clusters."""
        return replace(
            self,
            valid=singles.valid,
            y=singles.y,
            single_count=singles.count,
            single_total=singles.total,
            clusters=clusters,
            windows=windows,
        )

    def with_zeros(self, zeros: Floats) -> "Tally":
        """Add further single rows with a value of 0, (T, S), the model's also to the global clock."""
        added, seeds = zeros[:, None], self.seeds + zeros[:, :1]
        count, single = self.count + added, self.single_count + added
        return replace(self, count=count, single_count=single, seeds=seeds, zeros=added)

    @property
    def stepped(self) -> Floats:
        """The steps of each cell that end with each tick, (T, V, S): those of an open window wait for its end, so that
        no mass moves without evidence.
        """
        if self.clusters is None:
            return self.single_count
        one_each = np.ones((len(self.clusters.tick), 1))
        return np.asarray(self.single_count + self.clusters.summed(one_each, *self.count.shape)[..., 0])

    @classmethod
    def from_classes(cls, member: Floats, observed: tuple[Bools, Floats], classes: Ints, seeds: Floats) -> "Tally":
        """Count observations (T, n, 1) for the variant that ``classes`` (T, n) names, the last one from there on."""
        (valid, y), variants = observed, seeds.shape[1]
        if variants <= MAX_PRODUCT_VARIANTS:
            own = valid & (np.minimum(classes, variants - 1)[:, :, None] == np.arange(variants))
            y = np.where(valid, y, 0.0)
            count, total = _summed(own, member), _summed(own * y, member)
            return cls(member, valid, y, count, total, seeds, count, total)
        tick, row, scope = np.nonzero(member * valid)
        cell = (tick * variants + np.minimum(classes[tick, row], variants - 1)) * member.shape[2] + scope
        shape, size = (len(member), variants, member.shape[2]), len(member) * variants * member.shape[2]
        count = np.bincount(cell, minlength=size).reshape(shape).astype(np.float64)
        total = np.asarray(np.bincount(cell, y[tick, row, 0], size), dtype=np.float64).reshape(shape)
        return cls(member, valid, np.where(valid, y, 0.0), count, total, seeds, count, total)

    def of_scopes(self, scopes: Ints | slice) -> "Tally":
        """The single rows as these scopes count them."""
        return replace(
            self,
            member=self.member[:, :, scopes],
            single_count=self.single_count[:, :, scopes],
            single_total=self.single_total[:, :, scopes],
            zeros=None if self.zeros is None else self.zeros[:, :, scopes],
        )

    def squares(self, ticks: int, scopes: Ints | slice) -> Floats:
        """Sum the squares of the steps of the first ticks in some scopes: (ticks, V, scopes)."""
        squares = _summed(np.square(self.y[:ticks]), self.member[:ticks, :, scopes])
        return squares if self.clusters is None else squares + self._of_clusters(self.clusters)[:ticks, :, scopes, 2]

    def steps(self, ticks: int, scopes: Ints | slice) -> tuple[Floats, Floats]:
        """Number and sum of the steps of the first ticks in some scopes: (ticks, V, scopes). A cluster is one step,
        with the mean of its rows.
        """
        count, total = self.single_count[:ticks, :, scopes], self.single_total[:ticks, :, scopes]
        if self.clusters is None:
            return count, total
        added = self._of_clusters(self.clusters)[:ticks, :, scopes]
        return count + added[..., 0], total + added[..., 1]

    def _of_clusters(self, clusters: ClusterSums) -> Floats:
        """The number of the clusters of each cell, and the sums of their means and of the squares of these."""
        means = clusters.total / clusters.rows
        return clusters.summed(np.stack([np.ones_like(means), means, means**2], axis=1), *self.count.shape)


def _summed(values: Floats | Bools, member: Floats) -> Floats:
    """Sum values (T, n, V) over the rows of each scope (T, n, S): (T, V, S)."""
    return np.asarray(np.matmul(values.astype(np.float64).transpose(0, 2, 1), member))


def as_slice(scopes: Ints) -> Ints | slice:
    """Indices in order, as a slice where they follow each other: values of it are not copied.

    >>> as_slice(np.array([2, 3])), as_slice(np.array([0, 2])).tolist()
    (slice(2, 4, None), [0, 2])
    """
    follow = len(scopes) > 0 and len(scopes) == scopes[-1] - scopes[0] + 1
    return slice(int(scopes[0]), int(scopes[-1]) + 1) if follow else scopes


class HypothesisTest(Protocol):
    """The test of one hypothesis on counted rows: T ticks, V variants, S scopes, K alternatives."""

    def check(self, y: Floats) -> None:
        """Raise `BadObservationError` for values that cannot be counted."""

    def log_e(self, tally: Tally) -> Floats:
        """Log e-values of every tick's single rows, (T, V, S, K)."""

    def log_e_of_clusters(self, clusters: ClusterSums) -> Floats:
        """Log e-values of clusters, one step each, (E, K)."""

    def evidence(self, log_mass: Floats) -> Floats:
        """log M of every cell: (..., V, S, K) to (..., V, S)."""

    @property
    def width(self) -> int:
        """The number of alternatives, K."""


def log_e_of_steps(test: HypothesisTest, tally: Tally) -> Floats:
    """Log e-values of every tick, (T, V, S, K): single rows and clusters."""
    log_e = test.log_e(tally)
    if tally.clusters is None:
        return log_e
    return log_e + tally.clusters.summed(test.log_e_of_clusters(tally.clusters), *tally.count.shape)


@dataclass(frozen=True, slots=True)
class RateTest:
    """A Bernoulli detector for every scope. ``fractional`` observations in [0, 1] are evaluated one by one; zeros and
    ones are counted.

    >>> RateTest(Bernoulli.above(np.array([0.02, 0.04]))).width
    6
    """

    bernoulli: Bernoulli
    fractional: bool = False

    def check(self, y: Floats) -> None:
        """Accept zeros and ones only; with ``fractional`` everything between them."""
        if self.fractional:
            if not np.all((y >= 0) & (y <= 1)):
                raise BadObservationError("observations of a mean loss must lie between zero and one")
        elif not np.all((y == 0) | (y == 1)):
            raise BadObservationError("observations of a rate must be zeros and ones")

    def log_e(self, tally: Tally) -> Floats:
        """Log e-values from integer counts, so that the sum does not depend on the order of rows; those of fractions
        are summed row by row: (T, V, S, K).
        """
        if not self.fractional:
            return self.bernoulli.log_e(tally.single_count, tally.single_total)
        scopes = [self._log_e_of_rows(tally, scope) for scope in range(tally.member.shape[2])]
        return np.stack(scopes, axis=2)

    def _log_e_of_rows(self, tally: Tally, scope: int) -> Floats:
        """Sum the log e-values of the rows of one scope, (T, V, K). Zeros and ones are counted, in any order alike."""
        y, own = tally.y, tally.valid & (tally.member[:, :, [scope]] > 0)
        between = own & (y > 0) & (y < 1)
        counted = self.bernoulli.of_scope(scope)
        ones, rows = (own & (y == 1)).sum(axis=1), (own & ~between).sum(axis=1)
        total = counted.log_e(rows, ones)
        if between.any():
            each = np.where(between[..., None], counted.log_e_of_loss(np.where(between, y, 0.0)), 0.0)
            total = total + each.sum(axis=1)
        return total

    def log_e_of_clusters(self, clusters: ClusterSums) -> Floats:
        """Log e-values of the mean of each cluster."""
        limits = self.bernoulli.limit
        cell = (clusters.scope,) if limits.ndim == 1 else (clusters.variant, clusters.scope)
        limit, alternative = limits[cell], self.bernoulli.alternative[cell]
        return log_factors(limit[:, None], alternative, clusters.rows[:, None], clusters.total[:, None])

    def evidence(self, log_mass: Floats) -> Floats:
        """log M, the mixture over alternatives."""
        return self.bernoulli.evidence(log_mass)

    @property
    def width(self) -> int:
        """The number of alternatives."""
        return int(self.bernoulli.up.shape[-1])


@dataclass(frozen=True, slots=True)
class MeanTest:
    """Signed detectors, shared by scopes of equal tolerance: ``detector_index`` (S,) points into ``signed``.

    ``ternary`` observations (-1, 0, 1) are counted; others are evaluated one by one. ``weaker_side`` takes the side
    with less evidence, for a return.

    >>> MeanTest((Signed.outside(0.02),), np.array([0, UNWATCHED]), ternary=True, weaker_side=False).width
    14
    """

    signed: tuple[Signed, ...]
    detector_index: Ints
    ternary: bool
    weaker_side: bool

    def check(self, y: Floats) -> None:
        """Accept finite values within the bound, which all tolerances share."""
        self.signed[0].check(y)

    def log_e(self, tally: Tally) -> Floats:
        """Log e-values of every scope's rows at its own tolerance."""
        if not self.detector_index.any():  # every scope has the first tolerance
            return self._log_e_of_scopes(self.signed[0], tally)
        sums = np.zeros((*tally.count.shape, self.width))
        for index, signed in enumerate(self.signed):
            scopes = np.flatnonzero(self.detector_index == index)
            if len(scopes):
                own = as_slice(scopes)
                sums[:, :, own] = self._log_e_of_scopes(signed, tally.of_scopes(own))
        return sums

    def _log_e_of_scopes(self, signed: Signed, tally: Tally) -> Floats:
        """Log e-values of the rows of scopes with one tolerance, (T, V, S, K)."""
        if self.ternary:
            return _log_e_of_counts(signed, tally)
        log_e = _log_e_of_rows(signed, tally)
        return log_e if tally.zeros is None else log_e + tally.zeros[..., None] * signed.log_e(np.zeros(1))

    def log_e_of_clusters(self, clusters: ClusterSums) -> Floats:
        """Log e-values of the mean of each cluster, at the tolerance of its scope."""
        log_e = np.zeros((len(clusters.rows), self.width))
        for index, signed in enumerate(self.signed):
            own = self.detector_index[clusters.scope] == index
            log_e[own] = signed.log_e(np.clip(clusters.total[own] / clusters.rows[own], -signed.bound, signed.bound))
        return log_e

    def evidence(self, log_mass: Floats) -> Floats:
        """log M averaged over all bets or, for a return, of the weaker side."""
        signed = self.signed[0]
        return signed.recovered(log_mass) if self.weaker_side else signed.evidence(log_mass)

    @property
    def width(self) -> int:
        """The number of bets: upward and, with two sides, downward."""
        return self.signed[0].sides * len(detector.BETS)


def _log_e_of_counts(signed: Signed, tally: Tally) -> Floats:
    """Sum log e-values over ternary rows by the numbers of -1, 0 and 1: (T, V, S, K)."""
    count, total = tally.single_count, tally.single_total
    moved = _summed(tally.y != 0, tally.member)
    up, down = (moved + total) / 2, (moved - total) / 2
    low, none, high = (
        np.repeat(rows[..., None], len(logs), axis=-1) * logs
        for rows, logs in zip((down, count - moved, up), signed.log_e(np.array([-1.0, 0.0, 1.0])), strict=True)
    )
    return np.asarray(low + none + high)


def _log_e_of_rows(signed: Signed, tally: Tally) -> Floats:
    """Sum log e-values over rows, one matrix product per tick: (T, V, S, K)."""
    ticks, rows, variants = tally.y.shape
    logs = signed.log_e(tally.y.reshape(-1)).reshape(ticks, rows, variants, -1)
    each = logs if tally.valid.all() else np.where(tally.valid[..., None], logs, 0.0)
    sums = np.matmul(each.reshape(ticks, rows, -1).transpose(0, 2, 1), tally.member)
    return np.moveaxis(sums.reshape(ticks, variants, -1, tally.member.shape[2]), 2, 3)
