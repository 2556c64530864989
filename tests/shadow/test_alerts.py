"""What stands by the routes, with the evidence in words; the same as the rules raise."""

from typing import Any

import pytest

from tests.support.observability.alert_rules import alerts
from tests.support.observability.promql import selectors
from tightrope.monitors.records import Event, Routes
from tightrope.service.adapters.ports import Alert
from tightrope.shadow.alerts import LATCHED, SAFE_MODE, SUMMARIES, standing

CASE = {"monitor": "disagreement", "evidence": 8.61468, "threshold": 8.4983}


def event(scope: str = "a=b", kind: str = "breach", model: str = "m", *, moved: bool = True, **detail: Any) -> Event:  # noqa: ANN401
    """A line of the audit trail."""
    facts = {"moved": moved, "monitors": [CASE], "request_id": "r-7", "compressed_digest": "c0", **detail}
    return Event(f"{scope}/{kind}", 17.0, model, kind, scope, "judge", "disagreement 0.643, limit 0.1", facts)


def routes(*safe: str, **states: str) -> Routes:
    """Of model m."""
    return Routes("m", 1, safe, states or dict.fromkeys(safe, "safe"))


def test_safe_scope_stands_with_its_evidence() -> None:
    """What, since when, by whom, why, on what evidence, about which file."""
    assert standing(routes("a=b"), [event()]) == [
        Alert(
            SAFE_MODE,
            "m",
            "a=b",
            17.0,
            {
                "summary": "m: the baseline answers a=b",
                "description": "breach by judge: disagreement 0.643, limit 0.1",
                "evidence": "disagreement: 10^8.6 of 10^8.5",
                "event": "a=b/breach",
                "request_id": "r-7",
                "compressed_digest": "c0",
            },
        )
    ]


def test_nobody_in_safe_mode_is_no_alert() -> None:
    """Whatever else happened."""
    assert standing(routes(), [event(moved=False), event(kind="recovered")]) == []


def test_latched_scope_has_an_alert_more() -> None:
    """It is in safe mode too, so both stand; an advisory model's is only latched."""
    assert [alert.name for alert in standing(routes("x", x="latched"))] == [SAFE_MODE, LATCHED]
    assert [alert.name for alert in standing(routes(x="latched"))] == [LATCHED]


def test_scope_whose_event_is_not_at_hand_points_to_the_trail() -> None:
    """After a restart: since when and why is in the audit trail."""
    (alert,) = standing(routes("a=b"), [event("other"), event(model="n"), event(kind="recovered"), event(moved=False)])
    assert alert.since is None
    assert set(alert.told) == {"summary", "description"}
    assert "/v1/events" in alert.told["description"]


def test_first_event_of_a_scope_tells() -> None:
    """The one that moved it, not what came after."""
    later = Event("later", 18.0, "m", "breach", "a=b", "judge", "mix", {"moved": True})
    assert standing(routes("a=b"), [event(), later])[0].told["event"] == "a=b/breach"


def test_operators_order_names_the_operator() -> None:
    """There is no evidence then, and a monitor without any has none in figures."""
    told = Event("o", 1.0, "m", "force-safe", "a=b", "ada", "trying it", {"moved": True, "monitors": []})
    (alert,) = standing(routes("a=b"), [told])
    assert alert.told["description"] == "force-safe by ada: trying it"
    assert "evidence" not in alert.told
    blank = event(monitors=[CASE | {"evidence": None}])
    assert standing(routes("a=b"), [blank])[0].told["evidence"] == "disagreement: 10^0.0 of 10^8.5"


@pytest.mark.parametrize("name", [SAFE_MODE, LATCHED])
def test_alert_is_the_rules_alert(name: str) -> None:
    """Its name, its words, and what it is about: so Alertmanager takes the two for one."""
    rule = alerts()[name]
    words = rule["annotations"]["summary"].replace("{{ $labels.", "{").replace(" }}", "}")
    assert words == SUMMARIES[name]
    assert rule["expr"].startswith("max by (model, scope) ")
    (asked,) = selectors(rule["expr"])
    assert asked.labels == ({"state": "latched"} if name == LATCHED else {})
    assert rule["labels"] == {"severity": "page"}
    assert "for" not in rule
    assert "keep_firing_for" not in rule
