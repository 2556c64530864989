"""A part that forces and releases safe mode continuously while all connections are busy: no request may fail."""

import json
import threading
from itertools import cycle
from pathlib import Path

import urllib3

from benchmarks.serving.goals import FAILED_FIGURE
from benchmarks.serving.load import Slice
from benchmarks.serving.models import MODEL_KINDS
from benchmarks.serving.part import Effort, Outcome
from benchmarks.serving.server_group import server_group
from benchmarks.serving.servers import EMBEDDED, TOKEN

CONNECTIONS = 32
ORDERS = ("force-safe", "release", "force-normal", "release")


def switches(effort: Effort, folder: Path) -> Outcome:
    """Measure the embedded process, whose judge executes the orders."""
    slices: list[Slice] = []
    with server_group(MODEL_KINDS["S"], [EMBEDDED], folder) as group:
        ((server, load),) = group.members.values()
        seconds = effort.slices * effort.seconds
        busy = threading.Thread(target=lambda: slices.append(load(server.address, CONNECTIONS, seconds)))
        busy.start()
        switches_ = _send_orders(server.address, busy)
        busy.join()
    (load_slice,) = slices
    figures = {"requests": load_slice.requests, FAILED_FIGURE: load_slice.errors, "switches": switches_}
    return Outcome(figures={**figures, "p99 ms": load_slice.p99})


def _send_orders(address: str, load_thread: threading.Thread) -> int:
    """Send orders until the load ends; returns how often the answering role was switched."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    body = json.dumps({"scope": "model", "reason": "a benchmark", "actor": "a benchmark"})
    switched = 0
    with urllib3.PoolManager(retries=False) as http:
        for order in cycle(ORDERS):
            if not load_thread.is_alive():
                return switched
            answer = http.request("POST", f"{address}/v1/models/S/{order}", body=body, headers=headers)
            if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
                raise RuntimeError(f"{order} was refused: {answer.data[:300]!r}")
            switched += order.startswith("force")
    raise AssertionError
