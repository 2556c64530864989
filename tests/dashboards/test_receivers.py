"""The example receivers for Slack, PagerDuty, Opsgenie and a webhook: valid, routed, and with golden texts."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.observability import debian_servers
from tests.support.observability.alert_rules import HOME, RULES, document
from tests.tightrope.wiring.test_alert_texts import BREACH, GROUP, ORDER, alert
from tightrope.service.adapters.ports import Alert
from tightrope.shadow.alerts import HELD_SAFE_ALERT
from tightrope.wiring.alert_texts import alert_severity, alert_texts

FOLDER = HOME / "receivers"
FILE = FOLDER / "alertmanager.yml"
TEMPLATES = FOLDER / "tightrope.tmpl"
LINK = "https://t.example.com/#/m/residence%3Dgroup_quarters?event=1"
RECEIVERS = {"page": "pagerduty", "ticket": "opsgenie", "info": "slack", "none": "webhook"}

TITLE = "m: the full model answers group quarters (residence), 6.0 % of requests"
TEXT = (
    "The full model took over for group quarters (residence): 64 % (41 to 82 %) of answers differ, 10 % tolerated, "
    "since about request 420 (260 to 520), 28 answers. Since 2025-11-27 16:21 UTC. Callers are served: by the full "
    "model. Nobody else is touched. There is nothing to do tonight. Look at it in working hours: the page says whether "
    f"it will return.\n{LINK}"
)
GOLDEN = {
    "slack": {"channel": "#team-credit", "title": TITLE, "title_link": LINK, "text": TEXT},
    "pagerduty": {
        "description": TITLE,
        "severity": "critical",
        "class": "TightropeSafeMode",
        "component": "m",
        "group": "team-credit",
        "details": {"what_happened": TEXT},
        "links": [{"href": LINK, "text": "Open the case"}],
    },
    "opsgenie": {
        "message": TITLE,
        "description": TEXT,
        "priority": "P4",
        "tags": "tightrope,m",
        "responders": [{"name": "team-credit", "type": "team"}],
    },
}
"""The texts of each service about a small group that fell back; the webhook gets the alert itself."""


def notified(*alerts: Alert, status: str = "firing", owner: str = "team-credit") -> dict[str, Any]:
    """The data of a notification, as Alertmanager gives it to templates."""
    labels = {"alertname": alerts[0].name, "model": "m", "owner": owner}
    told = [
        {
            "status": status,
            "labels": {**labels, "scope": one.scope},
            "annotations": {**alert_texts(one, alert_severity(one, "large")), "page_url": LINK},
            "startsAt": "2025-11-27T16:21:50Z",
            "endsAt": "0001-01-01T00:00:00Z",
        }
        for one in alerts
    ]
    return {"status": status, "alerts": told, "commonLabels": labels, "commonAnnotations": told[0]["annotations"]}


def rendered(folder: Path, template: str, data: dict[str, Any]) -> str:
    """A text as Alertmanager writes it."""
    (folder / "data.json").write_text(json.dumps(data))
    options = (f"--template.glob={TEMPLATES}", f"--template.data={folder / 'data.json'}")
    code, output = debian_servers.run_tool("amtool", "template", "render", *options, f"--template.text={template}")
    assert code == 0, output
    return output.removesuffix("\n")


def filled(folder: Path, value: Any, data: dict[str, Any]) -> Any:  # noqa: ANN401 - any YAML
    """A value of the configuration with its templates rendered."""
    if isinstance(value, dict):
        return {key: filled(folder, one, data) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(folder, one, data) for one in value]
    return rendered(folder, value, data) if isinstance(value, str) and "{{" in value else value


def receivers() -> dict[str, dict[str, Any]]:
    """The settings of each receiver by its name."""
    return {
        one["name"]: next(value[0] for key, value in one.items() if key != "name")
        for one in document(FILE)["receivers"]
    }


def test_configuration_passes_amtool() -> None:
    """With its templates."""
    code, output = debian_servers.run_tool("amtool", "check-config", FILE)
    assert code == 0, output
    assert "1 templates" in output


@pytest.mark.parametrize("severity", RECEIVERS)
def test_alert_reaches_its_receiver(severity: str) -> None:
    """A page calls a person, a ticket waits for office hours, an order is a line in the channel."""
    labels = [
        f"severity={severity}",
        "alertname=TightropeWatchdog" if severity == "none" else "alertname=TightropeSafeMode",
    ]
    route = ("config", "routes", "test", f"--config.file={FILE}", f"--verify.receivers={RECEIVERS[severity]}")
    code, output = debian_servers.run_tool("amtool", *route, *labels)
    assert code == 0, output


@pytest.mark.parametrize("name", GOLDEN)
def test_receiver_gets_the_golden_text(tmp_path: Path, name: str) -> None:
    """The text has the group, the rate, its beginning, the answering model, the advice and the link to the case."""
    keys = GOLDEN[name]
    settings = {key: receivers()[name][key] for key in keys}
    assert filled(tmp_path, settings, notified(alert(cause=BREACH))) == keys


def test_several_alerts_are_one_message(tmp_path: Path) -> None:
    """Its title names the first, its text each with its own summary."""
    data = notified(alert(cause=BREACH), alert(scope="sex=f", share=0.1), alert(scope="sex=m", share=0.1))
    title = rendered(tmp_path, '{{ template "tightrope.title" . }}', data)
    assert title == f"{TITLE} (and 2 more)"
    text = rendered(tmp_path, '{{ template "tightrope.text" . }}', data)
    assert text.startswith(
        f"{TITLE}\n{TEXT}\n\nm: the full model answers f (sex), 10 % of requests\nCallers are served: "
    )


BY_RULES = document(RULES / "texts_test.yml")["tests"]
RULE_TEXT = (
    "The small model's answers to group quarters (residence) differ too much, or nothing shows whether they are right. "
    "Callers are served: by the full model. It costs capacity: check that the full model bears its requests. Otherwise "
    "there is nothing to do tonight: the page of Tightrope says since when, and whether the small model will return.\n"
    "Measured: 64.3 % of the answers differ (41.0 % to 82.0 %), 10.0 % is tolerated.\n"
    "https://tightrope.example.org/#/credit/residence%3Dgroup_quarters"
)
RULE_TITLE = "credit: the full model answers group quarters (residence)"
RULE_LINK = "https://tightrope.example.org/#/credit/residence%3Dgroup_quarters"
GOLDEN_OF_RULES = {
    "slack": {"channel": "#team-credit", "title": RULE_TITLE, "title_link": RULE_LINK, "text": RULE_TEXT},
    "pagerduty": {"description": RULE_TITLE, "component": "credit", "details": {"what_happened": RULE_TEXT}},
    "opsgenie": {
        "message": RULE_TITLE,
        "description": RULE_TEXT,
        "responders": [{"name": "team-credit", "type": "team"}],
    },
}
"""The texts about the same group, by the rules alone: promtool proves that Prometheus makes what is given here."""


@pytest.mark.parametrize("name", GOLDEN_OF_RULES)
def test_receiver_gets_the_golden_text_of_the_rules(tmp_path: Path, name: str) -> None:
    """Where the judge cannot reach Alertmanager, people read who is answered by which model, what is off, and what to
    do all the same.
    """
    ((fired,),) = (check["exp_alerts"] for check in BY_RULES[0]["alert_rule_test"])
    labels, annotations = fired["exp_labels"], fired["exp_annotations"]
    told = {"status": "firing", "labels": labels, "annotations": annotations, "startsAt": "2025-11-27T16:21:50Z"}
    common = {"commonLabels": labels, "commonAnnotations": annotations}
    data = {"status": "firing", "alerts": [told | {"endsAt": "0001-01-01T00:00:00Z"}], **common}
    keys = GOLDEN_OF_RULES[name]
    assert filled(tmp_path, {key: receivers()[name][key] for key in keys}, data) == keys


def test_end_and_order_have_their_words(tmp_path: Path) -> None:
    """Without an owner they go to the channel of Tightrope."""
    data = notified(alert(HELD_SAFE_ALERT, GROUP, cause=ORDER), status="resolved", owner="")
    slack = filled(tmp_path, {key: receivers()["slack"][key] for key in ("channel", "title")}, data)
    assert slack == {
        "channel": "#tightrope",
        "title": "Over: m: ada had the full model answer group quarters (residence), 6.0 % of requests",
    }
