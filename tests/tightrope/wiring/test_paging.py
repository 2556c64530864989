"""Who is told of safe mode, as the settings have it."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.support.commands import tightrope
from tests.support.harmful_pair import config
from tests.support.servers import write_config
from tightrope.service.adapters.alertmanager import Alertmanager, Desk
from tightrope.service.adapters.ports import Alert, Pager
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.config.loader import ConfigError, Settings, load
from tightrope.serving.grafana_annotations import Marks
from tightrope.wiring.paging import ALERTS, MARKS, Pagers, desk_of, pager_of


def settings(folder: Path, **alerts: object) -> Settings:
    """A configuration with these alerts."""
    return load(write_config(folder, {**config(folder), "alerts": alerts}), {})


def told(settings: Settings) -> list[Pager]:
    """Whoever is told."""
    pagers = pager_of(settings, Metrics(CollectorRegistry()))
    assert isinstance(pagers, Pagers)
    return list(pagers.pagers)


def test_without_an_alertmanager_nobody_is_told(tmp_path: Path) -> None:
    """And nothing is written."""
    assert told(settings(tmp_path)) == []
    assert not list(tmp_path.glob("**/*.db"))


def test_every_setting_arrives(tmp_path: Path) -> None:
    """With the token that its file holds."""
    (tmp_path / "secret").write_text("s3cret\n")
    addresses = ["http://a:9093", "http://b:9093"]
    given = {"alertmanagers": addresses, "labels": {"x": "y"}, "token_file": "secret", "keep_seconds": 5}
    desk = desk_of(settings(tmp_path, **given, grace_seconds=7, runbook="http://r/x", grafana="http://g"))
    assert desk == Desk(tuple(addresses), {"x": "y"}, "s3cret", 5.0, 7.0, "http://r/x", "http://g")


@pytest.mark.parametrize(("rows", "where"), [(0, ""), (50, "http://t/v1/models/{model}/reports/newest")])
def test_alerts_lead_to_reports_where_there_are_any(tmp_path: Path, rows: int, where: str) -> None:
    """Without rows that are kept the link would lead nowhere."""
    given = {**config(tmp_path), "alerts": {"gateway": "http://t"}, "reports": {"keep_rows": rows}}
    assert desk_of(load(write_config(tmp_path, given), {})).reports == where


def test_alerts_that_stand_are_kept_in_the_state_folder(tmp_path: Path) -> None:
    """Beside the judge's state."""
    (tmp_path / "gt").write_text("x")
    given = settings(tmp_path, alertmanagers=["http://127.0.0.1:9"], grafana_token_file="gt")
    given.state.mkdir()
    alerts, marks = told(given)
    assert isinstance(alerts, Alertmanager)
    assert isinstance(marks, Marks)
    assert (given.state / ALERTS).exists()
    assert (given.state / MARKS).exists()
    alerts.stop(1)
    marks.stop(1)


def test_all_are_told_and_started_and_stopped() -> None:
    """In turn."""
    heard: list[tuple[object, ...]] = []

    class Recorder:
        def stand(self, model: str, alerts: Sequence[Alert]) -> None:
            heard.append((model, tuple(alerts)))

        def mind(self, models: Collection[str]) -> None:
            heard.append(("mind", *models))

        def start(self) -> None:
            heard.append(("start",))

        def stop(self, timeout: float) -> None:
            heard.append(("stop", timeout))

    both = Pagers([Recorder(), Recorder()])
    both.start()
    both.stand("m", [])
    both.mind(["m"])
    both.stop(3.0)
    assert heard == [("start",)] * 2 + [("m", ())] * 2 + [("mind", "m")] * 2 + [("stop", 3.0)] * 2


def test_check_finds_a_token_that_is_not_there(tmp_path: Path) -> None:
    """Before anything starts, in one line that names the key."""
    with pytest.raises(ConfigError, match=r"alerts\.token_file: .*nowhere: No such file"):
        desk_of(settings(tmp_path, token_file="nowhere"))
    ended = tightrope("check", tmp_path / "tightrope.yaml")
    assert ended.returncode == 1
    assert "alerts.token_file" in ended.stderr
    settings(tmp_path, grafana_token_file="nowhere")
    ended = tightrope("check", tmp_path / "tightrope.yaml")
    assert ended.returncode == 1
    assert "alerts.grafana_token_file" in ended.stderr


@pytest.mark.parametrize("address", ["host:9093", "http://", "http://h:1/", "ftp://h", "http://h/?x", "http://h h"])
def test_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    """With the key and the value, not at the first alert."""
    with pytest.raises(ConfigError, match=r"alerts\.alertmanagers\.0: .*pattern"):
        settings(tmp_path, alertmanagers=[address])


def test_label_name_that_prometheus_has_not_is_refused(tmp_path: Path) -> None:
    """Alertmanager would refuse every alert."""
    with pytest.raises(ConfigError, match=r"alerts\.labels"):
        settings(tmp_path, labels={"not-a-name": "x"})
