"""Safe mode as marks on Grafana's dashboards: a span from the breach to the return, told in the background.

What is marked already is found again by its beginning and its tags: nothing is marked twice, whatever was restarted.
"""

import logging
from collections.abc import Collection
from pathlib import Path

from tightrope.dashboards.grafana import Grafana, GrafanaError
from tightrope.service.adapters.ports import Alert
from tightrope.service.adapters.sqlite.alert_outbox import NOTHING, Row, Teller
from tightrope.shadow.alerts import SAFE_MODE

log = logging.getLogger(__name__)

KEEP = 60.0
"""Seconds between two looks whether there is anything to tell."""


class Marks(Teller):
    """Marks every scope that goes to safe mode."""

    def __init__(self, path: Path, grafana: Grafana, models: Collection[str]) -> None:
        self._grafana = grafana
        super().__init__(path, models, KEEP, grace=0.0)

    def row(self, alert: Alert, now: float) -> Row | None:
        """Only safe mode: latched is safe mode too. Whole milliseconds, as Grafana keeps them."""
        if alert.name != SAFE_MODE:
            return None
        since = now if alert.since is None else min(alert.since, now)
        return Row({"model": alert.model, "scope": alert.scope}, alert.told, round(since, 3))

    def tell(self) -> bool:
        """Mark what is not marked yet, and end what is over; whether Grafana took all of it."""
        now = self.clock()
        try:
            for row in self.rows.all():
                if row.told == NOTHING or row.ends is not None:
                    self._mark(row)
                    self.rows.told([row], now)
        except GrafanaError as error:
            log.warning("safe mode is not marked yet: %s", error)
            return False
        return True

    def _mark(self, row: Row) -> None:
        tags = ["safe-mode", f"model:{row.labels['model']}", f"scope:{row.labels['scope']}"]
        mark = self._grafana.find(row.since, tags)
        if mark is None:
            mark = self._grafana.mark(
                row.since, f"{row.annotations['summary']}. {row.annotations['description']}", tags
            )
        if row.ends is not None:
            self._grafana.end(mark, row.ends)
