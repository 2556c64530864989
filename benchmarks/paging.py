"""How long it takes from the sample that tips the balance to the pager: `python -m benchmarks.paging`.

The demo's harmful model in the embedded process at 200 requests a second, a real local Alertmanager with the shipped
routes, and a receiver in the pager's place. A trial ends when the receiver has been told; its time is counted from the
moment the request was answered whose comparison closed the case.
"""

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import urllib3
from ruamel.yaml import YAML

from tightrope.demo.replay import HERE, MODEL, traffic
from tightrope.service.config.loader import load
from tightrope.service.protocol.rest import InferRequest
from tightrope.wiring.embedded import Embedded, wire_up

PER_SECOND = 200.0
HARMFUL = "bad_distilled_households_only"
ROUTES = Path(__file__).parents[1] / "dashboards" / "alertmanager.yml"
PATIENCE = 60.0


class Pager(HTTPServer):
    """Notes when it is told first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rang = threading.Event()
        self.at = 0.0


class _Handler(BaseHTTPRequestHandler):
    server: Pager

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["status"] == "firing" and not self.server.rang.is_set():
            self.server.at = time.time()
            self.server.rang.set()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def alertmanager(folder: Path, pager: Pager) -> Iterator[str]:
    """A real one, with the shipped routes; its address."""
    found = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if found is None:
        raise SystemExit("there is no Alertmanager here: apt-get install prometheus-alertmanager")
    yaml = YAML(typ="safe")
    config = yaml.load(ROUTES)
    url = f"http://127.0.0.1:{pager.server_address[1]}/"
    config["receivers"] = [{"name": r["name"], "webhook_configs": [{"url": url}]} for r in config["receivers"]]
    yaml.dump(config, folder / "alertmanager.yml")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = [f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}"]
    command = [found, *options, f"--web.listen-address={address}", "--cluster.listen-address=", "--log.level=error"]
    with subprocess.Popen(command) as process:  # noqa: S603 - our own command
        try:
            urllib3.request("GET", f"http://{address}/-/ready", retries=urllib3.Retry(20, backoff_factor=0.05))
            yield f"http://{address}"
        finally:
            process.terminate()


def embedded(folder: Path, manager: str) -> Embedded:
    """The demo's configuration with the harmful model."""
    yaml = YAML(typ="safe")
    config: dict[str, Any] = yaml.load(HERE / "tightrope.yaml")
    for role, name in (("baseline", "baseline_fp32"), ("compressed", HARMFUL)):
        config["models"][MODEL][role] = str(HERE / f"models/{name}.onnx")
    yaml.dump(config | {"alerts": {"alertmanagers": [manager]}}, folder / "tightrope.yaml")
    return wire_up(load(folder / "tightrope.yaml", {}))


def trial(per_second: float) -> float:
    """Seconds from the tipping sample to the pager."""
    with tempfile.TemporaryDirectory() as name, Pager() as pager:
        thread = threading.Thread(target=pager.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        with alertmanager(Path(name), pager) as manager:
            parts = embedded(Path(name), manager)
            parts.start()
            play(parts, per_second, pager.rang)
            pager.rang.wait(PATIENCE)
            breach = next(event for _, event in parts.store.events() if event.kind == "breach")
            parts.stop()
        pager.shutdown()
        thread.join()
        if not pager.rang.is_set():
            raise SystemExit("the pager was not told within a minute")
        return pager.at - breach.time


def play(parts: Embedded, per_second: float, until: threading.Event) -> None:
    """Traffic at this pace until somebody is paged."""
    gateway, began = parts.service.gateway, time.monotonic()
    pair = gateway.pair(MODEL)
    for number, row in enumerate(traffic()):
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        codes = {"input": np.array([row.codes], np.float32)}
        gateway.infer(pair, InferRequest(id=row.id, parameters={}, inputs=codes, outputs=(), binary_default=False))
        if until.is_set():
            return


def main() -> None:
    """Print what the trials took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=7)
    parser.add_argument("--per-second", type=float, default=PER_SECOND)
    given = parser.parse_args()
    seconds = [trial(given.per_second) for _ in range(given.trials)]
    print(f"from the tipping sample to the pager, {given.per_second:g} requests a second, {len(seconds)} trials")
    print(f"median {statistics.median(seconds):.3f} s, least {min(seconds):.3f} s, most {max(seconds):.3f} s")


if __name__ == "__main__":
    main()
