"""The wealth of a veto, against fractions by hand, and how often it errs at the limit."""

from dataclasses import replace
from fractions import Fraction
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.detector import BETS
from tightrope.monitors.records import Bools, Floats
from tightrope.monitors.veto.wealth import (
    COHORT_LABELS,
    MAX_WAITING,
    PROOF_NATS,
    UNLABELLED,
    WON,
    LabelledSteps,
    Veto,
    log_gains,
)

LOST = replace(WON, z=np.ones(1))


def one_each(z: Floats, scopes: int = 1) -> LabelledSteps:
    """Disagreements of requests of their own, with one row."""
    number = np.arange(len(z))
    return LabelledSteps(number, number, np.asarray(z, dtype=np.float64), np.ones((len(z), scopes)))


def factor(z: Fraction, mu: Fraction, bet: float) -> float:
    """The factor of a step with the mean z of its rows."""
    return float(1 - Fraction(98, 100) * Fraction(str(bet)) / (1 + mu) * (z - mu))


def test_factors_are_those_of_the_formula() -> None:
    """Two won, one lost, one with neither right, at a tolerated mean of one fifth."""
    gains = log_gains(one_each(np.array([-1, -1, 1, 0])), np.array([0.2]))
    for index, bet in enumerate(BETS):
        each = [factor(Fraction(z), Fraction(1, 5), bet) for z in (-1, -1, 1, 0)]
        assert gains[0, index] == pytest.approx(sum(map(log, each)), abs=1e-12)


def test_rows_of_a_request_are_one_step_and_count_by_its_rows() -> None:
    """Three disagreements of a request of four rows: the sum of what they differ from mu, over four."""
    zeros = np.zeros(3, dtype=np.int64)
    rows = LabelledSteps(zeros, zeros, np.array([-1.0, 1.0, -1.0]), np.full((3, 1), 0.25))
    wanted = 1 - 0.98 / 1.2 * (-1 - 3 * 0.2) / 4
    assert log_gains(rows, np.array([0.2]))[0, -1] == pytest.approx(log(wanted), abs=1e-12)


def test_a_caller_with_several_requests_is_one_step_with_their_mean() -> None:
    """Two requests of one row each: the mean of both."""
    rows = LabelledSteps(np.zeros(2, dtype=np.int64), np.arange(2), np.array([-1.0, 1.0]), np.ones((2, 1)))
    assert log_gains(rows, np.array([0.2]))[0, -1] == pytest.approx(log(1 - 0.98 / 1.2 * (0 - 0.2)), abs=1e-12)


def test_rows_without_weight_move_no_wealth() -> None:
    """Rows that a scope does not count, and ticks without rows."""
    assert log_gains(replace(WON, weight=np.array([[1.0, 0.0]])), np.array([0.2, 0.2]))[1].tolist() == [0.0] * 7
    assert log_gains(one_each(np.zeros(0)), np.array([0.2])).tolist() == [[0.0] * 7]


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=30), st.randoms())
def test_order_within_a_tick_changes_nothing(z: list[float], random: object) -> None:
    """Not a bit."""
    order = list(range(len(z)))
    random.shuffle(order)  # type: ignore[attr-defined]
    request = np.arange(len(z)) // 3
    rows = LabelledSteps(request // 2, request, np.array(z), np.full((len(z), 2), 1 / 3))
    shuffled = LabelledSteps(*(getattr(rows, name)[order] for name in ("step", "request", "z", "weight")))
    tolerated = np.array([0.1, 0.3])
    assert (log_gains(rows, tolerated) == log_gains(shuffled, tolerated)).all()


def test_a_dozen_wins_prove_and_a_closed_cohort_counts_until_the_next_is_closed() -> None:
    """Fourteen at most, where the disagreements are one in twenty; then 500 labels close a cohort."""
    veto, tolerated = Veto.fresh(2), np.array([0.2, 0.2])
    one = log_gains(one_each(np.array([-1.0])), tolerated[:1])
    gains, labels = np.vstack([one, np.zeros_like(one)]), np.array([1, 0])
    full = COHORT_LABELS * labels
    for _ in range(14):
        veto = veto.after(gains, labels, labels, 1.0).settled()
    assert veto.active.tolist() == [True, False]
    closed = veto.after(np.zeros((2, 7)), full, full, 2.0).settled()
    assert closed.active.tolist() == [True, False]
    assert closed.labels.tolist() == [0, 0]
    assert closed.newest.tolist() == [2.0, -np.inf]
    lost = closed.after(np.full((2, 7), -50.0), full, full, 3.0).settled()
    assert not lost.active.any()
    assert lost.cause


def test_drawn_rows_that_wait_for_labels_count_as_lost_beyond_a_few() -> None:
    """A few labels take time; with more the last closed cohort counts no longer, and the open one has to outweigh them.
    A veto falls then, and comes back with the labels, which a new cohort does not owe.
    """
    none, one = np.zeros((1, 7)), np.array([1])
    won = log_gains(one_each(np.array([-1.0])), np.array([0.2]))
    veto = Veto.fresh(1)
    for _ in range(100):
        veto = veto.with_drawn(one).after(won, one, one, 1.0).settled()
    assert veto.waiting.tolist() == [0]
    few = veto.with_drawn(MAX_WAITING * one)
    assert few.active.all()
    many = few.with_drawn(100 * one)
    assert (many.active.any(), many.cause) == (False, UNLABELLED)
    assert not many.with_drawn(0 * one).active.any()
    assert many.after(none, 0 * one, 100 * one, 2.0).settled().active.all()
    closed = replace(Veto.fresh(1), closed=np.array([50.0])).settled()
    assert closed.with_drawn(MAX_WAITING * one).active.all()
    assert not closed.with_drawn((MAX_WAITING + 1) * one).active.any()
    full = many.after(none, COHORT_LABELS * one, 0 * one, 3.0)
    assert (full.waiting.tolist(), bool(full.proven.any())) == ([0], False)


def test_a_veto_without_labels_for_a_horizon_is_stale() -> None:
    """Where it holds; time counts from the newest label."""
    veto = replace(Veto.fresh(2), active=np.array([True, False]), newest=np.array([100.0, 0.0]))
    assert veto.stale(160.0, 60.0).tolist() == [False, False]
    assert veto.stale(161.0, 60.0).tolist() == [True, False]
    fallen = veto.without(np.array([True, False]), "late")
    assert (fallen.active.any(), fallen.cause) == (False, "late")
    assert veto.without(np.array([False, True]), "other").cause == ""


def proven_cohorts(rng: np.random.Generator, right: float, tolerated: float, cohorts: int) -> Bools:
    """Whether each cohort of 500 labels ever reaches the proof, where the baseline is right in a share."""
    z = np.where(rng.random((cohorts, COHORT_LABELS)) < right, 1.0, -1.0)
    bets = 0.98 * np.asarray(BETS) / (1 + tolerated)
    paths = np.cumsum(np.log1p(-bets * (z[..., None] - tolerated)), axis=1)
    wealth = np.logaddexp.reduce(paths, axis=2) - np.log(len(BETS))
    return np.asarray((wealth >= PROOF_NATS).any(axis=1))


def test_cohorts_err_seldom_at_the_limit_and_prove_far_from_it() -> None:
    """Mean z of one fifth, tolerated one fifth: at most 1 in 600 may ever prove it. Even odds: most do."""
    rng = np.random.default_rng(17)
    at_the_limit = proven_cohorts(rng, 0.6, 0.2, 8_000)
    assert at_the_limit.mean() <= 1 / 600 + 3 * np.sqrt(1 / 600 / 8_000)
    assert at_the_limit.any()
    assert proven_cohorts(rng, 0.5, 0.2, 200).mean() > 0.5
    assert proven_cohorts(rng, 0.0, 0.2, 10).all()
    assert log_gains(LOST, np.array([0.2])).max() < 0
