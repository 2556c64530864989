"""Gaps are said, each with its own sentence."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tests.support.week.simulated import DAY, HOUR, MONDAY, NOW, WEEK
from tightrope.service.api.week.costs import WeekCosts
from tightrope.service.api.week.iso_week import Week
from tightrope.service.api.week.spans import TrailSpan
from tightrope.service.api.week.unknown import UnknownFacts, unknowns

WEEK_OF = Week.parse(WEEK)
FACTS = UnknownFacts(
    week=WEEK_OF,
    now=NOW,
    model={"unseen": [], "sight": {"sampled_share": 1.0}},
    searches=True,
    coverage=0.5,
    takes_labels=True,
    unseen=(),
    lost=(),
    begins=MONDAY - 1,
    days=WEEK_OF.days,
    costs=WeekCosts(1, alone=1.0, blind_seconds=0.0),
)


def says(kind: str, **changes: Any) -> list[str]:  # noqa: ANN401 - fields of the facts
    """The sentences of a kind."""
    return [each["says"] for each in unknowns(replace(FACTS, **changes)) if each["kind"] == kind]


def test_week_of_which_all_is_on_record_has_two_sentences() -> None:
    """About groups that are not declared, and about labels."""
    assert [each["kind"] for each in unknowns(FACTS)] == ["undeclared", "labels"]


def test_groups_with_too_few_answers_are_named() -> None:
    """With the answers that they have, and those that it takes."""
    few = [{"title": "other race (race)", "rows": 22, "needed": 156}]
    (found,) = says("few", model={**FACTS.model, "unseen": few})
    assert found.startswith("One group has too few compared answers")
    assert "other race (race) (22 of 156)" in found


def test_groups_that_are_not_searched_are_unknown() -> None:
    """And a search finds larger harm only."""
    assert says("undeclared", searches=False) == ["Harm in groups that are not watched by name is not searched for."]
    assert says("undeclared") == ["Harm in a group that is not watched by name is found only if it is large."]


def test_labels_are_none_late_or_of_a_share() -> None:
    """No label is not a share of 0."""
    assert "every difference counts as harm" in says("labels", takes_labels=False)[0]
    assert "no right answer has come" in says("labels", coverage=None)[0]
    assert "50 %" in says("labels")[0]


def test_sample_is_said_to_be_one() -> None:
    """With its share."""
    found = says("sampled", model={**FACTS.model, "sight": {"sampled_share": 0.1}})
    assert found == ["10 % of the requests are compared. The others are taken to be like them."]


def test_time_blind_is_that_of_the_ledger_and_when_is_that_of_the_trail() -> None:
    """A span of another week is left out; one that goes on says since when."""
    spans = [
        TrailSpan("model", "blind-began", "gateway", 1, MONDAY + HOUR, MONDAY + 3 * HOUR),
        TrailSpan("group=a", "scope-blind-began", "gateway", 2, MONDAY + 5 * DAY),
        TrailSpan("model", "blind-began", "gateway", 3, MONDAY - DAY, MONDAY - HOUR),
    ]
    found = says("blind", unseen=spans, costs=WeekCosts(1, alone=1.0, blind_seconds=7200.0))
    assert found[0].startswith("For 2 hours in all nothing was judged")
    assert found[1].startswith("Monday 23 November, 01:00, for 2 hours: nothing showed")
    assert found[2].startswith(
        "Since Saturday 28 November, 00:00: nothing showed whether the small model was safe for a"
    )
    assert len(found) == 3
    assert len(says("lost", lost=spans)) == 2


@pytest.mark.parametrize(
    ("begins", "words"),
    [(None, "Nothing that happened"), (NOW + 1, "Nothing that happened"), (MONDAY + DAY, "What happened before Tue")],
)
def test_trail_that_begins_late_is_incomplete(begins: float | None, words: str) -> None:
    """One that begins before the week is complete."""
    assert says("trail", begins=begins)[0].startswith(words)
    assert says("trail") == []


def test_days_without_a_ledger_are_named() -> None:
    """Days to come are not missing."""
    monday = date(2026, 11, 23)
    known = [monday + timedelta(days=number) for number in range(6)]
    assert says("ledger", days=known)[0].endswith("for Sunday: the figures are those of the other days.")
    assert says("ledger", days=[]) == ["What was spent and saved is not on record."]
    assert says("ledger", days=known[:2], now=MONDAY + DAY + HOUR) == []
    assert "On 2 days" in says("ledger", costs=WeekCosts(1, unknown_days=2))[0]


def test_week_that_is_long_over_says_what_is_of_today() -> None:
    """And comparing that is counted elsewhere is not known."""
    assert says("past") == []
    assert len(says("past", now=NOW + 7 * DAY)) == 1
    assert says("comparing", costs=WeekCosts(1, comparing=None)) == [
        "What comparing took is counted on other machines."
    ]
