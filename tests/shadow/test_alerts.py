"""The active alerts of routes, with evidence; they equal those of the Prometheus rules."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_plan
from tests.support.observability.alert_rules import alerts
from tests.support.observability.promql import selectors
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Event, Routes
from tightrope.service.adapters.ports import Alert
from tightrope.shadow.alerts import HELD_ALERT, LATCHED_ALERT, SAFE_MODE_ALERT, SUMMARIES, active_alerts, label_texts

CASE = {"monitor": "disagreement", "evidence": 8.61468, "threshold": 8.4983}


def event(scope: str = "a=b", kind: str = "breach", model: str = "m", *, moved: bool = True, **detail: Any) -> Event:  # noqa: ANN401
    """Make an event of the audit trail."""
    facts = {"moved": moved, "monitors": [CASE], "request_id": "r-7", "compressed_digest": "c0", **detail}
    return Event(f"{scope}/{kind}", 17.0, model, kind, scope, "judge", "disagreement 0.643, limit 0.1", facts)


def routes(*safe: str, **states: str) -> Routes:
    """Make routes of model ``m``."""
    return Routes("m", 1, safe, states or dict.fromkeys(safe, "safe"))


def test_safe_scope_has_an_alert_with_its_evidence() -> None:
    """It has the time, the actor, the reason, the evidence and the artefact."""
    assert active_alerts(routes("a=b"), [event()]) == [
        Alert(
            SAFE_MODE_ALERT,
            "m",
            "a=b",
            17.0,
            {
                "summary": "m: the baseline answers a=b",
                "description": "breach by judge: disagreement 0.643, limit 0.1",
                "evidence": "disagreement: evidence 101 % of what an alarm needs",
                "event": "a=b/breach",
                "request_id": "r-7",
                "compressed_digest": "c0",
            },
        )
    ]


def test_routes_without_safe_mode_have_no_alert() -> None:
    """Other events change nothing."""
    assert active_alerts(routes(), [event(moved=False), event(kind="recovered")]) == []


def test_latched_scope_has_a_second_alert() -> None:
    """It is in safe mode as well; a scope of an advisory model is only latched."""
    assert [alert.name for alert in active_alerts(routes("x", x="latched"))] == [SAFE_MODE_ALERT, LATCHED_ALERT]
    assert [alert.name for alert in active_alerts(routes(x="latched"))] == [LATCHED_ALERT]


def test_alert_without_an_event_refers_to_the_audit_trail() -> None:
    """That is the case after a restart."""
    (alert,) = active_alerts(
        routes("a=b"), [event("other"), event(model="n"), event(kind="recovered"), event(moved=False)]
    )
    assert alert.since is None
    assert set(alert.annotations) == {"summary", "description"}
    assert "/v1/events" in alert.annotations["description"]


def test_only_what_an_operator_ordered_pages_no_one() -> None:
    """Another scope pages, and so does one that is latched."""
    both = active_alerts(replace(routes("a=b", "c=d"), ordered=("a=b",)), [])
    assert {alert.scope: alert.pages for alert in both} == {"a=b": False, "c=d": True}
    latched = active_alerts(replace(routes("a=b", **{"a=b": "latched"}), ordered=("a=b",)), [])
    assert {alert.name: alert.pages for alert in latched} == {SAFE_MODE_ALERT: False, LATCHED_ALERT: True}


def test_first_event_of_a_scope_is_the_cause() -> None:
    """Later events of the scope are ignored."""
    later = Event("later", 18.0, "m", "breach", "a=b", "judge", "mix", {"moved": True})
    assert active_alerts(routes("a=b"), [event(), later])[0].annotations["event"] == "a=b/breach"


def test_operators_order_names_the_operator() -> None:
    """There is no evidence then; a monitor without evidence shows none of what an alarm needs."""
    order = Event("o", 1.0, "m", "force-safe", "a=b", "ada", "trying it", {"moved": True, "monitors": []})
    (alert,) = active_alerts(replace(routes("a=b"), ordered=("a=b",)), [order])
    assert alert.annotations["description"] == "force-safe by ada: trying it"
    assert not alert.pages, "the operator knows of it"
    assert "evidence" not in alert.annotations
    blank = event(monitors=[CASE | {"evidence": None}])
    (told,) = active_alerts(routes("a=b"), [blank])
    assert told.annotations["evidence"] == "disagreement: evidence 0 % of what an alarm needs"


@pytest.mark.parametrize("name", [SAFE_MODE_ALERT, LATCHED_ALERT, HELD_ALERT])
def test_alert_equals_that_of_the_rules(name: str) -> None:
    """Equal name, summary and labels, but for the source, let Alertmanager inhibit one of the two."""
    rule = alerts()[name]
    words = rule["annotations"]["summary"].replace("{{ $labels.", "{").replace(" }}", "}")
    assert words == SUMMARIES[name]
    assert rule["expr"].startswith("max by (cluster, namespace, model, scope) ")
    selector, *others = selectors(rule["expr"])
    assert selector.labels.get("state", "") == ("latched" if name == LATCHED_ALERT else "")
    assert [one.name for one in others] == ["tightrope_safe_mode_ordered"] * (name == SAFE_MODE_ALERT)
    assert rule["labels"] == {"severity": "page"}
    assert "for" not in rule
    assert "keep_firing_for" not in rule


def test_scope_that_breaches_while_it_is_held_has_an_alert_of_its_own() -> None:
    """It has the evidence of the breach, though the breach moved nothing."""
    breach = event(moved=False, after={"state": "normal", "held": True, "breached": True})
    (alert,) = active_alerts(routes(), [breach], {"model": False, "a=b": True})
    assert (alert.name, alert.scope, alert.annotations["event"]) == (HELD_ALERT, "a=b", "a=b/breach")
    assert alert.annotations["summary"] == "m: a=b breaches, and an operator holds it in normal mode"
    assert active_alerts(routes(), [breach], {"a=b": False}) == []


def test_alert_says_what_labels_show_of_its_scope() -> None:
    """Differs, not worse, and how many labels show it; or that they do not suffice, or that none came."""
    plan = make_plan("disagreement", "accuracy", label_horizon=60.0)
    fresh = initial_state(plan)
    veto = replace(fresh.veto, labels=np.array([13, 1, 0, 0]), active=np.arange(4) == 0)
    veto = replace(veto, closed=np.where(np.arange(4) == 1, 2.0, -np.inf))
    texts = label_texts(plan, replace(fresh, veto=veto))
    assert [texts[scope] for scope in plan.scopes[:3]] == [
        "differs, not worse: 13 labelled disagreements show it",
        "501 labelled disagreements: not enough to show that it is no harm",
        "no disagreement is labelled yet",
    ]
    (alert,) = active_alerts(routes("model"), [event("model")], labelled=texts)
    assert alert.annotations["labels"] == texts["model"]
    assert alert.annotations["evidence"]


def test_alert_of_a_model_without_labels_says_nothing_of_them() -> None:
    """There is nothing to act on."""
    plan = make_plan("disagreement", "accuracy")
    assert label_texts(plan, initial_state(plan)) == {}
    (alert,) = active_alerts(routes("model"), labelled={})
    assert "labels" not in alert.annotations
