"""One tick of the search: reference rows, findings, and windows."""

from dataclasses import replace

import numpy as np
import pytest

from tightrope.monitors.catalogue import SEARCH_SHARE
from tightrope.monitors.detector import Bernoulli, advance
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.evidence import LOSS_UNITS, slice_test
from tightrope.monitors.hunter.fold import COHORT_ROWS, TickRows, search_tick
from tightrope.monitors.hunter.lattice import Lattice
from tightrope.monitors.hunter.search import Search, SearchPlan
from tightrope.monitors.records import Bools, Ints

COLUMNS = (InputColumn("x", 0, "column 0"), InputColumn("x", 1, "column 1"))
LATTICE = replace(
    Lattice.of([(0, 1.0, 1.0), (0, 2.0, 2.0), (1, 1.0, 1.0)], [(0,), (1,), (2,), (0, 2)], 0.1), is_complete=True
)
PLAN = SearchPlan(COLUMNS, (), 0.1, LATTICE)
LOG_A = 19.6


def tick(number: int, code: Ints, lost: Bools, *, step: Ints | None = None, settles: bool = True) -> TickRows:
    """A tick of rows with this code in column 0, and 1 in every other row of column 1."""
    rows = len(code)
    vectors = np.column_stack([code, np.arange(rows) % 2, np.full((rows, 2), np.nan)]).astype(np.float64)
    shared = np.zeros(rows, dtype=bool) if step is None else np.ones(rows, dtype=bool)
    steps = np.arange(rows) if step is None else step
    end = rows * (number + 1)
    return TickRows(vectors, lost * LOSS_UNITS, steps, shared, rows, float(end), end, settles)


def test_mass_of_a_slice_is_that_of_a_detector_with_its_share() -> None:
    """Ticks with and without own rows: a seed that waits and one that does not give the same mass."""
    rng = np.random.default_rng(0)
    search, detector = Search.fresh(PLAN), Bernoulli.above(0.1)
    log_mass = np.full(6, -np.inf)
    for number in range(30):
        code, lost = rng.integers(1, 4, 64) * (number % 3 > 0), rng.random(64) < 0.05
        search = search_tick(search, PLAN, tick(number, code, lost), LOG_A)
        own = code == 1
        seed = LATTICE.shares[0] * 64
        log_mass = advance(log_mass, seed, detector.log_e(own.sum(), (own & lost).sum()))
    assert np.log(search.mass[:, 0]) == pytest.approx(log_mass, abs=1e-9)
    assert slice_test(LATTICE).evidence(search.mass)[0] == pytest.approx(float(detector.evidence(log_mass)), abs=1e-9)


def test_alarm_names_a_group_and_its_rows_leave() -> None:
    """The pair that is a part of it does not alarm in its place; the group is followed."""
    rng = np.random.default_rng(1)
    search = Search.fresh(PLAN)
    for number in range(60):
        code = rng.integers(1, 9, 64)
        lost = rng.random(64) < np.where(code == 1, 0.5 * (number >= 20), 0.02)
        search = search_tick(search, PLAN, tick(number, code, lost.astype(bool)), LOG_A)
    (finding,) = search.findings
    assert finding.predicates == ((0, 1.0, 1.0),)
    assert 20 * 64 < finding.row < 30 * 64
    assert finding.since_row == pytest.approx(20 * 64, abs=128)
    assert finding.now.lower < 0.5 < finding.now.upper
    assert finding.share == pytest.approx(1 / 8, abs=0.03)
    assert search.support[0] == 0
    assert search.found == 1


def test_finding_ends_once_its_rate_is_low() -> None:
    """Then its rows are searched again."""
    search = Search.fresh(PLAN)
    ones = np.ones(64, dtype=np.int64)
    for number in range(40):
        lost = np.arange(64) < (32 if number < 8 else 0)
        search = search_tick(search, PLAN, tick(number, ones, lost), LOG_A)
        if number == 8:
            assert len(search.findings) == 1
    assert not search.findings
    assert search.found == 1
    assert search.support[0] > 0


def test_rows_of_a_step_are_one_step() -> None:
    """Sixty-four rows of one request that all differ are no alarm."""
    ones = np.ones(64, dtype=np.int64)
    request = tick(0, ones, np.ones(64, dtype=bool), step=np.zeros(64, dtype=np.int64))
    search = search_tick(Search.fresh(PLAN), PLAN, request, LOG_A)
    assert not search.findings
    assert search.cohorts[0, :, 0].tolist() == [1.0, 1.0]


def test_window_waits_for_its_end() -> None:
    """Rows and seeds of two ticks, settled together, are those of one tick with all of them."""
    rng = np.random.default_rng(2)
    code, lost, step = rng.integers(1, 3, 128), rng.random(128) < 0.2, rng.integers(0, 16, 128)
    search = Search.fresh(PLAN).in_unit(16)
    first = search_tick(search, PLAN, tick(0, code[:64], lost[:64], step=step[:64], settles=False), LOG_A)
    assert not first.mass.any()
    second = search_tick(first, PLAN, tick(1, code[64:], lost[64:], step=step[64:]), LOG_A)
    whole = search_tick(search, PLAN, tick(0, code, lost, step=step), LOG_A)
    assert np.array_equal(second.mass[:, :2], whole.mass[:, :2])
    assert not second.window.any()


def test_figures_start_anew_every_cohort() -> None:
    """Those of the cohort before stay."""
    search = Search.fresh(PLAN)
    for number in range(COHORT_ROWS // 64 + 1):
        search = search_tick(search, PLAN, tick(number, np.ones(64, dtype=np.int64), np.zeros(64, dtype=bool)), LOG_A)
    assert search.cohorts[:, 0, 0].tolist() == [64, COHORT_ROWS]


def test_lattice_is_built_from_the_first_rows() -> None:
    """Without reference rows there is no slice before; rows without input columns are no reference."""
    plan, rng = SearchPlan(COLUMNS, (), 0.1), np.random.default_rng(3)
    search = Search.fresh(plan)
    for number in range(79):
        search = search_tick(search, plan, tick(number, rng.integers(1, 4, 64), np.zeros(64, dtype=bool)), LOG_A)
    assert search.lattice is not None
    assert search.is_complete
    assert search.learned.size == 0
    unknown = tick(0, np.ones(64, dtype=np.int64), np.zeros(64, dtype=bool))
    unknown = replace(unknown, vectors=np.full((64, 4), np.nan))
    assert search_tick(Search.fresh(plan), plan, unknown, LOG_A).learned.shape[0] == 0


def alarms_at_the_limit(rows_alike: int, samples: float, *, as_requests: bool) -> tuple[int, float]:
    """The alarms of 1,000 ticks whose rows come in requests of alike ones, and the number that is promised with this
    alarm budget. A found group is forgotten at once, so that its rows go on being searched.
    """
    rng, search, ticks = np.random.default_rng(7), Search.fresh(PLAN), 1_000
    for number in range(ticks):
        request = np.arange(64) // rows_alike
        lost = (rng.random(64) < PLAN.limit)[request]
        rows = tick(number, rng.integers(1, 4, 64), lost, step=request if as_requests else None)
        search = replace(search_tick(search, PLAN, rows, np.log(samples)), findings=())
    return search.found, SEARCH_SHARE * 64 * ticks / samples


@pytest.mark.parametrize("rows_alike", [1, 8, 32])
def test_false_alarms_keep_the_promise(rows_alike: int) -> None:
    """Every slice is at its limit, with single rows and with requests of alike rows."""
    alarms, promised = alarms_at_the_limit(rows_alike, 20.0, as_requests=rows_alike > 1)
    assert 0 < alarms <= promised


def test_promise_needs_the_unit_of_evidence() -> None:
    """Alike rows that count as steps of their own alarm more often than promised."""
    alarms, promised = alarms_at_the_limit(32, 200.0, as_requests=False)
    assert alarms > promised
