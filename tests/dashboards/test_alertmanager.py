"""Alerts reach their receivers, and one cause leads to one message."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.support.observability import debian_servers
from tests.support.observability.alert_rules import HOME, alerts, document, severities
from tests.support.observability.debian_servers import until
from tests.support.observability.full_stack import routes
from tests.support.observability.pager import listening
from tightrope.service.adapters.alertmanager import JUDGE_SOURCE

FILE = HOME / "alertmanager.yml"
RECEIVERS = {"page": "pager", "ticket": "tickets", "info": "channel", "none": "deadman"}


def test_configuration_passes_amtool() -> None:
    """It checks syntax, receivers and matchers."""
    code, output = debian_servers.run_tool("amtool", "check-config", FILE)
    assert code == 0, output


@pytest.mark.parametrize("name", alerts())
def test_alert_reaches_its_receiver(name: str) -> None:
    """Pages go to the pager, tickets to the ticket queue, the watchdog to the dead man's switch."""
    for severity in severities(name):
        labels = [f"alertname={name}", f"severity={severity}", "model=m", "scope=a=b"]
        route = ("config", "routes", "test", f"--config.file={FILE}")
        code, output = debian_servers.run_tool("amtool", *route, f"--verify.receivers={RECEIVERS[severity]}", *labels)
        assert code == 0, output


def test_order_reaches_the_channel_alone() -> None:
    """The judge's alert about an order wakes no one; while it holds, the channel is reminded every eight hours."""
    route = ("config", "routes", "test", f"--config.file={FILE}", "--verify.receivers=channel")
    code, output = debian_servers.run_tool(
        "amtool", *route, "alertname=TightropeHeldSafe", "severity=info", "actor=ada"
    )
    assert code == 0, output
    (channel,) = (route for route in document(FILE)["route"]["routes"] if route["receiver"] == "channel")
    assert channel["repeat_interval"] == "8h"


def test_amtool_fails_on_a_wrong_receiver() -> None:
    """Otherwise the test above would prove nothing."""
    route = ("config", "routes", "test", f"--config.file={FILE}", "--verify.receivers=tickets", "severity=page")
    assert debian_servers.run_tool("amtool", *route)[0] != 0


def test_pages_go_out_at_once() -> None:
    """The first notification is the judge's, with the evidence; Prometheus' alert comes after it, and is inhibited."""
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


SAFE_MODE = {"model": "z", "scope": "x=y", "cluster": "eu", "namespace": "production"}


def test_evidence_of_the_judge_is_not_replaced_by_the_text_of_the_rules(tmp_path: Path) -> None:
    """Both send the same alert again and again to a real Alertmanager; each notification has the evidence alone, and
    the alert of the rules pages where the judge's is of another installation, or is over.
    """
    labels = {"alertname": "TightropeSafeMode", "severity": "page", **SAFE_MODE}
    now = datetime.now(UTC)
    with listening() as pager, debian_servers.alertmanager(tmp_path, routes(pager)) as manager:

        def post(labels: dict[str, str], ends: datetime | None = None, **annotations: str) -> None:
            """Send an alert as both senders do, with its annotations."""
            times = {"startsAt": now.isoformat(), "endsAt": (ends or now + timedelta(minutes=4)).isoformat()}
            body = [{"labels": labels, "annotations": annotations, **times}]
            httpx.post(f"{manager.address}/api/v2/alerts", json=body).raise_for_status()

        for number in range(4):  # another scope each time, so that the group is told again
            for scope in ("x=y", f"x={number}"):
                post({**labels, **JUDGE_SOURCE, "scope": scope}, evidence="120 %")
                post({**labels, "scope": scope}, description="generic")
            shown = httpx.get(f"{manager.address}/api/v2/alerts", params={"inhibited": False}).json()
            assert {alert["annotations"].get("evidence") for alert in shown} == {"120 %"}
            until(lambda scope=f"x={number}": pager.alerts("firing", scope=scope), 20)
        heard = [alert for _, notification in pager.heard for alert in notification["alerts"]]
        assert {alert["annotations"].get("evidence") for alert in heard} == {"120 %"}
        post({**labels, "namespace": "staging"}, description="generic")
        until(lambda: pager.alerts("firing", namespace="staging"), 20)
        post({**labels, **JUDGE_SOURCE}, datetime.now(UTC), evidence="120 %")
        until(lambda: [a for a in pager.alerts("firing", **SAFE_MODE) if "source" not in a["labels"]], 20)


HANGING = {"model": "r", "role": "baseline"}

SILENCED = [
    ("TightropeSafeMode", {**SAFE_MODE, **JUDGE_SOURCE}, "TightropeSafeMode", SAFE_MODE),
    ("TightropeGatewayDown", {}, "TightropeBlind", {"model": "m"}),
    ("TightropeGatewayDown", {}, "TightropeErrorBudgetBurn", {"model": "m"}),
    ("TightropeSafeMode", {"model": "a", "scope": "model"}, "TightropeSafeMode", {"model": "a", "scope": "x=y"}),
    ("TightropeSafeMode", {"model": "b", "scope": "model"}, "TightropeEvidenceHigh", {"model": "b", "scope": "x=y"}),
    (
        "TightropeLatched",
        {"model": "c", "scope": "x=y"},
        "TightropeSafeMode",
        {"model": "c", "scope": "x=y", "severity": "ticket"},
    ),
    (
        "TightropeAdvised",
        {"model": "j", "scope": "x=y", **JUDGE_SOURCE},
        "TightropeAdvised",
        {"model": "j", "scope": "x=y"},
    ),
    ("TightropeLatched", {"model": "d", "scope": "x=y"}, "TightropeFlapping", {"model": "d", "scope": "x=y"}),
    ("TightropeAdvised", {"model": "e", "scope": "x=y"}, "TightropeEvidenceHigh", {"model": "e", "scope": "x=y"}),
    ("TightropeErrorBudgetBurn", {"model": "f"}, "TightropeErrorBudgetSlowBurn", {"model": "f"}),
    ("TightropeJudgesSilent", {}, "TightropeJudgeMissing", {"model": "m"}),
    ("TightropeBaselineFailing", {"model": "g"}, "TightropeModelFailing", {"model": "g", "role": "baseline"}),
    ("TightropeBaselineFailing", {"model": "h"}, "TightropeModelHanging", {"model": "h", "role": "baseline"}),
    ("TightropeModelHanging", HANGING, "TightropeModelFailing", HANGING),
    ("TightropeBaselineFailing", {"model": "h"}, "TightropeEndpointDown", {"model": "h", "role": "baseline"}),
    (
        "TightropeEndpointDown",
        {"model": "i", "role": "baseline"},
        "TightropeModelFailing",
        {"model": "i", "role": "baseline"},
    ),
]
HEARD = [
    ("TightropeLatched", {"model": "c", "scope": "model"}, "TightropeSafeMode", {"model": "c", "scope": "model"}),
    ("TightropeHeldSafe", {"model": "h", "scope": "model"}, "TightropeSafeMode", {"model": "h", "scope": "x=y"}),
    ("TightropeSafeMode", SAFE_MODE, "TightropeSafeMode", {**SAFE_MODE, **JUDGE_SOURCE}),
    ("TightropeSafeMode", {**SAFE_MODE, **JUDGE_SOURCE}, "TightropeSafeMode", {**SAFE_MODE, "namespace": "staging"}),
    ("TightropeGatewayDown", {"namespace": "staging"}, "TightropeBlind", {"model": "m", "namespace": "production"}),
    (
        "TightropeSafeMode",
        {"model": "k", "scope": "model", "namespace": "staging"},
        "TightropeSafeMode",
        {"model": "k", "scope": "x=y", "namespace": "production"},
    ),
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
        {"alertname": name, "severity": severities(name)[0], **labels, **case}
        for name, labels in ((source, at), (target, about))
    ]
    posted = httpx.post(f"{manager}/api/v2/alerts", json=[{"labels": labels} for labels in firing])
    assert posted.status_code == 200, posted.text
    found = httpx.get(f"{manager}/api/v2/alerts", params={"filter": f'case="{case["case"]}"'}).json()
    assert len(found) == 2
    (consequence,) = (alert for alert in found if alert["labels"] == firing[1])
    silenced = bool(consequence["status"]["inhibitedBy"])
    assert silenced == ((source, at, target, about) in SILENCED)
    ended = [{"labels": labels, "endsAt": "2020-01-01T00:00:00Z"} for labels in firing]
    httpx.post(f"{manager}/api/v2/alerts", json=ended).raise_for_status()
