"""Notification of people about safe mode: the Alertmanagers and the Grafana that the settings name."""

import importlib.util
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tightrope.service.adapters.ports import Alert, AuditTrail, Pager
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.config.loader import ConfigError, Settings, secret
from tightrope.wiring.alert_texts import AlertWriter

if TYPE_CHECKING:
    from tightrope.dashboards.grafana import Grafana
    from tightrope.service.adapters.alertmanager import AlertmanagerSettings

ALERTS_DATABASE, ANNOTATIONS_DATABASE = "alerts.db", "marks.db"
"""Files in the state folder that hold the active alerts and the active annotations."""


LATEST_EVENTS = 100
"""The newest events of a model among which the cause of a new alert is looked for."""


class PagerGroup:
    """Implements `Pager`: forwards every call to several pagers, with alerts that ``writer`` has completed."""

    def __init__(self, pagers: Sequence[Pager], writer: AlertWriter) -> None:
        self.pagers = pagers
        self._writer = writer

    def set_alerts(self, model: str, alerts: Sequence[Alert]) -> None:
        """Replace the active alerts of a model in each pager."""
        if not self.pagers:
            return
        completed = [self._writer.completed(alert) for alert in alerts]
        for pager in self.pagers:
            pager.set_alerts(model, completed)

    def set_models(self, models: Collection[str]) -> None:
        """Restrict each pager to these models."""
        for pager in self.pagers:
            pager.set_models(models)

    def start(self) -> None:
        """Start each pager."""
        for pager in self.pagers:
            pager.start()

    def stop(self, timeout: float) -> None:
        """Stop each pager."""
        for pager in self.pagers:
            pager.stop(timeout)


def build_pager(settings: Settings, metrics: Metrics, trail: AuditTrail | None = None) -> Pager:
    """Build the pager for the Alertmanagers and the Grafana of the settings; without any it does nothing. With the
    ``trail`` that the page shows, alerts link to their event.

    Raises:
        ConfigError: when a token file cannot be read, or Grafana's library is not installed.
    """
    require_tokens(settings)
    grafana, models = grafana_client(settings), settings.models
    pagers: list[Pager] = []
    if settings.alerts.alertmanagers:
        from tightrope.service.adapters.alertmanager import Alertmanager

        alertmanagers = alertmanager_settings(settings)
        pagers.append(Alertmanager(settings.state / ALERTS_DATABASE, alertmanagers, metrics, models))
    if grafana is not None:
        from tightrope.serving.grafana_annotations import GrafanaAnnotations

        path = settings.state / ANNOTATIONS_DATABASE
        pagers.append(GrafanaAnnotations(path, grafana, models, settings.alerts.labels))
    return PagerGroup(pagers, alert_writer(settings, trail))


def alert_writer(settings: Settings, trail: AuditTrail | None) -> AlertWriter:
    """Return the writer of texts; it links to the page if its address is configured."""
    alerts = settings.alerts
    gateway = alerts.gateway if "gateway" in alerts.model_fields_set else ""
    writer = AlertWriter(settings.models, gateway, settings.record is not None)
    return writer if trail is None else replace(writer, event_number=_event_numbers(trail))


def _event_numbers(trail: AuditTrail) -> Callable[[str, str], int | None]:
    """Find the number of an event by model and id."""

    def number(model: str, event: str) -> int | None:
        newest = trail.latest_events(model, limit=LATEST_EVENTS)
        return next((number for number, found in newest if found.id == event), None)

    return number


def alertmanager_settings(settings: Settings) -> "AlertmanagerSettings":
    """Return the adapter's settings.

    Raises:
        ConfigError: when the token file cannot be read.
    """
    from tightrope.service.adapters.alertmanager import AlertmanagerSettings
    from tightrope.service.adapters.archive.report_store import ReportStore
    from tightrope.service.app import REPORTS_FOLDER

    alerts, reports = settings.alerts, ReportStore(settings.state / REPORTS_FOLDER)
    return AlertmanagerSettings(
        addresses=tuple(alerts.alertmanagers),
        labels=alerts.labels,
        token=_alertmanager_token(settings),
        repeat_seconds=alerts.keep_seconds,
        grace_seconds=alerts.grace_seconds,
        runbook=alerts.runbook,
        grafana=alerts.grafana,
        reports=f"{alerts.gateway}/v1/models/{{model}}/reports/newest" if settings.reports.keep_rows else "",
        has_report=lambda model: bool(reports.names(model)),
    )


def require_tokens(settings: Settings) -> None:
    """Check that every token file can be read, and that Grafana's library is installed where it is needed.

    Raises:
        ConfigError: when one cannot be read, or the library is missing.
    """
    _alertmanager_token(settings)
    grafana_client(settings)


def _alertmanager_token(settings: Settings) -> str | None:
    file = settings.alerts.token_file
    return secret(file, "alerts.token_file") if file else None


def grafana_client(settings: Settings) -> "Grafana | None":
    """Return a client of the Grafana to annotate, None without a token for one; only then is its library loaded.

    Raises:
        ConfigError: when the token file cannot be read, or the library is not installed.
    """
    file = settings.alerts.grafana_token_file
    if file is None:
        return None
    require_grafana_library("alerts.grafana_token_file")
    from tightrope.dashboards.grafana import Grafana

    return Grafana(settings.alerts.grafana, secret(file, "alerts.grafana_token_file"))


def require_grafana_library(key: str) -> None:
    """Check that the extra `grafana` is installed, for the key or the option that needs it.

    Raises:
        ConfigError: when it is not.
    """
    if importlib.util.find_spec("grafana_api") is None:
        raise ConfigError([f"{key}: Grafana needs more: pip install 'tightrope[grafana]'"])
