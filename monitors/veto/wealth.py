"""The veto of labels: the models differ, and the compressed one is not worse.

How it works. z is 1 where only the baseline is right, -1 where only the compressed model is, and 0 where both say the
same. Null: the mean of z over all compared rows of a scope is at least delta, the limit of accuracy. With a share d of
disagreements that is a mean of at least delta / d among them, and at least mu = delta / d_upper, with the upper end of
the interval of d as it is known before the labels. For each step of evidence, a request with m rows and k labelled
disagreements, the factor is

    1 - lambda sum_k (z - mu) / m,    lambda = 0.98 / (1 + mu) times the bets

weighted by pi_min / pi where rows are drawn with a probability pi. Its expectation is at most 1 under the null, with
any dependence inside the step, so a cohort's wealth, started at 1, reaches W with a probability of at most 1 / W
(Ville). Labels are late and come in any order: no zeros have to be brought into their order, which they would be if
rows that agree entered as zeros. Labels need time, but not for ever: more than a few drawn disagreements that wait for
their labels count as ones in which only the baseline is right, with mu = 0. Leaving labels out proves nothing.
"""

from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.detector import BETS, LARGEST_BET, logsumexp
from tightrope.monitors.records import Bools, Floats, Ints

VETOED_MONITORS = frozenset({"disagreement", "clear_disagreement", "class_miss", "class_gain", "mix"})
"""The monitors that tell a difference, not which of the two models is right."""

COHORT_LABELS = 500
"""Labelled disagreements after which a cohort is closed, and a new one starts from a wealth of one."""

PROOF_NATS = float(np.log(600.0))
"""The log wealth of a veto: 1 / 600, and the 0.8 % of the upper end of the disagreement rate, are below 1 %."""


WAITING_FACTORS = np.log1p(-LARGEST_BET * np.asarray(BETS))
"""The log factor of each bet, (K,), for a drawn disagreement that waits for its label."""

MAX_WAITING = 128
"""Drawn disagreements that may wait for their labels, or these for the end of their tick: two ticks. The others count
against the open cohort, and with any of those the last closed one no longer counts.
"""

LEFT = "a subgroup has left the model's rows"
"""The cause of the fall of the model's veto: what is left shows it anew."""

UNLABELLED = "too many drawn rows wait for their labels"
"""The cause of a fall between labels."""


@dataclass(frozen=True, slots=True)
class Veto:
    """The wealth of a model's cohorts by scope.

    ``log_wealth`` (S, K) is the open cohort's and ``labels`` (S,) the labelled disagreements in it; ``closed`` (S,) is
    the log wealth of the last closed cohort, minus infinity without one; ``newest`` (S,) the event time of the newest
    label; ``active`` (S,) tells where a veto holds; ``cause`` is that of the latest fall; ``agreed`` (S,) counts the
    compared rows since the last disagreement that was drawn for a label; ``waiting`` (S,) the disagreements that were
    drawn since the open cohort began, less the labels that came.

    >>> veto = Veto.fresh(1)
    >>> for _ in range(13):
    ...     veto = veto.after(log_gains(WON, np.zeros(1)), np.array([1]), np.array([1]), 0.0)
    >>> veto.proven.tolist(), veto.proven_with(np.array([[128], [140]])).tolist()
    ([True], [[True], [False]])
    """

    log_wealth: Floats
    labels: Ints
    closed: Floats
    newest: Floats
    active: Bools
    agreed: Ints
    waiting: Ints
    cause: str = ""

    @classmethod
    def fresh(cls, scopes: int) -> "Veto":
        """Without any label."""
        return cls(
            np.zeros((scopes, len(BETS))),
            np.zeros(scopes, dtype=np.int64),
            np.full(scopes, -np.inf),
            np.full(scopes, -np.inf),
            np.zeros(scopes, dtype=bool),
            np.zeros(scopes, dtype=np.int64),
            np.zeros(scopes, dtype=np.int64),
        )

    @property
    def proven(self) -> Bools:
        """The scopes in which the last closed cohort or the open one suffices, (S,)."""
        return self.proven_with(self.waiting)

    @property
    def counted(self) -> Ints:
        """The labelled disagreements of the open cohort and the last closed one, (S,)."""
        return self.labels + np.where(np.isfinite(self.closed), COHORT_LABELS, 0)

    def proven_with(self, waiting: Ints) -> Bools:
        """Mask the scopes that suffice if this number of drawn disagreements waits for labels, (..., S)."""
        closed = np.where(waiting <= MAX_WAITING, self.closed, -np.inf)
        return np.asarray(np.maximum(_mixture(self.log_wealth, waiting), closed) >= PROOF_NATS)

    def after(self, gains: Floats, labels: Ints, answered: Ints, time: float) -> "Veto":
        """Return it after the labels of a tick: log factors (S, K), the number of labels that count (S,), and that of
        drawn disagreements that wait no longer (S,).
        """
        wealth, count = self.log_wealth + gains, self.labels + labels
        waiting, full = np.maximum(self.waiting - answered, 0), count >= COHORT_LABELS
        return replace(
            self,
            log_wealth=np.where(full[:, None], 0.0, wealth),
            labels=np.where(full, 0, count),
            closed=np.where(full, _mixture(wealth, waiting), self.closed),
            newest=np.where(labels > 0, np.maximum(self.newest, time), self.newest),
            waiting=np.where(full, 0, waiting),
        )

    def with_drawn(self, drawn: Ints) -> "Veto":
        """Return it after compared rows with this number of drawn disagreements, (S,): it may fall, not begin."""
        waiting = self.waiting + drawn
        active = self.active & self.proven_with(waiting)
        fell = bool((self.active & ~active).any())
        return replace(self, waiting=waiting, active=active, cause=UNLABELLED if fell else self.cause)

    def stale(self, time: float, horizon: float) -> Bools:
        """The scopes whose veto holds and has had no label for a horizon of seconds, (S,)."""
        return np.asarray(self.active & (time - self.newest > horizon))

    def without(self, scopes: Bools, cause: str) -> "Veto":
        """Start the masked scopes (S,) anew: their vetoes fall."""
        if not scopes.any():
            return self
        fresh = Veto.fresh(len(scopes))
        return replace(
            self,
            log_wealth=np.where(scopes[:, None], 0.0, self.log_wealth),
            labels=np.where(scopes, 0, self.labels),
            closed=np.where(scopes, fresh.closed, self.closed),
            newest=np.where(scopes, fresh.newest, self.newest),
            active=self.active & ~scopes,
            waiting=np.where(scopes, 0, self.waiting),
            cause=cause if (self.active & scopes).any() else self.cause,
        )

    def settled(self) -> "Veto":
        """Let it hold where it is proven."""
        lost = bool((self.active & ~self.proven).any())
        return replace(self, active=self.proven, cause="the latest labels do not show it" if lost else self.cause)


def _mixture(log_wealth: Floats, waiting: Ints) -> Floats:
    """The log wealth over all bets, (..., S), of (S, K), where drawn disagreements (..., S) wait for labels."""
    left_out = np.maximum(waiting - MAX_WAITING, 0)[..., None]
    return np.asarray(logsumexp(log_wealth + left_out * WAITING_FACTORS) - np.log(len(BETS)))


@dataclass(frozen=True, slots=True)
class LabelledSteps:
    """n labelled disagreements: their ``step`` of evidence and ``request`` by number (n,), ``z`` (n,) in -1, 0 and 1,
    and their ``weight`` (n, S), 0 where a scope does not count the row.

    >>> WON.weight.shape
    (1, 1)
    """

    step: Ints
    request: Ints
    z: Floats
    weight: Floats


WON = LabelledSteps(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.full(1, -1.0), np.ones((1, 1)))
"""One disagreement in which the compressed model alone is right."""


def log_gains(rows: LabelledSteps, tolerated: Floats) -> Floats:
    """Log factors of one tick, (S, K), from the tolerated means mu (S,) in [0, 1]. A step of several requests has the
    mean of theirs.

    >>> float(np.exp(log_gains(WON, np.array([0.2]))[0, -1]).round(2))
    1.98
    """
    order = np.lexsort((rows.z, rows.request, rows.step))
    step, z, weight = rows.step[order], rows.z[order], rows.weight[order]
    steps, requests = int(rows.step.max(initial=-1)) + 1, int(rows.request.max(initial=-1)) + 1
    total, has = np.zeros((steps, len(tolerated))), np.zeros((requests, len(tolerated)), dtype=bool)
    np.add.at(total, step, weight * (z[:, None] - tolerated))
    np.logical_or.at(has, rows.request, rows.weight > 0)
    step_of_request = np.zeros(requests, dtype=np.int64)
    step_of_request[rows.request] = rows.step
    count = np.zeros((steps, len(tolerated)))
    np.add.at(count, step_of_request, has)
    mean = np.sort(total / np.maximum(count, 1.0), axis=0)
    bets = LARGEST_BET * np.asarray(BETS) / (1 + tolerated[:, None])
    return np.asarray(np.log1p(-bets * mean[:, :, None]).sum(axis=0))
