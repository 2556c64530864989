"""An alert links to where its reader looks next, and is one alert from its beginning to its end."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from tests.service.adapters.test_alertmanager import alert, running_pager
from tests.support.observability.debian_servers import until
from tests.support.observability.pager import Pager, listening
from tightrope.dashboards.boards import boards


@pytest.fixture
def receiver() -> Iterator[Pager]:
    """Replaces an Alertmanager, to record the posts."""
    with listening() as pager:
        yield pager


@pytest.mark.parametrize(("scope", "uid"), [("model", "tightrope-model"), ("a=b", "tightrope-subgroups")])
def test_alert_links_to_the_dashboard_of_its_scope_and_time(tmp_path: Path, scope: str, uid: str) -> None:
    """It chooses the installation, from an hour before the breach on; the variables are those of the dashboard."""
    labels = {"cluster": "eu", "namespace": "production"}
    with running_pager(tmp_path, labels=labels) as pager:
        stored = pager.to_stored(alert(scope, 1_700_000_000.0), 1_700_000_500.0)
    address, _, query = stored.annotations["dashboard_url"].partition("?")
    assert address == f"http://g/d/{uid}"
    given = dict(parse_qsl(query))
    assert given == {f"var-{name}": value for name, value in {**labels, "model": "m", "scope": scope}.items()} | {
        "from": "1699996400000",
        "to": "now",
    }
    names = {one["name"] for one in boards()[uid]["templating"]["list"]}
    assert {name.removeprefix("var-") for name in given if name.startswith("var-")} - names <= {"scope"}


def test_alert_keeps_the_severity_and_the_actor_with_which_it_began(tmp_path: Path, receiver: Pager) -> None:
    """A group whose share grows, or a judge that starts again and does not know the cause, makes no second alert."""
    began = replace(alert(), severity="ticket", labels={"actor": "judge", "owner": "credit"})
    with running_pager(tmp_path, receiver.address) as pager:
        pager.set_alerts("m", [began])
        until(lambda: receiver.heard, 10)
        pager.set_alerts("m", [replace(began, severity="page", labels={"owner": "credit"}, annotations={})])
        count = len(receiver.heard)
        until(lambda: len(receiver.heard) > count, 10)
        (kept,) = pager.table.all()
    assert (kept.labels["severity"], kept.labels["actor"], kept.labels["owner"]) == ("ticket", "judge", "credit")
    assert kept.annotations["evidence"]


def test_alert_links_to_the_newest_report(tmp_path: Path, receiver: Pager) -> None:
    """The link shows whether the inputs or the model changed; before the first report it would lead nowhere."""
    made: list[str] = []
    address = "http://t/v1/models/{model}/reports/newest"
    with running_pager(tmp_path, receiver.address, reports=address, has_report=made.__contains__) as pager:
        pager.set_alerts("m", [alert()])
        until(lambda: receiver.heard, 10)
        made.append("m")
        until(lambda: "report_url" in receiver.heard[-1][1][0]["annotations"], 10)
    assert "report_url" not in receiver.heard[0][1][0]["annotations"]
    assert receiver.heard[-1][1][0]["annotations"]["report_url"] == "http://t/v1/models/m/reports/newest"
