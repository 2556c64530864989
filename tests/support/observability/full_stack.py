"""The demo's story on a real stage: the gateway as anybody would start it, Prometheus and Alertmanager as they are
shipped for, and somebody to be paged.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
from ruamel.yaml import YAML

from tests.support.observability import debian_servers
from tests.support.observability.alert_rules import HOME, document
from tests.support.observability.debian_servers import until
from tests.support.observability.pager import Pager, listening
from tests.support.servers import TOKEN, Server, serving, write_config
from tightrope.demo.replay import HERE, MODEL, Row, replay, traffic
from tightrope.service.adapters.archive.archive import newest
from tightrope.service.adapters.archive.report_store import ReportStore
from tightrope.service.app import REPORTS, ROWS
from tightrope.shadow.drift_statistics import standings

HARMFUL, FIXED = "bad_distilled_households_only", "good_distilled"
CLUSTER = {"cluster": "stage"}
AUTH = {"Authorization": f"Bearer {TOKEN}"}
HARMED = "residence=group_quarters"
PATIENCE = 120.0
"""Seconds to wait for what takes one or two on an idle machine."""
TRIP, RETURN = 1_500, 6_000
"""Requests after which the harmed subgroup has tripped, and more after which it has returned to the fixed model."""


@dataclass
class Theatre:
    """Everything that runs, and how far the traffic got."""

    server: Server
    prometheus: str
    manager: str
    pager: Pager
    state: Path
    rows: list[Row] = field(default_factory=traffic)
    began: float = field(default_factory=time.time)

    def send(self, count: int) -> None:
        """The next requests, as fast as they are answered."""
        part, self.rows = self.rows[:count], self.rows[count:]
        for _ in replay(self.server.address, part):
            pass

    def label(self, count: int) -> None:
        """The truth about the latest requests."""
        sent = traffic()[: -len(self.rows)]
        told = [{"id": row.id, "label": row.label} for row in sent[-count:]]
        answer = self.server.client.post(f"/v1/models/{MODEL}/labels", json={"labels": told}, headers=AUTH)
        assert answer.is_success, answer.text

    def report(self) -> None:
        """The figures of a drift report, of the rows that were compared; its page would take Evidently."""
        rows = newest(self.state / ROWS, MODEL, 6_000)
        half = np.arange(len(rows)) < len(rows) // 2
        figures = {"scopes": {one.scope: one.told() for one in standings(rows.take(half), rows.take(~half))}}
        ReportStore(self.state / REPORTS).save(MODEL, "<p>figures only</p>", figures, 1, time.time())

    def settle(self, *expressions: str) -> Self:
        """Wait until Prometheus finds each of these."""
        for expression in expressions:
            until(partial(self.query, expression), PATIENCE)
        return self

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What Prometheus finds now."""
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": expression}, timeout=30)
        assert answer.is_success, answer.text
        return list(answer.json()["data"]["result"])

    def safe(self) -> list[str]:
        """The scopes that Prometheus knows to be in safe mode."""
        return [found["metric"]["scope"] for found in self.query("tightrope_safe_mode_active == 1")]

    def deploy(self, model: str) -> None:
        """Put another compressed model in place."""
        body = {"path": str(HERE / f"models/{model}.onnx"), "reason": "the fixed one", "actor": "tests"}
        answer = self.server.client.post(f"/v1/models/{MODEL}/deploy", json=body, headers=AUTH)
        assert answer.is_success, answer.text


def configuration(model: str, manager: str) -> dict[str, Any]:
    """The demo's, with this model on trial, labels, an objective, and an Alertmanager."""
    config: dict[str, Any] = YAML(typ="safe").load(HERE / "tightrope.yaml")
    for role, name in (("baseline", "baseline_fp32"), ("compressed", model)):
        config["models"][MODEL][role] = str(HERE / f"models/{name}.onnx")
    config["models"][MODEL] |= {"labels": {}, "latency": {"seconds": 0.5}}
    config["safe_mode"] = {"min_dwell_seconds": 1}
    config["alerts"] = {"alertmanagers": [manager], "labels": CLUSTER, "keep_seconds": 5, "grace_seconds": 8}
    return config | {"state": "state"}


def routes(pager: Pager) -> dict[str, Any]:
    """The shipped routes, quick and with one receiver; the tickets and the watchdog go to paths of their own."""
    config: dict[str, Any] = document(HOME / "alertmanager.yml")
    config["receivers"] = [
        {"name": r["name"], "webhook_configs": [{"url": f"{pager.address}/{r['name']}"}]} for r in config["receivers"]
    ]
    for route in config["route"]["routes"]:
        route["group_interval"] = "1s"
    return config


def scraping(server: Server, manager: str) -> dict[str, Any]:
    """The shipped configuration of Prometheus, quick, with these targets. A scrape may take as long as until the next
    one: on a busy machine that is not little, and a minute without any would be a page.
    """
    config: dict[str, Any] = document(HOME / "prometheus.yml")
    config["global"] = {"scrape_interval": "3s", "evaluation_interval": "1s", "external_labels": CLUSTER}
    config["rule_files"] = [str(HOME / file) for file in config["rule_files"]]
    config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [manager.removeprefix("http://")]}]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [server.address.removeprefix("http://")]}]
    return config


@contextmanager
def theatre(folder: Path, model: str = HARMFUL) -> Iterator[Theatre]:
    """Everything up, and scraped for the first time."""
    with (
        listening() as pager,
        debian_servers.alertmanager(folder, routes(pager)) as manager,
        serving(write_config(folder, configuration(model, manager.address))) as server,
        debian_servers.prometheus(folder, scraping(server, manager.address)) as prometheus,
    ):
        found = Theatre(server, prometheus.address, manager.address, pager, folder / "state")
        until(lambda: found.query("tightrope_requests_total"), PATIENCE)
        yield found
