"""Benchmark of a gateway whose Kafka is faulty, compared with one whose Kafka is healthy; both are loaded in turns.

The faults: dead (accepts connections, answers nothing), slow (each piece of data takes two seconds), refusing.
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

from benchmarks.proxy import faulty_proxy
from tightrope.demo.broker import Listener, broker
from tightrope.demo.replay import DEMO_MODEL, replay, traffic
from tightrope.demo_run.gateway_process import (
    HttpGateway,
    process_command,
    read_address,
    running_process,
    write_demo_config,
)
from tightrope.service.config.loader import load
from tightrope.wiring.topics import ensure_topics

REQUESTS_PER_SECOND, SLICE, PAIRS = 300.0, 2.0, 15
"""Requests/s, seconds of one gateway's turn, and number of pairs of turns."""

BUFFER = 2 * 1024 * 1024
"""The gateway's buffer for Kafka in bytes: small, so that it fills up during the measurement."""

HTTP_OK = 200


class TurnResult(NamedTuple):
    """Results of one gateway's turn: latencies in seconds, and resident bytes after it."""

    requests: int
    p50: float
    p99: float
    errors: int
    memory: float


def outage(fault: str, out: Console) -> None:
    """Measure pairs of turns under a fault and print the comparison."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with broker({"AROUND": Listener("PLAINTEXT", {}, f"127.0.0.1:{port}")}) as kafka, ExitStack() as stack:
        proxy = stack.enter_context(faulty_proxy(kafka.listeners["AROUND"], port))
        healthy, faulty = (_gateway(address, stack) for address in (kafka.address, proxy.address))
        for gateway in (healthy, faulty):
            run_turn(gateway, SLICE)
        proxy.set_mode(fault)
        for gateway in (healthy, faulty):  # until the buffer for Kafka is full
            for _ in replay(gateway.address, traffic()):
                pass
        pairs = [_pair(healthy, faulty, swapped=bool(number % 2)) for number in range(PAIRS)]
        _report(fault, pairs, faulty, out)


def _gateway(address: str, stack: ExitStack) -> HttpGateway:
    """Start a gateway with topics of its own. There is no judge, so modes are unknown and the baseline answers."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    name = f"bench-{time.time_ns():x}-"
    kafka = {"servers": [address], "prefix": name, "partitions": 4, "bootstrap_seconds": 0, "buffer_bytes": BUFFER}
    path, token = write_demo_config(folder, "good_int8", 1.0, bus={"kafka": kafka})
    ensure_topics(load(path), check=False)
    return HttpGateway(read_address(stack.enter_context(running_process(process_command("serve", path)))), token)


def _pair(healthy: HttpGateway, faulty: HttpGateway, *, swapped: bool) -> tuple[TurnResult, TurnResult]:
    """Measure one turn of each; with ``swapped`` the faulty gateway is first."""
    if swapped:
        second = run_turn(faulty, SLICE)
        return run_turn(healthy, SLICE), second
    return run_turn(healthy, SLICE), run_turn(faulty, SLICE)


def run_turn(gateway: HttpGateway, seconds: float) -> TurnResult:
    """Send requests one at a time at a steady rate; fewer where the machine is too slow for it."""
    latencies, errors = [], 0
    url = f"{gateway.address}/v2/models/{DEMO_MODEL}/infer"
    bodies = [_body(row.codes) for row in traffic()[: int(seconds * REQUESTS_PER_SECOND)]]
    with urllib3.PoolManager(retries=False) as http:
        began = time.monotonic()
        for number, body in enumerate(bodies):
            time.sleep(max(0.0, began + number / REQUESTS_PER_SECOND - time.monotonic()))
            if time.monotonic() > began + seconds:
                break
            sent = time.perf_counter()
            answer = http.request("POST", url, body=body)
            latencies.append(time.perf_counter() - sent)
            errors += answer.status != HTTP_OK
    match = re.search(r"^process_resident_memory_bytes (.*)$", gateway.text("/metrics"), re.MULTILINE)
    p50, p99 = np.percentile(latencies, [50, 99])
    return TurnResult(len(latencies), float(p50), float(p99), errors, float(match[1]) if match else float("nan"))


def _body(codes: tuple[float, ...]) -> str:
    return json.dumps({"inputs": [{"name": "input", "shape": [1, 16], "datatype": "FP32", "data": codes}]})


def _report(fault: str, pairs: list[tuple[TurnResult, TurnResult]], faulty: HttpGateway, out: Console) -> None:
    """Print medians of the ratios of paired turns, whose turns were under the same other load of the machine."""
    ratios = {name: [getattr(b, name) / getattr(a, name) for a, b in pairs] for name in ("p50", "p99")}
    middle = {name: float(np.median(values)) for name, values in ratios.items()}
    low, high = (float(np.percentile(ratios["p99"], share)) for share in (25, 75))
    pages = faulty.text("/metrics")
    dropped = sum(float(n) for n in re.findall(r"^tightrope_samples_dropped_total\{.*\} (.*)$", pages, re.MULTILINE))
    healthy_ms = np.median([[a.p50, a.p99] for a, _ in pairs], axis=0) * 1000
    faulty_ms = np.median([[b.p50, b.p99] for _, b in pairs], axis=0) * 1000
    out.print(
        f"Kafka {fault}: {sum(b.errors for _, b in pairs)} errors in {sum(b.requests for _, b in pairs)} requests,"
        f" {dropped:.0f} samples dropped and counted; p50 {healthy_ms[0]:.2f} ms healthy, {faulty_ms[0]:.2f} ms faulty"
        f" (ratio {middle['p50']:.3f}); p99 {healthy_ms[1]:.2f} and {faulty_ms[1]:.2f} ms"
        f" (median ratio of {len(pairs)} pairs {middle['p99']:.3f}, quartiles {low:.3f} to {high:.3f})"
    )
    series = " ".join(f"{b.memory / 2**20:.0f}" for _, b in pairs)
    out.print(f"  resident, MB, every {2 * SLICE:.0f} s: {series}")
