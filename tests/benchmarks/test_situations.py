"""Each situation has the stated rates, and every method reads the rows that it should."""

import numpy as np
import pytest

from benchmarks.power.windows import Budgeted, Tumbling
from benchmarks.situations import dependent_rows, intersections, label_budgets, reviewed_labels
from benchmarks.situations.dependent_rows import BURSTS, CHANGE, JUDGED, REQUESTS, joined, judged_alarms, window_alarms
from benchmarks.situations.intersections import DECLARED, HARMED, PAIRS, SEARCH, Rowset, build_plan, crossed, fold
from benchmarks.situations.label_budgets import AT_LIMIT, Truths, drawn_labels
from benchmarks.situations.label_budgets import judged_alarms as labelled_alarms
from benchmarks.situations.lines import delays_text
from tightrope.monitors.catalogue import CATALOGUE, SEARCH_SHARE
from tightrope.monitors.review.opinions import Opinion

METHODS = [Tumbling(), Budgeted("tumbling window, at Tightrope's budget", sliding=False)]


def test_delay_that_is_never_reached_counts_as_missed() -> None:
    """The quantiles are rows that came, or never."""
    assert delays_text([64.0, 128.0]) == "128 / 128"
    assert delays_text([64.0, np.inf, np.inf]) == "never / never, 67 % missed"


@pytest.mark.parametrize("name", [*BURSTS, *REQUESTS])
def test_streams_have_their_rate_and_hang_together(name: str) -> None:
    """Rows of a burst, or of a request, differ together more often than by chance."""
    stream = {**BURSTS, **REQUESTS}[name](np.random.default_rng(2), 200_000, 0.02)
    assert stream.disagree.mean() == pytest.approx(0.02, rel=0.2)
    distance = 20 if name in BURSTS and stream.caller.max() else 1
    same = stream.disagree[:-distance] & stream.disagree[distance:]
    assert same.mean() > 2 * stream.disagree.mean() ** 2


def test_requests_of_joined_streams_stay_apart() -> None:
    """Their numbers differ."""
    first, second = (
        REQUESTS["requests of 32 rows, concentration 5"](np.random.default_rng(s), 320, 0.5) for s in (0, 1)
    )
    both = joined(first, second)
    assert np.bincount(both.request).tolist() == [32] * 20
    assert both.disagree.tolist() == [*first.disagree, *second.disagree]


def test_methods_see_the_change_of_a_stream() -> None:
    """The whole judgement and a window, after it began."""
    rng, stream_of = np.random.default_rng(3), REQUESTS["requests of 32 rows, concentration 5"]
    stream = joined(stream_of(rng, CHANGE, 0.001), stream_of(rng, 4_000, 0.3))
    for unit in JUDGED.values():
        assert CHANGE < judged_alarms(unit, stream)[0] < CHANGE + 1_000
    assert CHANGE < window_alarms(METHODS[0], stream_of, stream)[0] <= CHANGE + 1_000


def test_intersections_are_of_different_attributes() -> None:
    """2 x 4 + 2 x 5 + 4 x 5 of them; each row lies in three."""
    assert len(PAIRS) == len({*PAIRS}) == 38
    rows = Rowset.draw(0, 1_000, quiet=True)
    assert (crossed(rows.member).sum(axis=1) == 3).all()


def test_harm_of_an_intersection_shows_in_no_declared_value() -> None:
    """The model is below 2 %, and each of the eleven values below 4 %; the intersection has 12 %."""
    rows = Rowset.draw(1, 400_000, quiet=False)
    assert rows.disagree.mean() < 0.018
    rates = [rows.disagree[member].mean() for member in rows.member.T]
    assert max(rates) < 0.04
    assert rows.disagree[crossed(rows.member)[:, PAIRS.index(HARMED)]].mean() == pytest.approx(0.12, abs=0.01)


@pytest.mark.parametrize("declared", [False, True])
def test_harmed_intersection_is_named(*, declared: bool) -> None:
    """By the search, or as a subgroup of its own; at ten times the rate, so that few rows suffice."""
    plan, rows = build_plan(declared=declared, quiet=False), Rowset.draw(4, 2_048, quiet=False)
    harmed = crossed(rows.member)[:, PAIRS.index(HARMED)]
    worse = Rowset(rows.member, rows.disagree | (harmed & (np.random.default_rng(0).random(2_048) < 0.7)))
    named = [name for _, name in fold(plan, worse.compared(plan))]
    assert ("age and region=1 and 2" if declared else "age: 1 and region: 2") in named


def test_plans_share_the_whole_budget() -> None:
    """The search has its own share."""
    plan = build_plan(declared=False, quiet=True)
    used = sum(float((rule.shares * rule.weights).sum()) for rule in plan.rules)
    assert plan.search is not None
    assert used == pytest.approx(CATALOGUE["disagreement"].share + 0.2)
    assert used + SEARCH_SHARE <= 1


def test_gap_at_the_limit_is_that_of_accuracy() -> None:
    """The baseline is right in 60 of 100 disagreements, and one row in 20 differs."""
    assert Truths.draw_rows(0, 400_000, AT_LIMIT).gaps.mean() == pytest.approx(0.01, abs=0.002)


@pytest.mark.parametrize("probability", [1.0, 0.25])
def test_labels_of_disagreements_show_a_gap(probability: float) -> None:
    """With about 40 labels, whether all disagreements get one or a quarter of them."""
    truths = Truths.draw_rows(1, 8_192, 1.0)
    (row,) = labelled_alarms(probability, truths, first=True)
    assert 10 <= drawn_labels(truths, probability)[:row].sum() <= 80


def test_quick_tables_have_a_line_for_each_method_beside_its_promise() -> None:
    """Other methods promise nothing unless they have Tightrope's budget."""
    tables = [
        dependent_rows.table(REQUESTS, METHODS, dependent_rows.SIZES[1]),
        intersections.table(METHODS, intersections.SIZES[1]),
        label_budgets.table(METHODS[:1], label_budgets.SIZES[1]),
    ]
    for table in tables:
        head, _, *lines = table.splitlines()
        assert "promised, at most" in head
        assert {line.count("|") for line in lines} == {head.count("|")}
    assert f"| {SEARCH} | 0.05 |" in tables[1]
    assert f"| {DECLARED} | 0.05 |" in tables[1]
    assert "| tumbling window, mean over the limit | - |" in tables[0]


def test_reviewed_labels_alone_keep_the_promise() -> None:
    """Each monitor of labels at its limit; a larger gap is seen."""
    rows, promised = 16_384, reviewed_labels.SHARE * 16_384 / reviewed_labels.SAMPLES_PER_FALSE_ALARM
    alarms, labels = reviewed_labels.false_alarms(reviewed_labels.certain, 1, rows)
    assert labels > 300
    assert alarms <= promised + 2 * np.sqrt(promised)
    assert reviewed_labels.false_alarms(_denies_compressed, 1, rows)[0] > promised + 2 * np.sqrt(promised)


def _denies_compressed(*_: object) -> Opinion:
    """A reviewer by whom the baseline is always right."""
    return Opinion.A
