"""Record the demo in Prometheus: three compressed models side by side, two of them harmful on purpose."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import httpx

from tests.support.configs import TOKEN, write_config
from tests.support.observability import debian_servers
from tests.support.observability.debian_servers import until
from tests.support.observability.full_stack import CLUSTER, configuration, routes, scraping
from tests.support.observability.pager import listening
from tests.support.servers import Server, serving
from tightrope.demo.replay import DEMO_FOLDER as DEMO
from tightrope.demo.replay import TrafficRow, replay, traffic

FIXED_MODEL = "good_distilled"
"""The model that replaces the compressed model of `employment` in the second act."""

RECORDED_MODELS = {
    "employment": ("bad_distilled_households_only", 20.0),
    "employment_int8": ("good_int8", 14.0),
    "employment_pruned": ("bad_pruned98", 8.0),
}
"""The compressed file of each model and its requests per second; all share one baseline."""

ACT_SECONDS = (240.0, 340.0)
"""The first act shows the harm, the second lasts until the fixed model has returned."""

LABELS_PER_POST = 100
"""Labels sent in one request."""

SCRAPE_SECONDS = 5
CONTROL_HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True, slots=True)
class Moments:
    """Start, worst moment and end of a recording, in seconds since the epoch."""

    began: float
    worst: float
    ended: float

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the moments of an earlier recording."""
        return cls(**json.loads((folder / "moments.json").read_text()))


def record(folder: Path) -> None:
    """Run the demo to its end; afterwards the folder holds Prometheus' data and the moments."""
    with _servers(folder) as server:
        time.sleep(4 * SCRAPE_SECONDS)  # rates look back this far
        began = time.time()
        rows = {model: iter(traffic()) for model in RECORDED_MODELS}
        _act(server, rows, ACT_SECONDS[0])
        worst = time.time()
        _deploy(server)
        _act(server, rows, ACT_SECONDS[1])
        time.sleep(2 * SCRAPE_SECONDS)
        moments = Moments(began, worst, time.time())
    (folder / "moments.json").write_text(json.dumps(asdict(moments)))


@contextmanager
def _servers(folder: Path) -> Iterator[Server]:
    """Start gateway, Prometheus and Alertmanager as in the tests; yield after the first scrape."""
    with (
        listening() as pager,
        debian_servers.alertmanager(folder, routes(pager)) as manager,
        serving(write_config(folder, _configuration(manager.address))) as server,
        debian_servers.prometheus(folder, _scraping(server, manager.address)) as prometheus,
    ):
        url = f"{prometheus.address}/api/v1/query"
        until(lambda: httpx.get(url, params={"query": "up == 1"}).json()["data"]["result"], 60)
        yield server


@contextmanager
def recorded(folder: Path) -> Iterator[str]:
    """Start Prometheus on an earlier recording, without targets; yield its address."""
    with debian_servers.prometheus(folder, {"global": {"scrape_interval": f"{SCRAPE_SECONDS}s"}}) as prometheus:
        yield prometheus.address


def _configuration(manager: str) -> dict[str, Any]:
    """Return the demo's configuration for every model, with the settings that keep the tests short."""
    config = configuration(FIXED_MODEL, manager)
    (pair,) = config["models"].values()
    models = {
        name: {**pair, "compressed": str(DEMO / f"models/{file}.onnx")} for name, (file, _) in RECORDED_MODELS.items()
    }
    alerts = {"alertmanagers": [manager], "labels": CLUSTER}
    return config | {"models": models, "safe_mode": {"min_dwell_seconds": 30}, "alerts": alerts}


def _scraping(server: Server, manager: str) -> dict[str, Any]:
    config = scraping(server, manager)
    config["global"] |= {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"}
    return config


def _act(server: Server, rows: Mapping[str, Iterator[TrafficRow]], seconds: float) -> None:
    """Send the next part of the traffic to all models at once."""
    with ThreadPoolExecutor(len(RECORDED_MODELS)) as pool:
        futures = [
            pool.submit(_send, server, model, list(islice(rows[model], round(seconds * pace))), pace)
            for model, (_, pace) in RECORDED_MODELS.items()
        ]
        for future in futures:
            future.result()


def _send(server: Server, model: str, rows: list[TrafficRow], pace: float) -> None:
    """Send rows to one model, and a little later the label of every second row."""
    labels: list[dict[str, Any]] = []
    for number, answer in enumerate(replay(server.address, rows, pace, model)):
        if number % 2 == 0:
            labels.append({"id": answer.row.id, "label": answer.row.label})
        if len(labels) == LABELS_PER_POST:
            _post(server, f"/v1/models/{model}/labels", {"labels": labels})
            labels = []


def _deploy(server: Server) -> None:
    body = {"path": str(DEMO / f"models/{FIXED_MODEL}.onnx"), "reason": "trained on everybody", "actor": "the demo"}
    _post(server, "/v1/models/employment/deploy", body)


def _post(server: Server, path: str, body: dict[str, Any]) -> None:
    """Send one request on a new connection, because the gateway closes idle ones."""
    httpx.post(server.address + path, json=body, headers=CONTROL_HEADERS, timeout=30).raise_for_status()
