"""The probabilities of a day follow from the days before it, stay above the least one, and bias no label."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.monitors import observations
from tightrope.monitors.label_join import count_agreed, labelled_comparisons, rows_awaiting_labels
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import MODEL_SCOPE, Comparisons
from tightrope.monitors.review.daily_cap import DailyCap, DayChances, GroupRows, ReviewDays
from tightrope.monitors.veto.drawing import LabelDraw

SCOPES = ("size=few", "size=many")
CAP = DailyCap(LabelDraw(disagreements=0.5, random=0.02, floor=0.05), rows=20)

SHARES = st.floats(0.05, 1.0)
CAPS = st.builds(
    lambda least, most, random, rows: DailyCap(LabelDraw(max(least, most), random, min(least, most)), rows),
    *(SHARES, SHARES, st.floats(0.0, 1.0), st.integers(1, 200)),
)
GROUPS = st.tuples(st.integers(0, 100_000), st.integers(0, 5_000), st.integers(0, 500)).map(
    lambda counts: GroupRows(counts[0] + counts[1], counts[1], counts[2])
)
NUMBERS = 512
"""Draws in equal steps, which stand for all draws."""

DAYS = st.lists(st.dictionaries(st.sampled_from((MODEL_SCOPE, *SCOPES)), GROUPS), max_size=8)


def traffic(seed: int, n: int, few: float = 0.2, differing: float = 0.2) -> Comparisons:
    """Return rows of two groups, disagreements among them."""
    rng = np.random.default_rng(seed)
    of_few = rng.random(n) < few
    disagree = rng.random(n) < differing
    return Comparisons.from_columns(
        n,
        model="m",
        scopes=SCOPES,
        member=np.column_stack([of_few, ~of_few]),
        disagree=disagree,
        top_compressed=disagree.astype(int),
        draw=rng.random(n),
        offset=np.arange(n),
        request_id=tuple(map(str, range(n))),
    )


def chances_of(days: ReviewDays, cap: DailyCap, rows: Comparisons) -> list[list[float]]:
    """Return the probabilities that the days give to rows."""
    chances: list[list[float]] = days.after(cap, rows)[1].chances.tolist()
    return chances


@given(CAPS, DAYS, st.integers(0, 2**32 - 1))
def test_probabilities_are_from_the_least_one_to_that_without_a_cap(cap: DailyCap, days: object, seed: int) -> None:
    """The sample of all rows lies within the disagreements that are drawn, and is the same in every group."""
    chances = cap.of_rows(cap.chances(days), traffic(seed, 40))  # type: ignore[arg-type]
    disagreement, random = chances.T
    assert (disagreement >= cap.draw.floor).all()
    assert (disagreement <= cap.draw.most).all()
    assert (random <= np.minimum(disagreement, cap.draw.random)).all()
    assert len({*random.tolist()}) == 1
    assert (random > 0).all() or cap.draw.random * cap.rows < 1e-300


@given(CAPS, DAYS, GROUPS, st.sampled_from((MODEL_SCOPE, *SCOPES)))
def test_more_rows_on_a_day_never_raise_a_probability(cap: DailyCap, days: list, more: GroupRows, scope: str) -> None:
    """A busier day asks for no less care."""
    before, after = cap.chances(days), cap.chances([*days, {MODEL_SCOPE: more, scope: more}])
    assert after.random <= before.random
    if scope in after.groups and after.random == before.random:
        assert after.groups[scope] <= before.groups.get(scope, cap.draw.most)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 400))
def test_probabilities_are_fixed_before_the_rows_of_their_day(seed: int, other: int, n: int) -> None:
    """Tomorrow follows from the rows of the day itself, however many come, and today does not."""
    days = ReviewDays.begin(CAP, 0).after(CAP, traffic(0, 600))[0].on_day(CAP, 1)
    row = traffic(7, 20)
    fixed = chances_of(days, CAP, row)
    for rows in (traffic(seed, n), traffic(other, 2 * n, few=0.9, differing=0.9)):
        assert chances_of(days.after(CAP, rows)[0], CAP, row) == fixed
    assert [list(each) for each in zip(*fixed, strict=True)] != [[0.5] * 20, [0.02] * 20]


@given(st.integers(0, 2**32 - 1), st.integers(1, 500))
def test_probabilities_depend_on_no_draw(seed: int, n: int) -> None:
    """With other draws of all rows the probabilities of all days are the same: each draw stays independent of them."""
    days = [ReviewDays.begin(CAP, 0), ReviewDays.begin(CAP, 0)]
    for day in range(1, 4):
        rows = traffic(seed + day, n)
        draws = np.random.default_rng(seed).random(n)
        days = [
            each.after(CAP, replace(rows, draw=own))[0].on_day(CAP, day)
            for each, own in zip(days, (rows.draw, draws), strict=True)
        ]
    assert days[0].chances == days[1].chances


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.lists(st.booleans(), min_size=2, max_size=2))
def test_labels_are_unbiased_in_every_group(seed: int, right: list[bool]) -> None:
    """Over all draws, the mean of accuracy's observation is who was right: a row of either group, on a third day."""
    days = ReviewDays.begin(CAP, 0)
    for day in (1, 2):
        days = days.after(CAP, traffic(seed + day, 3_000, few=0.05))[0].on_day(CAP, day)
    numbers = (np.arange(NUMBERS) + 0.5) / NUMBERS
    plan = Plan("m", "b", "c", (MODEL_SCOPE, *SCOPES), np.ones(3), (), label_horizon=1.0, label_draw=CAP.draw)
    for group, truth in enumerate(right):
        rows = Comparisons.from_columns(
            NUMBERS, model="m", baseline_digest="b", compressed_digest="c", scopes=SCOPES, disagree=True,
            top_compressed=1, member=np.arange(2) == np.full((NUMBERS, 1), group), draw=numbers * 2.0**-27,
            offset=np.arange(NUMBERS), request_id=tuple(map(str, range(NUMBERS))),
        )  # fmt: skip
        stamped = days.after(CAP, rows)[1]
        draws = CAP.draw.of_rows(stamped)
        agreed, _ = count_agreed(plan, np.zeros(3, dtype=np.int64), stamped, np.ones(NUMBERS, dtype=bool))
        labels = [
            (row, Label("m", row.request_id, 0, int(truth), 0.0, "", probability))
            for row, drawn, probability in zip(
                rows_awaiting_labels(plan, stamped, agreed), draws.drawn, draws.probabilities.tolist(), strict=True
            )
            if drawn
        ]
        counts, y = observations.accuracy(labelled_comparisons(plan, "", labels), 1)
        assert counts.all()
        z = -1.0 if truth else 1.0
        assert y.sum() / NUMBERS == pytest.approx(z, abs=1 / NUMBERS / CAP.draw.floor)
        assert np.abs(y).max() <= 1 / CAP.draw.floor


def test_cap_is_what_a_day_like_the_one_before_asks_for() -> None:
    """First the sample of all rows, then the disagreements of each group."""
    day = {MODEL_SCOPE: GroupRows(10_000, 400), SCOPES[0]: GroupRows(1_000, 60), SCOPES[1]: GroupRows(9_000, 340)}
    chances = CAP.chances([day])
    assert chances.random == pytest.approx(0.02 * 20 / 392)
    assert [round(CAP.expected(day[scope], scope, chances), 6) for scope in (SCOPES[0], MODEL_SCOPE)] == [20, 29.795918]
    assert chances.groups[MODEL_SCOPE] == chances.groups[SCOPES[1]] == CAP.draw.floor


def test_busiest_of_seven_completed_days_counts() -> None:
    """A quiet Sunday does not fill the Monday after it; eight days later it is forgotten."""
    days = ReviewDays.begin(CAP, 0).after(CAP, traffic(0, 2_000))[0].on_day(CAP, 1)
    busy = days.chances
    assert busy.groups[MODEL_SCOPE] < 0.1
    days = days.after(CAP, traffic(1, 10))[0].on_day(CAP, 2)
    assert days.chances == busy
    assert days.on_day(CAP, 7).chances == busy
    assert days.on_day(CAP, 8).chances.groups.get(SCOPES[0], 0.5) == 0.5


def test_group_without_rows_before_has_the_probability_without_a_cap() -> None:
    """And so has every row on the first day: the cap stops no draw."""
    assert ReviewDays.begin(CAP, 3).chances == DayChances(0.02, {})
    chances = CAP.chances([{MODEL_SCOPE: GroupRows(5_000, 1_000), SCOPES[1]: GroupRows(5_000, 1_000)}])
    rows = Comparisons.from_columns(2, scopes=SCOPES, member=[[True, False], [False, True]])
    assert CAP.of_rows(chances, rows)[:, 0].tolist() == [0.5, 0.05]


def test_row_of_several_groups_has_the_largest_probability() -> None:
    """No group has less than its share."""
    chances = DayChances(0.01, {MODEL_SCOPE: 0.1, SCOPES[0]: 0.4, SCOPES[1]: 0.2})
    member = [[True, True], [False, True], [False, False]]
    rows = Comparisons.from_columns(3, scopes=SCOPES, member=member)
    assert CAP.of_rows(chances, rows)[:, 0].tolist() == [0.4, 0.2, 0.1]


def test_clock_that_goes_back_over_midnight_begins_no_day_again() -> None:
    """A whole day and more begins another one; the days that are later then are not completed ones."""
    days = ReviewDays.begin(CAP, 5).after(CAP, traffic(0, 500))[0].on_day(CAP, 6)
    days = days.after(CAP, traffic(1, 500))[0]
    assert days.on_day(CAP, 5) is days
    back = days.on_day(CAP, 4)
    assert (back.day, dict(back.completed), back.chances) == (4, {}, CAP.chances(()))


def test_rows_without_a_class_are_not_counted() -> None:
    """They are never drawn."""
    rows = Comparisons.from_columns(3, disagree=True, draw=0.0, top_baseline=[0, -1, 0], fault=[0, 0, 1])
    assert ReviewDays.begin(CAP, 0).after(CAP, rows)[0].rows == {MODEL_SCOPE: GroupRows(1, 1, 1)}


def test_another_cap_holds_from_the_same_completed_days_on() -> None:
    """Rows of today decide on nothing yet."""
    days = ReviewDays.begin(CAP, 0).after(CAP, traffic(0, 500))[0].on_day(CAP, 1).after(CAP, traffic(1, 5_000))[0]
    wider = replace(CAP, rows=40)
    assert days.fitted(wider).chances == wider.chances(days.completed.values()) != days.chances
