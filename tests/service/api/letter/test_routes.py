"""The week over HTTP, and sign-offs that go into the audit trail."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.week.simulated import NAME, WEEK, SimulatedWeek, simulated_week
from tightrope.monitors.records import Event
from tightrope.service.api.letter import routes

AUTH_OF_WEEK = {"Authorization": "Bearer secret"}
TRIP_DECISION = f"{NAME}/harm/8b5cc4df7eec"
SIGNED = {"decision": TRIP_DECISION, "reason": "a better model is trained", "actor": "Ann"}


def kept(week: SimulatedWeek, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of the gateway go into the trail at once."""
    monkeypatch.setattr(week.gateway.engine, "add_event", week.add)


def test_page_comes_with_a_strict_policy(week: SimulatedWeek) -> None:
    """No frame, no sniffing, no referrer; without a week it is this one."""
    answer = week.client.get(f"/week?week={WEEK}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "Week 48 of 2026" in answer.text
    assert "Week 49 of 2026" in week.client.get("/week").text


def test_week_is_signed_off_with_a_token_alone(week: SimulatedWeek) -> None:
    """And without a token in the configuration not at all."""
    assert week.client.post(f"/v1/weeks/{WEEK}/decisions", json=SIGNED).status_code == 401


def test_sign_off_is_an_event_and_ends_the_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Person, decision and reason are in the trail, in the words of people, and on the page."""
    with simulated_week(tmp_path, token="secret") as week:
        kept(week, monkeypatch)
        answer = week.client.post(f"/v1/weeks/{WEEK}/decisions", json=SIGNED, headers=AUTH_OF_WEEK)
        assert answer.status_code == 200
        assert answer.json()["recorded"] is True
        (event,) = week.client.get("/v1/events?kind=decided").json()["events"]
        assert event["id"] == answer.json()["event"]
        assert (event["actor"], event["reason"], event["scope"]) == ("Ann", SIGNED["reason"], "group=minority")
        assert event["detail"] == {"decision": SIGNED["decision"], "week": WEEK}
        assert event["text"] == "Ann signed off a decision about minority (group): a better model is trained"
        document = week.document()
        assert document["decisions"][0]["signed"]["actor"] == "Ann"
        assert document["summary"][-1] == "No decision is due."
        assert "Ann: a better model is trained" in week.client.get(f"/week?week={WEEK}").text


def test_sign_off_that_the_trail_does_not_show_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a moment only."""
    monkeypatch.setattr(routes, "CONFIRM_SECONDS", 0.0)
    sent: list[Event] = []
    with simulated_week(tmp_path, token="secret") as week:
        monkeypatch.setattr(week.gateway.engine, "add_event", sent.append)
        answer = week.client.post(f"/v1/weeks/{WEEK}/decisions", json=SIGNED, headers=AUTH_OF_WEEK)
    assert answer.json() == {"event": sent[0].id, "recorded": False}


@pytest.mark.parametrize("change", [{"decision": "nope"}, {"decision": f"{NAME}/harm/99"}])
def test_decision_that_is_not_due_is_refused(week: SimulatedWeek, change: dict[str, Any]) -> None:
    """With those that are."""
    with pytest.raises(Exception, match=rf"is not due in {WEEK}; due: {TRIP_DECISION}"):
        week.client.post(f"/v1/weeks/{WEEK}/decisions", json=SIGNED | change, headers=AUTH_OF_WEEK)


def test_json_is_what_the_page_is_made_of(week: SimulatedWeek) -> None:
    """Its dates are those of the week."""
    document = json.loads(week.client.get(f"/v1/weeks/{WEEK}").content)
    assert (document["week"], document["first"], document["last"]) == (WEEK, "2026-11-23", "2026-11-29")
    assert document["money"] == {"cost_per_hour": 0.05, "currency": "EUR"}
