"""A gateway's readers, a worker and a judge over one bus in memory, stepped by a test: no thread, no broker."""

import time
from dataclasses import dataclass, field, replace
from threading import Event as Flag

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry

from tests.support.judgement.comparisons import make_plan
from tests.support.samples import sample
from tests.support.wired_samples import records
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import MODEL_SCOPE, Event, Order, Role, Traffic
from tightrope.monitors.safemode import Policy
from tightrope.monitors.status.verdicts import verdicts
from tightrope.service.adapters.kafka.snapshot_store import JUDGE_TOPICS, SnapshotStore
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import (
    COMPARISONS,
    CONTROL,
    DEAD,
    EVENTS,
    LABELS,
    SAMPLES,
    SNAPSHOTS,
    topic,
)
from tightrope.service.adapters.wire import record_codec
from tightrope.service.routing.control_consumer import ControlConsumer
from tightrope.service.routing.router import Router
from tightrope.serving.snapshot_follower import SnapshotFollower
from tightrope.shadow.inference import WatchedPair
from tightrope.shadow.judge import Judge
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.worker import Worker

SCOPE = "half=left"
SWAP = (2, 0, 1)
"""A permutation of the classes: with it the compressed model decides otherwise on every row."""


MAX_EXPOSITION_BYTES = 100_000
"""The size of the metrics of one model, with room: a series for each foreign name would exceed it."""


def plan_of(pair: WatchedPair) -> Plan:
    """A plan of this pair that trips after tens of harmful rows, and takes labels."""
    return replace(
        make_plan(
            "disagreement",
            "confidence",
            "accuracy",
            scopes=(SCOPE,),
            samples=1e3,
            policy=Policy(min_dwell=0.0, recovery_samples=1e6),
            classes=3,
            tick_rows=16,
            label_horizon=3600.0,
        ),
        baseline_digest=pair.models[Role.BASELINE].digest,
        compressed_digest=pair.models[Role.COMPRESSED].digest,
    )


class RememberingBus(MemoryBus):
    """A bus that remembers what was published: topic, value and key. All have one id, so that a record of one fleet
    fits the log of another.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log = "small-fleet"
        self.published: list[tuple[str, bytes, str]] = []

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Append a record."""
        super().publish(topic, value, key)
        self.published.append((topic.partition(".")[2], value, str(key)))


@dataclass
class SmallFleet:
    """The members of a cluster for one model ``m``, whose judge keeps its state on the topic of snapshots."""

    pair: WatchedPair
    bus: RememberingBus = field(default_factory=RememberingBus)
    metrics: Metrics = field(default_factory=lambda: Metrics(CollectorRegistry()))
    requests: int = 0

    def __post_init__(self) -> None:
        self.plan = plan_of(self.pair)
        self.router = Router({"m": (SCOPE,)}, cautious=True)
        coverage = self.plan.coverage
        self.consumer = ControlConsumer(
            self.bus, self.router, self.metrics, lambda model: coverage if model == "m" else None
        )
        self.shown = JudgementView({"m": self.plan})
        self.follower = SnapshotFollower(self.bus, self.shown, self.metrics)
        self.worker = Worker(self.bus, {"m": self.pair}, self.metrics, Flag())
        self.start_judge()

    def start_judge(self) -> None:
        """Start a judge; the one before is killed."""
        self.view = JudgementView({"m": self.plan})
        store = SnapshotStore(self.bus)
        self.judge = Judge(self.bus, store, self.view, self.metrics, "host", Flag(), topics=JUDGE_TOPICS)

    def serve(self, rows: int, *, harm: bool) -> None:
        """Answer requests of one row by the compressed model, and keep a sample of each."""
        rng = np.random.default_rng(self.requests)
        inputs = rng.normal(size=(rows, 2)).astype(np.float32)
        answers: npt.NDArray[np.generic] = self.pair.models[Role.BASELINE].run({"input": inputs}, [self.pair.output])[
            self.pair.output
        ]
        answers = answers[:, SWAP] if harm else answers
        samples = [
            replace(
                sample(self.pair, inputs[row : row + 1], number=self.requests + row, outputs=answers[row : row + 1]),
                time=time.time(),
            )
            for row in range(rows)
        ]
        self.requests += rows
        for value in records(samples):
            self.bus.publish(topic(SAMPLES), value)

    def step(self) -> None:
        """Let every member take all records."""
        busy = True
        while busy:
            busy = bool(self.worker.step(0.0))
            busy = bool(self.judge.step(0.0)) or busy
        self.consumer.step(0.0)
        self.follower.step(0.0)

    @property
    def state(self) -> State:
        """The judge's state."""
        return self.view.states["m"]

    @property
    def safe(self) -> bool:
        """Whether the baseline answers a row of the subgroup."""
        return not {MODEL_SCOPE, SCOPE}.isdisjoint(self.router.routes("m").safe)

    def recorded(self) -> list[tuple[str, bytes, str]]:
        """One record of each kind, as the members wrote it: topic, value and key."""
        now = time.time()
        self.serve(20, harm=False)
        self.step()
        self.judge._store._written.clear()  # type: ignore[attr-defined]  # its snapshot is due now
        self.judge.step(0.0)
        early = next(each for each in reversed(self.bus.published) if each[0] == SNAPSHOTS)  # it fits any fleet's logs
        self.bus.publish(
            topic(COMPARISONS), record_codec.encode_traffic(Traffic("m", now, 20, now - 1.0, self.plan.coverage)), "m"
        )
        label = Label("m", "r-3", 0, 1, now)
        self.bus.publish(topic(LABELS), record_codec.encode_labels([label]), "m")
        order = Order("o-1", now, "m", SCOPE, "force-safe", "ann", "a test")
        self.bus.publish(topic(CONTROL), record_codec.encode_order(order), f"m/{SCOPE}")
        event = Event("e-1", now, "m", "unmonitored", "model", "gateway", "a test", {"x": [1, None]})
        self.bus.publish(topic(EVENTS), record_codec.encode_event(event), "m")
        self.step()
        self.judge.step(0.0)
        kinds = {(name, record_codec.schema_of(value)): (name, value, key) for name, value, key in self.bus.published}
        return [early if name == SNAPSHOTS else (name, value, key) for name, value, key in kinds.values()]

    def check(self) -> None:
        """Check what holds after any record: no evidence is NaN, no position lies beyond the end of its log, and no
        mode is so new that the judge's own would be ignored.
        """
        for cells in self.state.cells:
            for masses in (cells.log_mass, cells.recovery, cells.path):
                assert not np.isnan(masses).any()
                assert (masses < np.inf).all()
            assert np.isfinite(cells.total).all()
        assert not any(np.isnan(verdict.evidence) for verdict in verdicts(self.plan, self.state))
        ends = self.bus.ends([topic(name) for name in (SAMPLES, COMPARISONS, LABELS, CONTROL)])
        if self.state.log == self.bus.log:
            for partition, last in self.state.watermarks.items():
                assert last < ends[topic(SAMPLES), partition]
        for source, position in self.judge._store._mine["m"].positions.items():  # type: ignore[attr-defined]
            assert position <= ends[source]
        assert self.router.routes("m").epoch <= self.state.epoch < time.time() + 1e6
        body = self.metrics.exposition("")[0]
        assert len(body) < MAX_EXPOSITION_BYTES

    @property
    def dead(self) -> int:
        """The number of parked records."""
        return sum(name == DEAD for name, _, _ in self.bus.published)
