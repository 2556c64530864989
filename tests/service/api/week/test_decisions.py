"""Decisions have an owner, a date, and the word of the one who signed them off."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.harmful_pair import MINORITY
from tests.support.week.simulated import CASE, DAY, MONDAY, NAME, NOW, TRIPPED, WEEK, move
from tightrope.monitors.records import Event
from tightrope.service.api.week.decisions import DecisionFacts, due_decisions
from tightrope.service.api.week.harm import AnswerShares, harm_cases
from tightrope.service.api.week.iso_week import Week

WELL = {"scope": "model", "state": "normal", "held": False, "answers": "small", "since": None, "by": None}
MODEL: dict[str, Any] = {"qualification": None, "found": [], "everyone": WELL, "groups": [{**WELL, "scope": MINORITY}]}
FACTS = DecisionFacts(Week.parse(WEEK), NOW, NAME, "team-credit", MODEL, (), ())


def decisions(**changes: Any) -> list[Any]:  # noqa: ANN401 - entries of the overview
    """The decisions of a model with other entries."""
    return due_decisions(replace(FACTS, model={**MODEL, **changes}))


def test_model_that_is_well_has_no_decision() -> None:
    """Nor has a week that is too old for what is so today."""
    assert decisions() == []
    stays = {"everyone": {**WELL, "state": "latched"}}
    assert due_decisions(replace(FACTS, model=None)) == []
    assert len(decisions(**stays)) == 1


@pytest.mark.parametrize(("days", "due"), [(29, 0), (27, 1), (-1, 1)])
def test_approval_is_due_before_it_ends(days: float, due: int) -> None:
    """On the day at which it ends."""
    found = decisions(qualification={"expires": NOW + days * DAY, "statement": "0123456789abcdef"})
    assert len(found) == due
    assert [each["id"] for each in found] == [f"{NAME}/approval/0123456789ab"] * due
    assert all(("has ended" in each["says"]) is (days < 0) for each in found)


def test_found_group_latched_scope_and_order_are_due_a_week_later() -> None:
    """The earliest first; a group that is watched needs no decision."""
    group = {"title": "age: 16 to 19", "rate": 0.4, "at": MONDAY, "scope": "age=16_19", "declared": False}
    found = decisions(
        found=[group, {**group, "declared": True}],
        everyone={**WELL, "held": True, "by": "Ben", "since": MONDAY + 2 * DAY},
        groups=[{**WELL, "scope": MINORITY, "state": "latched", "since": MONDAY + DAY}],
    )
    assert [(each["kind"], each["due"]) for each in found] == [
        ("group", "2026-11-30"),
        ("stays", "2026-12-01"),
        ("order", "2026-12-02"),
    ]
    assert {each["owner"] for each in found} == {"team-credit"}
    assert found[0]["says"].endswith("(40 % of its answers differ). Decide whether it is to be watched by name.")
    assert "by an order of Ben the small model answers" in found[2]["says"]


def test_harm_is_due_until_it_is_signed_off() -> None:
    """The sign-off has the person, the time and the reason."""
    trip = move(1, TRIPPED, "breach", MINORITY, "safe", monitors=[CASE])
    shares = AnswerShares(lambda _: 0.1, lambda _: 1.0)
    cases = harm_cases(NAME, [(5, trip)], FACTS.week, NOW, shares)
    (waiting,) = due_decisions(replace(FACTS, cases=cases))
    assert (waiting["id"], waiting["due"], waiting["signed"]) == (f"{NAME}/harm/8b5cc4df7eec", "2026-12-01", None)

    signed = Event("s", NOW, NAME, "decided", MINORITY, "Ann", "a better model is trained", {"decision": waiting["id"]})
    (done,) = due_decisions(replace(FACTS, cases=cases, events=[(5, trip), (9, signed)]))
    assert done["signed"] == {"actor": "Ann", "at": NOW, "reason": "a better model is trained"}


def test_harm_that_goes_on_cannot_wait() -> None:
    """It is due on the day on which it was noticed; a found group has no scope of its own."""
    detail = {"number": 1, "words": "a", "now": None, "limit": 0.2, "share": 0.1, "row": 9, "since_row": 1,
              "since_time": 0.0}  # fmt: skip
    found = Event("f", TRIPPED, NAME, "group-found", "model", "judge", "", detail)
    cases = harm_cases(NAME, [(5, found)], FACTS.week, NOW, AnswerShares(lambda _: None, lambda _: 1.0))
    (waiting,) = due_decisions(replace(FACTS, cases=cases))
    assert (waiting["due"], waiting["scope"]) == ("2026-11-24", "model")
    assert "this cannot wait" in waiting["says"]
