"""Cells: every scope's detector on the global clock, exact, and independent of its neighbours."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tests.support.judgement import exact_detector
from tests.support.judgement.comparisons import bits
from tests.support.judgement.ticks import NO, YES, advance, block, course, rule, run, tick
from tightrope.monitors.detector import BETS, RATIOS, RECOVERY_RATIOS, BadObservationError
from tightrope.monitors.detector_bank import PATH, Cells, recent, restart, try_again

TICKS = ([1, 0, 0], [0, 0], [0, 0, 0, 0], [1, 1, 0])
OWN = ([True, False, True], [False, False], [True, True, True, True], [True, True, False])
"""What rows say, tick by tick, and which of them are the subgroup's."""


def test_rate_cells_are_exact_on_the_global_clock() -> None:
    """Both cells are seeded with their share of every tick's rows, the subgroup also where it has none."""
    cells = run(rule(), *(tick(y, own) for y, own in zip(TICKS, OWN, strict=True)))
    for scope, share, limit in ((0, Fraction(1, 4), Fraction(2, 100)), (1, Fraction(1, 5), Fraction(4, 100))):
        batches = [
            (share * len(y), [one for one, mine in zip(y, own, strict=True) if mine or not scope])
            for y, own in zip(TICKS, OWN, strict=True)
        ]
        ratios = [exact_detector.likelihood_ratio(Fraction(r) * limit, limit) for r in RATIOS]
        expected = exact_detector.evidence(batches, ratios)
        assert cells.path[0, scope, -4:, 0] == pytest.approx(expected, abs=1e-9)
    assert rule().alarm.evidence(cells.log_mass).tolist() == cells.path[:, :, -1, 0].tolist()


def test_mean_cells_are_exact_on_the_global_clock() -> None:
    """The same for a signed question, each scope with its own tolerance."""
    ticks = ([0.5, -0.25, 1.0], [0.125, 0.25], [-1.0, 0.75, 0.0, 0.5], [0.25, 0.25, -0.5])
    cells = run(rule(name="confidence"), *(tick(y, own) for y, own in zip(ticks, OWN, strict=True)))
    for scope, share, tolerance in ((0, Fraction(1, 10), Fraction(2, 100)), (1, Fraction(1, 5), Fraction(4, 100))):
        batches = [
            (share * len(y), [Fraction(one) for one, mine in zip(y, own, strict=True) if mine or not scope])
            for y, own in zip(ticks, OWN, strict=True)
        ]
        bets = [
            exact_detector.bet(Fraction(str(bet)), tolerance, Fraction(1), sign=sign)
            for sign in (1, -1)
            for bet in BETS
        ]
        assert cells.path[0, scope, -4:, 0] == pytest.approx(exact_detector.evidence(batches, bets), abs=1e-9)


def test_recovery_is_exact_and_seeded_with_own_rows_only() -> None:
    """Against three quarters of the limit, on the scope's own clock: ticks without its rows leave it alone."""
    duty = {"alarming": np.array([True, False]), "recovering": np.array([False, True])}
    of = rule()
    cells = run(of, *(tick(y, own, **duty) for y, own in zip(TICKS, OWN, strict=True)))
    own_rows = [[one for one, mine in zip(y, own, strict=True) if mine] for y, own in zip(TICKS, OWN, strict=True)]
    limit = Fraction(3, 100)
    ratios = [exact_detector.likelihood_ratio(Fraction(r) * limit, limit) for r in RECOVERY_RATIOS]
    expected = exact_detector.evidence([(len(ys), ys) for ys in own_rows], ratios)[-1]
    assert of.recovery.evidence(cells.recovery).tolist() == [[-np.inf, pytest.approx(expected, abs=1e-9)]]
    assert of.alarm.evidence(cells.log_mass)[0, 1] == -np.inf


def test_trial_is_exact_from_a_wealth_of_one_that_nobody_adds_to() -> None:
    """A new artefact's recovery is a plain test: the product of its e-values, averaged over the alternatives."""
    duty = {"alarming": NO, "recovering": YES, "on_trial": np.array([False, True])}
    of = rule()
    cells = try_again(Cells.fresh(of), np.array([False, True]))
    for y, own in zip(TICKS, OWN, strict=True):
        cells = advance(of, cells, tick(y, own, **duty))
    own_rows = [one for y, own in zip(TICKS, OWN, strict=True) for one, mine in zip(y, own, strict=True) if mine]
    limit = Fraction(3, 100)
    ratios = [exact_detector.likelihood_ratio(Fraction(r) * limit, limit) for r in RECOVERY_RATIOS]
    trial = exact_detector.evidence([(1, own_rows)], ratios)[-1]
    seeded = exact_detector.evidence(
        [(len(y), y) for y in TICKS], [exact_detector.likelihood_ratio(q, p) for q, p in _below(0.02)]
    )[-1]
    found = of.recovery.evidence(cells.recovery).tolist()
    assert found == [[pytest.approx(seeded, abs=1e-9), pytest.approx(trial, abs=1e-9)]]


def _below(limit: float) -> list[tuple[Fraction, Fraction]]:
    """Alternatives of the recovery from this limit, and three quarters of it."""
    p = Fraction(str(limit)) * Fraction(3, 4)
    return [(Fraction(str(ratio)) * p, p) for ratio in RECOVERY_RATIOS]


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
        assert np.array_equal(getattr(after, name)[:, 1], getattr(before, name)[:, 1]), name
    assert after.count.tolist() == [[4, 2]]
    assert after.total.tolist() == [[3.0, 1.0]]
    assert after.path[0, 1, -1].tolist() == [before.path[0, 1, -1, 0], 0.0, 0.0]
    assert after.log_mass[0, 0].max() > before.log_mass[0, 0].max()


def test_rows_that_do_not_speak_are_not_counted_but_seed_the_clock() -> None:
    """A refusal question hears few rows, and is seeded with all of them."""
    of = rule()
    cells = run(of, tick([1, 1], [True, True], [True, False]))
    ratios = [exact_detector.likelihood_ratio(Fraction(r) * Fraction(1, 50), Fraction(1, 50)) for r in RATIOS]
    assert of.alarm.evidence(cells.log_mass)[0, 0] == pytest.approx(
        exact_detector.evidence([(Fraction(1, 2), [1])], ratios)[0]
    )
    assert (cells.count.tolist(), cells.total.tolist()) == ([[1, 1]], [[1.0, 1.0]])


def test_number_that_nobody_counts_may_be_nan_and_one_that_counts_may_not() -> None:
    """NaN is never taken for a number."""
    of = rule(name="confidence")
    cells = run(of, tick([np.nan, 0.5], [True, True], [False, True]))
    assert np.isfinite(cells.log_mass).all()
    assert cells.total.tolist() == [[0.5, 0.5]]
    with pytest.raises(BadObservationError):
        run(of, tick([np.nan, 0.5], [True, True]))


def test_path_holds_the_latest_ticks_newest_last() -> None:
    """Evidence, rows and what they said; the mean of the latest ticks is for people to look at."""
    cells = run(rule(), *(tick([1] * (n % 3) + [0], [n % 2 == 0] * (n % 3 + 1)) for n in range(20)))
    assert cells.path.shape == (1, 2, PATH, 3)
    assert cells.path[0, 0, :, 1].tolist() == [n % 3 + 1 for n in range(4, 20)]
    assert cells.path[0, 0, :, 2].tolist() == [n % 3 for n in range(4, 20)]
    assert recent(cells, 0, 0) == (32, 0.5)
    assert recent(Cells.fresh(rule()), 0, 1) == (0, None)


@pytest.mark.parametrize("name", ["disagreement", "confidence", "accuracy"])
@pytest.mark.parametrize("ticks", [1, 15, 16, 17, 40])
def test_block_of_ticks_gives_the_cells_that_single_ticks_give(name: str, ticks: int) -> None:
    """To the last bit, also when the path holds fewer ticks than the block, or more."""
    rng = np.random.default_rng(ticks)
    of = rule(name=name)
    made = [tick(rng.integers(0, 2, 8), rng.random(8) < 0.5, alarming=[True, False]) for _ in range(ticks)]
    before = run(of, tick(rng.integers(0, 2, 5), rng.random(5) < 0.5))
    single = before
    for one in made:
        single = advance(of, single, one)
    assert bits(advance(of, before, block(*made))) == bits(single)


def test_course_can_be_left_at_any_tick() -> None:
    """The cells after the first ticks of a block are those that never saw the rest."""
    rng = np.random.default_rng(0)
    of = rule()
    made = [tick(rng.integers(0, 2, 8), rng.random(8) < 0.5, recovering=[False, True]) for _ in range(20)]
    whole = course(of, block(*made))
    for ticks in (1, 7, 20):
        assert bits(whole.at(Cells.fresh(of), of, ticks)) == bits(run(of, *made[:ticks]))


def test_restart_empties_the_chosen_scopes_only() -> None:
    """Detectors, counts and path go back to nothing; the note of what tripped stays."""
    of = rule()
    cells = replace(run(of, tick([1, 0], [True, True], recovering=YES)), tripped=YES[None])
    again, fresh = restart(cells, np.array([False, True])), Cells.fresh(of)
    for name in ("log_mass", "recovery", "count", "total", "path"):
        assert np.array_equal(getattr(again, name)[:, 0], getattr(cells, name)[:, 0]), name
        assert np.array_equal(getattr(again, name)[:, 1], getattr(fresh, name)[:, 1]), name
        assert not np.array_equal(getattr(cells, name)[:, 1], getattr(fresh, name)[:, 1]), name
    assert again.tripped.tolist() == [[True, True]]


def test_second_trial_begins_with_a_wealth_of_one_in_the_chosen_scopes_only() -> None:
    """All else stays as it was."""
    of = rule()
    cells = run(of, tick([1, 0], [True, True], recovering=YES))
    again = try_again(cells, np.array([False, True]))
    assert not again.recovery[:, 1].any()
    assert np.array_equal(again.recovery[:, 0], cells.recovery[:, 0])
    assert bits(replace(again, recovery=cells.recovery)) == bits(cells)
