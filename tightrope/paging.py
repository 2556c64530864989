"""Who is told of safe mode beside the gateways, as the settings have it."""

from service.adapters.alertmanager import Alertmanager, Desk
from service.adapters.metrics import Metrics
from service.adapters.ports import NoPager, Pager
from service.settings import Settings, secret

ALERTS = "alerts.db"
"""The file of the alerts that stand, in the folder of the state."""


def pager_of(settings: Settings, metrics: Metrics) -> Pager:
    """Whoever tells people at once; nobody where the settings name no Alertmanager.

    Raises:
        ConfigError: when a token is named that cannot be read.
    """
    desk = desk_of(settings)
    return Alertmanager(settings.state / ALERTS, desk, metrics, settings.models) if desk.addresses else NoPager()


def desk_of(settings: Settings) -> Desk:
    """Whom to tell, and how.

    Raises:
        ConfigError: when a token is named that cannot be read.
    """
    alerts = settings.alerts
    return Desk(
        addresses=tuple(alerts.alertmanagers),
        labels=alerts.labels,
        token=secret(alerts.token_file, "alerts.token_file") if alerts.token_file else None,
        keep=alerts.keep_seconds,
        grace=alerts.grace_seconds,
        runbook=alerts.runbook,
        grafana=alerts.grafana,
    )
