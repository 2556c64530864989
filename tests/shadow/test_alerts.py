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
from tightrope.shadow.alerts import (
    ADVISED_ALERT,
    HELD_ALERT,
    HELD_SAFE_ALERT,
    LATCHED_ALERT,
    SAFE_MODE_ALERT,
    AlertFacts,
    active_alerts,
    label_texts,
    row_shares,
)

CASE = {"monitor": "disagreement", "evidence": 8.61468, "threshold": 8.4983}


def event(scope: str = "a=b", kind: str = "breach", model: str = "m", *, moved: bool = True, **detail: Any) -> Event:  # noqa: ANN401
    """Make an event of the audit trail."""
    facts = {"moved": moved, "monitors": [CASE], "request_digest": "r-7", "compressed_digest": "c0", **detail}
    return Event(f"{scope}/{kind}", 17.0, model, kind, scope, "judge", "disagreement 0.643, limit 0.1", facts)


def routes(*safe: str, **states: str) -> Routes:
    """Make routes of model ``m``."""
    return Routes("m", 1, safe, states or dict.fromkeys(safe, "safe"))


def test_safe_scope_has_an_alert_with_its_evidence() -> None:
    """It has the time, the cause, the evidence, the artefact, and the scope's share of the rows."""
    assert active_alerts(routes("a=b"), [event()], AlertFacts(shares={"a=b": 0.06})) == [
        Alert(
            SAFE_MODE_ALERT,
            "m",
            "a=b",
            17.0,
            {
                "evidence": "disagreement: evidence 101 % of what an alarm needs",
                "event": "a=b/breach",
                "request_digest": "r-7",
                "compressed_digest": "c0",
            },
            event(),
            0.06,
        )
    ]


def test_routes_without_safe_mode_have_no_alert() -> None:
    """Other events change nothing."""
    assert active_alerts(routes(), [event(moved=False), event(kind="recovered")]) == []


def test_latched_scope_has_a_second_alert() -> None:
    """It is in safe mode as well; callers of an advisory model get the harmful answers, latched or not."""
    assert [alert.name for alert in active_alerts(routes("x", x="latched"))] == [SAFE_MODE_ALERT, LATCHED_ALERT]
    assert [alert.name for alert in active_alerts(routes(x="latched", y="safe", z="normal"))] == [ADVISED_ALERT] * 2


def test_order_that_was_released_advises_no_one_of_harm() -> None:
    """In an advisory model the compressed one answers again; the state returns by evidence."""
    released = replace(routes(x="safe", y="safe"), ordered=("x",))
    assert [(alert.name, alert.scope) for alert in active_alerts(released)] == [(ADVISED_ALERT, "y")]


def test_alert_without_an_event_has_no_cause() -> None:
    """That is the case after a restart."""
    (alert,) = active_alerts(
        routes("a=b"), [event("other"), event(model="n"), event(kind="recovered"), event(moved=False)]
    )
    assert (alert.since, alert.cause, alert.annotations) == (None, None, {})


def test_only_what_an_operator_ordered_has_the_alert_of_orders() -> None:
    """Another scope has that of safe mode, and one that is latched has its own as well."""
    both = active_alerts(replace(routes("a=b", "c=d"), ordered=("a=b",)), [])
    assert {alert.scope: alert.name for alert in both} == {"a=b": HELD_SAFE_ALERT, "c=d": SAFE_MODE_ALERT}
    latched = active_alerts(replace(routes("a=b", **{"a=b": "latched"}), ordered=("a=b",)), [])
    assert [alert.name for alert in latched] == [HELD_SAFE_ALERT, LATCHED_ALERT]


def test_share_of_a_scope_is_that_of_the_compared_rows() -> None:
    """Before the first row no share is known."""
    fresh = initial_state(make_plan("disagreement"))
    assert row_shares(fresh) == {}
    shares = row_shares(replace(fresh, compared=np.array([200, 12, 188, 0])))
    assert list(shares.values()) == [1.0, 0.06, 0.94, 0.0]
    assert list(shares) == list(fresh.scopes)


def test_breach_is_the_cause_although_an_order_came_first() -> None:
    """The order alone would page no one; the alert of evidence has the evidence."""
    order = event(kind="force-safe", monitors=[])
    (alert,) = active_alerts(routes("a=b"), [order, event()])
    assert alert.cause == event()


def test_first_event_of_a_scope_is_the_cause() -> None:
    """Later events of the scope are ignored."""
    later = Event("later", 18.0, "m", "breach", "a=b", "judge", "mix", {"moved": True})
    assert active_alerts(routes("a=b"), [event(), later])[0].annotations["event"] == "a=b/breach"


def test_operators_order_names_the_operator() -> None:
    """There is no evidence then; a monitor without evidence shows none of what an alarm needs."""
    order = Event("o", 1.0, "m", "force-safe", "a=b", "ada", "trying it", {"moved": True, "monitors": []})
    (alert,) = active_alerts(replace(routes("a=b"), ordered=("a=b",)), [order])
    assert (alert.name, alert.cause) == (HELD_SAFE_ALERT, order)
    assert "evidence" not in alert.annotations
    blank = event(monitors=[CASE | {"evidence": None}])
    (told,) = active_alerts(routes("a=b"), [blank])
    assert told.annotations["evidence"] == "disagreement: evidence 0 % of what an alarm needs"


@pytest.mark.parametrize("name", [SAFE_MODE_ALERT, LATCHED_ALERT, HELD_ALERT])
def test_alert_equals_that_of_the_rules(name: str) -> None:
    """Equal name and labels, but for the source, let Alertmanager inhibit one of the two."""
    rule = alerts()[name]
    assert rule["expr"].startswith("max by (cluster, namespace, model, scope) ")
    selector, *others = selectors(rule["expr"])
    assert selector.labels.get("state", "") == ("latched" if name == LATCHED_ALERT else "")
    assert [one.name for one in others] == ["tightrope_safe_mode_ordered"] * (name == SAFE_MODE_ALERT)
    assert list(rule["labels"]) == ["severity", "owner"]
    assert "for" not in rule
    assert "keep_firing_for" not in rule


def test_scope_that_breaches_while_it_is_held_has_an_alert_of_its_own() -> None:
    """It has the evidence of the breach, though the breach moved nothing."""
    breach = event(moved=False, after={"state": "normal", "held": True, "breached": True})
    (alert,) = active_alerts(routes(), [breach], AlertFacts({"model": False, "a=b": True}))
    assert (alert.name, alert.scope, alert.annotations["event"]) == (HELD_ALERT, "a=b", "a=b/breach")
    assert active_alerts(routes(), [breach], AlertFacts({"a=b": False})) == []


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
    (alert,) = active_alerts(routes("model"), [event("model")], AlertFacts(labelled=texts))
    assert alert.annotations["labels"] == texts["model"]
    assert alert.annotations["evidence"]


def test_alert_of_a_model_without_labels_says_nothing_of_them() -> None:
    """There is nothing to act on."""
    plan = make_plan("disagreement", "accuracy")
    assert label_texts(plan, initial_state(plan)) == {}
    (alert,) = active_alerts(routes("model"), facts=AlertFacts(labelled={}))
    assert "labels" not in alert.annotations
