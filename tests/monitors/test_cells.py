"""Cells: every scope's detector on the global clock, exact, and independent of its neighbours."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from monitors.catalogue import CATALOGUE, SUBGROUP_SHARE
from monitors.cells import PATH, Budget, Cells, Rule, Tick, advance, recent, restart, rules
from monitors.detector import BETS, RATIOS, RECOVERY_RATIOS, BadObservationError
from monitors.verdict import rows_to_see_mean, rows_to_see_rate
from tests import exact
from tests.comparisons import bits

DISAGREEMENT, CONFIDENCE = CATALOGUE["disagreement"], CATALOGUE["confidence"]
YES, NO = np.array([True, True]), np.array([False, False])
TICKS = ([1, 0, 0], [0, 0], [0, 0, 0, 0], [1, 1, 0])
OWN = ([True, False, True], [False, False], [True, True, True, True], [True, True, False])
"""What rows say, tick by tick, and which of them are the subgroup's."""


def rule(limit: float = 0.02, apart: float = 0.04, name: str = "disagreement", ratio: float = 0.75) -> Rule:
    """One question about a model and its one subgroup: shares 0.25 (or 0.1) and 0.2."""
    return rules([CATALOGUE[name]], [np.array([limit, apart])], Budget(), ratio)[0]


def tick(y: ArrayLike, member: ArrayLike, *, alarming: ArrayLike = YES, recovering: ArrayLike = NO) -> Tick:
    """Rows that all speak; ``member`` says which are the subgroup's."""
    y = np.asarray(y, dtype=float)
    whole = np.stack([np.ones(len(y), dtype=bool), np.asarray(member, dtype=bool)], axis=1)
    return Tick(whole, np.ones(len(y), dtype=bool), y, np.asarray(alarming), np.asarray(recovering))


def run(of: Rule, *ticks: Tick) -> Cells:
    """The cells after these ticks."""
    cells = Cells.fresh(of)
    for one in ticks:
        cells = advance(of, cells, one)
    return cells


@pytest.mark.parametrize("subgroups", [0, 1, 23, 400])
def test_shares_of_all_cells_sum_to_at_most_one(subgroups: int) -> None:
    """Of all monitors of the catalogue and all their subgroups together, whatever their number."""
    limits = [np.full(1 + subgroups, question.limit) for question in CATALOGUE.values()]
    made = rules(list(CATALOGUE.values()), limits, Budget(), 0.75)
    of_subgroups = np.concatenate([one.shares[1:] for one in made])
    assert sum(float(one.shares.sum()) for one in made) <= 1
    assert [one.shares[0] for one in made] == [question.share for question in CATALOGUE.values()]
    assert of_subgroups.sum() == pytest.approx(SUBGROUP_SHARE if subgroups else 0)
    assert len(set(of_subgroups.tolist())) <= 1


def test_rows_needed_for_a_pass_follow_the_share_of_each_cell() -> None:
    """Half the share of the budget takes as many rows as half the alarms: ln A grows by ln 2."""
    limits = np.array([0.02, 0.02])
    for name, shares in (("disagreement", [0.25, 0.2]), ("confidence", [0.1, 0.2])):
        own_budget = np.log(Budget().samples / np.array(shares))
        seen = rows_to_see_rate(limits, own_budget), rows_to_see_mean(limits, 1.0, own_budget)
        assert rule(0.02, 0.02, name).needed == pytest.approx(seen[name == "confidence"], rel=1e-12)


def test_rate_cells_are_exact_on_the_global_clock() -> None:
    """Both cells are seeded with their share of every tick's rows, the subgroup also where it has none."""
    cells = run(rule(), *(tick(y, own) for y, own in zip(TICKS, OWN, strict=True)))
    for scope, share, limit in ((0, Fraction(1, 4), Fraction(2, 100)), (1, Fraction(1, 5), Fraction(4, 100))):
        batches = [
            (share * len(y), [one for one, mine in zip(y, own, strict=True) if mine or not scope])
            for y, own in zip(TICKS, OWN, strict=True)
        ]
        ratios = [exact.likelihood_ratio(Fraction(r) * limit, limit) for r in RATIOS]
        expected = exact.evidence(batches, ratios)
        assert cells.path[scope, -4:, 0] == pytest.approx(expected, abs=1e-9)
    assert rule().alarm.evidence(cells.log_mass).tolist() == cells.path[:, -1, 0].tolist()


def test_mean_cells_are_exact_on_the_global_clock() -> None:
    """The same for a signed question, each scope with its own tolerance."""
    ticks = ([0.5, -0.25, 1.0], [0.125, 0.25], [-1.0, 0.75, 0.0, 0.5], [0.25, 0.25, -0.5])
    cells = run(rule(name="confidence"), *(tick(y, own) for y, own in zip(ticks, OWN, strict=True)))
    for scope, share, tolerance in ((0, Fraction(1, 10), Fraction(2, 100)), (1, Fraction(1, 5), Fraction(4, 100))):
        batches = [
            (share * len(y), [Fraction(one) for one, mine in zip(y, own, strict=True) if mine or not scope])
            for y, own in zip(ticks, OWN, strict=True)
        ]
        bets = [exact.bet(Fraction(str(bet)), tolerance, Fraction(1), sign=sign) for sign in (1, -1) for bet in BETS]
        assert cells.path[scope, -4:, 0] == pytest.approx(exact.evidence(batches, bets), abs=1e-9)


def test_recovery_is_exact_and_seeded_with_own_rows_only() -> None:
    """Against three quarters of the limit, on the scope's own clock: ticks without its rows leave it alone."""
    duty = {"alarming": np.array([True, False]), "recovering": np.array([False, True])}
    of = rule()
    cells = run(of, *(tick(y, own, **duty) for y, own in zip(TICKS, OWN, strict=True)))
    own_rows = [[one for one, mine in zip(y, own, strict=True) if mine] for y, own in zip(TICKS, OWN, strict=True)]
    limit = Fraction(3, 100)
    ratios = [exact.likelihood_ratio(Fraction(r) * limit, limit) for r in RECOVERY_RATIOS]
    expected = exact.evidence([(len(ys), ys) for ys in own_rows], ratios)[-1]
    assert of.recovery.evidence(cells.recovery).tolist() == [-np.inf, pytest.approx(expected, abs=1e-9)]
    assert of.alarm.evidence(cells.log_mass)[1] == -np.inf


def test_mean_recovers_only_when_both_sides_are_disproved() -> None:
    """A constant excess on one side lets the other side's evidence grow, and the scope stays."""
    duty = {"alarming": NO, "recovering": YES}
    of = rule(name="confidence")
    for shift, back in ((0.0, True), (0.1, False), (-0.1, False)):
        cells = run(of, *[tick([shift] * 64, [True] * 64, **duty)] * 20)
        assert bool((of.recovery.evidence(cells.recovery) > np.log(1e5)).all()) is back


def test_scope_off_duty_keeps_its_detectors_and_counts() -> None:
    """Neither seed nor rows reach it; the other scope goes on."""
    of = rule()
    before = run(of, tick([1, 0], [True, True]))
    after = advance(of, before, tick([1, 1], [True, True], alarming=[True, False]))
    for name in ("log_mass", "recovery", "count", "total"):
        assert np.array_equal(getattr(after, name)[1], getattr(before, name)[1]), name
    assert after.count.tolist() == [4, 2]
    assert after.total.tolist() == [3.0, 1.0]
    assert after.path[1, -1].tolist() == [before.path[1, -1, 0], 0.0, 0.0]
    assert after.log_mass[0].max() > before.log_mass[0].max()


def test_rows_that_do_not_speak_are_not_counted_but_seed_the_clock() -> None:
    """A refusal question hears few rows, and is seeded with all of them."""
    of = rule()
    half = replace(tick([1, 1], [True, True]), valid=np.array([True, False]))
    cells = advance(of, Cells.fresh(of), half)
    ratios = [exact.likelihood_ratio(Fraction(r) * Fraction(1, 50), Fraction(1, 50)) for r in RATIOS]
    assert of.alarm.evidence(cells.log_mass)[0] == pytest.approx(exact.evidence([(Fraction(1, 2), [1])], ratios)[0])
    assert (cells.count.tolist(), cells.total.tolist()) == ([1, 1], [1.0, 1.0])


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_order_of_rows_within_a_tick_does_not_matter_for_rates(data: st.DataObject) -> None:
    """Integer counts: the same cells to the last bit."""
    y = data.draw(st.lists(st.integers(0, 1), min_size=1, max_size=64))
    own = data.draw(st.lists(st.booleans(), min_size=len(y), max_size=len(y)))
    order = data.draw(st.permutations(range(len(y))))
    shuffled = tick([y[i] for i in order], [own[i] for i in order])
    assert bits(run(rule(), tick(y, own))) == bits(run(rule(), shuffled))


def test_scopes_of_equal_and_of_other_tolerance_get_what_they_would_alone() -> None:
    """Sharing the arithmetic changes nothing."""
    y, member = np.linspace(-1, 1, 9), np.ones((9, 3), dtype=bool)
    together = rules([CONFIDENCE], [np.array([0.02, 0.04, 0.02])], Budget(), 0.75)[0]
    sums = together.alarm.log_e(member, y)
    for scope, limit in enumerate((0.02, 0.04, 0.02)):
        alone = rules([CONFIDENCE], [np.array([limit])], Budget(), 0.75)[0]
        assert sums[scope] == pytest.approx(alone.alarm.log_e(member[:, :1], y)[0], rel=1e-12)


def test_number_that_nobody_counts_may_be_nan_and_one_that_counts_may_not() -> None:
    """NaN is never taken for a number."""
    of = rule(name="confidence")
    ignored = replace(tick([np.nan, 0.5], [True, True]), valid=np.array([False, True]))
    cells = advance(of, Cells.fresh(of), ignored)
    assert np.isfinite(cells.log_mass).all()
    assert cells.total.tolist() == [0.5, 0.5]
    with pytest.raises(BadObservationError):
        advance(of, Cells.fresh(of), tick([np.nan, 0.5], [True, True]))


def test_path_holds_the_latest_ticks_newest_last() -> None:
    """Evidence, rows and what they said; the mean of the latest ticks is for people to look at."""
    cells = run(rule(), *(tick([1] * (n % 3) + [0], [n % 2 == 0] * (n % 3 + 1)) for n in range(20)))
    assert cells.path.shape == (2, PATH, 3)
    assert cells.path[0, :, 1].tolist() == [n % 3 + 1 for n in range(4, 20)]
    assert cells.path[0, :, 2].tolist() == [n % 3 for n in range(4, 20)]
    assert recent(cells, 0) == (32, 0.5)
    assert recent(Cells.fresh(rule()), 1) == (0, None)


def test_restart_empties_the_chosen_scopes_only() -> None:
    """Detectors, counts and path go back to nothing; the note of what tripped stays."""
    of = rule()
    cells = replace(run(of, tick([1, 0], [True, True], recovering=YES)), tripped=YES)
    again, fresh = restart(cells, np.array([False, True])), Cells.fresh(of)
    for name in ("log_mass", "recovery", "count", "total", "path"):
        assert np.array_equal(getattr(again, name)[0], getattr(cells, name)[0]), name
        assert np.array_equal(getattr(again, name)[1], getattr(fresh, name)[1]), name
        assert not np.array_equal(getattr(cells, name)[1], getattr(fresh, name)[1]), name
    assert again.tripped.tolist() == [True, True]
