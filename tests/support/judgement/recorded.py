"""A judge whose judgement is recorded, in one process and without a thread: for tests of the record."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from types import SimpleNamespace

import numpy as np

from tests.support.judgement.comparisons import RowSource
from tests.support.judgement.judge_harness import HOST, JudgeHarness, harm_and_recovery, lenient
from tightrope.monitors.budget import MonitorSpec
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import Plan
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.journal.model_journal import Recording
from tightrope.service.adapters.journal.recorder import JournalRecorder, RecordLimits
from tightrope.service.adapters.journal.redaction import Redaction
from tightrope.service.adapters.kafka.snapshot_store import JUDGE_TOPICS, SnapshotStore
from tightrope.service.adapters.topics import COMPARISONS, EVENTS, topic
from tightrope.service.config.loader import Settings
from tightrope.shadow.judge import Judge
from tightrope.shadow.judgement_view import JudgementView

KEY = b"k" * 32
RECORDING = Recording(lambda: 1000.0, {"tightrope": "test"}, HOST)


def recorded_plan(**changes: object) -> Plan:
    """The plan of `lenient`, with the specification that its rules are of."""
    spec = MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.4, 0.1, 0.1, 0.1]), subgroup_limit=0.1)
    return replace(lenient(), specs=(spec,), digest="d", **changes)


class Volume:
    """A volume whose free blocks a test sets."""

    def __init__(self) -> None:
        self.free = 1000

    def statvfs(self, _: Path) -> SimpleNamespace:
        """The size of the volume: 1,000 blocks of 1 kB."""
        return SimpleNamespace(f_frsize=1000, f_blocks=1000, f_bavail=self.free)


class RecordedJudge:
    """A judge over a memory bus, with its record in ``folder / "journal"``, and with the store of a cluster if it is
    ``in_cluster``. With a ``lead`` only incidents are written.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan | None = None,
        *,
        most_bytes: int = 1 << 30,
        in_cluster: bool = False,
        lead: int = 0,
    ) -> None:
        self.in_cluster, self.recording = in_cluster, replace(RECORDING, lead=lead)
        self.plan = plan or recorded_plan()
        self.harness = JudgeHarness(folder, {"m": self.plan})
        self.folder, self.volume = folder / "journal", Volume()
        self.redaction = Redaction(KEY)
        self.limits = RecordLimits(90.0, most_bytes)
        self.traffic = RowSource()
        self._reader = self.harness.bus.subscribe(topic(COMPARISONS), group="kept")  # the bus keeps all for it
        self.start()

    def start(self) -> None:
        """Start a recorder and a judge, as a new process does."""
        space = FreeSpace(self.folder, self.volume.statvfs, reserve=10_000)
        self.recorder = JournalRecorder(self.folder, {"m": self.redaction}, self.recording, self.limits, space)
        self.harness.view = JudgementView({"m": self.plan})
        store = SnapshotStore(self.harness.bus) if self.in_cluster else self.harness.store
        self.judge = Judge(
            self.harness.bus,
            store,
            self.harness.view,
            self.harness.metrics,
            HOST,
            Flag(),
            JUDGE_TOPICS if self.in_cluster else (*JUDGE_TOPICS, EVENTS),
            recorder=self.recorder,
        )

    def kill(self) -> None:
        """End the process without a word, and start another one on the same state."""
        self.write()
        for journal in self.recorder._journals.values():
            if journal._file is not None:
                journal._file.close()
        self.judge.close()
        self.harness.reopen()
        self.start()

    def judge_harm(self, batches: slice = slice(None)) -> None:
        """Judge these batches of harm and recovery, each in a round of its own."""
        for batch in list(harm_and_recovery(self.traffic))[batches]:
            self.harness.publish(batch)
            self.harness.drain(self.judge)

    def write(self) -> None:
        """Write what waits."""
        while not self.recorder._queue.empty():
            self.recorder.write_queued()

    def stop(self) -> None:
        """Write what waits, and end the segment."""
        self.recorder._queue.put(None)
        while self.recorder.write_queued():
            pass

    def settings(self, models: Sequence[str] = ("m",)) -> Settings:
        """Settings with the state folder of the record."""
        section = {"baseline": "b.onnx", "compressed": "c.onnx"}
        return Settings.model_validate(
            {"models": dict.fromkeys(models, section), "state": str(self.folder.parent), "record": {}}
        )
