"""One budget for all: shares of every cell of every monitor, and the rows that a pass takes."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import asks
from tests.support.judgement.ticks import rule
from tightrope.monitors.budget import Ask, Budget, rules
from tightrope.monitors.catalogue import CATALOGUE, SUBGROUP_SHARE, Kind, Reach
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.evidence import MeanTest, RateTest
from tightrope.monitors.verdict import rows_to_see_mean, rows_to_see_rate


def made(subgroups: int, classes: int, lanes: int = 1) -> tuple[Rule, ...]:
    """All questions of the catalogue, of a model with so many subgroups and classes."""
    scopes = tuple(f"g={n}" for n in range(subgroups))
    return rules(asks(scopes=scopes, classes=classes, lanes=lanes), Budget(), 0.75)


@pytest.mark.parametrize("subgroups", [0, 1, 23, 400])
@pytest.mark.parametrize("classes", [2, 3, 20])
def test_shares_of_all_cells_sum_to_at_most_one(subgroups: int, classes: int) -> None:
    """Over every cell of every variant of every monitor together, whatever their number."""
    all_ = made(subgroups, classes)
    assert sum(float(one.shares.sum()) * len(one.variants) for one in all_) <= 1
    of_model = [one.shares[0] * len(one.variants) for one in all_]
    assert of_model == pytest.approx([question.share for question in CATALOGUE.values()])
    of_subgroups = np.concatenate([np.tile(one.shares[1:], len(one.variants)) for one in all_])
    assert of_subgroups.sum() == pytest.approx(SUBGROUP_SHARE if subgroups else 0)
    assert len(set(of_subgroups[of_subgroups > 0].tolist())) <= 1


@pytest.mark.parametrize("lanes", [1, 2, 50])
def test_lanes_share_the_budget_by_sharing_the_rows(lanes: int) -> None:
    """A lane's share is its variant's: every row seeds one lane only, so the sum over a stream is the same."""
    for one, alone in zip(made(3, 2, lanes), made(3, 2), strict=True):
        assert one.lanes == lanes
        assert one.shares.tolist() == alone.shares.tolist()
        assert [one.name_of(place) for place in range(len(one.variants) * lanes)] == [
            name for name in one.variants for _ in range(lanes)
        ]


def test_questions_reach_the_scopes_that_they_say() -> None:
    """The model alone, subgroups alone, or all: where a question does not reach, it has no budget."""
    for one in made(2, 3):
        expected = {Reach.ALL: [True] * 3, Reach.MODEL: [True, False, False], Reach.SUBGROUPS: [False, True, True]}
        assert one.watched.tolist() == expected[one.question.reach], one.question.name


def test_kinds_get_their_tests() -> None:
    """A rate is counted; a mean is bet on from both sides, an upper one from above only; ternary ones are counted."""
    for one in made(2, 3):
        kind = one.question.kind
        if kind is Kind.RATE:
            assert isinstance(one.alarm, RateTest)
            assert (one.alarm.width, one.recovery.width) == (6, 4)
            continue
        assert isinstance(one.alarm, MeanTest)
        assert one.alarm.width == one.recovery.width == (7 if kind is Kind.UPPER else 14)
        assert one.alarm.ternary == one.question.ternary


def test_quantity_of_a_larger_bound_is_not_taken_for_a_ternary_one() -> None:
    """Only -1, 0 and 1 can be counted."""
    question = CATALOGUE["accuracy"]
    (one,) = rules([Ask(question, ("",), np.array([0.01]), bound=2.0)], Budget(), 0.75)
    assert isinstance(one.alarm, MeanTest)
    assert not one.alarm.ternary


def test_rows_needed_for_a_pass_follow_the_share_of_each_cell() -> None:
    """Half the share of the budget takes as many rows as half the alarms: ln A grows by ln 2."""
    limits = np.array([0.02, 0.02])
    for name, shares in (("disagreement", [0.25, 0.2]), ("confidence", [0.1, 0.2])):
        own_budget = np.log(Budget().samples / np.array(shares))
        seen = rows_to_see_rate(limits, own_budget), rows_to_see_mean(limits, 1.0, own_budget)
        assert rule(0.02, 0.02, name).needed == pytest.approx(seen[name == "confidence"], rel=1e-12)


def test_variants_ask_for_more_rows_than_one_question_alone() -> None:
    """Nine points of the distribution function have a ninth of the share each."""
    (shape,) = (one for one in made(0, 2) if one.question.name == "confidence_shape")
    own_budget = np.log(Budget().samples / np.array([0.05 / 9]))
    assert shape.needed == pytest.approx(rows_to_see_mean(np.array([0.05]), 1.0, own_budget), rel=1e-12)


def test_threshold_is_the_logarithm_of_the_samples() -> None:
    """What the evidence of any cell is held against."""
    assert Budget(1e6).threshold == pytest.approx(6 * np.log(10), rel=1e-15)
