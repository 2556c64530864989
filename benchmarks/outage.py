"""What Kafka's troubles cost a gateway: two of them side by side, asked in turn; for one Kafka is well, for the other
it is dead (takes connections, answers nothing), slow (two seconds a piece) or refuses.
"""

import json
import re
import socket
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import urllib3
from rich.console import Console

from benchmarks.proxy import way_to
from tightrope.demo.broker import Door, broker
from tightrope.demo.replay import MODEL, replay, traffic
from tightrope.demo_run.cluster_story import command
from tightrope.demo_run.gateway_process import Gateway, address_of, running, written
from tightrope.service.config.loader import load
from tightrope.wiring.topics import topics

RATE, SLICE, PAIRS = 300.0, 2.0, 15
"""Requests a second, seconds of one gateway's turn, and turns."""

BUFFER = 2 * 1024 * 1024
"""What a gateway may hold for Kafka: small, so that it is full within the measurement."""

HTTP_OK = 200


class Turn(NamedTuple):
    """What one gateway did in its turn: seconds, and bytes resident after it."""

    requests: int
    p50: float
    p99: float
    errors: int
    memory: float


def outage(fault: str, out: Console) -> None:
    """Turns of both, and what they say of one another."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with broker({"AROUND": Door("PLAINTEXT", {}, f"127.0.0.1:{port}")}) as kafka, ExitStack() as stack:
        way = stack.enter_context(way_to(kafka.doors["AROUND"], port))
        well, ill = (_gateway(address, stack) for address in (kafka.address, way.address))
        for gateway in (well, ill):
            turn(gateway, SLICE)
        way.become(fault)
        for gateway in (well, ill):  # until what it may hold for Kafka is full
            for _ in replay(gateway.address, traffic()):
                pass
        pairs = [_pair(well, ill, swapped=bool(number % 2)) for number in range(PAIRS)]
        _report(fault, pairs, ill, out)


def _gateway(address: str, stack: ExitStack) -> Gateway:
    """Topics of its own, and no judge: its modes are known from nobody, so the baseline answers in both."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    name = f"bench-{time.time_ns():x}-"
    kafka = {"servers": [address], "prefix": name, "partitions": 4, "bootstrap_seconds": 0, "buffer_bytes": BUFFER}
    path, token = written(folder, "good_int8", 1.0, bus={"kafka": kafka})
    topics(load(path), check=False)
    return Gateway(address_of(stack.enter_context(running(command("serve", path)))), token)


def _pair(well: Gateway, ill: Gateway, *, swapped: bool) -> tuple[Turn, Turn]:
    """One turn of each; who begins changes."""
    if swapped:
        second = turn(ill, SLICE)
        return turn(well, SLICE), second
    return turn(well, SLICE), turn(ill, SLICE)


def turn(gateway: Gateway, seconds: float) -> Turn:
    """Requests at a steady rate, one after the other; fewer where the machine cannot keep it up."""
    taken, errors = [], 0
    url = f"{gateway.address}/v2/models/{MODEL}/infer"
    bodies = [_body(row.codes) for row in traffic()[: int(seconds * RATE)]]
    with urllib3.PoolManager(retries=False) as http:
        began = time.monotonic()
        for number, body in enumerate(bodies):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            if time.monotonic() > began + seconds:
                break
            sent = time.perf_counter()
            answer = http.request("POST", url, body=body)
            taken.append(time.perf_counter() - sent)
            errors += answer.status != HTTP_OK
    found = re.search(r"^process_resident_memory_bytes (.*)$", gateway.text("/metrics"), re.MULTILINE)
    middle, high = np.percentile(taken, [50, 99])
    return Turn(len(taken), float(middle), float(high), errors, float(found[1]) if found else float("nan"))


def _body(codes: tuple[float, ...]) -> str:
    return json.dumps({"inputs": [{"name": "input", "shape": [1, 16], "datatype": "FP32", "data": codes}]})


def _report(fault: str, pairs: list[tuple[Turn, Turn]], ill: Gateway, out: Console) -> None:
    """Medians of the ratios of turns that stood side by side: what else the machine did touches both."""
    ratios = {name: [getattr(b, name) / getattr(a, name) for a, b in pairs] for name in ("p50", "p99")}
    middle = {name: float(np.median(values)) for name, values in ratios.items()}
    low, high = (float(np.percentile(ratios["p99"], share)) for share in (25, 75))
    pages = ill.text("/metrics")
    dropped = sum(float(n) for n in re.findall(r"^tightrope_samples_dropped_total\{.*\} (.*)$", pages, re.MULTILINE))
    mine = np.median([[a.p50, a.p99] for a, _ in pairs], axis=0) * 1000
    theirs = np.median([[b.p50, b.p99] for _, b in pairs], axis=0) * 1000
    out.print(
        f"Kafka {fault}: {sum(b.errors for _, b in pairs)} errors in {sum(b.requests for _, b in pairs)} requests,"
        f" {dropped:.0f} samples dropped and counted; p50 {mine[0]:.2f} ms there, {theirs[0]:.2f} ms here"
        f" (ratio {middle['p50']:.3f}); p99 {mine[1]:.2f} and {theirs[1]:.2f} ms"
        f" (median ratio of {len(pairs)} pairs {middle['p99']:.3f}, quartiles {low:.3f} to {high:.3f})"
    )
    series = " ".join(f"{b.memory / 2**20:.0f}" for _, b in pairs)
    out.print(f"  resident, MB, every {2 * SLICE:.0f} s: {series}")
