"""The demo's trip pages somebody, once, with the evidence; and is resolved on the return. All servers are real."""

from itertools import pairwise
from typing import Any

from demo.replay import MODEL
from tests.theatre import CLUSTER, HARMED, Theatre


def pages(stage: Theatre) -> list[dict[str, Any]]:
    """Every notification to the pager about safe mode, in order."""
    heard = zip(stage.pager.paths, stage.pager.heard, strict=False)
    return [
        told
        for path, (_, told) in heard
        if path == "/pager" and told["groupLabels"]["alertname"] == "TightropeSafeMode"
    ]


def test_first_page_has_the_evidence(story: Theatre) -> None:
    """The judge's own: it was there before Prometheus had looked."""
    first = pages(story)[0]
    (alert,) = (one for one in first["alerts"] if one["labels"]["scope"] == HARMED)
    about = {"alertname": "TightropeSafeMode", "model": MODEL, "scope": HARMED, "severity": "page", **CLUSTER}
    assert alert["labels"] == about
    told = alert["annotations"]
    assert told["summary"] == f"{MODEL}: the baseline answers {HARMED}"
    assert told["evidence"].startswith("disagreement: 10^8.")
    assert told["description"].startswith("breach by judge: disagreement 0.")
    assert told["request_id"].startswith("demo-")
    assert told["runbook_url"].endswith("#tightropesafemode")


def test_two_ways_are_one_alert(story: Theatre) -> None:
    """Prometheus' and the judge's have the same labels: Alertmanager knows one alert a scope, and tells of it once."""
    by_rule = story.query('ALERTS{alertname="TightropeSafeMode"}') or story.query(
        'last_over_time(ALERTS{alertname="TightropeSafeMode"}[10m])'
    )
    assert HARMED in {found["metric"]["scope"] for found in by_rule}
    seen = [frozenset((a["labels"]["scope"], a["status"]) for a in told["alerts"]) for told in pages(story)]
    assert len({told["groupKey"] for told in pages(story)}) == 1
    assert all(earlier != later for earlier, later in pairwise(seen)), seen


def test_return_resolves_and_nobody_is_paged_again(story: Theatre) -> None:
    """Firing, then resolved, and then nothing more of that scope."""
    states = [a["status"] for told in pages(story) for a in told["alerts"] if a["labels"]["scope"] == HARMED]
    assert states == sorted(states)
    assert {"firing", "resolved"} == set(states)


def test_nothing_else_paged(story: Theatre) -> None:
    """No gateway down, no budget burnt, nothing latched; the watchdog is heard elsewhere."""
    names = {
        told["groupLabels"]["alertname"]
        for p, (_, told) in zip(story.pager.paths, story.pager.heard, strict=False)
        if p == "/pager"
    }
    assert names == {"TightropeSafeMode"}
    assert "/deadman" in story.pager.paths
