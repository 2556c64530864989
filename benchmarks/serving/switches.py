"""Safe mode ordered and released all the time while every connection is busy: no request may notice."""

import json
import threading
from itertools import cycle
from pathlib import Path

import urllib3

from benchmarks.serving.load import Slice
from benchmarks.serving.models import KINDS
from benchmarks.serving.part import Effort, Outcome
from benchmarks.serving.servers import EMBEDDED, TOKEN
from benchmarks.serving.turns import ring

CONNECTIONS = 32
ORDERS = ("force-safe", "release", "force-normal", "release")


def switches(effort: Effort, folder: Path) -> Outcome:
    """Everything in one process, its judge carrying out the orders."""
    found: list[Slice] = []
    with ring(KINDS["S"], [EMBEDDED], folder) as up:
        ((server, load),) = up.members.values()
        seconds = effort.slices * effort.seconds
        busy = threading.Thread(target=lambda: found.append(load(server.address, CONNECTIONS, seconds)))
        busy.start()
        switched = _orders(server.address, busy)
        busy.join()
    figures = {"requests": found[0].requests, "failed": found[0].errors, "switches": switched, "p99 ms": found[0].p99}
    return Outcome(figures=figures)


def _orders(address: str, while_: threading.Thread) -> int:
    """How many times the answering role changed."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    body = json.dumps({"scope": "model", "reason": "a benchmark", "actor": "a benchmark"})
    given = 0
    with urllib3.PoolManager(retries=False) as http:
        for order in cycle(ORDERS):
            if not while_.is_alive():
                return given
            answer = http.request("POST", f"{address}/v1/models/S/{order}", body=body, headers=headers)
            if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
                raise RuntimeError(f"{order} was refused: {answer.data[:300]!r}")
            given += order.startswith("force")
    raise AssertionError
