"""Benchmark of a sample's path without a bus: encode a record, decode it, compare its samples in a worker.

    python -m benchmarks.wire

Samples of a tabular network: a row of 32 floats, two classes, eight subgroups. The figures are CPU time, best and
median of several runs.
"""

import statistics
import time
from collections.abc import Callable
from os import getloadavg
from threading import Event

import numpy as np
from prometheus_client import CollectorRegistry
from rich.console import Console

from benchmarks.serving.models import MODEL_KINDS, model_files
from tightrope.monitors.compare import Decision, Scale
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.records import Role, Sample
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.inference import WatchedPair
from tightrope.shadow.worker import WORKER_POLL_RECORDS, Worker

RECORD = 64
"""Samples in a record."""

REPEATS = 7
out = Console(width=120)


def build_pair() -> WatchedPair:
    """The pair of tabular networks of the serving benchmark."""
    models = {Role(name): OnnxModel(path) for name, path in model_files(MODEL_KINDS["S"]).items()}
    return WatchedPair(models, Decision(Scale.PROBABILITIES), "probabilities", free=True)


def samples(pair: WatchedPair, number: int, first: int = 0) -> list[Sample]:
    """Draw samples as a gateway makes them."""
    random = np.random.default_rng(first)
    scopes = tuple(f"group=value-{index}" for index in range(8))
    inputs = random.normal(size=(number, 1, 32)).astype(np.float32)
    return [
        Sample(
            model="S",
            request_id=f"01234567-89ab-cdef-0123-{first + index:012d}",
            time=1.7e9 + index,
            served_by=Role.COMPRESSED,
            baseline_digest=pair.models[Role.BASELINE].digest,
            compressed_digest=pair.models[Role.COMPRESSED].digest,
            inputs={"input": row},
            outputs=pair.models[Role.COMPRESSED].run({"input": row}, ["probabilities"]),
            scopes=scopes,
            member=random.random((1, 8)) < 0.5,  # noqa: PLR2004 - a coin
            draw=0.25,
            inclusion=1.0,
            seconds=0.001,
        )
        for index, row in enumerate(inputs)
    ]


def cost(work: Callable[[], object], number: int, repeats: int = REPEATS) -> str:
    """Measure microseconds of CPU time a sample."""
    microseconds = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        microseconds.append(1e6 * (time.process_time() - began) / number)
    return f"best {min(microseconds):.1f} us, median {statistics.median(microseconds):.1f} us"


def main() -> None:
    """Run the benchmark and print the results."""
    pair = build_pair()
    batch = samples(pair, RECORD)
    data = record_codec.encode_samples(SampleBatch.from_samples(batch))
    rounds = range(300)
    out.print(f"a record of {RECORD} samples: {len(data)} bytes")
    out.print(
        "encode:",
        cost(
            lambda: [record_codec.encode_samples(SampleBatch.from_samples(batch)) for _ in rounds], RECORD * len(rounds)
        ),
    )
    out.print("decode:", cost(lambda: [record_codec.decode_samples(data) for _ in rounds], RECORD * len(rounds)))
    bus = MemoryBus(1 << 30)
    worker = Worker(bus, {"S": pair}, Metrics(CollectorRegistry()), Event())
    for index in range(WORKER_POLL_RECORDS * REPEATS):
        bus.publish(
            topic(SAMPLES), record_codec.encode_samples(SampleBatch.from_samples(samples(pair, RECORD, index * RECORD)))
        )
    out.print("compare, including decode and encode:", cost(lambda: worker.step(0.0), WORKER_POLL_RECORDS * RECORD))
    out.print(f"load average {getloadavg()[0]:.1f}", style="dim")


if __name__ == "__main__":
    main()
