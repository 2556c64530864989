"""The gateway's wiring, on one screen: the only function of this package that puts the parts together."""

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from monitors.records import Role
from service import deploy, golden, intake, labels, reports
from service.access import application, operator
from service.adapters.endpoint import EndpointModel, Where, connect
from service.adapters.metrics import Metrics
from service.adapters.onnx import OnnxModel
from service.adapters.ports import Bus, Model, RunFailedError, Trail
from service.adapters.reports import ReportStore
from service.adapters.series import Part
from service.adapters.topics import CONTROL, topic
from service.api import Desk, create_api
from service.control import ControlLoop
from service.deploy import Deployer
from service.gateway import Gateway
from service.http import App, InferLayer
from service.outbox import Outbox
from service.pair import Pair, build
from service.payloads import PayloadLoop
from service.presence import Presence
from service.router import Router
from service.sections import Endpoint
from service.settings import ConfigError, Settings, control_token, secret
from service.tensors import zeros

SLOW_SECONDS = 0.001
"""A model that takes longer for one row runs in a thread: it would hold up everybody on the event loop, and a thread
hop costs less than a tenth of it."""

TRIALS = 5

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
        self.outbox.stop(timeout)
        self.control.stop(timeout)
        self.presence.stop(timeout)


def load_model(artefact: Path | Endpoint, threads: int) -> Model:
    """An ONNX file from disk, or a model on another server."""
    if isinstance(artefact, Path):
        return OnnxModel(artefact, threads)
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


def load_pairs(settings: Settings, load: Callable[[Any, int], Model] = load_model) -> dict[str, Pair]:
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
    slow: dict[str, bool],
    bus: Bus,
    store: Trail,
    desk: Desk,
    deployer: Deployer,
    metrics: Metrics,
    patience: float | None = None,
) -> Service:
    """Wire a gateway for these pairs; ``slow`` says which of them must not run on the event loop. Where the judge is
    elsewhere, ``patience`` is how many seconds it may be until the modes are known.
    """
    for name, pair in pairs.items():
        metrics.announce(Part.GATEWAY, name, pair.plan.scopes)
    elsewhere = patience is not None
    router = Router({name: pair.subgroups.scopes for name, pair in pairs.items()}, cautious=elsewhere)
    outbox = Outbox(bus, metrics.dropped)
    gateway = Gateway(pairs, router, outbox, metrics)
    control = ControlLoop(bus, router, metrics, SILENCE if elsewhere else float("inf"))
    until = time.monotonic() + (patience or 0.0)
    token = control_token(settings)
    shelf = ReportStore(settings.state / REPORTS)
    newest, known = partial(reports.newest, shelf), partial(_knows, control, until)
    api = create_api(gateway, desk, store, bus, topic(CONTROL), token, newest, known)
    api.include_router(labels.routes(gateway, bus, application(token)))
    told = {name: of.payloads for name, of in settings.models.items() if of.payloads}
    api.include_router(intake.routes(gateway, bus, told, application(token)))
    api.include_router(deploy.routes(gateway, deployer, operator(token)))
    api.include_router(reports.routes(gateway, shelf))
    payloads = PayloadLoop(bus, pairs, told, outbox, metrics) if told else None
    layer = InferLayer(api, gateway, settings.server.max_body_bytes, slow)
    return Service(layer, gateway, outbox, control, Presence(pairs, metrics), payloads)


def _knows(control: ControlLoop, until: float) -> bool:
    """Whether this replica knows the modes, or has waited long enough for them."""
    return control.caught_up.is_set() or time.monotonic() >= until


def is_slow(pair: Pair) -> bool:
    """Whether either model takes longer than `SLOW_SECONDS` for one row of zeros, or lives elsewhere; also warms up
    what is here.
    """
    here = [role for role in Role if not isinstance(pair.models[role], EndpointModel)]
    return max((_seconds(pair, role) for role in here), default=0.0) > SLOW_SECONDS or pair.elsewhere


def _seconds(pair: Pair, role: Role) -> float:
    """The best of a few trials; a model that refuses zeros counts as slow."""
    row = zeros(pair.inputs)
    taken = []
    for _ in range(TRIALS):
        began = time.perf_counter()
        try:
            pair.models[role].run(row, [pair.output])
        except RunFailedError:
            return float("inf")
        taken.append(time.perf_counter() - began)
    return min(taken)
