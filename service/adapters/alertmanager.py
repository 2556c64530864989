"""Alerts to Alertmanager at once, instead of after a scrape and an evaluation: the one door to it.

What stands is on disk before anybody is told, one row an alert; a thread posts all of it when something changed, again
and again while it stands, and with backoff while nobody takes it. So a restart forgets nothing, and an Alertmanager
that was away is told of everything when it is back, also of what is over by then.

Prometheus raises the same alert from its rules. An alert that is over therefore ends a grace later: if it ended at
once, Prometheus would raise it again until its next scrape, and people would be paged twice. Its end is told
once: told again after Prometheus has ended it, the alert would stand anew.
"""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import urllib3

from service.adapters.metrics import Metrics
from service.adapters.ports import Alert
from service.adapters.standing import ENDS, NOTHING, Row, StandingAlerts

log = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before the next attempt, after the first failure in a row, the second, and so on."""

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


class Alertmanager:
    """Implements `service.adapters.ports.Pager` for these models: what still stands for others is over. ``clock`` gives
    seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        desk: Desk,
        metrics: Metrics,
        models: Collection[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rows = StandingAlerts(path)
        self._desk = desk
        self._metrics = metrics
        self._clock = clock
        self._http = urllib3.PoolManager(retries=False, timeout=PATIENCE)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        for gone in self._rows.models() - set(models):
            self.stand(gone, ())

    def stand(self, model: str, alerts: Sequence[Alert]) -> None:
        """These stand from now on."""
        now = self._clock()
        try:
            if self._rows.replace(model, [self._row(alert, now) for alert in alerts], now + self._desk.grace):
                self._wake.set()
        except sqlite3.Error:  # the judge goes on, and Prometheus' rule tells the same
            log.exception("%s: its alerts cannot be kept, and are not told from here", model)

    def start(self) -> None:
        """Begin to post."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End; what has not been told yet is told after the next start."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._rows.close()

    def _row(self, alert: Alert, now: float) -> Row:
        labels = {"alertname": alert.name, "model": alert.model, "scope": alert.scope, "severity": "page"}
        links = {
            "runbook_url": f"{self._desk.runbook}#{alert.name.lower()}",
            "dashboard_url": f"{self._desk.grafana}/d/tightrope-model?var-model={alert.model}",
        }
        since = now if alert.since is None else min(alert.since, now)
        return Row({**self._desk.labels, **labels}, {**alert.told, **links}, since)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                taken = self.post()
            except Exception:
                taken = False
                log.exception("alerts could not be told")
            failures = 0 if taken else failures + 1
            self._wake.wait(self._desk.keep if taken else PAUSES[min(failures, len(PAUSES)) - 1])

    def post(self) -> bool:
        """Tell everybody of everything; whether somebody took it, or there was nothing to tell."""
        now = self._clock()
        rows = [self._until(row, now) for row in self._rows.all() if row.told < ENDS or (row.ends or now) <= now]
        if not rows:
            self._metrics.alerts_waiting.set(0)
            return True
        body = json.dumps([_spoken(row, now + LIVES * self._desk.keep) for row in rows]).encode()
        taken = sum([self._tell(address, body) for address in self._desk.addresses])  # all of them, not the first only
        if taken:
            self._rows.told(rows, now)
        self._metrics.alerts_waiting.set(0 if taken else sum(row.told == NOTHING for row in rows))
        return taken == len(self._desk.addresses)

    def _until(self, row: Row, now: float) -> Row:
        """What is over and was never told is told all the same, and lasts for the grace."""
        return row if row.told or row.ends is None else replace(row, ends=now + self._desk.grace)

    def _tell(self, address: str, body: bytes) -> bool:
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
