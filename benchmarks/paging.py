"""Benchmark of the time from the sample that trips a scope to the page: `python -m benchmarks.paging`.

The demo's harmful model runs in the embedded process at 200 requests/s, with a real local Alertmanager that has the
shipped routes, and a webhook receiver as the pager. A trial lasts from the answer to the request whose comparison
trips the scope until the receiver is notified.
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

from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL, traffic
from tightrope.service.config.loader import load
from tightrope.service.protocol.rest import InferRequest
from tightrope.wiring.embedded import Embedded, build_embedded

PER_SECOND = 200.0
HARMFUL = "bad_distilled_households_only"
ROUTES = Path(__file__).parents[1] / "dashboards" / "alertmanager.yml"
PAGE_TIMEOUT_SECONDS = 60.0


class Pager(HTTPServer):
    """A webhook receiver that records the time of its first notification."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.paged = threading.Event()
        self.paged_at = 0.0


class _Handler(BaseHTTPRequestHandler):
    server: Pager

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["status"] == "firing" and not self.server.paged.is_set():
            self.server.paged_at = time.time()
            self.server.paged.set()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def alertmanager(folder: Path, pager: Pager) -> Iterator[str]:
    """Run a real Alertmanager with the shipped routes; yields its address."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        raise SystemExit("Alertmanager is not installed: apt-get install prometheus-alertmanager")
    yaml = YAML(typ="safe")
    config = yaml.load(ROUTES)
    url = f"http://127.0.0.1:{pager.server_address[1]}/"
    config["receivers"] = [{"name": r["name"], "webhook_configs": [{"url": url}]} for r in config["receivers"]]
    yaml.dump(config, folder / "alertmanager.yml")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = [f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}"]
    command = [program, *options, f"--web.listen-address={address}", "--cluster.listen-address=", "--log.level=error"]
    with subprocess.Popen(command) as process:  # noqa: S603 - our own command
        try:
            urllib3.request("GET", f"http://{address}/-/ready", retries=urllib3.Retry(20, backoff_factor=0.05))
            yield f"http://{address}"
        finally:
            process.terminate()


def embedded(folder: Path, manager: str) -> Embedded:
    """Build the embedded process from the demo's configuration with the harmful model."""
    yaml = YAML(typ="safe")
    config: dict[str, Any] = yaml.load(DEMO_FOLDER / "tightrope.yaml")
    for role, name in (("baseline", "baseline_fp32"), ("compressed", HARMFUL)):
        config["models"][DEMO_MODEL][role] = str(DEMO_FOLDER / f"models/{name}.onnx")
    config["models"][DEMO_MODEL]["page"] = "always"  # the harmed group is small: otherwise it is a ticket, which waits
    yaml.dump(config | {"alerts": {"alertmanagers": [manager]}}, folder / "tightrope.yaml")
    return build_embedded(load(folder / "tightrope.yaml", {}))


def trial(per_second: float) -> float:
    """Run a trial; returns the seconds from the tripping sample to the page."""
    with tempfile.TemporaryDirectory() as name, Pager() as pager:
        thread = threading.Thread(target=pager.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        with alertmanager(Path(name), pager) as manager:
            parts = embedded(Path(name), manager)
            parts.start()
            play(parts, per_second, pager.paged)
            pager.paged.wait(PAGE_TIMEOUT_SECONDS)
            breach = next(event for _, event in parts.store.events() if event.kind == "breach")
            parts.stop()
        pager.shutdown()
        thread.join()
        if not pager.paged.is_set():
            raise SystemExit(f"no page within {PAGE_TIMEOUT_SECONDS:g} s")
        return pager.paged_at - breach.time


def play(parts: Embedded, per_second: float, until: threading.Event) -> None:
    """Send the demo's traffic at a steady rate until the event is set."""
    gateway, began = parts.service.engine, time.monotonic()
    pair = gateway.pair(DEMO_MODEL)
    for number, row in enumerate(traffic()):
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        codes = {"input": np.array([row.codes], np.float32)}
        gateway.infer(pair, InferRequest(id=row.id, parameters={}, inputs=codes, outputs=(), binary_default=False))
        if until.is_set():
            return


def main() -> None:
    """Run the trials and print their times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=7)
    parser.add_argument("--per-second", type=float, default=PER_SECOND)
    options = parser.parse_args()
    seconds = [trial(options.per_second) for _ in range(options.trials)]
    print(f"from the tripping sample to the page, {options.per_second:g} requests/s, {len(seconds)} trials")
    print(f"median {statistics.median(seconds):.3f} s, min {min(seconds):.3f} s, max {max(seconds):.3f} s")


if __name__ == "__main__":
    main()
