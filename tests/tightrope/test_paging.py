"""Who is told of safe mode, as the settings have it."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from service.adapters.alertmanager import Alertmanager, Desk
from service.adapters.metrics import Metrics
from service.adapters.ports import NoPager
from service.settings import ConfigError, Settings, load
from tests.commands import tightrope
from tests.harm import config
from tests.servers import write_config
from tightrope.paging import ALERTS, desk_of, pager_of


def settings(folder: Path, **alerts: object) -> Settings:
    """A configuration with these alerts."""
    return load(write_config(folder, {**config(folder), "alerts": alerts}), {})


def test_without_an_alertmanager_nobody_is_told(tmp_path: Path) -> None:
    """And nothing is written."""
    assert isinstance(pager_of(settings(tmp_path), Metrics(CollectorRegistry())), NoPager)
    assert not list(tmp_path.glob(f"**/{ALERTS}"))


def test_every_setting_arrives(tmp_path: Path) -> None:
    """With the token that its file holds."""
    (tmp_path / "secret").write_text("s3cret\n")
    addresses = ["http://a:9093", "http://b:9093"]
    given = {"alertmanagers": addresses, "labels": {"x": "y"}, "token_file": "secret", "keep_seconds": 5}
    desk = desk_of(settings(tmp_path, **given, grace_seconds=7, runbook="http://r/x", grafana="http://g"))
    assert desk == Desk(tuple(addresses), {"x": "y"}, "s3cret", 5.0, 7.0, "http://r/x", "http://g")


def test_alerts_that_stand_are_kept_in_the_state_folder(tmp_path: Path) -> None:
    """Beside the judge's state."""
    told = settings(tmp_path, alertmanagers=["http://127.0.0.1:9"])
    told.state.mkdir()
    pager = pager_of(told, Metrics(CollectorRegistry()))
    assert isinstance(pager, Alertmanager)
    assert (told.state / ALERTS).exists()
    pager.stop(1)


def test_check_finds_a_token_that_is_not_there(tmp_path: Path) -> None:
    """Before anything starts, in one line that names the key."""
    with pytest.raises(ConfigError, match=r"alerts\.token_file: .*nowhere: No such file"):
        desk_of(settings(tmp_path, token_file="nowhere"))
    ended = tightrope("check", tmp_path / "tightrope.yaml")
    assert ended.returncode == 1
    assert "alerts.token_file" in ended.stderr


@pytest.mark.parametrize("address", ["host:9093", "http://", "http://h:1/", "ftp://h", "http://h/?x", "http://h h"])
def test_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    """With the key and the value, not at the first alert."""
    with pytest.raises(ConfigError, match=r"alerts\.alertmanagers\.0: .*pattern"):
        settings(tmp_path, alertmanagers=[address])


def test_label_name_that_prometheus_has_not_is_refused(tmp_path: Path) -> None:
    """Alertmanager would refuse every alert."""
    with pytest.raises(ConfigError, match=r"alerts\.labels"):
        settings(tmp_path, labels={"not-a-name": "x"})
