"""Alerts to Alertmanager at once, instead of after a scrape and an evaluation: the one door to it.

What stands is on disk before anybody is told, one row an alert; a thread posts all of it when something changed, again
and again while it stands, and with backoff while nobody takes it. So a restart forgets nothing, and an Alertmanager
that was away is told of everything when it is back, also of what is over by then.

Prometheus raises the same alert from its rules. An alert that is over therefore ends a grace later: if it ended at
once, Prometheus would raise it again until its next scrape, and people would be paged twice. Its end is told
once: told again after Prometheus has ended it, the alert would stand anew. And one that begins is told every second for
the same grace: Prometheus may still be telling, until its next scrape, that the last one of that name is over.
"""

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import urllib3

from tightrope.service.adapters.ports import Alert
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.sqlite.alert_outbox import ENDS, NOTHING, Row, Teller

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that an Alertmanager has to answer."""

LIVES = 4
"""An alert ends by itself when it has not been posted for so many times the interval: whoever posts it is gone."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Whom to tell, how, and what every alert carries. Times in seconds."""

    addresses: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    keep: float = 30.0
    grace: float = 60.0
    runbook: str = ""
    grafana: str = ""
    reports: str = ""
    """Where the newest drift report of a model is, with its name as ``{model}``; nothing where there is none."""


class Alertmanager(Teller):
    """Posts to every Alertmanager of the desk."""

    def __init__(self, path: Path, desk: Desk, metrics: Metrics, models: Collection[str]) -> None:
        self._desk = desk
        self._metrics = metrics
        self._http = urllib3.PoolManager(retries=False, timeout=PATIENCE)
        super().__init__(path, models, desk.keep, desk.grace)

    def row(self, alert: Alert, now: float) -> Row:
        """With the labels of the rule, and links."""
        labels = {"alertname": alert.name, "model": alert.model, "scope": alert.scope, "severity": "page"}
        links = {
            "runbook_url": f"{self._desk.runbook}#{alert.name.lower()}",
            "dashboard_url": f"{self._desk.grafana}/d/tightrope-model?var-model={alert.model}",
        }
        if self._desk.reports:
            links["report_url"] = self._desk.reports.replace("{model}", alert.model)
        since = now if alert.since is None else min(alert.since, now)
        return Row({**self._desk.labels, **labels}, {**alert.told, **links}, since)

    def tell(self) -> bool:
        """Tell everybody of everything; whether all took it."""
        now = self.clock()
        known = self.rows.all()
        self.rows.told([row for row in known if row.told == ENDS and (row.ends or now) <= now], now)  # over by itself
        rows = [self._until(row, now) for row in known if row.told < ENDS]
        if not rows:
            self._metrics.alerts_waiting.set(0)
            return True
        body = json.dumps([_spoken(row, now + LIVES * self._desk.keep) for row in rows]).encode()
        taken = sum([self._post(address, body) for address in self._desk.addresses])  # all of them, not the first only
        if taken:
            self.rows.told(rows, now)
        self._metrics.alerts_waiting.set(0 if taken else sum(row.told == NOTHING for row in rows))
        return taken == len(self._desk.addresses)

    def _until(self, row: Row, now: float) -> Row:
        """What is over and was never told is told all the same, and lasts for the grace."""
        return row if row.told or row.ends is None else replace(row, ends=now + self._desk.grace)

    def _post(self, address: str, body: bytes) -> bool:
        headers = {"Content-Type": "application/json"}
        if self._desk.token:
            headers["Authorization"] = f"Bearer {self._desk.token}"
        try:
            answer = self._http.request("POST", f"{address}/api/v2/alerts", body=body, headers=headers)
            refusal = "" if answer.status == HTTPStatus.OK else f"{answer.status} {answer.data[:200]!r}"
        except urllib3.exceptions.HTTPError as error:
            refusal = str(error)
        self._metrics.alert_posts.labels("failed" if refusal else "taken").inc()
        if refusal:
            log.warning("%s did not take the alerts: %s", address, refusal)
        return not refusal


def _spoken(row: Row, until: float) -> dict[str, object]:
    """As Alertmanager's API has it."""
    times = {"startsAt": _when(row.since), "endsAt": _when(until if row.ends is None else row.ends)}
    return {"labels": row.labels, "annotations": row.annotations, **times}


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
