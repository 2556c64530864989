"""A pair behind a gateway, with its worker and its judge on the same memory bus, stepped in this process."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Event as Flag
from typing import Any

from tests.support.judgement.judge_harness import JudgeHarness
from tests.support.kinds.caller_rows import Tensors
from tests.support.serving.service_harness import GatewayHarness
from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.verdict import Verdict
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.protocol.rest import InferRequest
from tightrope.shadow.inference import WatchedPair
from tightrope.shadow.worker import Worker

SECONDS = 60.0
"""Time for the rows of `send` to be judged."""

POLL_SECONDS = 0.05


class GuardedPair:
    """A gateway of one pair, named m, and what watches it. It begins in normal mode."""

    def __init__(self, folder: Path, section: Mapping[str, object]) -> None:
        self.gateway = GatewayHarness(folder, {"m": section})
        self.pair = self.gateway.pairs["m"]
        self.harness = JudgeHarness(folder, {"m": self.pair.plan}, self.gateway.bus)
        watched = WatchedPair(
            self.pair.models,
            self.pair.decision,
            self.pair.output,
            self.pair.has_free_rows,
            self.pair.noise_share,
            self.pair.batchability,
            self.pair.kind,
        )
        self._judge = self.harness.judge()
        self._worker = Worker(self.gateway.bus, {"m": watched}, self.gateway.metrics, Flag())
        self._sent = 0
        self.gateway.safe("m")
        self.gateway.outbox.start()

    def send(self, requests: Iterable[Tensors]) -> None:
        """Answer requests of one row, compare their samples, and judge them."""
        for given in requests:
            self.gateway.time = time.time()
            self.ask(given)
            self._sent += 1
        deadline = time.monotonic() + SECONDS
        while self.compared < self._sent:
            assert time.monotonic() < deadline, f"{self.compared} of {self._sent} rows are judged"
            self._worker.step(POLL_SECONDS)
            self.harness.drain(self._judge)
        self.gateway.router.apply(self.harness.routes[-1])

    def ask(self, given: Tensors) -> str:
        """Answer one request, and say who did."""
        asked = self.pair.rows_first(InferRequest(None, {}, dict(given), (), binary_default=False))
        return str(self.gateway.engine.infer(self.pair, asked).parameters["served_by"])

    @property
    def verdict(self) -> Verdict:
        """The verdict of disagreement over the whole model."""
        every = verdicts(self.pair.plan, self.harness.saved_state())
        (one,) = [each for each in every if (each.scope, each.monitor) == (MODEL_SCOPE, "disagreement")]
        return one

    @property
    def events(self) -> list[Event]:
        """The audit trail."""
        return self.harness.events()

    @property
    def compared(self) -> int:
        """The rows that were judged, or wait for the end of their tick."""
        progress: Any = self.harness.view.progress("m")
        return int(progress["seen"] + progress["pending"])

    def dead(self) -> int:
        """Records that could not be compared."""
        return self.gateway.metrics.total("dead_records", topic=topic(SAMPLES))

    def close(self) -> None:
        """Stop the outbox, and close the worker and the store."""
        self.gateway.outbox.stop(SECONDS)
        self._worker.close()
        self.harness.store.close()
