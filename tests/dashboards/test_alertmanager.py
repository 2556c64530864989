"""Alerts reach whom they should, and one cause is one message."""

import itertools
from collections.abc import Iterator

import httpx
import pytest

from tests.support.observability import debian_servers
from tests.support.observability.alert_rules import HOME, alerts, document

FILE = HOME / "alertmanager.yml"
RECEIVERS = {"page": "pager", "ticket": "tickets", "none": "deadman"}


def test_amtool_finds_nothing_wrong_with_the_file() -> None:
    """Syntax, receivers, matchers."""
    code, said = debian_servers.said("amtool", "check-config", FILE)
    assert code == 0, said


@pytest.mark.parametrize("name", alerts())
def test_alert_reaches_its_receiver(name: str) -> None:
    """Pages go to the pager, tickets wait, the watchdog goes to the dead man's switch."""
    severity = alerts()[name]["labels"]["severity"]
    labels = [f"alertname={name}", f"severity={severity}", "model=m", "scope=a=b"]
    route = ("config", "routes", "test", f"--config.file={FILE}")
    code, said = debian_servers.said("amtool", *route, f"--verify.receivers={RECEIVERS[severity]}", *labels)
    assert code == 0, said


def test_wrong_receiver_would_be_seen() -> None:
    """The tool fails where an alert goes elsewhere."""
    route = ("config", "routes", "test", f"--config.file={FILE}", "--verify.receivers=tickets", "severity=page")
    assert debian_servers.said("amtool", *route)[0] != 0


def test_pages_go_out_at_once() -> None:
    """No waiting for company: the judge's evidence is in the first notification, and Prometheus' is the second."""
    (pager,) = (route for route in document(FILE)["route"]["routes"] if route["receiver"] == "pager")
    assert pager["group_wait"] == "0s"


def test_inhibitions_name_alerts_that_exist() -> None:
    """A name that has changed would inhibit nothing, silently."""
    matchers = itertools.chain(
        *((r["source_matchers"] + r["target_matchers"]) for r in document(FILE)["inhibit_rules"])
    )
    names = {
        name
        for matcher in matchers
        if matcher.startswith("alertname")
        for name in matcher.partition('"')[2].strip('"').split("|")
    }
    assert names - {"Tightrope.+"} <= set(alerts())


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The shipped configuration in a real Alertmanager, with nobody to tell."""
    quiet = document(FILE) | {"receivers": [{"name": name} for name in RECEIVERS.values()]}
    with debian_servers.alertmanager(tmp_path_factory.mktemp("alertmanager"), quiet) as running:
        yield running.address


SILENCED = [
    ("TightropeGatewayDown", {}, "TightropeBlind", {"model": "m"}),
    ("TightropeGatewayDown", {}, "TightropeErrorBudgetBurn", {"model": "m"}),
    ("TightropeSafeMode", {"model": "a", "scope": "model"}, "TightropeSafeMode", {"model": "a", "scope": "x=y"}),
    ("TightropeSafeMode", {"model": "b", "scope": "model"}, "TightropeEvidenceHigh", {"model": "b", "scope": "x=y"}),
    ("TightropeLatched", {"model": "c", "scope": "x=y"}, "TightropeSafeMode", {"model": "c", "scope": "x=y"}),
    ("TightropeLatched", {"model": "d", "scope": "x=y"}, "TightropeFlapping", {"model": "d", "scope": "x=y"}),
    ("TightropeAdvised", {"model": "e", "scope": "x=y"}, "TightropeEvidenceHigh", {"model": "e", "scope": "x=y"}),
    ("TightropeErrorBudgetBurn", {"model": "f"}, "TightropeErrorBudgetSlowBurn", {"model": "f"}),
    ("TightropeBaselineFailing", {"model": "g"}, "TightropeModelFailing", {"model": "g", "role": "baseline"}),
    ("TightropeBaselineFailing", {"model": "h"}, "TightropeEndpointDown", {"model": "h", "role": "baseline"}),
    (
        "TightropeEndpointDown",
        {"model": "i", "role": "baseline"},
        "TightropeModelFailing",
        {"model": "i", "role": "baseline"},
    ),
]
HEARD = [
    ("TightropeGatewayDown", {}, "TightropeWatchdog", {}),
    ("TightropeSafeMode", {"model": "a", "scope": "x=y"}, "TightropeSafeMode", {"model": "a", "scope": "u=v"}),
    ("TightropeSafeMode", {"model": "b", "scope": "model"}, "TightropeSafeMode", {"model": "c", "scope": "x=y"}),
    ("TightropeLatched", {"model": "d", "scope": "x=y"}, "TightropeSafeMode", {"model": "d", "scope": "u=v"}),
    ("TightropeSafeMode", {"model": "e", "scope": "model"}, "TightropeBaselineFailing", {"model": "e"}),
    (
        "TightropeEndpointDown",
        {"model": "f", "role": "baseline"},
        "TightropeModelFailing",
        {"model": "f", "role": "compressed"},
    ),
]


@pytest.mark.parametrize(("source", "at", "target", "about"), [*SILENCED, *HEARD])
def test_cause_silences_its_consequences_and_nothing_else(
    manager: str, source: str, at: dict[str, str], target: str, about: dict[str, str]
) -> None:
    """Asked of a real Alertmanager, which has been told of both."""
    case = {"case": f"{source}{at}{target}{about}"}  # each has its own pair; the gateway's alert is for everybody
    told = [
        {"alertname": name, "severity": alerts()[name]["labels"]["severity"], **labels, **case}
        for name, labels in ((source, at), (target, about))
    ]
    posted = httpx.post(f"{manager}/api/v2/alerts", json=[{"labels": labels} for labels in told])
    assert posted.status_code == 200, posted.text
    found = httpx.get(f"{manager}/api/v2/alerts", params={"filter": f'case="{case["case"]}"'}).json()
    by_target = {alert["labels"]["alertname"] + str(alert["labels"].get("scope")): alert for alert in found}
    assert len(by_target) == 2
    silenced = bool(by_target[target + str(about.get("scope"))]["status"]["inhibitedBy"])
    assert silenced == ((source, at, target, about) in SILENCED)
    ended = [{"labels": labels, "endsAt": "2020-01-01T00:00:00Z"} for labels in told]
    httpx.post(f"{manager}/api/v2/alerts", json=ended).raise_for_status()
