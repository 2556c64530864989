"""A found group is named by the fewest predicates that its evidence supports, and never of a few rows."""

from dataclasses import replace

import numpy as np

from tightrope.monitors.hunter.columns import InputColumn, Layout
from tightrope.monitors.hunter.findings import FRESH_STEPS, FoundGroup, describe_finding, free_rows, name_slice
from tightrope.monitors.hunter.lattice import Lattice

LATTICE = Lattice.of([(0, 1.0, 1.0), (1, 2.0, 2.0), (2, 3.0, 3.0)], [(0,), (1,), (2,), (0, 1), (1, 2)], 0.1)
MANY = np.full(5, 100.0)
FOUND = FoundGroup(1, ((0, 1.0, 1.0),), 0.1, 384, 0.0, 60, 0.0, 20.0, first_steps=28.0, first_total=18.0)


def named(*evidence: float, support: np.ndarray = MANY) -> int | None:  # type: ignore[type-arg]
    """The slice that is named at a threshold of 19.6 nats."""
    return name_slice(LATTICE, np.array(evidence), support, 19.6)


def test_nothing_is_named_below_the_threshold() -> None:
    """Nor is anything without evidence."""
    assert named(19.5, 0, 0, 19.5, 0) is None
    assert named(*[-np.inf] * 5) is None


def test_single_close_to_a_pair_is_named() -> None:
    """Within two nats, of any predicates."""
    assert named(0, 0, 18.1, 20, 0) == 2
    assert named(0, 0, 17.9, 20, 0) == 3


def test_larger_group_with_half_of_the_evidence_is_named() -> None:
    """It has to contain the best one: a part of it, not another group."""
    assert named(10.1, 9.0, 12.0, 20, 0) == 0
    assert named(9.9, 9.0, 12.0, 20, 0) == 3


def test_few_rows_are_never_named() -> None:
    """Nineteen rows would tell about persons; the next best slice is named, if it is over the threshold itself."""
    few = np.array([19.0, 100.0, 100.0, 100.0, 100.0])
    assert named(25, 0, 0, 0, 0, support=few) is None
    assert named(25, 0, 0, 0, 20, support=few) == 4


def test_figures_since_the_finding_replace_those_before() -> None:
    """Once there are enough steps: what led to the finding is selected by it."""
    few = FOUND.after(10, 100, FRESH_STEPS - 1.0, 0.0)
    assert few.now.rows == 28
    enough = few.after(1, 10, 1.0, 1.0)
    assert (enough.now.rows, enough.now.mean) == (64, 1 / 64)
    assert (enough.rows, enough.model_rows) == (11, 110)


def test_rows_that_led_to_a_finding_were_chosen_so_their_interval_is_wider() -> None:
    """At the limit in every slice, one of them looks harmful: the interval of the worst one holds the limit."""
    rng = np.random.default_rng(4)
    worst = float(rng.binomial(200, 0.1, 2_000).max())
    finding = FoundGroup(1, ((0, 1.0, 1.0),), 0.1, 0, 0.0, 0, 0.0, 20.0, first_steps=200.0, first_total=worst)
    assert finding.now.mean >= 0.16
    assert finding.now.lower < 0.1
    since = replace(finding, steps=200.0, total=worst).now
    assert since.lower > finding.now.lower


def test_finding_ends_when_its_rate_is_proved_to_be_below_the_limit() -> None:
    """By the upper end of the interval, not by the mean."""
    assert not FOUND.after(64, 640, 64.0, 3.0).is_over
    assert FOUND.after(400, 4_000, 400.0, 10.0).is_over


def test_figures_of_a_found_group_start_anew() -> None:
    """The harm of long ago does not hide that it is over."""
    harmed = FOUND.after(512, 5_120, 512.0, 250.0)
    assert (harmed.steps, harmed.now.rows, harmed.rows) == (0, 512, 512)
    assert harmed.after(300, 3_000, 300.0, 6.0).is_over


def test_rows_of_found_groups_are_not_free() -> None:
    """Those of any of them."""
    other = replace(FOUND, predicates=((1, -np.inf, 5.0), (0, 2.0, 2.0)))
    vectors = np.array([[1.0, 9.0], [2.0, 4.0], [2.0, 9.0], [np.nan, 1.0]])
    assert free_rows([FOUND, other], vectors).tolist() == [False, False, True, True]


def test_sentence_has_no_exponents() -> None:
    """All answers differ, and the group is all of the rows, from the first one on."""
    layout = Layout((InputColumn("x", 0, "age"),), ())
    whole = replace(FOUND, first_total=28.0, rows=500, model_rows=500, since_row=0)
    text = describe_finding(whole, layout, "request")
    assert (
        text
        == "age = 1: 100 in 100 answers differ (62 to 100, 28 rows), limit 10; 100 % of the compared rows; \
since the first request"
    )


def test_finding_has_one_sentence() -> None:
    """Group, rate with interval and rows, limit, share, and beginning."""
    layout = Layout((InputColumn("x", 0, "residence", {1.0: "group quarters"}, is_titled=True),), ())
    found = replace(FOUND, rows=40, model_rows=1_000)
    assert describe_finding(found, layout, "compared row") == (
        "residence: group quarters: 64 in 100 answers differ (19 to 96, 28 rows), limit 10; 4 % of the compared rows; "
        "since about compared row 60"
    )
