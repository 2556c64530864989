"""The pager with a real Alertmanager and a receiver: every alert is sent once, and ends."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from tests.support.observability import debian_servers
from tests.support.observability.debian_servers import until
from tests.support.observability.pager import Pager, listening
from tightrope.service.adapters.alertmanager import Alertmanager, AlertmanagerSettings
from tightrope.service.adapters.ports import Alert, NoPager
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.sqlite import alert_outbox

GRACE = 0.6


def config(pager: Pager, interval: str = "1s") -> Mapping[str, Any]:
    """An Alertmanager configuration without grouping delays."""
    often = {"group_wait": "0s", "group_interval": interval, "repeat_interval": "1h"}
    route = {"receiver": "r", "group_by": ["..."], **often}
    return {"route": route, "receivers": [{"name": "r", "webhook_configs": [{"url": pager.address}]}]}


@pytest.fixture
def receiver() -> Iterator[Pager]:
    """The receiver of the pages."""
    with listening() as pager:
        yield pager


@contextmanager
def running_pager(folder: Path, *addresses: str, **more: Any) -> Iterator[Alertmanager]:  # noqa: ANN401 - settings
    """A running pager for these addresses."""
    metrics = Metrics(CollectorRegistry())
    times = {"repeat_seconds": 0.3, "grace_seconds": GRACE, **more}
    settings = AlertmanagerSettings(addresses, runbook="http://r/page", grafana="http://g", **times)
    pager = Alertmanager(folder / "alerts.db", settings, metrics, ["m"])
    pager.start()
    try:
        yield pager
    finally:
        pager.stop(5)


def alert(scope: str = "a=b", since: float | None = None) -> Alert:
    """A scope in safe mode."""
    return Alert(
        "TightropeSafeMode", "m", scope, since, {"evidence": "disagreement: evidence 101 % of what an alarm needs"}
    )


def count(pager: Alertmanager, name: str, **labels: str) -> float | None:
    """The value of a metric of the pager."""
    return pager._metrics.registry.get_sample_value(f"tightrope_{name}", labels)


def test_alert_pages_once_with_its_evidence_and_resolves(tmp_path: Path, receiver: Pager) -> None:
    """Repeated posts page once; two scopes are two alerts."""
    with (
        debian_servers.alertmanager(tmp_path, config(receiver)) as manager,
        running_pager(tmp_path, manager.address, labels={"cluster": "test"}) as pager,
    ):
        pager.set_alerts("m", [alert()])
        until(lambda: receiver.alerts("firing"), 10)
        pager.set_alerts("m", [alert(), alert("c=d")])
        until(lambda: receiver.alerts("firing", scope="c=d"), 10)
        until(lambda: (count(pager, "alert_posts_total", outcome="taken") or 0) > 5, 10)
        pager.set_alerts("m", [alert("c=d")])
        until(lambda: receiver.alerts("resolved", scope="a=b"), 10)
        assert count(pager, "alerts_waiting") == 0
    assert len(receiver.alerts("firing", scope="a=b")) == len(receiver.alerts("firing", scope="c=d")) == 1
    (first,) = receiver.alerts("firing", scope="a=b")
    about = {"alertname": "TightropeSafeMode", "model": "m", "scope": "a=b", "severity": "page", "source": "judge"}
    assert first["labels"] == about | {"cluster": "test"}
    annotations = dict(first["annotations"])
    link = annotations.pop("dashboard_url")
    assert annotations == {
        "evidence": "disagreement: evidence 101 % of what an alarm needs",
        "runbook_url": "http://r/page#tightropesafemode",
    }
    assert link.startswith("http://g/d/tightrope-subgroups?var-cluster=test&var-model=m&var-scope=a%3Db&from=")


def test_alert_that_comes_back_pages_once(tmp_path: Path, receiver: Pager, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a quarter of an hour Prometheus repeats the end of the first alert, until it has seen the second one. Without
    the repeated posts Alertmanager would believe it, and page the second alert twice.
    """
    monkeypatch.setattr(alert_outbox, "NEWS_REPEAT_SECONDS", 0.02)
    with (
        debian_servers.alertmanager(tmp_path, config(receiver, "2s")) as manager,
        running_pager(tmp_path, manager.address, repeat_seconds=60.0, grace_seconds=5.0) as pager,
    ):
        pager.set_alerts("m", [alert()])
        until(lambda: receiver.alerts("firing"), 10)
        began, (first,) = datetime.now(UTC).isoformat(), receiver.alerts("firing")
        pager.set_alerts("m", [])
        over = {"labels": first["labels"], "startsAt": began, "endsAt": datetime.now(UTC).isoformat()}
        httpx.post(f"{manager.address}/api/v2/alerts", json=[over]).raise_for_status()
        until(lambda: receiver.alerts("resolved"), 10)
        pager.set_alerts("m", [alert()])
        until(lambda: len(receiver.alerts("firing")) > 1, 10)
        httpx.post(f"{manager.address}/api/v2/alerts", json=[over]).raise_for_status()
        time.sleep(4.6)  # Alertmanager evaluates changes twice
    assert [a["status"] for _, body in receiver.heard for a in body["alerts"]] == ["firing", "resolved", "firing"]


def test_end_is_sent_once(tmp_path: Path, receiver: Pager) -> None:
    """Prometheus may have ended the alert before: another post would start it anew, and page. The receiver replaces an
    Alertmanager, to record the posts.
    """
    with running_pager(tmp_path, receiver.address) as pager:
        pager.set_alerts("m", [alert()])
        until(lambda: len(receiver.heard) > 1, 10)
        pager.set_alerts("m", [])
        until(lambda: not pager.table.all(), 10)
    posts = [(body[0]["endsAt"], datetime.fromtimestamp(time_, UTC).isoformat()) for time_, body in receiver.heard]
    ends = [end for end, _ in posts]
    assert ends[-1] != ends[-2]
    assert all(end > sent for end, sent in posts)


def test_alertmanager_outage_loses_no_alert(tmp_path: Path, receiver: Pager) -> None:
    """An active alert and one that ended meanwhile both page once it is up, across a restart of the pager."""
    port = debian_servers.free_port()
    with running_pager(tmp_path, f"http://127.0.0.1:{port}") as pager:
        pager.set_alerts("m", [alert("over"), alert("stands")])
        until(lambda: count(pager, "alert_posts_total", outcome="failed"), 10)
        assert count(pager, "alerts_waiting") == 2
        pager.set_alerts("m", [alert("stands")])
    with (
        running_pager(tmp_path, f"http://127.0.0.1:{port}"),
        debian_servers.alertmanager(tmp_path, config(receiver), port),
    ):
        for scope in ("over", "stands"):
            until(lambda scope=scope: receiver.alerts("firing", scope=scope), 20)
        until(lambda: receiver.alerts("resolved", scope="over"), 10)
    assert not receiver.alerts("resolved", scope="stands")


def test_alert_of_a_stopped_sender_expires(tmp_path: Path, receiver: Pager) -> None:
    """Its sender cannot resolve it any more; Prometheus' rule continues if it still holds."""
    with debian_servers.alertmanager(tmp_path, config(receiver)) as manager:
        with running_pager(tmp_path, manager.address) as pager:
            pager.set_alerts("m", [alert()])
            until(lambda: receiver.alerts("firing"), 10)
        until(lambda: receiver.alerts("resolved"), 10)


def test_every_alertmanager_gets_the_alert_although_one_is_down(tmp_path: Path, receiver: Pager) -> None:
    """Alertmanagers do not share alerts; one acceptance is enough for the alert not to wait."""
    away = f"http://127.0.0.1:{debian_servers.free_port()}"
    with (
        debian_servers.alertmanager(tmp_path, config(receiver)) as manager,
        running_pager(tmp_path, away, manager.address) as pager,
    ):
        pager.set_alerts("m", [alert()])
        until(lambda: receiver.alerts("firing"), 10)
        until(lambda: count(pager, "alerts_waiting") == 0, 5)
        assert (count(pager, "alert_posts_total", outcome="failed") or 0) >= 1
        pager.set_alerts("m", [])
        until(lambda: receiver.alerts("resolved"), 10)
        until(lambda: not pager.table.all(), 5)


def test_alert_of_a_model_that_is_not_served_any_more_ends(tmp_path: Path, receiver: Pager) -> None:
    """The model was removed from the configuration while in safe mode."""
    with debian_servers.alertmanager(tmp_path, config(receiver)) as manager:
        with running_pager(tmp_path, manager.address) as pager:
            pager.set_alerts("m", [alert()])
            until(lambda: receiver.alerts("firing"), 10)
        Alertmanager(
            tmp_path / "alerts.db",
            AlertmanagerSettings((manager.address,), grace_seconds=0.1),
            Metrics(CollectorRegistry()),
            [],
        ).stop(1)
        with running_pager(tmp_path, manager.address) as pager:
            until(lambda: receiver.alerts("resolved"), 10)


def test_alerts_of_a_model_of_another_judge_are_not_sent(tmp_path: Path, receiver: Pager) -> None:
    """Otherwise it would stay active for ever; its end is not sent either."""
    with running_pager(tmp_path, receiver.address) as pager:
        pager.set_alerts("m", [alert()])
        until(lambda: receiver.heard, 10)
        pager.set_models([])
        assert pager.table.all() == []
        count_now = len(receiver.heard)
        time.sleep(0.8)  # more than twice the repeat interval
    assert len(receiver.heard) <= count_now + 1


def test_broken_disk_does_not_stop_set_models(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The error is logged."""
    pager = Alertmanager(
        tmp_path / "alerts.db", AlertmanagerSettings(("http://127.0.0.1:9",)), Metrics(CollectorRegistry()), ["m"]
    )
    pager.stop(1)
    pager.set_models([])
    assert "cannot be deleted" in caplog.text


def test_start_is_the_events_time_and_never_in_the_future(tmp_path: Path, receiver: Pager) -> None:
    """Event times come from another clock."""
    with (
        debian_servers.alertmanager(tmp_path, config(receiver)) as manager,
        running_pager(tmp_path, manager.address, repeat_seconds=60.0) as pager,  # alerts last until they are read
    ):
        pager.set_alerts("m", [alert("early", 1_700_000_000.0), alert("late", 9e9)])
        until(lambda: len(receiver.alerts("firing")) == 2, 10)
        found = {a["labels"]["scope"]: a["startsAt"] for a in httpx.get(f"{manager.address}/api/v2/alerts").json()}
    assert found["early"].startswith("2023-11-14T22:13:20")
    assert found["late"] < "2100"


def test_token_is_sent_and_never_logged(tmp_path: Path, receiver: Pager, caplog: pytest.LogCaptureFixture) -> None:
    """The receiver replaces an Alertmanager behind a proxy."""
    with caplog.at_level(logging.WARNING), running_pager(tmp_path, receiver.address + "/am", token="s3cret") as pager:
        receiver.away = True
        pager.set_alerts("m", [alert()])
        until(lambda: count(pager, "alert_posts_total", outcome="failed"), 10)
        receiver.away = False
        until(lambda: receiver.heard, 10)
    assert receiver.paths[0] == "/am/api/v2/alerts"
    assert receiver.headers[0]["Authorization"] == "Bearer s3cret"
    assert "503" in caplog.text
    assert "s3cret" not in caplog.text


def test_broken_disk_does_not_stop_the_judge(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The error is logged, and Prometheus' rule raises the same alert."""
    pager = Alertmanager(
        tmp_path / "alerts.db", AlertmanagerSettings(("http://127.0.0.1:9",)), Metrics(CollectorRegistry()), ["m"]
    )
    pager.stop(1)
    pager.set_alerts("m", [alert()])
    assert "m: its alerts cannot be stored" in caplog.text


def test_no_pager_discards_alerts() -> None:
    """Without a configured Alertmanager alerts are discarded."""
    pager = NoPager()
    pager.start()
    pager.set_alerts("m", [alert()])
    pager.set_models([])
    pager.stop(1)
