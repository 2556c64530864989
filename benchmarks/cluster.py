"""Benchmarks of a cluster on a real Kafka: worker throughput, propagation of decisions, cost of outages.

    make kafka && python -m benchmarks.cluster [worker] [orders] [trips] [dead] [slow] [refusing]

Up to five processes and a broker share the machine, so the figures depend on its load, which is printed with them.
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
from tightrope.demo.replay import DEMO_MODEL, replay, traffic
from tightrope.demo_run.cluster_story import demo_cluster
from tightrope.demo_run.gateway_process import (
    HttpGateway,
    process_command,
    read_address,
    running_process,
    write_demo_config,
)
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.topics import COMPARISONS, SAMPLES, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.config.loader import Settings, load
from tightrope.service.protocol.rest import InferRequest
from tightrope.wiring import cluster
from tightrope.wiring.topics import ensure_topics, kafka_options

BACKLOG = 100_000
"""Samples in the topic when the worker starts."""

ORDERS = 50

COMPRESSED = ("good_int8", "bad_pruned98")
"""The answers of the first, which quantizes dynamically, depend on the other rows of a run, so its requests run apart;
those of the second share runs.
"""

out = Console(width=120)


@contextmanager
def configured(kafka: str, folder: Path, compressed: str) -> Iterator[tuple[Path, Settings, str]]:
    """Write the demo's configuration with a compressed model, and create topics for it."""
    bus = {"kafka": {"servers": [kafka], "prefix": f"bench-{time.time_ns():x}-", "partitions": 4}}
    path, token = write_demo_config(folder, compressed, 1.0, bus=bus)
    settings = load(path)
    ensure_topics(settings, check=False)
    yield path, settings, token


def fill(settings: Settings, number: int) -> None:
    """Publish ``number`` samples to Kafka, by a gateway in this process."""
    process = cluster.gateway(settings)
    process.start()
    engine = process.app.responder.engine  # type: ignore[attr-defined]
    pair = engine.pair(DEMO_MODEL)
    rows = np.array([row.codes for row in traffic()], dtype=np.float32)
    for index in range(number):
        request = InferRequest(None, {}, {"input": rows[index % len(rows)][None]}, (), binary_default=False)
        engine.infer(pair, request)
        if index % 2_000 == 0:
            time.sleep(0.05)
    process.stop()
    dropped = engine.metrics.total("samples_dropped", model=DEMO_MODEL, reason="buffer_full")
    assert dropped == 0, f"{dropped} samples were dropped: the backlog is smaller than it says"


def rows_in(settings: Settings, name: str) -> list[tuple[int, float]]:
    """Read a topic: for each record the number of its samples or rows, and its timestamp."""
    bus = KafkaBus(kafka_options(settings))
    reader = bus.subscribe(topic(name))
    records = []
    while reader.lag():
        for record in reader.poll(1000, 1.0):
            schema = record_codec.schema_of(record.value)
            if schema == record_codec.SAMPLES_SCHEMA:
                records.append((len(record_codec.decode_samples(record.value)), record.time))
            elif schema == record_codec.COMPARISONS_SCHEMA:
                records.append((len(record_codec.decode_comparisons(record.value)), record.time))
    reader.close()
    return records


def throughput(kafka: Broker, folder: Path) -> None:
    """Measure a worker with each of two compressed models."""
    for compressed in COMPRESSED:
        (folder / compressed).mkdir()
        _throughput(kafka, folder / compressed, compressed)


def _throughput(kafka: Broker, folder: Path, compressed: str) -> None:
    """Let one worker process work off a backlog: samples/s from its first to its last comparison, and CPU a sample."""
    with configured(kafka.address, folder, compressed) as (path, settings, token):
        fill(settings, BACKLOG)
        records = rows_in(settings, SAMPLES)
        waiting = sum(count for count, _ in records)
        with running_process(process_command("worker", path)) as process:
            worker = HttpGateway(read_address(process), token)
            before = _cpu(worker)
            while _metric(worker, "comparisons_total", 'scope="model"') < waiting:
                time.sleep(2.0)  # each page of metrics costs the worker CPU
            spent = _cpu(worker) - before
        batches = rows_in(settings, COMPARISONS)
    seconds = max(timestamp for _, timestamp in batches) - min(timestamp for _, timestamp in batches)
    after_first = waiting - batches[0][0]
    out.print(
        f"one worker, {compressed}: backlog of {waiting} samples, {waiting / len(records):.0f} a record,"
        f" {after_first / seconds:,.0f} samples/s from the first comparison to the last,"
        f" {1e6 * spent / waiting:.0f} us of CPU a sample, {waiting / len(batches):.0f} rows a batch"
    )


def _metric(member: HttpGateway, name: str, labels: str) -> float:
    match = re.search(rf"^tightrope_{name}\{{.*{labels}.*\}} (.*)$", member.text("/metrics"), re.MULTILINE)
    return float(match[1]) if match else 0.0


def _cpu(member: HttpGateway) -> float:
    match = re.search(r"^process_cpu_seconds_total (.*)$", member.text("/metrics"), re.MULTILINE)
    assert match is not None
    return float(match[1])


def switching(kafka: Broker, folder: Path) -> None:
    """Measure the time from an operator's order at one gateway to the baseline's first answer on each of two."""
    with demo_cluster(folder, kafka.address, "good_int8", 1.0) as members:
        rows = traffic()[:50]
        delays = []
        for number in range(ORDERS):
            began = time.monotonic()
            members.gateways[number % 2].order("force-safe")
            for gateway in members.gateways:
                while next(iter(replay(gateway.address, rows[:1]))).served_by != "baseline":
                    pass
            delays.append(time.monotonic() - began)
            members.gateways[number % 2].order("release")
            members.gateways[number % 2].order("force-normal")
            members.gateways[number % 2].order("release")
    out.print(
        f"two gateways: {ORDERS} orders, the baseline answers on both after {statistics.median(delays):.3f} s (median),"
        f" {max(delays):.3f} s (max)"
    )


MEASURES: dict[str, Callable[[], None]] = {
    "worker": lambda: _with_broker(throughput),
    "orders": lambda: _with_broker(switching),
    "trips": lambda: _with_broker(lambda kafka, folder: trips(kafka, folder, out)),
    **{fault: partial(outage, fault, out) for fault in ("dead", "slow", "refusing")},
}


def _with_broker(measure: Callable[[Broker, Path], None]) -> None:
    with broker() as kafka, tempfile.TemporaryDirectory() as folder:
        measure(kafka, Path(folder))


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all; each has a broker and topics of its own."""
    for name in names or MEASURES:
        before = getloadavg()[0]
        MEASURES[name]()
        out.print(f"  {name}: load average {before:.1f} before, {getloadavg()[0]:.1f} after", style="dim")


if __name__ == "__main__":
    main(sys.argv[1:])
