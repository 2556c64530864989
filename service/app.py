"""The gateway's wiring, on one screen: the only function of this package that puts the parts together."""

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tightrope.service.adapters.archive.report_store import ReportStore
from tightrope.service.adapters.onnxruntime import OnnxModel, Runtime
from tightrope.service.adapters.open_inference.model import Where, connect
from tightrope.service.adapters.ports import Bus, Model, Trail
from tightrope.service.adapters.prometheus.catalogue import Part
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.api.ports import Deployer, Desk
from tightrope.service.config import models as sections
from tightrope.service.config.loader import ConfigError, Settings, control_token, secret
from tightrope.service.config.models import Endpoint
from tightrope.service.inference import golden
from tightrope.service.inference.autotune import Pace
from tightrope.service.inference.engine import Gateway
from tightrope.service.inference.model_pair import Pair, build
from tightrope.service.inference.remote_health import Presence
from tightrope.service.outbox import Outbox
from tightrope.service.routing.control_consumer import ControlLoop
from tightrope.service.routing.router import Router
from tightrope.service.sampling.payload_joiner import PayloadLoop
from tightrope.service.sampling.recorder import Answered
from tightrope.service.transport.http.asgi import App, InferLayer
from tightrope.service.transport.responder import Responder

if TYPE_CHECKING:
    from tightrope.service.transport.grpc.server import RpcServer

SILENCE = 60.0
"""Seconds without a word from judges elsewhere, after which this is told."""

ROWS, REPORTS = "rows", "reports"
"""Folders in the state's: compared rows, and the drift reports made of them."""


@dataclass(frozen=True, slots=True)
class Service:
    """A gateway that is wired and not started yet."""

    app: App
    gateway: Gateway
    outbox: Outbox
    control: ControlLoop
    presence: Presence
    payloads: PayloadLoop | None = None
    rpc: "RpcServer | None" = None

    def start(self) -> None:
        """Start the threads beside the request path."""
        self.outbox.start()
        self.control.start()
        self.presence.start()
        if self.payloads:
            self.payloads.start()

    def stop(self, timeout: float) -> None:
        """Publish what waits, then stop."""
        if self.payloads:
            self.payloads.stop(timeout)
        self.gateway.afterwards()
        self.outbox.stop(timeout)
        self.control.stop(timeout)
        self.presence.stop(timeout)


def load_model(artefact: Path | Endpoint, runtime: sections.Runtime) -> Model:
    """An ONNX file from disk, or a model on another server."""
    if isinstance(artefact, Path):
        return OnnxModel(artefact, _runtime(runtime))
    where = Where(
        url=artefact.endpoint,
        model=artefact.model,
        version=artefact.version,
        timeout=artefact.timeout_seconds,
        max_rows=artefact.max_rows,
        failures=artefact.failures,
        probe=artefact.probe_seconds,
        required=artefact.required,
        token=secret(artefact.token_file, "token_file") if artefact.token_file else None,
    )
    return connect(where)


def _runtime(of: sections.Runtime) -> Runtime:
    parallel = of.execution == "parallel"
    fields = of.model_dump(exclude={"execution", "warm_up_rows"})
    return Runtime(**fields, parallel=parallel)


def load_pairs(settings: Settings, load: Callable[[Any, sections.Runtime], Model] = load_model) -> dict[str, Pair]:
    """Load and check every model.

    Raises:
        ConfigError: with every mistake of every model.
    """
    pairs: dict[str, Pair] = {}
    problems: list[str] = []
    for name in settings.models:
        try:
            pairs[name] = build(name, settings, load)
            golden_rows(pairs[name], settings)
        except ConfigError as error:
            problems += error.problems
    if settings.reports.every_seconds is not None and importlib.util.find_spec("evidently") is None:
        problems.append("reports.every_seconds: drift reports need more: pip install 'tightrope[reports]'")
    if settings.server.grpc_port is not None and importlib.util.find_spec("grpc_health") is None:
        problems.append("server.grpc_port: gRPC needs more: pip install 'tightrope[grpc]'")
    if problems:
        raise ConfigError(problems)
    return pairs


def golden_rows(pair: Pair, settings: Settings) -> golden.Golden | None:
    """The rows that a model's traffic is compared with in drift reports, where the settings name a file of them.

    Raises:
        ConfigError: when the file does not fit the model.
    """
    path = settings.models[pair.name].golden
    if path is None:
        return None
    key, most = f"models.{pair.name}.golden", max(settings.reports.reference_rows, 1)
    return golden.read(path, key, pair.inputs, pair.subgroups, most)


def build_service(
    settings: Settings,
    pairs: dict[str, Pair],
    paces: dict[str, Pace],
    bus: Bus,
    store: Trail,
    desk: Desk,
    deployer: Deployer,
    metrics: Metrics,
    patience: float | None = None,
) -> Service:
    """Wire a gateway for these pairs, each with the pace that was learned of it. Where the judge is elsewhere,
    ``patience`` is how many seconds it may be until the modes are known.
    """
    for name, pair in pairs.items():
        metrics.announce(Part.GATEWAY, name, pair.plan.scopes)
    elsewhere = patience is not None
    router = Router({name: pair.subgroups.scopes for name, pair in pairs.items()}, cautious=elsewhere)
    outbox = Outbox(bus, metrics.dropped)
    gateway = Gateway(pairs, router, outbox, metrics, Answered(outbox, metrics, paces))
    control = ControlLoop(bus, router, metrics, SILENCE if elsewhere else float("inf"))
    until = time.monotonic() + (patience or 0.0)
    token = control_token(settings)
    shelf = ReportStore(settings.state / REPORTS)
    told = {name: of.payloads for name, of in settings.models.items() if of.payloads}
    payloads = PayloadLoop(bus, pairs, told, outbox, metrics) if told else None
    known, responder = partial(_knows, control, until), Responder(gateway, paces)

    def rest() -> App:
        from tightrope.service.api.app import pages  # noqa: PLC0415 - FastAPI, once requests are answered

        return pages(gateway, bus, store, desk, deployer, token, told, shelf, known)

    layer = InferLayer(rest, responder, settings.server.max_body_bytes)
    rpc = _rpc(settings, responder, known)
    return Service(layer, gateway, outbox, control, Presence(pairs, metrics), payloads, rpc)


def _rpc(settings: Settings, responder: Responder, known: Callable[[], bool]) -> "RpcServer | None":
    """gRPC, whose library is loaded only where it is asked for.

    Raises:
        ConfigError: when the port is not to be had.
    """
    if settings.server.grpc_port is None:
        return None
    from tightrope.service.transport.grpc.server import RpcServer  # noqa: PLC0415 - see above
    from tightrope.service.transport.grpc.servicer import Inference  # noqa: PLC0415 - see above

    return RpcServer(settings.server, Inference(responder, known), known)


def _knows(control: ControlLoop, until: float) -> bool:
    """Whether this replica knows the modes, or has waited long enough for them."""
    return control.caught_up.is_set() or time.monotonic() >= until
