"""Pagers by the settings: Alertmanagers, Grafana, and their tokens."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.support.commands import GRAFANA_LIBRARIES, tightrope, without_modules
from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.service.adapters.alertmanager import Alertmanager, AlertmanagerSettings
from tightrope.service.adapters.ports import Alert, Pager
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.config.loader import ConfigError, Settings, load
from tightrope.serving.grafana_annotations import GrafanaAnnotations
from tightrope.wiring.alert_texts import AlertWriter
from tightrope.wiring.paging import (
    ALERTS_DATABASE,
    ANNOTATIONS_DATABASE,
    PagerGroup,
    alertmanager_settings,
    build_pager,
)


def settings(folder: Path, **alerts: object) -> Settings:
    """Return a configuration with these alerts."""
    return load(write_config(folder, {**config(folder), "alerts": alerts}), {})


def pagers_of(settings: Settings) -> list[Pager]:
    """Return the pagers of the configuration."""
    pagers = build_pager(settings, Metrics(CollectorRegistry()))
    assert isinstance(pagers, PagerGroup)
    return list(pagers.pagers)


def test_without_an_alertmanager_there_is_no_pager(tmp_path: Path) -> None:
    """No file is written."""
    assert pagers_of(settings(tmp_path)) == []
    assert not list(tmp_path.glob("**/*.db"))


def test_every_setting_reaches_the_alertmanager_client(tmp_path: Path) -> None:
    """The token is read from its file."""
    (tmp_path / "secret").write_text("s3cret\n")
    addresses = ["http://a:9093", "http://b:9093"]
    given = {"alertmanagers": addresses, "labels": {"x": "y"}, "token_file": "secret", "keep_seconds": 5}
    client_settings = alertmanager_settings(
        settings(tmp_path, **given, grace_seconds=7, runbook="http://r/x", grafana="http://g")
    )
    assert client_settings == AlertmanagerSettings(
        tuple(addresses), {"x": "y"}, "s3cret", 5.0, 7.0, "http://r/x", "http://g"
    )


@pytest.mark.parametrize(("rows", "link"), [(0, ""), (50, "http://t/v1/models/{model}/reports/newest")])
def test_alerts_link_to_reports_if_rows_are_kept(tmp_path: Path, rows: int, link: str) -> None:
    """Without kept rows there are no reports to link to."""
    given = {**config(tmp_path), "alerts": {"gateway": "http://t"}, "reports": {"keep_rows": rows}}
    assert alertmanager_settings(load(write_config(tmp_path, given), {})).reports == link


def test_active_alerts_are_stored_in_the_state_folder(tmp_path: Path) -> None:
    """They are stored beside the judge's state."""
    (tmp_path / "gt").write_text("x")
    given = settings(tmp_path, alertmanagers=["http://127.0.0.1:9"], grafana_token_file="gt")
    given.state.folder.mkdir()
    alerts, annotations = pagers_of(given)
    assert isinstance(alerts, Alertmanager)
    assert isinstance(annotations, GrafanaAnnotations)
    assert (given.state / ALERTS_DATABASE).exists()
    assert (given.state / ANNOTATIONS_DATABASE).exists()
    alerts.stop(1)
    annotations.stop(1)


def test_group_forwards_every_call() -> None:
    """Each pager gets each call in turn."""
    calls: list[tuple[object, ...]] = []

    class Recorder:
        def set_alerts(self, model: str, alerts: Sequence[Alert]) -> None:
            calls.append((model, tuple(alerts)))

        def set_models(self, models: Collection[str]) -> None:
            calls.append(("models", *models))

        def start(self) -> None:
            calls.append(("start",))

        def stop(self, timeout: float) -> None:
            calls.append(("stop", timeout))

    both = PagerGroup([Recorder(), Recorder()], AlertWriter({}))
    both.start()
    both.set_alerts("m", [])
    both.set_models(["m"])
    both.stop(3.0)
    assert calls == [("start",)] * 2 + [("m", ())] * 2 + [("models", "m")] * 2 + [("stop", 3.0)] * 2


def test_check_finds_a_missing_token(tmp_path: Path) -> None:
    """One line names the key, before anything starts."""
    with pytest.raises(ConfigError, match=r"alerts\.token_file: .*nowhere: No such file"):
        alertmanager_settings(settings(tmp_path, token_file="nowhere"))
    ended = tightrope("check", tmp_path / "tightrope.yaml")
    assert ended.returncode == 1
    assert "alerts.token_file" in ended.stderr
    settings(tmp_path, grafana_token_file="nowhere")
    ended = tightrope("check", tmp_path / "tightrope.yaml")
    assert ended.returncode == 1
    assert "alerts.grafana_token_file" in ended.stderr


def test_missing_grafana_library_is_one_line(tmp_path: Path) -> None:
    """A configuration that names Grafana needs the extra; the line says how to install it."""
    (tmp_path / "token").write_text("x")
    settings(tmp_path, grafana_token_file="token")
    ended = tightrope("check", tmp_path / "tightrope.yaml", PYTHONPATH=without_modules(tmp_path, *GRAFANA_LIBRARIES))
    assert (ended.returncode, ended.stdout) == (1, "")
    line = "error alerts.grafana_token_file: Grafana needs more: pip install 'tightrope[grafana]'\n"
    assert ended.stderr == line


@pytest.mark.parametrize("address", ["host:9093", "http://", "http://h:1/", "ftp://h", "http://h/?x", "http://h h"])
def test_invalid_address_is_refused(tmp_path: Path, address: str) -> None:
    """The error names key and value at the start, not at the first alert."""
    with pytest.raises(ConfigError, match=r"alerts\.alertmanagers\.0: .*pattern"):
        settings(tmp_path, alertmanagers=[address])


def test_invalid_label_name_is_refused(tmp_path: Path) -> None:
    """Alertmanager would refuse every alert with it."""
    with pytest.raises(ConfigError, match=r"alerts\.labels"):
        settings(tmp_path, labels={"not-a-name": "x"})
