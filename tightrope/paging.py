"""Who is told of safe mode beside the gateways, as the settings have it."""

from collections.abc import Collection, Sequence

from dashboards.grafana import Grafana
from service.adapters.alertmanager import Alertmanager, Desk
from service.adapters.metrics import Metrics
from service.adapters.ports import Alert, Pager
from service.settings import Settings, secret
from tightrope.marks import Marks

ALERTS, MARKS = "alerts.db", "marks.db"
"""The files of what stands, in the folder of the state."""


class Pagers:
    """Implements `Pager`: tells all of these."""

    def __init__(self, pagers: Sequence[Pager]) -> None:
        self.pagers = pagers

    def stand(self, model: str, alerts: Sequence[Alert]) -> None:
        """Each keeps what it tells of."""
        for pager in self.pagers:
            pager.stand(model, alerts)

    def mind(self, models: Collection[str]) -> None:
        """The same for all."""
        for pager in self.pagers:
            pager.mind(models)

    def start(self) -> None:
        """All of them."""
        for pager in self.pagers:
            pager.start()

    def stop(self, timeout: float) -> None:
        """All of them."""
        for pager in self.pagers:
            pager.stop(timeout)


def pager_of(settings: Settings, metrics: Metrics) -> Pager:
    """Whoever is told at once: the Alertmanagers, and Grafana; nobody where the settings name none.

    Raises:
        ConfigError: when a token is named that cannot be read.
    """
    desk, grafana, models = desk_of(settings), grafana_of(settings), settings.models
    told: list[Pager] = []
    if desk.addresses:
        told.append(Alertmanager(settings.state / ALERTS, desk, metrics, models))
    if grafana is not None:
        told.append(Marks(settings.state / MARKS, grafana, models))
    return Pagers(told)


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
        reports=f"{alerts.gateway}/v1/models/{{model}}/reports/newest" if settings.reports.keep_rows else "",
    )


def insist_on_tokens(settings: Settings) -> None:
    """Refuse settings that name tokens which are not there.

    Raises:
        ConfigError: when one cannot be read.
    """
    desk_of(settings)
    grafana_of(settings)


def grafana_of(settings: Settings) -> Grafana | None:
    """Whose dashboards are marked, where there is a token for it.

    Raises:
        ConfigError: when the token cannot be read.
    """
    file = settings.alerts.grafana_token_file
    return Grafana(settings.alerts.grafana, secret(file, "alerts.grafana_token_file")) if file else None
