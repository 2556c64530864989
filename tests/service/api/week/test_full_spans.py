"""Groups that the full model answered are named with time and reason."""

import pytest

from tests.support.harmful_pair import MINORITY
from tests.support.week.simulated import DAY, MONDAY, NAME, NOW, WEEK, move, week_events
from tightrope.service.api.week.full_spans import by_full_model
from tightrope.service.api.week.iso_week import Week


def test_reasons_are_evidence_orders_and_blindness() -> None:
    """In the order of their begin."""
    found = by_full_model(NAME, list(enumerate(week_events(), 1)), Week.parse(WEEK), NOW)
    assert [(each["cause"], each["scope"]) for each in found] == [
        ("noticed", MINORITY),
        ("order", "model"),
        ("unseen", "model"),
    ]
    assert found[1]["says"] == (
        "Everybody who asks employment: from Wednesday 25 November, 08:00 for 2 hours, because Ben ordered it."
    )


def test_span_from_before_the_week_that_goes_on_is_still_so() -> None:
    """It has no end in this week."""
    events = [(1, move(1, MONDAY - DAY, "breach", MINORITY, "safe"))]
    (found,) = by_full_model(NAME, events, Week.parse(WEEK), NOW)
    assert found["until"] is None
    assert found["says"] == (
        "Minority (group): since Sunday 22 November, 00:00, and still, because Tightrope noticed harm."
    )
    assert by_full_model(NAME, events, Week.parse("2026-W46"), NOW) == []


def test_classes_that_are_asked_again_are_named_in_the_place_of_everybody() -> None:
    """The small model answers all other requests."""
    after = {"state": "safe", "asked": [3]}
    events = [(1, move(1, MONDAY, "breach", "model", "safe", after=after, asked=["cat"]))]
    (found,) = by_full_model(NAME, events, Week.parse(WEEK), NOW)
    assert found["asked"] == ["cat"]
    assert found["says"] == (
        "Requests to employment where the small one says “cat”: since Monday 23 November, 00:00, and still, because "
        "Tightrope noticed harm."
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("withheld", "the examination did not prove it safe for them"),
        ("known-harm", "harm was known before"),
        ("release", "Tightrope kept it so"),
    ],
)
def test_other_reasons_have_words_of_their_own(kind: str, words: str) -> None:
    """None is an order, and none was noticed in service."""
    events = [(1, move(1, MONDAY, kind, MINORITY, "safe"))]
    (found,) = by_full_model(NAME, events, Week.parse(WEEK), NOW)
    assert found["cause"] == "other"
    assert found["says"].endswith(f"because {words}.")
