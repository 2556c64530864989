"""Harm has a time and a number of answers with ranges; what is not known is said to be unknown."""

import copy
from typing import Any

import pytest

from tests.support.harmful_pair import MINORITY
from tests.support.week.simulated import CASE, MONDAY, NAME, NOW, TRIPPED, WEEK, move
from tightrope.monitors.records import Event
from tightrope.monitors.verdict import Interval, Onset
from tightrope.service.api.week.harm import AnswerShares, harm_cases, harm_sentences, onset_estimates
from tightrope.service.api.week.iso_week import Week

SHARES = AnswerShares({MINORITY: 0.1}.get, lambda _: 0.5)


def cases(*events: Event, now: float = NOW, shares: AnswerShares = SHARES) -> list[Any]:
    """The harms of the week."""
    return harm_cases(NAME, list(enumerate(events, 1)), Week.parse(WEEK), now, shares)


def trip(case: object = CASE, **detail: Any) -> Event:  # noqa: ANN401 - JSON
    """The alarm of Tuesday."""
    return move(1, TRIPPED, "breach", MINORITY, "safe", **{"monitors": [case], **detail})


def test_answers_are_rows_since_the_beginning_times_share_and_rate() -> None:
    """1,800 rows of 9,000 since the beginning, a tenth of them of the group, 60 % of these differ."""
    (case,) = cases(trip())
    assert case["answers"] == pytest.approx({"about": 108.0, "least": 72.0, "most": 180.0})
    assert case["seconds"] == pytest.approx({"about": 30.0, "least": 24.0, "most": 40.0})
    assert (case["protected"], case["began"], case["until"]) == (True, TRIPPED - 30.0, TRIPPED)
    assert "about 110 answers (72 to 180) to minority (group)" in case["says"]


def test_harm_of_some_classes_is_held_off_by_asking_again() -> None:
    """The full model does not answer all requests from then on."""
    narrow = {"after": {"state": "safe", "asked": [3]}, "asked": ["cat"]}
    (case,) = cases(move(1, TRIPPED, "breach", "model", "safe", monitors=[CASE], **narrow))
    assert (case["protected"], case["asked"]) == (True, ["cat"])
    assert case["who"] == "requests to employment where the small one says “cat”"
    assert case["says"].endswith("From then on the full model was asked again where the small one says “cat”.")
    (case,) = cases(trip())
    assert case["asked"] == []
    assert case["says"].endswith("From then on the full model answered.")


def test_rows_of_a_sample_stand_for_all_answers() -> None:
    """Half of the requests are compared, so there were twice as many answers."""
    case = copy.deepcopy(CASE)
    case["since"]["unit"] = "compared row"  # type: ignore[index]
    assert cases(trip(case))[0]["answers"]["about"] == pytest.approx(216.0)


def test_mean_has_no_beginning_and_no_number_of_answers() -> None:
    """Neither is said to be 0."""
    (case,) = cases(trip({**CASE, "monitor": "confidence", "since": None}))
    assert (case["seconds"], case["answers"], case["began"]) == (None, None, None)
    assert "Since when it was so is not known." in case["says"]


@pytest.mark.parametrize("changes", [{"monitor": "class_miss", "variant": "cat"}, {"now": None}])
def test_rate_of_some_answers_gives_no_number_of_all(changes: dict[str, object]) -> None:
    """Missed answers of one class are no share of all answers."""
    (case,) = cases(trip({**CASE, **changes}))
    assert case["answers"] is None
    assert case["seconds"] is not None
    assert "How many answers were of the harmful kind is not known." in case["says"]


def test_group_of_unknown_size_gives_no_number() -> None:
    """Its share of the requests is not known."""
    assert cases(trip(), shares=AnswerShares(lambda _: None, lambda _: 1.0))[0]["answers"] is None


def test_advisory_harm_goes_on_until_it_is_over() -> None:
    """In a week that ends before, it still goes on."""
    over = move(2, MONDAY + 6 * 86_400, "recovered", MINORITY, "normal", armed=False)
    (case,) = cases(trip(armed=False), over)
    assert (case["protected"], case["until"]) == (False, over.time)
    assert "because Tightrope only advises here" in case["says"]
    (case,) = cases(trip(armed=False), over, now=over.time - 1.0)
    assert case["until"] is None
    assert "It goes on: the small model still answers" in case["says"]


def test_harm_under_an_order_is_not_held_off() -> None:
    """The sentence says that a person ordered it."""
    held = move(1, TRIPPED, "breach", MINORITY, "normal", monitors=[CASE], moved=False)
    (case,) = cases(held)
    assert not case["protected"]
    assert "because a person ordered so" in case["says"]


def test_found_group_is_a_harm_by_its_own_figures() -> None:
    """Its beginning is a compared row, and half of the requests are compared."""
    detail = {
        "number": 3, "words": "age: 16 to 19", "now": {"mean": 0.5, "lower": 0.4, "upper": 0.6, "rows": 80},
        "limit": 0.2, "share": 0.05, "row": 9_000, "since_row": 8_000, "since_time": TRIPPED - 60.0,
    }  # fmt: skip
    (case,) = cases(Event("f", TRIPPED, NAME, "group-found", "model", "judge", "", detail))
    assert case["answers"]["about"] == pytest.approx(1_000 / 0.5 * 0.05 * 0.5)
    assert (case["scope"], case["until"]) == ("found 3", None)
    assert "a group that is not watched by name (age: 16 to 19)" in case["says"]


def test_harm_of_another_week_and_harm_to_come_are_left_out() -> None:
    """Nor is one told twice."""
    assert cases(move(1, MONDAY - 1, "breach", MINORITY, "safe", monitors=[CASE])) == []
    assert cases(trip(), now=TRIPPED - 1) == []
    assert len(cases(trip(), trip(moved=False))) == 1


def test_beginning_after_the_alarm_is_none_before_it() -> None:
    """Clocks and estimates may be off; no figure is below 0."""
    onset = Onset(number=1_100, earliest=1_050, latest=1_200, unit="request", time=200.0)
    seconds, answers = onset_estimates(1_000, 100.0, onset, Interval(0.5, -0.1, 0.6, 9), 1.0, 1.0)
    assert seconds == {"about": 0.0, "least": 0.0, "most": 0.0}
    assert answers == {"about": 0.0, "least": 0.0, "most": 0.0}


def test_no_harm_and_no_record_are_told_apart() -> None:
    """None noticed is not none done."""
    assert harm_sentences("not noticed", []) == ["No harm was noticed."]
    assert harm_sentences("unknown", []) == [
        "That is not known: nothing was compared, or nothing is on record for this week."
    ]
