"""The demo's story on real servers: a gateway, Prometheus and Alertmanager with the shipped files, and a pager."""

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

from tests.support.configs import TOKEN, write_config
from tests.support.observability import debian_servers
from tests.support.observability.alert_rules import HOME, document
from tests.support.observability.debian_servers import until
from tests.support.observability.pager import Pager, listening
from tests.support.servers import Server, serving
from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL, TrafficRow, replay, traffic
from tightrope.service.adapters.archive.archive import read_newest
from tightrope.service.adapters.archive.report_store import ReportStore
from tightrope.service.app import REPORTS_FOLDER, ROWS_FOLDER
from tightrope.shadow.drift_statistics import scope_drifts

HARMFUL, FIXED = "bad_distilled_households_only", "good_distilled"
CLUSTER = {"cluster": "stage"}
OWNER = "team-work"
GATEWAY = "https://tightrope.stage.example.org"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
HARMED = "residence=group_quarters"
STEP_TIMEOUT_SECONDS = 120.0
"""Timeout for steps that take one or two seconds on an idle machine."""
REQUESTS_TO_BREACH, REQUESTS_TO_RETURN = 1_500, 9_000
"""Requests until the harmed subgroup is in safe mode, and further ones until it has returned with the fixed model."""


@dataclass
class FullStack:
    """The running servers, and the remaining traffic."""

    server: Server
    prometheus: str
    manager: str
    pager: Pager
    state: Path
    rows: list[TrafficRow] = field(default_factory=traffic)
    began: float = field(default_factory=time.time)

    def send(self, count: int) -> None:
        """Send the next requests as fast as possible."""
        part, self.rows = self.rows[:count], self.rows[count:]
        for _ in replay(self.server.address, part):
            pass

    def label(self, count: int) -> None:
        """Send the labels of the latest requests."""
        sent = traffic()[: -len(self.rows)]
        labels = [{"id": row.id, "label": row.label} for row in sent[-count:]]
        answer = self.server.client.post(f"/v1/models/{DEMO_MODEL}/labels", json={"labels": labels}, headers=AUTH)
        assert answer.is_success, answer.text

    def report(self) -> None:
        """Store the statistics of a drift report on the compared rows, without its page, which would need Evidently."""
        rows = read_newest(self.state / ROWS_FOLDER, DEMO_MODEL, 6_000)
        half = np.arange(len(rows)) < len(rows) // 2
        figures = {"scopes": {one.scope: one.to_json() for one in scope_drifts(rows.take(half), rows.take(~half))}}
        ReportStore(self.state / REPORTS_FOLDER).save(DEMO_MODEL, "<p>figures only</p>", figures, 1, time.time())

    def settle(self, *expressions: str) -> Self:
        """Wait until Prometheus finds data for each expression."""
        for expression in expressions:
            until(partial(self.query, expression), STEP_TIMEOUT_SECONDS)
        return self

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Query Prometheus."""
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": expression}, timeout=30)
        assert answer.is_success, answer.text
        return list(answer.json()["data"]["result"])

    def safe_scopes(self) -> list[str]:
        """The scopes in safe mode according to Prometheus."""
        return [stack["metric"]["scope"] for stack in self.query("tightrope_safe_mode_active == 1")]

    def deploy(self, model: str) -> None:
        """Deploy another compressed model."""
        body = {"path": str(DEMO_FOLDER / f"models/{model}.onnx"), "reason": "the fixed one", "actor": "tests"}
        answer = self.server.client.post(f"/v1/models/{DEMO_MODEL}/deploy", json=body, headers=AUTH)
        assert answer.is_success, answer.text


def configuration(model: str, manager: str) -> dict[str, Any]:
    """The demo's configuration with this compressed model, labels, a latency objective and an Alertmanager."""
    config: dict[str, Any] = YAML(typ="safe").load(DEMO_FOLDER / "tightrope.yaml")
    for role, name in (("baseline", "baseline_fp32"), ("compressed", model)):
        config["models"][DEMO_MODEL][role] = str(DEMO_FOLDER / f"models/{name}.onnx")
    config["models"][DEMO_MODEL] |= {"labels": {}, "latency": {"seconds": 0.5}, "owner": OWNER, "page": "always"}
    config["safe_mode"] = {"min_dwell_seconds": 1}
    config["alerts"] = {"alertmanagers": [manager], "labels": CLUSTER, "keep_seconds": 5, "grace_seconds": 8}
    config["alerts"]["gateway"] = GATEWAY
    return config | {"state": "state"}


def routes(pager: Pager) -> dict[str, Any]:
    """The shipped Alertmanager configuration with short intervals; all receivers post to paths of the pager."""
    config: dict[str, Any] = document(HOME / "alertmanager.yml")
    config["receivers"] = [
        {"name": r["name"], "webhook_configs": [{"url": f"{pager.address}/{r['name']}"}]} for r in config["receivers"]
    ]
    for route in config["route"]["routes"]:
        route["group_interval"] = "1s"
    return config


def scraping(server: Server, manager: str) -> dict[str, Any]:
    """The shipped Prometheus configuration with short intervals and these targets.

    The scrape timeout equals the interval: on a busy machine scrapes take long, and a minute without any would page.
    """
    config: dict[str, Any] = document(HOME / "prometheus.yml")
    config["global"] = {"scrape_interval": "3s", "evaluation_interval": "1s", "external_labels": CLUSTER}
    config["rule_files"] = [str(HOME / file) for file in config["rule_files"]]
    config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [manager.removeprefix("http://")]}]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [server.address.removeprefix("http://")]}]
    return config


@contextmanager
def full_stack(folder: Path, model: str = HARMFUL) -> Iterator[FullStack]:
    """Start all servers, and wait for the first scrape."""
    with (
        listening() as pager,
        debian_servers.alertmanager(folder, routes(pager)) as manager,
        serving(write_config(folder, configuration(model, manager.address))) as server,
        debian_servers.prometheus(folder, scraping(server, manager.address)) as prometheus,
    ):
        stack = FullStack(server, prometheus.address, manager.address, pager, folder / "state")
        until(lambda: stack.query("tightrope_requests_total"), STEP_TIMEOUT_SECONDS)
        yield stack
