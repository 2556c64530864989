"""Alerts to Alertmanager, sent at once instead of after a scrape and a rule evaluation.

Active alerts are on disk before they are sent, one row each. A thread posts all of them when one changes, repeatedly
while they are active, and with backoff while no Alertmanager accepts them. So a restart forgets nothing, and an
Alertmanager that was down gets everything when it is back, including the alerts resolved meanwhile.

Prometheus raises the same alert from its rules, without the evidence. The judge's has the label `JUDGE_SOURCE`, so that
neither replaces the texts of the other; the shipped configuration of Alertmanager inhibits that of Prometheus while
the judge's is active. A resolved alert therefore ends ``grace_seconds`` later: if it ended at once, that of Prometheus
would page until its next scrape. Its end is sent once: sent again later, the alert would be active anew. A new alert is
sent every second for the same grace.
"""

import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

import urllib3

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.adapters.ports import Alert
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.sqlite.alert_outbox import END_SENT, NOT_SENT, AlertSender, StoredAlert

log = logging.getLogger(__name__)

POST_TIMEOUT_SECONDS = 5.0
"""Time limit for one post."""

JUDGE_SOURCE = {"source": "judge"}
"""The label that tells the judge's alerts from those of Prometheus."""

SHOWN_BEFORE_SECONDS = 3600.0
"""Seconds before the beginning of an alert from which on its dashboard is shown."""

EXPIRY_INTERVALS = 4
"""Alertmanager ends an alert that is not posted again for this many repeat intervals: its sender is gone."""


@dataclass(frozen=True, slots=True)
class AlertmanagerSettings:
    """The Alertmanagers, and the labels and links of every alert. ``reports`` is the address of a model's newest drift
    report, with its name as ``{model}``; empty without reports. ``has_report`` tells whether a model has one yet.
    """

    addresses: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    repeat_seconds: float = 30.0
    grace_seconds: float = 60.0
    runbook: str = ""
    grafana: str = ""
    reports: str = ""
    has_report: Callable[[str], bool] = field(default=lambda _: True, compare=False)


class Alertmanager(AlertSender):
    """Posts the alerts to every Alertmanager of the settings."""

    def __init__(self, path: Path, settings: AlertmanagerSettings, metrics: Metrics, models: Collection[str]) -> None:
        self._settings = settings
        self._metrics = metrics
        self._http = urllib3.PoolManager(retries=False, timeout=POST_TIMEOUT_SECONDS)
        super().__init__(path, models, settings.repeat_seconds, settings.grace_seconds)

    def to_stored(self, alert: Alert, now: float) -> StoredAlert:
        """The alert with the labels of the Prometheus rule, its source and its own, and links."""
        about = {"alertname": alert.name, "model": alert.model, "scope": alert.scope, "severity": alert.severity}
        since = now if alert.since is None else min(alert.since, now)
        links = {
            "runbook_url": f"{self._settings.runbook}#{alert.name.lower()}",
            "dashboard_url": self._dashboard(alert, since),
        }
        labels = {**self._settings.labels, **alert.labels, **about, **JUDGE_SOURCE}
        return StoredAlert(labels, {**alert.annotations, **links}, since)

    def _dashboard(self, alert: Alert, since: float) -> str:
        """The address of the dashboard about the scope, from an hour before the alert began on."""
        board = "tightrope-model" if alert.scope == MODEL_SCOPE else "tightrope-subgroups"
        chosen = {**self._settings.labels, "model": alert.model, "scope": alert.scope}
        times = {"from": str(round((since - SHOWN_BEFORE_SECONDS) * 1000)), "to": "now"}
        return f"{self._settings.grafana}/d/{board}?{urlencode({f'var-{n}': v for n, v in chosen.items()} | times)}"

    def send(self) -> bool:
        """Post all alerts to all Alertmanagers; whether each accepted them."""
        now = self.clock()
        stored = self.table.all()
        expired = [row for row in stored if row.sent == END_SENT and (row.ends or now) <= now]
        self.table.mark_sent(expired, now)
        rows = [self._with_end(row, now) for row in stored if row.sent < END_SENT]
        if not rows:
            self._metrics.alerts_waiting.set(0)
            return True
        expiry = now + EXPIRY_INTERVALS * self._settings.repeat_seconds
        body = json.dumps([_to_json(self._with_report(row), expiry) for row in rows]).encode()
        accepted = sum([self._post(address, body) for address in self._settings.addresses])  # a list: post to all
        if accepted:
            self.table.mark_sent(rows, now)
        self._metrics.alerts_waiting.set(0 if accepted else sum(row.sent == NOT_SENT for row in rows))
        return accepted == len(self._settings.addresses)

    def _with_report(self, row: StoredAlert) -> StoredAlert:
        """An alert with the address of the newest drift report, as soon as there is one."""
        model = row.labels["model"]
        if not self._settings.reports or not self._settings.has_report(model):
            return row
        link = {"report_url": self._settings.reports.replace("{model}", model)}
        return replace(row, annotations={**row.annotations, **link})

    def _with_end(self, row: StoredAlert, now: float) -> StoredAlert:
        """An alert that was resolved before it was ever sent is still sent, and lasts for the grace."""
        unsent_and_over = row.sent == NOT_SENT and row.ends is not None
        return replace(row, ends=now + self._settings.grace_seconds) if unsent_and_over else row

    def _post(self, address: str, body: bytes) -> bool:
        headers = {"Content-Type": "application/json"}
        if self._settings.token:
            headers["Authorization"] = f"Bearer {self._settings.token}"
        try:
            response = self._http.request("POST", f"{address}/api/v2/alerts", body=body, headers=headers)
            failure = "" if response.status == HTTPStatus.OK else f"{response.status} {response.data[:200]!r}"
        except urllib3.exceptions.HTTPError as error:
            failure = str(error)
        self._metrics.alert_posts.labels("failed" if failure else "taken").inc()
        if failure:
            fields = {"event": "alert-undelivered"}
            log.warning("%s did not accept the alerts: %s", address, failure, extra={"fields": fields})
        return not failure


def _to_json(row: StoredAlert, expiry: float) -> dict[str, object]:
    """An alert in the form of Alertmanager's API v2."""
    times = {"startsAt": _timestamp(row.since), "endsAt": _timestamp(expiry if row.ends is None else row.ends)}
    return {"labels": row.labels, "annotations": row.annotations, **times}


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
