"""The pager against a real Alertmanager with somebody to page: everything is told, once, and ends."""

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
from tightrope.service.adapters.alertmanager import Alertmanager, Desk
from tightrope.service.adapters.ports import Alert, NoPager
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.sqlite import alert_outbox

GRACE = 0.6


def config(pager: Pager, interval: str = "1s") -> Mapping[str, Any]:
    """Every alert goes out at once, each for itself."""
    often = {"group_wait": "0s", "group_interval": interval, "repeat_interval": "1h"}
    route = {"receiver": "r", "group_by": ["..."], **often}
    return {"route": route, "receivers": [{"name": "r", "webhook_configs": [{"url": pager.address}]}]}


@pytest.fixture
def receiver() -> Iterator[Pager]:
    """Who is paged."""
    with listening() as pager:
        yield pager


@contextmanager
def telling(folder: Path, *addresses: str, **more: Any) -> Iterator[Alertmanager]:  # noqa: ANN401 - as the desk has it
    """A pager that posts to these."""
    metrics = Metrics(CollectorRegistry())
    times = {"keep": 0.3, "grace": GRACE, **more}
    desk = Desk(addresses, runbook="http://r/page", grafana="http://g", **times)
    pager = Alertmanager(folder / "alerts.db", desk, metrics, ["m"])
    pager.start()
    try:
        yield pager
    finally:
        pager.stop(5)


def alert(scope: str = "a=b", since: float | None = None) -> Alert:
    """A scope in safe mode."""
    return Alert("TightropeSafeMode", "m", scope, since, {"evidence": "10^8.6 of 10^8.5"})


def count(pager: Alertmanager, name: str, **labels: str) -> float | None:
    """One of its own metrics."""
    return pager._metrics.registry.get_sample_value(f"tightrope_{name}", labels)


def test_alert_pages_once_with_its_evidence_and_resolves(tmp_path: Path, receiver: Pager) -> None:
    """However often it is told meanwhile; two scopes are two alerts."""
    with (
        debian_servers.alertmanager(tmp_path, config(receiver)) as manager,
        telling(tmp_path, manager.address, labels={"cluster": "test"}) as pager,
    ):
        pager.stand("m", [alert()])
        until(lambda: receiver.alerts("firing"), 10)
        pager.stand("m", [alert(), alert("c=d")])
        until(lambda: receiver.alerts("firing", scope="c=d"), 10)
        until(lambda: (count(pager, "alert_posts_total", outcome="taken") or 0) > 5, 10)
        pager.stand("m", [alert("c=d")])
        until(lambda: receiver.alerts("resolved", scope="a=b"), 10)
        assert count(pager, "alerts_waiting") == 0
    assert len(receiver.alerts("firing", scope="a=b")) == len(receiver.alerts("firing", scope="c=d")) == 1
    (first,) = receiver.alerts("firing", scope="a=b")
    about = {"alertname": "TightropeSafeMode", "model": "m", "scope": "a=b", "severity": "page", "cluster": "test"}
    assert first["labels"] == about
    assert first["annotations"] == {
        "evidence": "10^8.6 of 10^8.5",
        "runbook_url": "http://r/page#tightropesafemode",
        "dashboard_url": "http://g/d/tightrope-model?var-model=m",
    }


def test_alert_that_comes_back_pages_once(tmp_path: Path, receiver: Pager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus goes on telling of the end of the first one for a quarter of an hour, until it has seen the second:
    what it told last would be believed, and the second told as over and begun again.
    """
    monkeypatch.setattr(alert_outbox, "AGAIN", 0.1)
    with (
        debian_servers.alertmanager(tmp_path, config(receiver, "2s")) as manager,
        telling(tmp_path, manager.address, keep=60.0, grace=5.0) as pager,
    ):
        pager.stand("m", [alert()])
        until(lambda: receiver.alerts("firing"), 10)
        began, (told,) = datetime.now(UTC).isoformat(), receiver.alerts("firing")
        pager.stand("m", [])
        over = {"labels": told["labels"], "startsAt": began, "endsAt": datetime.now(UTC).isoformat()}
        httpx.post(f"{manager.address}/api/v2/alerts", json=[over]).raise_for_status()
        until(lambda: receiver.alerts("resolved"), 10)
        pager.stand("m", [alert()])
        until(lambda: len(receiver.alerts("firing")) > 1, 10)
        httpx.post(f"{manager.address}/api/v2/alerts", json=[over]).raise_for_status()
        time.sleep(4.5)  # Alertmanager looks twice what has changed
    assert [a["status"] for _, told in receiver.heard for a in told["alerts"]] == ["firing", "resolved", "firing"]


def test_newest_report_is_a_click_away_where_there_are_any(tmp_path: Path, receiver: Pager) -> None:
    """Whether the inputs moved, or the model."""
    with telling(tmp_path, receiver.address, reports="http://t/v1/models/{model}/reports/newest") as pager:
        pager.stand("m", [alert()])
        until(lambda: receiver.heard, 10)
    ((told,), *_) = (body for _, body in receiver.heard)
    assert told["annotations"]["report_url"] == "http://t/v1/models/m/reports/newest"


def test_end_is_told_once(tmp_path: Path, receiver: Pager) -> None:
    """Prometheus may have ended the alert before: told again it would stand anew, and page. The receiver stands in for
    an Alertmanager, to see what is posted.
    """
    with telling(tmp_path, receiver.address) as pager:
        pager.stand("m", [alert()])
        until(lambda: len(receiver.heard) > 1, 10)
        pager.stand("m", [])
        until(lambda: not pager.rows.all(), 10)
    told = [(body[0]["endsAt"], datetime.fromtimestamp(at, UTC).isoformat()) for at, body in receiver.heard]
    ends = [end for end, _ in told]
    assert ends[-1] != ends[-2]
    assert all(end > at for end, at in told)


def test_lost_alertmanager_loses_no_alert(tmp_path: Path, receiver: Pager) -> None:
    """One that stands and one that is over by then: both page when it is there at last, across a restart of ours."""
    port = debian_servers.free_port()
    with telling(tmp_path, f"http://127.0.0.1:{port}") as pager:
        pager.stand("m", [alert("over"), alert("stands")])
        until(lambda: count(pager, "alert_posts_total", outcome="failed"), 10)
        assert count(pager, "alerts_waiting") == 2
        pager.stand("m", [alert("stands")])
    with telling(tmp_path, f"http://127.0.0.1:{port}"), debian_servers.alertmanager(tmp_path, config(receiver), port):
        for scope in ("over", "stands"):
            until(lambda scope=scope: receiver.alerts("firing", scope=scope), 20)
        until(lambda: receiver.alerts("resolved", scope="over"), 10)
    assert not receiver.alerts("resolved", scope="stands")


def test_alert_of_a_teller_that_is_gone_ends_by_itself(tmp_path: Path, receiver: Pager) -> None:
    """Nobody knows better any more; a rule of Prometheus' goes on if it still holds."""
    with debian_servers.alertmanager(tmp_path, config(receiver)) as manager:
        with telling(tmp_path, manager.address) as pager:
            pager.stand("m", [alert()])
            until(lambda: receiver.alerts("firing"), 10)
        until(lambda: receiver.alerts("resolved"), 10)


def test_every_alertmanager_is_told_though_one_is_away(tmp_path: Path, receiver: Pager) -> None:
    """They do not tell each other of alerts; that one of them took it is enough for it not to wait."""
    away = f"http://127.0.0.1:{debian_servers.free_port()}"
    with (
        debian_servers.alertmanager(tmp_path, config(receiver)) as manager,
        telling(tmp_path, away, manager.address) as pager,
    ):
        pager.stand("m", [alert()])
        until(lambda: receiver.alerts("firing"), 10)
        until(lambda: count(pager, "alerts_waiting") == 0, 5)
        assert (count(pager, "alert_posts_total", outcome="failed") or 0) >= 1
        pager.stand("m", [])
        until(lambda: receiver.alerts("resolved"), 10)
        until(lambda: not pager.rows.all(), 5)


def test_alert_of_a_model_that_is_not_served_any_more_ends(tmp_path: Path, receiver: Pager) -> None:
    """It was taken out of the configuration while it was in safe mode."""
    with debian_servers.alertmanager(tmp_path, config(receiver)) as manager:
        with telling(tmp_path, manager.address) as pager:
            pager.stand("m", [alert()])
            until(lambda: receiver.alerts("firing"), 10)
        Alertmanager(
            tmp_path / "alerts.db", Desk((manager.address,), grace=0.1), Metrics(CollectorRegistry()), []
        ).stop(1)
        with telling(tmp_path, manager.address) as pager:
            until(lambda: receiver.alerts("resolved"), 10)


def test_model_that_another_judge_took_is_not_told_of_any_more(tmp_path: Path, receiver: Pager) -> None:
    """Or it would stand for ever, whatever the other one finds out; nothing says that it is over either."""
    with telling(tmp_path, receiver.address) as pager:
        pager.stand("m", [alert()])
        until(lambda: receiver.heard, 10)
        pager.mind([])
        assert pager.rows.all() == []
        count_now = len(receiver.heard)
        time.sleep(0.8)  # more than twice the interval
    assert len(receiver.heard) <= count_now + 1


def test_broken_disk_keeps_nothing_from_being_minded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged."""
    pager = Alertmanager(tmp_path / "alerts.db", Desk(("http://127.0.0.1:9",)), Metrics(CollectorRegistry()), ["m"])
    pager.stop(1)
    pager.mind([])
    assert "cannot be forgotten" in caplog.text


def test_beginning_is_the_events_and_never_in_the_future(tmp_path: Path, receiver: Pager) -> None:
    """Event times are somebody else's clock."""
    with debian_servers.alertmanager(tmp_path, config(receiver)) as manager:
        with telling(tmp_path, manager.address) as pager:
            pager.stand("m", [alert("early", 1_700_000_000.0), alert("late", 9e9)])
            until(lambda: len(receiver.alerts("firing")) == 2, 10)
        found = {a["labels"]["scope"]: a["startsAt"] for a in httpx.get(f"{manager.address}/api/v2/alerts").json()}
    assert found["early"].startswith("2023-11-14T22:13:20")
    assert found["late"] < "2100"


def test_token_goes_along_and_a_refusal_is_logged_without_it(
    tmp_path: Path, receiver: Pager, caplog: pytest.LogCaptureFixture
) -> None:
    """The receiver stands in for an Alertmanager behind a proxy."""
    with caplog.at_level(logging.WARNING), telling(tmp_path, receiver.address + "/am", token="s3cret") as pager:
        receiver.away = True
        pager.stand("m", [alert()])
        until(lambda: count(pager, "alert_posts_total", outcome="failed"), 10)
        receiver.away = False
        until(lambda: receiver.heard, 10)
    assert receiver.paths[0] == "/am/api/v2/alerts"
    assert receiver.headers[0]["Authorization"] == "Bearer s3cret"
    assert "503" in caplog.text
    assert "s3cret" not in caplog.text


def test_broken_disk_does_not_hold_up_the_judge(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and Prometheus' rule tells the same."""
    pager = Alertmanager(tmp_path / "alerts.db", Desk(("http://127.0.0.1:9",)), Metrics(CollectorRegistry()), ["m"])
    pager.stop(1)
    pager.stand("m", [alert()])
    assert "m: its alerts cannot be kept" in caplog.text


def test_nobody_can_be_told() -> None:
    """Where no Alertmanager is configured."""
    nobody = NoPager()
    nobody.start()
    nobody.stand("m", [alert()])
    nobody.mind([])
    nobody.stop(1)
