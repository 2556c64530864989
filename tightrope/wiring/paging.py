"""Who is told of safe mode beside the gateways, as the settings have it."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from tightrope.service.adapters.ports import Alert, Pager
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.config.loader import Settings, secret

if TYPE_CHECKING:
    from tightrope.dashboards.grafana import Grafana
    from tightrope.service.adapters.alertmanager import Desk

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
    insist_on_tokens(settings)
    grafana, models = grafana_of(settings), settings.models
    told: list[Pager] = []
    if settings.alerts.alertmanagers:
        from tightrope.service.adapters.alertmanager import Alertmanager

        desk = desk_of(settings)
        told.append(Alertmanager(settings.state / ALERTS, desk, metrics, models))
    if grafana is not None:
        from tightrope.serving.grafana_annotations import Marks

        told.append(Marks(settings.state / MARKS, grafana, models))
    return Pagers(told)


def desk_of(settings: Settings) -> "Desk":
    """Whom to tell, and how.

    Raises:
        ConfigError: when a token is named that cannot be read.
    """
    from tightrope.service.adapters.alertmanager import Desk

    alerts = settings.alerts
    return Desk(
        addresses=tuple(alerts.alertmanagers),
        labels=alerts.labels,
        token=_token(settings),
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
    _token(settings)
    grafana_of(settings)


def _token(settings: Settings) -> str | None:
    file = settings.alerts.token_file
    return secret(file, "alerts.token_file") if file else None


def grafana_of(settings: Settings) -> "Grafana | None":
    """Whose dashboards are marked, where there is a token for it; only then its library is loaded.

    Raises:
        ConfigError: when the token cannot be read.
    """
    file = settings.alerts.grafana_token_file
    if file is None:
        return None
    from tightrope.dashboards.grafana import Grafana

    return Grafana(settings.alerts.grafana, secret(file, "alerts.grafana_token_file"))
