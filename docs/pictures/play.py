"""The demo's story as Prometheus sees it: three compressed models side by side, of which two are bad on purpose."""

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

from tests.support.observability import debian_servers
from tests.support.observability.debian_servers import until
from tests.support.observability.full_stack import CLUSTER, configuration, routes, scraping
from tests.support.observability.pager import listening
from tests.support.servers import TOKEN, Server, serving, write_config
from tightrope.demo.replay import HERE as DEMO
from tightrope.demo.replay import Row, replay, traffic

FIXED = "good_distilled"
"""What takes the place of the compressed model `employment` in the second act."""

MODELS = {
    "employment": ("bad_distilled_households_only", 20.0),
    "employment_int8": ("good_int8", 14.0),
    "employment_pruned": ("bad_pruned98", 8.0),
}
"""What is served: the compressed model of each, and its requests a second; the baseline is the same."""

ACTS = (240.0, 340.0)
"""Seconds: until the harm is long seen, and until the fixed model has proved itself."""

LATE = 100
"""Labels that are told at once."""

SCRAPE = 5
"""Seconds from scrape to scrape."""

AUTH = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True, slots=True)
class Moments:
    """When it began, was at its worst, and had ended, in seconds since the epoch."""

    began: float
    worst: float
    ended: float

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Those of an earlier play."""
        return cls(**json.loads((folder / "moments.json").read_text()))


def play(folder: Path) -> None:
    """Play it to its end; the folder then has what Prometheus has seen, and when."""
    with _stage(folder) as server:
        time.sleep(4 * SCRAPE)  # so far do rates look back
        began = time.time()
        rows = {model: iter(traffic()) for model in MODELS}
        _act(server, rows, ACTS[0])
        worst = time.time()
        _deploy(server)
        _act(server, rows, ACTS[1])
        time.sleep(2 * SCRAPE)
        moments = Moments(began, worst, time.time())
    (folder / "moments.json").write_text(json.dumps(asdict(moments)))


@contextmanager
def _stage(folder: Path) -> Iterator[Server]:
    """The gateway, Prometheus and Alertmanager as in the tests, scraped for the first time."""
    with (
        listening() as pager,
        debian_servers.alertmanager(folder, routes(pager)) as manager,
        serving(write_config(folder, _configuration(manager.address))) as server,
        debian_servers.prometheus(folder, _scraping(server, manager.address)) as prometheus,
    ):
        asked = f"{prometheus.address}/api/v1/query"
        until(lambda: httpx.get(asked, params={"query": "up == 1"}).json()["data"]["result"], 60)
        yield server


@contextmanager
def replayed(folder: Path) -> Iterator[str]:
    """Prometheus with what it saw of an earlier play, and nothing new to see; its address."""
    with debian_servers.prometheus(folder, {"global": {"scrape_interval": f"{SCRAPE}s"}}) as prometheus:
        yield prometheus.address


def _configuration(manager: str) -> dict[str, Any]:
    """The demo's for each model, but for what makes the tests quick."""
    config = configuration(FIXED, manager)
    (pair,) = config["models"].values()
    models = {name: {**pair, "compressed": str(DEMO / f"models/{file}.onnx")} for name, (file, _) in MODELS.items()}
    alerts = {"alertmanagers": [manager], "labels": CLUSTER}
    return config | {"models": models, "safe_mode": {"min_dwell_seconds": 30}, "alerts": alerts}


def _scraping(server: Server, manager: str) -> dict[str, Any]:
    config = scraping(server, manager)
    config["global"] |= {"scrape_interval": f"{SCRAPE}s", "evaluation_interval": f"{SCRAPE}s"}
    return config


def _act(server: Server, rows: Mapping[str, Iterator[Row]], seconds: float) -> None:
    """The next part of the traffic, to every model at once."""
    with ThreadPoolExecutor(len(MODELS)) as pool:
        sending = [
            pool.submit(_send, server, model, list(islice(rows[model], round(seconds * pace))), pace)
            for model, (_, pace) in MODELS.items()
        ]
        for sent in sending:
            sent.result()


def _send(server: Server, model: str, rows: list[Row], pace: float) -> None:
    """To one model; the truth about every second row comes a little later."""
    labels: list[dict[str, Any]] = []
    for number, answer in enumerate(replay(server.address, rows, pace, model)):
        if number % 2 == 0:
            labels.append({"id": answer.row.id, "label": answer.row.label})
        if len(labels) == LATE:
            _post(server, f"/v1/models/{model}/labels", {"labels": labels})
            labels = []


def _deploy(server: Server) -> None:
    body = {"path": str(DEMO / f"models/{FIXED}.onnx"), "reason": "trained on everybody", "actor": "the demo"}
    _post(server, "/v1/models/employment/deploy", body)


def _post(server: Server, path: str, body: dict[str, Any]) -> None:
    """Over a connection of its own: the gateway closes those that were idle."""
    httpx.post(server.address + path, json=body, headers=AUTH, timeout=30).raise_for_status()
