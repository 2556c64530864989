"""Annotations of safe mode on Grafana's dashboards: a span from breach to return, written in the background.

An existing annotation is found again by its start and its tags, so a restart never creates a second one.
"""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from tightrope.dashboards.grafana import Grafana, GrafanaError
from tightrope.service.adapters.ports import Alert
from tightrope.service.adapters.sqlite.alert_outbox import NOT_SENT, AlertSender, StoredAlert
from tightrope.shadow.alerts import HELD_SAFE_ALERT, SAFE_MODE_ALERT

log = logging.getLogger(__name__)

ANNOTATION_CHECK_SECONDS = 60.0
"""Between two checks for unwritten annotations when nothing changes."""


class GrafanaAnnotations(AlertSender):
    """Annotates every scope that is in safe mode, with the ``labels`` of the installation as tags."""

    def __init__(
        self, path: Path, grafana: Grafana, models: Collection[str], labels: Mapping[str, str] | None = None
    ) -> None:
        self._grafana = grafana
        installation = {"cluster": "", "namespace": ""} | dict(labels or {})
        self._tags = [f"{name}:{value}" for name, value in installation.items()]
        super().__init__(path, models, ANNOTATION_CHECK_SECONDS, grace=0.0)

    def to_stored(self, alert: Alert, now: float) -> StoredAlert | None:
        """Return a safe-mode alert as it is stored, starting at a whole millisecond as in Grafana; None for others.

        A latched scope also has the safe-mode alert.
        """
        if alert.name not in {SAFE_MODE_ALERT, HELD_SAFE_ALERT}:
            return None
        since = now if alert.since is None else min(alert.since, now)
        return StoredAlert({"model": alert.model, "scope": alert.scope}, alert.annotations, round(since, 3))

    def send(self) -> bool:
        """Write new annotations and end those that are over; return whether Grafana accepted all."""
        now = self.clock()
        try:
            for row in self.table.all():
                if row.sent == NOT_SENT or row.ends is not None:
                    self._annotate(row)
                    self.table.mark_sent([row], now)
        except GrafanaError as error:
            log.warning("safe mode is not marked yet: %s", error)
            return False
        return True

    def _annotate(self, row: StoredAlert) -> None:
        tags = ["safe-mode", *self._tags, f"model:{row.labels['model']}", f"scope:{row.labels['scope']}"]
        number = self._grafana.find_annotation(row.since, tags)
        if number is None:
            text = f"{row.annotations['summary']}. {row.annotations['description']}"
            number = self._grafana.annotate(row.since, text, tags)
        if row.ends is not None:
            self._grafana.end_annotation(number, row.ends)
