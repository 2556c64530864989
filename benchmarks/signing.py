"""Benchmark of signatures: the share of a worker's and a judge's rate that they cost, on a real Kafka.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.signing

A worker signs each record of comparisons, a judge checks it. Both run in this process, with the threads of their Kafka
clients, each time on topics of their own. Runs with and without signatures alternate, and the ratios are those of
neighbours, so other load affects both: the rate by the clock, and CPU time. ``alone`` is the CPU time of the signatures
themselves, as a share of the time without them. A worker's publisher signs in a thread of its own, so where a core is
free its rate loses less than CPU time shows.
"""

import gc
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import getloadavg
from secrets import token_bytes
from threading import Event
from time import perf_counter, process_time

import numpy as np
from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.table import Table

from benchmarks.judge import ROWS, build_plan, to_records, traffic
from benchmarks.wire import RECORD, build_pair, samples
from tightrope.demo.broker import broker
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.kafka.admin import create_topics, topic_specs
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.signature import SignatureCheck, Signing
from tightrope.service.adapters.kafka.snapshot_store import JUDGE_TOPICS, SnapshotStore
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import COMPARISONS, SAMPLES, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge import Judge
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.worker import Worker

PAIRS = 6
"""Pairs of runs, one with and one without signatures."""

SAMPLE_RECORDS = 1_000
"""Records of samples in one run of a worker."""

JUDGED_SIZES = (64, 1024)
"""Comparisons in one record, from quiet traffic to a backlog."""

JUDGED_SLICES = 4
"""Times that a judge gets the rows of the benchmark of the judge in one run."""

FLUSH_SECONDS = 60.0
HOURS = dict.fromkeys(("samples", "comparisons", "labels", "events", "dead", "payloads", "incidents"), 1.0)
SIGNING = Signing(token_bytes(32))

Run = Callable[[KafkaBus], tuple[float, float]]
"""Does the work on topics of its own; returns microseconds a row by the clock, and of CPU time."""


@contextmanager
def fresh_bus(address: str, signing: Signing | None) -> Iterator[KafkaBus]:
    """A bus on new topics of one partition."""
    options = KafkaOptions((address,), prefix=f"bench-{uuid.uuid4().hex[:8]}-", signing=signing)
    create_topics(options, topic_specs(1, options.record_bytes, HOURS), 1)
    bus = KafkaBus(options)
    try:
        yield bus
    finally:
        bus.close(5.0)


def now() -> tuple[float, float]:
    """The clock, and the CPU time of this process."""
    return perf_counter(), process_time()


def spent(began: tuple[float, float], ended: tuple[float, float], rows: int) -> tuple[float, float]:
    """Microseconds a row between two times."""
    return 1e6 * (ended[0] - began[0]) / rows, 1e6 * (ended[1] - began[1]) / rows


def compare(address: str, name: str, run: Run, alone: float, table: Table) -> None:
    """Alternate runs, and add a row with the median and the quartiles of the ratios of their times."""
    pairs = []
    for _ in range(PAIRS + 1):
        times = []
        for signing in (None, SIGNING):
            gc.collect()
            with fresh_bus(address, signing) as bus:
                times.append(run(bus))
        pairs.append(times)
    measured = np.array(pairs[1:])  # (PAIRS, without and with, clock and CPU)
    rates, cpu = measured[:, 0, 0] / measured[:, 1, 0], measured[:, 1, 1] / measured[:, 0, 1]
    quartiles = [" ".join(f"{q:.3f}" for q in np.quantile(ratios, (0.25, 0.5, 0.75))) for ratios in (rates, cpu)]
    plain = float(np.median(measured[:, 0, 1]))
    table.add_row(name, f"{plain:.1f} us", *quartiles, f"{alone / plain:.2%}")


def build_worker_run() -> Run:
    """The work of a worker on waiting samples."""
    pair = build_pair()
    value = record_codec.encode_samples(SampleBatch.from_samples(samples(pair, RECORD)))

    def run(bus: KafkaBus) -> tuple[float, float]:
        for _ in range(SAMPLE_RECORDS):
            bus.publish(topic(SAMPLES), value)
        bus.flush(FLUSH_SECONDS)
        worker, done = Worker(bus, {"S": pair}, Metrics(CollectorRegistry()), Event()), 0
        done += worker.step(FLUSH_SECONDS)  # joins the group
        before, began = done, now()
        while done < SAMPLE_RECORDS:
            done += worker.step(1.0)
        ended = now()
        worker.close()
        return spent(began, ended, RECORD * (done - before))

    return run


def build_judge_run(plan: Plan, rows: Comparisons, size: int) -> Run:
    """The work of a judge on waiting comparisons, in records of this many rows."""
    values = [record.value for record in to_records(rows, size)]

    def run(bus: KafkaBus) -> tuple[float, float]:
        for value in values:
            bus.publish(topic(COMPARISONS), value, plan.model)
        bus.flush(FLUSH_SECONDS)
        store, view = SnapshotStore(bus), JudgementView({plan.model: plan})
        judge = Judge(bus, store, view, Metrics(CollectorRegistry()), "benchmark", Event(), topics=JUDGE_TOPICS)
        done = 0
        while not done:
            done += judge.step(1.0)
        before, began = done, now()
        while done < len(values):
            done += judge.step(1.0)
        ended = now()
        judge.close()
        store.close()
        return spent(began, ended, size * (done - before))

    return run


def signature_cost(values: Sequence[bytes], rows: int, *, check: bool) -> float:
    """Microseconds of CPU time a row to sign records of this many rows together, or to check them."""
    name, key = "prod-" + topic(COMPARISONS), b"employment"
    headers = [SIGNING.headers(name, key, value) for value in values]
    costs = []
    for _ in range(2 * PAIRS):
        began = process_time()
        for value, found in zip(values, headers, strict=True):
            if check:
                assert SIGNING.check(name, key, value, found, 0.0) is SignatureCheck.GENUINE
            else:
                SIGNING.headers(name, key, value)
        costs.append(1e6 * (process_time() - began) / rows)
    return float(np.median(costs))


def repeated_rows(plan: Plan) -> Comparisons:
    """The rows of the benchmark of the judge several times, each time from later samples."""
    rows = traffic(plan)
    slices = [
        replace(
            rows,
            offset=rows.offset + index * ROWS,
            time=rows.time + index * ROWS,
            twin=rows.twin + np.uint64(index * ROWS),
            request_id=tuple(f"request-{index * ROWS + row}" for row in range(ROWS)),
        )
        for index in range(JUDGED_SLICES)
    ]
    return slices[0].join(*slices[1:])


def main() -> None:
    """Run the benchmark and print the table."""
    table = Table(title="with signatures, relative to without: quartiles")
    for heading in ("work", "CPU a row", "rate", "CPU", "alone"):
        table.add_column(heading, justify="right" if heading != "work" else "left")
    plan = build_plan()
    rows = repeated_rows(plan)
    some = rows.take(slice(ROWS))
    with broker() as kafka:
        signed = [record.value for record in to_records(some, RECORD)]
        alone = signature_cost(signed, ROWS, check=False)
        compare(kafka.address, f"worker, {RECORD} samples a record", build_worker_run(), alone, table)
        for size in JUDGED_SIZES:
            alone = signature_cost([record.value for record in to_records(some, size)], ROWS, check=True)
            compare(kafka.address, f"judge, {size:,} rows a record", build_judge_run(plan, rows, size), alone, table)
    Console().print(table)
    Console().print(f"load average {getloadavg()[0]:.1f}", style="dim")


if __name__ == "__main__":
    main()
