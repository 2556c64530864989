"""A cluster on a real Kafka: how fast one worker is, how fast a decision reaches every gateway, what an outage costs.

    make kafka && python -m benchmarks.cluster

Five processes and a broker share this machine: the figures are those of its load, which is printed beside them.
"""

import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import getloadavg
from pathlib import Path

import numpy as np
import urllib3
from rich.console import Console

from demo.broker import Broker, broker
from demo.replay import MODEL, replay, traffic
from service.adapters import wire
from service.adapters.kafka import KafkaBus
from service.adapters.topics import COMPARISONS, SAMPLES, topic
from service.protocol import InferRequest
from service.settings import Settings, load
from tightrope import cluster
from tightrope.guest import Gateway, address_of, running, written
from tightrope.topics import options_of, topics
from tightrope.troupe import cluster as troupe
from tightrope.troupe import command

BACKLOG = 60_000
"""Samples that wait when the worker starts."""

ORDERS = 50
RATE, SECONDS = 400.0, 6.0
"""Requests a second during an outage, and how long each phase of it takes."""

out = Console(width=120)


@contextmanager
def configured(kafka: str, folder: Path) -> Iterator[tuple[Path, Settings, str]]:
    """The demo's configuration with topics of its own."""
    bus = {"kafka": {"servers": [kafka], "prefix": f"bench-{time.time_ns():x}-", "partitions": 4}}
    path, token = written(folder, "good_int8", 1.0, bus=bus)
    settings = load(path)
    topics(settings, check=False)
    yield path, settings, token


def fill(settings: Settings, number: int) -> None:
    """So many samples into Kafka, by a gateway in this process."""
    part = cluster.gateway(settings)
    part.start()
    gateway = part.app._responder.gateway  # type: ignore[attr-defined]  # noqa: SLF001 - HTTP is not measured here
    pair = gateway.pair(MODEL)
    rows = np.array([row.codes for row in traffic()], dtype=np.float32)
    for index in range(number):
        request = InferRequest(None, {}, {"input": rows[index % len(rows)][None]}, (), binary_default=False)
        gateway.infer(pair, request)
        if index % 2_000 == 0:
            time.sleep(0.05)
    part.stop()
    dropped = gateway.metrics.total("samples_dropped", model=MODEL, reason="buffer_full")
    assert dropped == 0, f"{dropped} samples were dropped: the backlog is smaller than it says"


def rows_in(settings: Settings, name: str) -> list[tuple[int, float]]:
    """For each record of a topic how many samples or rows it has, and when it was published."""
    bus = KafkaBus(options_of(settings))
    reader = bus.subscribe(topic(name))
    found = []
    while reader.lag():
        for record in reader.poll(1000, 1.0):
            schema = wire.schema_of(record.value)
            if schema == wire.SAMPLES:
                found.append((len(wire.decode_samples(record.value)), record.time))
            elif schema == wire.COMPARISONS:
                found.append((len(wire.decode_comparisons(record.value)), record.time))
    reader.close()
    return found


def throughput(kafka: Broker, folder: Path) -> None:
    """One worker process against a backlog: samples a second from its first to its last comparison, CPU a sample."""
    with configured(kafka.address, folder) as (path, settings, token):
        fill(settings, BACKLOG)
        waiting = sum(count for count, _ in rows_in(settings, SAMPLES))
        with running(command("worker", path)) as process:
            worker = Gateway(address_of(process), token)
            before = _cpu(worker)
            while _metric(worker, "comparisons_total", 'scope="model"') < waiting:
                time.sleep(0.1)
            spent = _cpu(worker) - before
        found = rows_in(settings, COMPARISONS)
    seconds = max(at for _, at in found) - min(at for _, at in found)
    rest = waiting - found[0][0]
    out.print(
        f"one worker: {waiting} samples waiting, {rest / seconds:,.0f} samples/s from its first comparison to its last,"
        f" {1e6 * spent / waiting:.0f} us of CPU a sample, {waiting / len(found):.0f} rows a batch"
    )


def _metric(member: Gateway, name: str, labels: str) -> float:
    found = re.search(rf"^tightrope_{name}\{{.*{labels}.*\}} (.*)$", member.text("/metrics"), re.MULTILINE)
    return float(found[1]) if found else 0.0


def _cpu(member: Gateway) -> float:
    found = re.search(r"^process_cpu_seconds_total (.*)$", member.text("/metrics"), re.MULTILINE)
    assert found is not None
    return float(found[1])


def switching(kafka: Broker, folder: Path) -> None:
    """From an operator's order at one gateway, by way of the judge, to the baseline's first answer on each of two."""
    with troupe(folder, kafka.address, "good_int8", 1.0) as members:
        rows = traffic()[:50]
        taken = []
        for number in range(ORDERS):
            began = time.monotonic()
            members.gateways[number % 2].order("force-safe")
            for gateway in members.gateways:
                while next(iter(replay(gateway.address, rows[:1]))).served_by != "baseline":
                    pass
            taken.append(time.monotonic() - began)
            members.gateways[number % 2].order("release")
            members.gateways[number % 2].order("force-normal")
            members.gateways[number % 2].order("release")
    out.print(
        f"two gateways: {ORDERS} orders, both answer by the baseline after {statistics.median(taken):.3f} s (median),"
        f" {max(taken):.3f} s (max)"
    )


def outage(kafka: Broker, folder: Path) -> None:
    """A gateway with Kafka there and killed in turn: errors, latency, memory."""
    with configured(kafka.address, folder) as (path, _, token), running(command("serve", path)) as process:
        gateway = Gateway(address_of(process), token)
        load_up(gateway, 2.0)
        for _ in range(2):
            out.print(f"Kafka is there: {load_up(gateway, SECONDS)}")
            kafka.stop(9)
            out.print(f"Kafka is dead:  {load_up(gateway, SECONDS)}")
            kafka.start()


def load_up(gateway: Gateway, seconds: float) -> str:
    """Requests at a steady rate, one after the other."""
    rows, taken, errors = traffic(), [], 0
    url = f"{gateway.address}/v2/models/{MODEL}/infer"
    began = time.monotonic()
    with urllib3.PoolManager(retries=False) as http:
        for number in range(int(seconds * RATE)):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            tensor = {"name": "input", "shape": [1, 16], "datatype": "FP32", "data": rows[number].codes}
            sent = time.perf_counter()
            answer = http.request("POST", url, body=json.dumps({"inputs": [tensor]}))
            taken.append(time.perf_counter() - sent)
            errors += answer.status != 200  # noqa: PLR2004 - HTTP's OK
    found = re.search(r"^process_resident_memory_bytes (.*)$", gateway.text("/metrics"), re.MULTILINE)
    memory = float(found[1]) / 2**20 if found else float("nan")
    middle, high = np.percentile(taken, [50, 99]) * 1000
    return f"{len(taken)} requests, {errors} errors, p50 {middle:.2f} ms, p99 {high:.2f} ms, {memory:.0f} MB resident"


def main() -> None:
    """All three, each on topics of its own."""
    with broker() as kafka:
        for measure in (throughput, switching, outage):
            out.print(f"load average {getloadavg()[0]:.1f}", style="dim")
            with tempfile.TemporaryDirectory() as folder:
                measure(kafka, Path(folder))


if __name__ == "__main__":
    main()
