"""Alerts reach their receivers, and one cause leads to one message."""

import itertools
from collections.abc import Iterator

import httpx
import pytest

from tests.support.observability import debian_servers
from tests.support.observability.alert_rules import HOME, alerts, document

FILE = HOME / "alertmanager.yml"
RECEIVERS = {"page": "pager", "ticket": "tickets", "none": "deadman"}


def test_configuration_passes_amtool() -> None:
    """It checks syntax, receivers and matchers."""
    code, output = debian_servers.run_tool("amtool", "check-config", FILE)
    assert code == 0, output


@pytest.mark.parametrize("name", alerts())
def test_alert_reaches_its_receiver(name: str) -> None:
    """Pages go to the pager, tickets to the ticket queue, the watchdog to the dead man's switch."""
    severity = alerts()[name]["labels"]["severity"]
    labels = [f"alertname={name}", f"severity={severity}", "model=m", "scope=a=b"]
    route = ("config", "routes", "test", f"--config.file={FILE}")
    code, output = debian_servers.run_tool("amtool", *route, f"--verify.receivers={RECEIVERS[severity]}", *labels)
    assert code == 0, output


def test_amtool_fails_on_a_wrong_receiver() -> None:
    """Otherwise the test above would prove nothing."""
    route = ("config", "routes", "test", f"--config.file={FILE}", "--verify.receivers=tickets", "severity=page")
    assert debian_servers.run_tool("amtool", *route)[0] != 0


def test_pages_go_out_at_once() -> None:
    """The first notification has the judge's evidence; Prometheus' alert comes with the second."""
    (pager,) = (route for route in document(FILE)["route"]["routes"] if route["receiver"] == "pager")
    assert pager["group_wait"] == "0s"


def test_inhibitions_name_alerts_that_exist() -> None:
    """A renamed alert would inhibit nothing, silently."""
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
    """Run a real Alertmanager with the shipped configuration and no receivers."""
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
    ("TightropeJudgesSilent", {}, "TightropeJudgeMissing", {"model": "m"}),
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
    """A real Alertmanager has received both alerts."""
    case = {
        "case": f"{source}{at}{target}{about}"
    }  # a label per case, because the alert of the gateway inhibits all others
    firing = [
        {"alertname": name, "severity": alerts()[name]["labels"]["severity"], **labels, **case}
        for name, labels in ((source, at), (target, about))
    ]
    posted = httpx.post(f"{manager}/api/v2/alerts", json=[{"labels": labels} for labels in firing])
    assert posted.status_code == 200, posted.text
    found = httpx.get(f"{manager}/api/v2/alerts", params={"filter": f'case="{case["case"]}"'}).json()
    by_target = {alert["labels"]["alertname"] + str(alert["labels"].get("scope")): alert for alert in found}
    assert len(by_target) == 2
    silenced = bool(by_target[target + str(about.get("scope"))]["status"]["inhibitedBy"])
    assert silenced == ((source, at, target, about) in SILENCED)
    ended = [{"labels": labels, "endsAt": "2020-01-01T00:00:00Z"} for labels in firing]
    httpx.post(f"{manager}/api/v2/alerts", json=ended).raise_for_status()
