"""A cluster on a real Kafka: how fast one worker is, how fast a decision reaches every gateway, what an outage costs.

    make kafka && python -m benchmarks.cluster [worker] [orders] [trips] [dead] [slow] [refusing]

Up to five processes and a broker share this machine: the figures are those of its load, which is printed beside them.
"""

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from os import getloadavg
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.outage import outage
from benchmarks.trips import trips
from tightrope.demo.broker import Broker, broker
from tightrope.demo.replay import MODEL, replay, traffic
from tightrope.demo_run.cluster_story import cluster as troupe
from tightrope.demo_run.cluster_story import command
from tightrope.demo_run.gateway_process import Gateway, address_of, running, written
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.topics import COMPARISONS, SAMPLES, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.config.loader import Settings, load
from tightrope.service.protocol.rest import InferRequest
from tightrope.wiring import cluster
from tightrope.wiring.topics import options_of, topics

BACKLOG = 100_000
"""Samples that wait when the worker starts."""

ORDERS = 50
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
    gateway = part.app.responder.gateway  # type: ignore[attr-defined]
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
            schema = record_codec.schema_of(record.value)
            if schema == record_codec.SAMPLES:
                found.append((len(record_codec.decode_samples(record.value)), record.time))
            elif schema == record_codec.COMPARISONS:
                found.append((len(record_codec.decode_comparisons(record.value)), record.time))
    reader.close()
    return found


def throughput(kafka: Broker, folder: Path) -> None:
    """One worker process against a backlog: samples a second from its first to its last comparison, CPU a sample."""
    with configured(kafka.address, folder) as (path, settings, token):
        fill(settings, BACKLOG)
        records = rows_in(settings, SAMPLES)
        waiting = sum(count for count, _ in records)
        with running(command("worker", path)) as process:
            worker = Gateway(address_of(process), token)
            before = _cpu(worker)
            while _metric(worker, "comparisons_total", 'scope="model"') < waiting:
                time.sleep(2.0)  # a page of metrics costs the worker, too
            spent = _cpu(worker) - before
        found = rows_in(settings, COMPARISONS)
    seconds = max(at for _, at in found) - min(at for _, at in found)
    rest = waiting - found[0][0]
    out.print(
        f"one worker: {waiting} samples waiting, {waiting / len(records):.0f} a record, {rest / seconds:,.0f} samples/s"
        f" from its first comparison to its last, {1e6 * spent / waiting:.0f} us of CPU a sample,"
        f" {waiting / len(found):.0f} rows a batch"
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


MEASURES: dict[str, Callable[[], None]] = {
    "worker": lambda: _on_a_broker(throughput),
    "orders": lambda: _on_a_broker(switching),
    "trips": lambda: _on_a_broker(lambda kafka, folder: trips(kafka, folder, out)),
    **{fault: partial(outage, fault, out) for fault in ("dead", "slow", "refusing")},
}


def _on_a_broker(measure: Callable[[Broker, Path], None]) -> None:
    with broker() as kafka, tempfile.TemporaryDirectory() as folder:
        measure(kafka, Path(folder))


def main(names: list[str]) -> None:
    """Those that are named, or all; each on a broker and topics of its own."""
    for name in names or MEASURES:
        before = getloadavg()[0]
        MEASURES[name]()
        out.print(f"  {name}: load average {before:.1f} before, {getloadavg()[0]:.1f} after", style="dim")


if __name__ == "__main__":
    main(sys.argv[1:])
