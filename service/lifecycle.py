"""The parts of a wired gateway, with their start and stop."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tightrope.service.adapters.telemetry.span_queue import SpanQueue
from tightrope.service.inference.batching.sharing_watch import SharingWatch
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.inference.remote_health import RemoteHealth
from tightrope.service.outbox import Outbox
from tightrope.service.routing.control_consumer import ControlConsumer
from tightrope.service.routing.judge_watch import JudgeWatch
from tightrope.service.routing.qualification_watch import QualificationWatch
from tightrope.service.routing.sight_watches import SightWatches
from tightrope.service.sampling.ledger.ledger import CostLedger
from tightrope.service.sampling.payload_joiner import PayloadConsumer
from tightrope.service.transport.http.asgi import App

if TYPE_CHECKING:
    from tightrope.service.transport.grpc.server import GrpcServer

FIRST_WORD_SECONDS = 3.0
"""Time within which a judge that lives is heard: it takes two heartbeats."""


@dataclass(frozen=True, slots=True)
class Service:
    """A wired gateway."""

    app: App
    engine: InferenceEngine
    outbox: Outbox
    control: ControlConsumer
    sight: SightWatches
    remote_health: RemoteHealth
    sharing_watch: SharingWatch
    qualification: QualificationWatch
    ledger: CostLedger
    judge_watch: JudgeWatch | None = None
    payloads: PayloadConsumer | None = None
    grpc: "GrpcServer | None" = None
    spans: SpanQueue | None = None

    def start(self) -> None:
        """Start the background threads."""
        self.outbox.start()
        self.control.start()
        self.sight.start()
        self.qualification.start()
        if self.judge_watch:
            self.judge_watch.start()
        self.remote_health.start()
        self.sharing_watch.start()
        self.ledger.start()
        if self.payloads:
            self.payloads.start()
        if self.spans:
            self.spans.start()

    def wait_for_modes(self, timeout: float) -> None:
        """Wait at most ``timeout`` seconds until the modes are read, and a moment for a word of their judges."""
        self.control.caught_up.wait(timeout)
        if self.judge_watch:
            self.judge_watch.has_heard_all.wait(min(timeout, FIRST_WORD_SECONDS))

    def stop(self, timeout: float) -> None:
        """Publish the waiting samples and events, then stop; each thread gets ``timeout`` seconds. The ledger goes on:
        its last portion has what the worker does until it stops.
        """
        self.sight.stop(timeout)
        self.qualification.stop(timeout)
        if self.judge_watch:
            self.judge_watch.stop(timeout)
        if self.payloads:
            self.payloads.stop(timeout)
        self.engine.sample_answers()
        self.outbox.stop(timeout)
        self.control.stop(timeout)
        self.remote_health.stop(timeout)
        self.sharing_watch.stop(timeout)
        if self.spans:
            self.spans.stop(timeout)
