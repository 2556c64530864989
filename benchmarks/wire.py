"""What a sample costs on its way, without a bus: put into a record, read again, compared by a worker.

    python -m benchmarks.wire

Samples are of a tabular network: a row of 32 floats, two classes, eight subgroups. Processor time, best and median of
several runs.
"""

import statistics
import time
from collections.abc import Callable
from os import getloadavg
from threading import Event

import numpy as np
from prometheus_client import CollectorRegistry
from rich.console import Console

from benchmarks.serving.models import KINDS, made
from tightrope.monitors.compare import Decision, Scale
from tightrope.monitors.records import Role, Sample
from tightrope.monitors.sample_batch import Samples
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.inference import Watched
from tightrope.shadow.worker import POLL, Worker

RECORD = 64
"""Samples in a record."""

REPEATS = 7
out = Console(width=120)


def watched() -> Watched:
    """The pair of tabular networks that the gateway's speed is measured with."""
    models = {Role(name): OnnxModel(path) for name, path in made(KINDS["S"]).items()}
    return Watched(models, Decision(Scale.PROBABILITIES), "probabilities", free=True)


def samples(of: Watched, number: int, first: int = 0) -> list[Sample]:
    """As the gateway makes them."""
    random = np.random.default_rng(first)
    scopes = tuple(f"group=value-{place}" for place in range(8))
    inputs = random.normal(size=(number, 1, 32)).astype(np.float32)
    return [
        Sample(
            model="S",
            request_id=f"01234567-89ab-cdef-0123-{first + place:012d}",
            time=1.7e9 + place,
            served_by=Role.COMPRESSED,
            baseline_digest=of.models[Role.BASELINE].digest,
            compressed_digest=of.models[Role.COMPRESSED].digest,
            inputs={"input": row},
            outputs=of.models[Role.COMPRESSED].run({"input": row}, ["probabilities"]),
            scopes=scopes,
            member=random.random((1, 8)) < 0.5,  # noqa: PLR2004 - a coin
            draw=0.25,
            inclusion=1.0,
            seconds=0.001,
        )
        for place, row in enumerate(inputs)
    ]


def cost(work: Callable[[], object], number: int, repeats: int = REPEATS) -> str:
    """Microseconds of processor time a sample."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(1e6 * (time.process_time() - began) / number)
    return f"{min(taken):.1f} us at best, {statistics.median(taken):.1f} us in the median"


def main() -> None:
    """All three."""
    of = watched()
    some = samples(of, RECORD)
    data = record_codec.encode_samples(Samples.of(some))
    times = range(300)
    out.print(f"a record of {RECORD} samples: {len(data)} bytes")
    out.print(
        "into a record:",
        cost(lambda: [record_codec.encode_samples(Samples.of(some)) for _ in times], RECORD * len(times)),
    )
    out.print("out of it:", cost(lambda: [record_codec.decode_samples(data) for _ in times], RECORD * len(times)))
    bus = MemoryBus(1 << 30)
    worker = Worker(bus, {"S": of}, Metrics(CollectorRegistry()), Event())
    for place in range(POLL * REPEATS):
        bus.publish(topic(SAMPLES), record_codec.encode_samples(Samples.of(samples(of, RECORD, place * RECORD))))
    out.print("compared, all of it:", cost(lambda: worker.step(0.0), POLL * RECORD))
    out.print(f"load average {getloadavg()[0]:.1f}", style="dim")


if __name__ == "__main__":
    main()
