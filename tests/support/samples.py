"""Samples, and a worker that compares them over a memory bus: for tests of the shadow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry

from tests.support.onnx_models import Weights, classifier
from tests.support.wired_samples import records
from tightrope.monitors.compare import Decision, Refusal, Scale, Score
from tightrope.monitors.records import Comparisons, Role, Sample, Tensors
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import Bus, Model
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import COMPARISONS, DEAD, SAMPLES, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.protocol.tensors import TensorSpec
from tightrope.shadow.inference import WatchedPair
from tightrope.shadow.worker import Worker

BASELINE = np.array([[2.0, 0.0, 1.0], [0.0, 2.0, -1.0]], np.float32)
COMPRESSED = np.array([[2.0, 0.5, 1.0], [0.0, 1.0, 1.0]], np.float32)
"""Two classifiers of two features and three classes that do not always agree."""

REFUSAL = Refusal(Score.MAX_PROBABILITY, {Role.BASELINE: 0.6, Role.COMPRESSED: 0.5})


class CountingModel:
    """A model that records the number of rows of each run."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.digest = model.digest
        self.inputs: tuple[TensorSpec, ...] = model.inputs
        self.outputs: tuple[TensorSpec, ...] = model.outputs
        self.runs: list[int] = []

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Run the model."""
        self.runs.append(len(next(iter(inputs.values()))))
        return self._model.run(inputs, outputs)


def watched(
    folder: Path, baseline: Weights = BASELINE, compressed: Weights = COMPRESSED, *, scores: bool = False
) -> WatchedPair:
    """Load a pair of small classifiers from files; with ``scores`` the compressed one gives logits."""
    models: dict[Role, Model] = {
        role: CountingModel(OnnxModel(classifier(folder / f"{role}.onnx", weights, scores=as_scores)))
        for role, weights, as_scores in ((Role.BASELINE, baseline, False), (Role.COMPRESSED, compressed, scores))
    }
    decision = Decision(Scale.PROBABILITIES, REFUSAL, compressed_scale=Scale.LOGITS if scores else None)
    return WatchedPair(models, decision, "probabilities", free=True)


def runs(pair: WatchedPair, role: Role) -> list[int]:
    """The rows of each run of one role's model."""
    model = pair.models[role]
    assert isinstance(model, CountingModel)
    return model.runs


def sample(
    pair: WatchedPair,
    rows: npt.ArrayLike,
    *,
    served_by: Role = Role.COMPRESSED,
    model: str = "m",
    number: int = 0,
    outputs: npt.NDArray[np.generic] | None = None,
) -> Sample:
    """A sample of these input rows, served by ``served_by`` (or with ``outputs``); all rows are in one subgroup."""
    inputs = {"input": np.asarray(rows, dtype=np.float32)}
    output = pair.models[served_by].run(inputs, [pair.output])[pair.output] if outputs is None else outputs
    return Sample(
        model=model,
        request_id=f"r-{number}",
        time=1000.0 + number,
        served_by=served_by,
        baseline_digest=pair.models[Role.BASELINE].digest,
        compressed_digest=pair.models[Role.COMPRESSED].digest,
        inputs=inputs,
        outputs={pair.output: output},
        scopes=("half=left",),
        member=np.ones((len(inputs["input"]), 1), dtype=bool),
        draw=0.25,
        inclusion=1.0,
        seconds=0.01,
    )


@dataclass
class WorkerHarness:
    """The surroundings of a worker: a bus to publish samples on, and to read comparisons and dead records from."""

    watched: Mapping[str, WatchedPair]
    bus: MemoryBus = field(default_factory=MemoryBus)
    metrics: Metrics = field(default_factory=lambda: Metrics(CollectorRegistry()))
    stopping: Event = field(default_factory=Event)

    def worker(self, bus: Bus | None = None) -> Worker:
        """Start a worker on this bus, or on a wrapper of it."""
        return Worker(bus or self.bus, self.watched, self.metrics, self.stopping)

    def publish(self, *samples: Sample) -> None:
        """Publish one record for the samples of each layout."""
        for record in records(samples):
            self.bus.publish(topic(SAMPLES), record)

    def comparisons(self) -> list[Comparisons]:
        """Read all comparisons, batch by batch."""
        return [record_codec.decode_comparisons(value) for value in self._all(COMPARISONS)]

    def parked(self) -> dict[bytes, str]:
        """Read the dead records and their reasons."""
        records = self.bus.subscribe(topic(DEAD)).poll(10_000, 0)
        return {record.value: record.key or "" for record in records}

    def dead(self) -> int:
        """Read the counter of dead records."""
        return self.metrics.total("dead_records", topic=topic(SAMPLES))

    def _all(self, name: str) -> list[bytes]:
        return [record.value for record in self.bus.subscribe(topic(name)).poll(10_000, 0)]
